"""The list of runs: pages, filters, and where the entity's memory ends and the lake's begins."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta

import pytest

from comboi_core.app import runfiles
from comboi_core.domain.errors import LakeUnavailable, RequestInvalid
from comboi_core.runs.records import record_path
from comboi_core.state import pipeline
from comboi_core.web import paging
from comboi_core.web.paging import list_runs, parse_filter

FIRST = datetime.fromisoformat("2026-11-23T06:00:00+00:00")


def page(hub, workspace, **params: str) -> dict:
    return asyncio.run(list_runs(hub, workspace, parse_filter(workspace, params)))


def pages(hub, workspace, **params: str) -> list[str]:
    """Return the ids of all pages; none comes twice."""
    found, cursor = [], {}
    while True:
        answer = page(hub, workspace, **params, **cursor)
        found += [run["run_id"] for run in answer["runs"]]
        assert len(found) == len(set(found))
        if answer["next"] is None:
            return found
        cursor = {"cursor": answer["next"]}


def many_runs(hub, workspace, number: int, *, recorded: int | None = None) -> list[str]:
    """Let runs come and go, one a minute, every third one failed; return their ids, newest first."""
    state, ids = pipeline.initial(), []
    for index in range(number):
        moment = FIRST + timedelta(minutes=index)
        run_id = f"sales-{moment:%Y%m%dT%H%M%SZ}-7f3a91"
        ids.append(run_id)
        status, started_at = "failed" if index % 3 == 0 else "succeeded", moment.isoformat()
        state, _ = pipeline.begin(state, {"run_id": run_id, "started_at": started_at})
        state, _ = pipeline.finish(state, {"run_id": run_id, "summary": {"status": status}})
        if index < (number if recorded is None else recorded):
            record = {"run_id": run_id, "status": status, "started_at": started_at, "finished_at": started_at}
            table = {"source": "shop", "table": "orders" if index % 2 else "items", "status": status, "rows": 1}
            record |= {"seconds": 1.0, "error": None, "tables": [table], "datasets": []}
            runfiles.write_json(workspace.lake("bronze"), record_path(run_id), record)
    hub.entities["pipeline", "sales"] = state
    return ids[::-1]


def test_a_pipeline_that_never_ran_has_no_runs(hub, workspace):
    assert page(hub, workspace) == {"pipeline": "sales", "runs": [], "next": None}


@pytest.mark.parametrize(("limit", "shown"), [(None, 20), ("1", 1), ("50", 50), ("100", 60), ("007", 7)])
def test_runs_are_listed_newest_first_up_to_the_limit(hub, workspace, limit, shown):
    ids = many_runs(hub, workspace, 60, recorded=0)

    answer = page(hub, workspace, **({"limit": limit} if limit else {}))

    assert [run["run_id"] for run in answer["runs"]] == ids[:shown]
    assert answer["next"] == (ids[shown - 1] if shown < 60 else None)


@pytest.mark.parametrize("limit", ["1", "7", "30", "100"])
def test_the_pages_hold_every_run_once_also_those_that_only_the_lake_knows(hub, workspace, limit):
    ids = many_runs(hub, workspace, 130)

    assert pages(hub, workspace, limit=limit) == ids


def test_a_page_is_not_disturbed_by_runs_that_come_between(hub, workspace):
    ids = many_runs(hub, workspace, 130)
    first = page(hub, workspace, limit="99")

    many_runs(hub, workspace, 160)

    rest = page(hub, workspace, cursor=first["next"])
    assert rest["runs"][0]["run_id"] == ids[99]


def test_without_the_entity_the_lake_has_them_all(hub, workspace):
    ids = many_runs(hub, workspace, 45)
    hub.entities.clear()

    assert pages(hub, workspace, limit="20") == ids


def test_a_page_opens_so_many_records_at_most_and_says_where_to_go_on(hub, workspace, monkeypatch):
    monkeypatch.setattr(paging, "MOST_RECORDS", 5)
    ids = many_runs(hub, workspace, 12)
    hub.entities.clear()

    answer = page(hub, workspace, status="failed")

    assert ([run["run_id"] for run in answer["runs"]], answer["next"]) == ([ids[2]], ids[4])
    assert pages(hub, workspace, status="failed") == ids[2::3]


def test_the_limit_counts_the_runs_of_the_status_that_is_asked_for(hub, workspace):
    ids = many_runs(hub, workspace, 130)

    assert [run["run_id"] for run in page(hub, workspace, limit="15", status="failed")["runs"]] == ids[0::3][:15]
    assert pages(hub, workspace, status="failed") == ids[0::3]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-11-23T06:10:00Z", "2026-11-23T06:20:00Z"),
        ("2026-11-23 06:10", "2026-11-23T08:20:00+02:00"),
        ("2026-11-23T08:10:00 02:00", "2026-11-23T06:20"),  # a plus sign that nobody encoded
    ],
)
def test_a_range_of_time_is_half_open_wherever_the_runs_are_remembered(hub, workspace, start, end):
    ids = many_runs(hub, workspace, 130)
    wanted = ids[::-1][10:20][::-1]

    assert pages(hub, workspace, **{"from": start, "to": end}) == wanted
    hub.entities.clear()
    assert pages(hub, workspace, **{"from": start, "to": end}) == wanted


@pytest.mark.slow
@pytest.mark.parametrize("name", ["shop.orders", "orders"])
def test_runs_of_a_table_are_found_by_its_name(hub, workspace, name):
    ids = many_runs(hub, workspace, 130)

    assert pages(hub, workspace, table=name) == ids[0::2]


def test_runs_of_other_pipelines_and_stray_files_in_the_lake_are_left_out(hub, workspace):
    ids = many_runs(hub, workspace, 3)
    for name in ("other-20261123T060000Z-7f3a91", "sales-99999999T999999Z-7f3a91", "notes", "sales-x"):
        workspace.lake("bronze").write(f"runs/{name}.json", json.dumps({"run_id": name}).encode())
    hub.entities.clear()

    assert pages(hub, workspace) == ids


@pytest.mark.parametrize(
    "limit", ["0", "-1", "101", "1.5", "ten", "", " 5", "٥", "1e2", "²", "9" * 5000, "0x10", "5; DROP"]
)
def test_a_limit_that_is_none_is_a_bad_request(workspace, limit):
    with pytest.raises(RequestInvalid, match="limit: expected a number from 1 to 100"):
        parse_filter(workspace, {"limit": limit})


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"status": ""}, "status: there is no"),
        ({"status": "Failed"}, "status: there is no"),
        ({"status": "failed,succeeded"}, "status: there is no"),
        ({"stauts": "failed"}, "did you mean 'status'"),
        ({"from": "yesterday"}, "from: expected a date or moment"),
        ({"to": ""}, "to: expected a date or moment"),
        ({"to": "9999-12-31T23:59:59-14:00"}, "to: expected a date or moment"),
        ({"from": "0001-01-01T00:00:00+14:00"}, "from: expected a date or moment"),
        ({"from": "2026-11-23", "to": "2026-11-23"}, "after `from`"),
        ({"cursor": ""}, "cursor: expected the `next`"),
        ({"cursor": "other-20261123T060000Z-7f3a91"}, "cursor: expected the `next`"),
        ({"cursor": "sales-99999999T999999Z-7f3a91"}, "cursor: expected the `next`"),
        ({"table": "order"}, "did you mean"),
        ({"table": ""}, "no table or dataset ''"),
    ],
)
def test_a_filter_that_is_none_is_a_bad_request(workspace, params, says):
    with pytest.raises(RequestInvalid) as caught:
        parse_filter(workspace, params)
    assert says in caught.value.message


def test_what_the_pipeline_remembers_is_listed_while_the_lake_is_down(hub, workspace):
    ids = many_runs(hub, workspace, 3, recorded=0)
    folder = workspace.project.root / "lake"
    folder.write_text("a file where the folder was")

    answer = page(hub, workspace)

    assert [run["run_id"] for run in answer["runs"]] == ids and answer["next"] is None
    assert [problem["code"] for problem in answer["problems"]] == ["lake_unavailable"]
    with pytest.raises(LakeUnavailable):
        page(hub, workspace, cursor=ids[-1])


@pytest.mark.slow
def test_a_broken_record_is_listed_as_unreadable_and_keeps_no_other_run_away(hub, workspace):
    ids = many_runs(hub, workspace, pipeline.HISTORY_LENGTH + 3)
    broken = ids[-2]
    workspace.lake("bronze").write(record_path(broken), b'{"run_id"')

    (found,) = (run for run in page(hub, workspace, cursor=ids[-4])["runs"] if run["status"] == "unreadable")

    assert (found["run_id"], found["path"]) == (broken, record_path(broken)) and found["error"]["remedy"]
    assert pages(hub, workspace) == ids
    assert broken in pages(hub, workspace, table="shop.orders"), "it may have worked on it"
    assert broken not in pages(hub, workspace, status="failed")
