"""Run records: what a run did, as far as it has come, and how it is summed up."""

from __future__ import annotations

import json

import pytest

from comboi_core.app import runfiles
from comboi_core.domain.errors import LakeUnavailable, RunNotFound
from comboi_core.runs.history import ran, recorded_run, recorded_runs, run_ids
from comboi_core.runs.planning import plan_run
from comboi_core.runs.record import assemble, record_items, record_run, summary
from comboi_core.runs.records import RecordUnreadable, read_record, record_path

RUN = "sales-20261123T060000Z-7f3a91"
REQUEST = {"run_id": RUN, "pipeline": "sales", "trigger": "http", "stage": None, "select": [], "full_refresh": False}
RECORD = {
    **REQUEST, "fence": 3, "started_at": "2026-11-23T06:00:00+00:00", "finished_at": "2026-11-23T06:00:01.5+00:00",
    "error": None,
}  # fmt: skip
ERROR = {"code": "source_unreachable", "message": "no answer", "remedy": "Look.", "transient": True}
TABLES = ("shop.orders", "shop.items", "shop.customers", "crm.customers")


def done(name: str, **fields) -> dict:
    return {"name": name, "kind": "table", "stage": "bronze", "status": "succeeded", "rows": 5, **fields}


def note(workspace, *items: dict, wave: int = 0) -> None:
    record_items(workspace, {"run_id": RUN, "wave": wave, "lane": 0, "page": 0, "items": list(items)})


def settled(workspace, **changes) -> dict:
    record_run(workspace, RECORD | changes)
    return runfiles.read_json(workspace.lake("bronze"), record_path(RUN))


@pytest.fixture
def isolating(make):
    """The project with `failure_policy: isolate`."""
    return make(lambda pipeline, _: pipeline.update(failure_policy="isolate"))


def everything(workspace) -> None:
    note(workspace, *(done(name) for name in TABLES))
    note(workspace, *(done(name) for name in ("a", "b", "c", "top")), wave=1)


def test_planned_items_without_an_outcome_are_pending(workspace):
    plan_run(workspace, REQUEST)

    record = assemble(workspace.lake("bronze"), RECORD)

    assert {item["status"] for item in (*record["tables"], *record["datasets"])} == {"pending"}
    assert len(record["tables"]) == 4 and len(record["datasets"]) == 4


def test_a_run_without_a_plan_yet_has_no_items(workspace):
    record = assemble(workspace.lake("bronze"), {"run_id": RUN})

    assert (record["tables"], record["datasets"], record["config_hash"]) == ([], [], None)


def test_what_is_known_live_shows_until_the_lane_has_recorded_it(workspace):
    plan_run(workspace, REQUEST)
    note(workspace, done("shop.orders", rows=7))
    live = {
        "shop.orders": {"status": "running"},
        "shop.items": {"status": "running", "progress": {"phase": "planning"}},
    }

    tables = assemble(workspace.lake("bronze"), RECORD, live)["tables"]

    shown = {table["table"]: table for table in tables if table["source"] == "shop"}
    assert (shown["orders"]["status"], shown["orders"]["rows"]) == ("succeeded", 7)
    assert shown["items"]["progress"] == {"phase": "planning"} and shown["customers"]["status"] == "pending"


def test_the_details_of_a_dataset_are_put_into_the_record(workspace):
    plan_run(workspace, REQUEST)
    runfiles.write_json(workspace.lake("bronze"), "work/details.json", {"checks": [{"name": "n"}], "duplicates": None})
    note(workspace, done("a", details="work/details.json", internal="x"), wave=1)

    shown = next(item for item in assemble(workspace.lake("bronze"), RECORD)["datasets"] if item["name"] == "a")

    assert shown["checks"] == [{"name": "n"}] and "internal" not in shown and "details" not in shown


def test_a_run_in_which_all_went_well_has_succeeded(workspace):
    plan_run(workspace, REQUEST)
    everything(workspace)

    record = settled(workspace)

    assert (record["status"], record["seconds"], record["error"]) == ("succeeded", 1.5, None)
    assert summary(record)["rows"] == 20 and "error" not in summary(record)
    assert summary(record)["counts"] == {"tables": {"succeeded": 4}, "datasets": {"succeeded": 4}}


def test_recording_twice_writes_the_same_bytes(workspace):
    plan_run(workspace, REQUEST)
    everything(workspace)

    settled(workspace)
    first = workspace.lake("bronze").read(record_path(RUN))
    settled(workspace)

    assert workspace.lake("bronze").read(record_path(RUN)) == first


def test_what_never_started_is_skipped_and_a_stopped_run_has_failed(workspace):
    plan_run(workspace, REQUEST)
    note(workspace, done("shop.orders"), done("shop.items", status="failed", rows=None, error=ERROR))

    record = settled(workspace)

    assert record["status"] == "failed"
    assert summary(record)["counts"]["tables"] == {"failed": 1, "skipped": 2, "succeeded": 1}
    assert summary(record)["error"] == ERROR
    assert all(item["reason"] == "the run stopped before it" for item in record["datasets"])


def test_an_isolated_failure_makes_a_partial_run(isolating):
    plan_run(isolating, REQUEST)
    everything(isolating)
    note(isolating, done("top", status="failed", error=ERROR), *(done(name) for name in ("a", "b", "c")), wave=1)

    assert settled(isolating)["status"] == "partial"


def test_an_isolated_run_in_which_nothing_went_well_has_failed(isolating):
    plan_run(isolating, REQUEST | {"stage": "bronze"})
    note(isolating, *(done(name, status="failed", error=ERROR) for name in TABLES))

    assert settled(isolating)["status"] == "failed"


def test_an_error_of_the_run_itself_makes_it_failed_whatever_its_items_say(isolating):
    plan_run(isolating, REQUEST)
    everything(isolating)

    record = settled(isolating, error=ERROR)

    assert (record["status"], summary(record)["error"]) == ("failed", ERROR)


def test_a_run_that_could_not_be_planned_is_recorded_all_the_same(workspace):
    record = settled(workspace, error=ERROR)

    assert (record["status"], record["tables"], record["datasets"]) == ("failed", [], [])


def test_the_summary_does_not_grow_with_the_tables(make):
    def change(pipeline, _):
        pipeline["sources"][1]["tables"] += [{"name": f"t{n}", "table": "t"} for n in range(400)]

    workspace = make(change)
    plan_run(workspace, REQUEST)

    assert len(json.dumps(record_run(workspace, RECORD))) < 2000


def test_runs_in_the_lake_are_listed_newest_first_finished_or_not(workspace):
    lake = workspace.lake("bronze")
    for number, finished in ((1, True), (3, False), (2, True)):
        run_id = f"sales-2026112{number}T060000Z-7f3a91"
        plan_run(workspace, REQUEST | {"run_id": run_id, "stage": "gold"})
        if finished:
            record_run(workspace, RECORD | {"run_id": run_id})

    assert [run_id[12:14] for run_id in run_ids(lake, "sales")] == ["23", "22", "21"]
    assert [run["status"] for run in recorded_runs(lake, "sales", 2)] == ["unfinished", "failed"]
    assert recorded_run(lake, "sales", None)["run_id"] == "sales-20261123T060000Z-7f3a91"
    assert recorded_run(lake, "sales", "sales-20261121T060000Z-7f3a91")["finished_at"] == RECORD["finished_at"]


def test_a_run_without_a_record_is_failed_once_a_later_one_has_run(workspace):
    lake, earlier, later = workspace.lake("bronze"), RUN, RUN.replace("T06", "T07")
    plan_run(workspace, REQUEST | {"run_id": earlier})
    record_run(workspace, RECORD | {"run_id": later.replace("sales", "other"), "pipeline": "other"})
    assert recorded_run(lake, "sales", earlier)["status"] == "unfinished"

    record_run(workspace, RECORD | {"run_id": later})

    record, listed = recorded_run(lake, "sales", earlier), recorded_runs(lake, "sales", 2)[1]
    assert (record["status"], listed["status"], listed["run_id"]) == ("failed", "failed", earlier)
    assert record["error"] == listed["error"] and record["error"]["code"] == "run_ended_unfinished"
    assert later in record["error"]["message"] and "path" not in record


def test_runs_of_other_pipelines_in_the_lake_are_not_listed(workspace):
    lake = workspace.lake("bronze")
    own = [f"sales-202611{day}T060000Z-7f3a91" for day in (21, 22)]
    for run_id in (*own, "zebra-20261120T060000Z-7f3a91", "sales-2-20261123T060000Z-7f3a91"):
        pipeline = run_id.rsplit("-", 2)[0]
        runfiles.write_json(lake, record_path(run_id), {"run_id": run_id, "pipeline": pipeline, "status": "failed"})

    assert [run["run_id"] for run in recorded_runs(lake, "sales", 9)] == own[::-1]
    assert recorded_run(lake, "sales", None)["run_id"] == own[1]
    assert recorded_run(lake, "sales", "zebra-20261120T060000Z-7f3a91")["pipeline"] == "zebra", "asked for by its id"
    with pytest.raises(RunNotFound, match="the pipeline shop has been recorded.* has runs of sales, sales-2, zebra"):
        recorded_run(lake, "shop", None)


@pytest.mark.parametrize("run_id", [None, "sales-20261121T060000Z-7f3a91", "../secret", ""])
def test_a_run_that_is_not_there_is_not_found(workspace, run_id):
    with pytest.raises(RunNotFound):
        recorded_run(workspace.lake("bronze"), "sales", run_id)


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (b"", "no JSON"),
        (b'{"run_id": "sal', "no JSON"),
        (b"\xff\xfe\x00", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"null", "no record"),
        (b"[]", "no record"),
        (b"{}", "run_id: Field required"),
        (b'{"run_id": "another", "status": "failed"}', "of another run"),
        (b'{"run_id": "RUN", "status": 5}', "status: "),
        (b'{"run_id": "RUN", "status": "failed", "error": "pwd=hunter2"}', "error: "),
        (b'{"run_id": "RUN", "status": "failed", "started_at": "yesterday"}', "started_at: "),
        (b'{"run_id": "RUN", "status": "failed", "tables": {}}', "tables: "),
        (b'{"run_id": "RUN", "status": "failed", "tables": [{"source": "shop"}]}', "tables.0."),
        (b'{"run_id": "RUN", "status": "failed", "tables": [null]}', "tables.0: "),
        (b'{"run_id": "RUN", "status": "failed", "datasets": [{"stage": "gold", "name": "a", "status": "failed",'
         b'"checks": [{"passed": "no"}]}]}', "datasets.0.checks.0."),
    ],
)  # fmt: skip
def test_a_broken_record_is_listed_as_unreadable_with_its_file_and_the_others_beside_it(workspace, content, wrong):
    lake, other = workspace.lake("bronze"), "sales-20261122T060000Z-7f3a91"
    record_run(workspace, RECORD | {"run_id": other})
    lake.write(record_path(RUN), content.replace(b"RUN", RUN.encode()))

    broken, good = recorded_runs(lake, "sales", 5)

    assert (broken["run_id"], broken["status"], broken["path"]) == (RUN, "unreadable", record_path(RUN))
    assert wrong in broken["error"]["message"] and record_path(RUN) in broken["error"]["message"]
    assert "hunter2" not in json.dumps(broken) and broken["error"]["remedy"]
    assert (good["run_id"], good["status"]) == (other, "succeeded")
    assert ran(lake, RUN, "shop.orders") and not ran(lake, other, "shop.orders")
    with pytest.raises(RecordUnreadable, match=record_path(RUN)):
        recorded_run(lake, "sales", RUN)


@pytest.mark.parametrize("more", [{}, {"tables": [], "datasets": [], "a_later_version": {"says": "more"}}])
def test_a_record_with_less_or_more_than_ours_is_read(workspace, more):
    lake, record = workspace.lake("bronze"), {"run_id": RUN, "status": "failed"} | more
    runfiles.write_json(lake, record_path(RUN), record)

    assert read_record(lake, RUN) == record | {"path": record_path(RUN)}
    assert recorded_runs(lake, "sales", 1)[0]["counts"] == {"tables": {}, "datasets": {}}


def test_a_record_that_is_there_is_not_lost_to_what_fails_after_it(workspace, monkeypatch):
    plan_run(workspace, REQUEST)
    everything(workspace)

    def down(*_):
        raise LakeUnavailable("gone")

    monkeypatch.setattr(runfiles, "delete_work", down)

    assert settled(workspace)["status"] == "succeeded"


SHORT = {"code": "future_cursor", "message": "3 rows wait for 2027", "remedy": "Mend the clock.", "rows": 3}


def test_a_run_with_shortfalls_succeeded_counts_them_and_says_so_in_the_log(workspace, caplog):
    plan_run(workspace, REQUEST)
    note(workspace, *(done(name, shortfalls=[SHORT] * (name == "shop.orders")) for name in TABLES))
    note(workspace, *(done(name) for name in ("a", "b", "c", "top")), wave=1)

    record = settled(workspace)

    assert (record["status"], record["shortfalls"], summary(record)["shortfalls"]) == ("succeeded", 1, 1)
    told = [entry for entry in caplog.records if getattr(entry, "code", "") == "future_cursor"]
    assert [(entry.levelname, entry.item, entry.run_id) for entry in told] == [("WARNING", "shop.orders", RUN)]


def test_a_run_without_shortfalls_has_none_in_its_summary(workspace):
    plan_run(workspace, REQUEST)
    everything(workspace)

    record = settled(workspace)

    assert record["shortfalls"] == 0 and "shortfalls" not in summary(record)
