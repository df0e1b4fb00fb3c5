"""Plans: what is in a run, in which order, in how many lanes."""

from __future__ import annotations

import json

import pytest

from comboi_core.app import runfiles
from comboi_core.app.workspace import Workspace
from comboi_core.domain.errors import ConfigError, RequestInvalid, SelectionEmpty
from comboi_core.runs import planning
from comboi_core.runs.planning import PAGE_ITEMS, list_items, plan_run, plan_waves
from comboi_core.runs.record import record_items

REQUEST = {
    "run_id": "sales-20261123T060000Z-7f3a91",
    "pipeline": "sales",
    "stage": None,
    "select": [],
    "full_refresh": False,
}


def names(waves) -> list:
    return [(wave["stage"], [[item["name"] for item in lane] for lane in wave["lanes"]]) for wave in waves]


def test_everything_is_one_bronze_wave_and_a_wave_per_step_of_the_order(workspace):
    assert names(plan_waves(workspace.project, None, [])) == [
        ("bronze", [["shop.orders", "shop.customers"], ["shop.items"], ["crm.customers"]]),
        ("silver", [["a"], ["b"]]),
        ("silver", [["c"]]),
        ("gold", [["top"]]),
    ]


@pytest.mark.parametrize(("lanes", "dealt"), [(1, [3]), (2, [2, 1]), (3, [1, 1, 1]), (64, [1, 1, 1])])
def test_a_source_has_at_most_as_many_lanes_as_it_allows_and_none_is_empty(make, lanes, dealt):
    def change(pipeline, _):
        pipeline["sources"][0]["max_parallel"] = lanes

    bronze = plan_waves(make(change).project, "bronze", [])[0]

    assert [len(lane) for lane in bronze["lanes"]] == [*dealt, 1]


def test_datasets_side_by_side_are_limited(make):
    def change(pipeline, datasets):
        pipeline["engine"]["parallel_datasets"] = 1

    assert names(plan_waves(make(change).project, "silver", [])) == [("silver", [["a", "b"]]), ("silver", [["c"]])]


@pytest.mark.parametrize(
    ("stage", "select", "chosen"),
    [
        ("bronze", [], {"shop.orders", "shop.items", "shop.customers", "crm.customers"}),
        ("gold", [], {"top"}),
        (None, ["orders"], {"shop.orders"}),
        (None, ["customers"], {"shop.customers", "crm.customers"}),
        (None, ["crm.customers"], {"crm.customers"}),
        (None, ["crm.customers", "customers", "top"], {"crm.customers", "shop.customers", "top"}),
        ("silver", ["a", "top"], {"a"}),
        (None, ["c", "a"], {"a", "c"}),
    ],
)
def test_selection_is_by_full_or_short_name_and_by_stage(workspace, stage, select, chosen):
    planned = plan_waves(workspace.project, stage, select)

    assert {item["name"] for wave in planned for lane in wave["lanes"] for item in lane} == chosen


@pytest.mark.parametrize(
    ("stage", "select", "kind", "says"),
    [
        ("platinum", [], RequestInvalid, "there is no stage 'platinum'"),
        ("sliver", [], RequestInvalid, "did you mean 'silver'?"),
        ("", [], RequestInvalid, "there is no stage ''"),
        (None, ["order"], SelectionEmpty, "there is no table or dataset 'order'"),
        (None, ["crm.customer"], SelectionEmpty, "did you mean 'crm.customers'?"),
        (None, [""], SelectionEmpty, "''"),
        (None, ["shop"], SelectionEmpty, "'shop'"),
        (None, ["a", "nowhere"], SelectionEmpty, "'nowhere'"),
        ("gold", ["a"], SelectionEmpty, "nothing is selected: stage gold, select a"),
    ],
)
def test_a_selection_of_nothing_is_refused(workspace, stage, select, kind, says):
    with pytest.raises(kind) as caught:
        plan_waves(workspace.project, stage, select)
    assert says in caught.value.message


def test_a_stage_without_datasets_is_a_selection_of_nothing(make):
    def change(_, datasets):
        datasets["gold"] = []

    with pytest.raises(SelectionEmpty):
        plan_waves(make(change).project, "gold", [])


def test_a_dataset_knows_the_tables_and_datasets_it_reads(workspace):
    top = plan_waves(workspace.project, "gold", [])[0]["lanes"][0][0]

    assert (top["tables"], top["upstream"]) == (["shop.items"], ["c", "shop.items"])


def test_the_plan_is_frozen_into_the_lake_and_the_answer_holds_counts_only(workspace, monkeypatch):
    monkeypatch.setattr(planning, "FEW", 2)
    answer = plan_run(workspace, REQUEST | {"trigger": "http"})

    assert answer["waves"] == [
        {"stage": "bronze", "lanes": 3}, {"stage": "silver", "lanes": 2}, {"stage": "silver", "lanes": 1},
        {"stage": "gold", "lanes": 1},
    ]  # fmt: skip
    frozen = runfiles.read_json(workspace.lake("bronze"), answer["plan"])
    assert frozen["config_hash"] == answer["config_hash"] == workspace.project.config_hash
    assert names(frozen["waves"]) == names(plan_waves(workspace.project, None, []))


def test_planning_twice_leaves_the_plan_that_is_followed_as_it_is(workspace):
    followed = plan_run(workspace, REQUEST)["plan"]
    before = workspace.lake("bronze").read(followed)

    assert plan_run(workspace, REQUEST)["plan"] != followed
    assert workspace.lake("bronze").read(followed) == before


def test_a_source_is_asked_for_sizes_only_if_a_lane_gets_several_of_its_tables(make, monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr(Workspace, "table_sizes", lambda _, sources: asked.extend(one.name for one in sources) or {})
    workspace = make(lambda pipeline, _: None)

    plan_run(workspace, REQUEST | {"select": ["shop.orders", "crm.customers"]})
    assert asked == []
    plan_run(workspace, REQUEST)
    assert asked == ["shop"]


def test_the_largest_tables_are_dealt_first_and_evenly(make):
    def change(pipeline, _):
        pipeline["sources"][1]["tables"] += [{"name": name, "table": "t"} for name in "abcd"]
        pipeline["sources"][1]["max_parallel"] = 2

    sizes = {"crm.a": 1, "crm.b": 5_000_000, "crm.c": 2_000_000, "crm.d": 3_000_000}
    lanes = plan_waves(make(change).project, "bronze", [], sizes)[0]["lanes"]
    dealt = [[item["table"] for item in lane] for lane in lanes if lane[0]["source"] == "crm"]

    assert dealt[0][0] == "b" and dealt[1][:2] == ["d", "c"]
    assert sorted(table for lane in dealt for table in lane) == ["a", "b", "c", "customers", "d"]


def test_the_answer_does_not_grow_with_the_tables(make):
    def change(pipeline, _):
        pipeline["sources"][0]["tables"] = [{"name": n, "table": "t"} for n in ["orders", "items", "customers"]]
        pipeline["sources"][0]["tables"] += [{"name": f"t{n}", "table": "t"} for n in range(500)]

    assert len(json.dumps(plan_run(make(change), REQUEST))) < 2000


def test_a_missing_script_is_found_before_anything_is_extracted(workspace, tmp_path):
    (tmp_path / "transformations" / "b.sql").unlink()

    with pytest.raises(ConfigError) as caught:
        plan_run(workspace, REQUEST)
    assert "b" in caught.value.message and workspace.lake("bronze").list("") == []


def test_a_missing_script_does_not_matter_to_a_run_that_does_not_need_it(workspace, tmp_path):
    (tmp_path / "transformations" / "b.sql").unlink()

    assert [wave["stage"] for wave in plan_run(workspace, REQUEST | {"stage": "bronze"})["waves"]] == ["bronze"]


def test_the_first_pages_of_a_few_tables_come_with_the_plan(workspace):
    answer = plan_run(workspace, REQUEST)

    listed = [list_items(workspace, REQUEST | answer | {"wave": 0, "lane": number, "page": 0}) for number in range(3)]
    assert answer["waves"][0]["pages"] == listed
    assert all("pages" not in wave for wave in answer["waves"][1:]), "what becomes of datasets depends on the tables"


def test_a_run_of_another_pipeline_is_refused(workspace):
    with pytest.raises(RequestInvalid, match="'sales', not 'other'"):
        plan_run(workspace, REQUEST | {"pipeline": "other"})


def lane(workspace, wave: int, number: int = 0, page: int = 0) -> dict:
    (plan,) = workspace.lake("bronze").list(f"work/{REQUEST['run_id']}/plan")
    return {"run_id": REQUEST["run_id"], "plan": plan, "wave": wave, "lane": number, "page": page}


def test_a_long_lane_is_handed_out_in_pages(make):
    def change(pipeline, _):
        pipeline["sources"][1]["tables"] += [{"name": f"t{n:03}", "table": "t"} for n in range(2 * PAGE_ITEMS)]
        pipeline["sources"][1]["max_parallel"] = 1

    workspace = make(change)
    plan_run(workspace, REQUEST | {"stage": "bronze"})

    pages = [list_items(workspace, lane(workspace, 0, 2, page)) for page in range(3)]

    assert [(len(page["items"]), page["more"]) for page in pages] == [
        (PAGE_ITEMS, True),
        (PAGE_ITEMS, True),
        (1, False),
    ]
    assert len({item["name"] for page in pages for item in page["items"]}) == 2 * PAGE_ITEMS + 1


@pytest.mark.parametrize("status", ["failed", "skipped"])
def test_what_depends_on_something_that_was_not_built_is_skipped_with_the_reason(workspace, status):
    plan_run(workspace, REQUEST)
    record_items(
        workspace,
        lane(workspace, 1) | {"items": [{"name": "a", "status": status}, {"name": "b", "status": "succeeded"}]},
    )

    (item,) = list_items(workspace, lane(workspace, 2))["items"]

    assert item["outcome"] == {"status": "skipped", "reason": "its input a was not built in this run"}


def test_a_dataset_whose_table_failed_is_skipped_too(workspace):
    plan_run(workspace, REQUEST)
    record_items(workspace, lane(workspace, 0) | {"items": [{"name": "shop.items", "status": "failed"}]})

    (item,) = list_items(workspace, lane(workspace, 3))["items"]

    assert "shop.items" in item["outcome"]["reason"]


def test_what_does_not_depend_on_a_failure_goes_on(workspace):
    plan_run(workspace, REQUEST)
    record_items(workspace, lane(workspace, 0) | {"items": [{"name": "shop.customers", "status": "failed"}]})

    assert all(
        "outcome" not in item for wave in (1, 2, 3) for item in list_items(workspace, lane(workspace, wave))["items"]
    )
