"""What the API shows of runs and tables."""

from __future__ import annotations

import asyncio
import json

import pytest

from comboi_core.app import runfiles
from comboi_core.domain.errors import LakeUnavailable, RunNotFound
from comboi_core.runs.planning import plan_run
from comboi_core.runs.record import record_items
from comboi_core.runs.records import RecordUnreadable, record_path
from comboi_core.state import checkpoint, pipeline
from comboi_core.web import monitoring
from comboi_core.web.answers import problem

RUN = "sales-20261123T060000Z-7f3a91"
REQUEST = {"run_id": RUN, "pipeline": "sales", "trigger": "http", "stage": None, "select": [], "full_refresh": False}


def ask(work):
    return asyncio.run(work)


@pytest.mark.parametrize(
    "run_id", ["", "x", "../runs", "..%2f", "sales-20261123T060000Z-7f3a91/plan", f"{RUN}\n", "\x00", "\ud800"]
)
def test_what_is_no_run_id_is_not_looked_up(hub, workspace, run_id):
    with pytest.raises(RunNotFound) as caught:
        ask(monitoring.get_run(hub, workspace, run_id))
    assert problem(caught.value).status == 404 and problem(caught.value).text.encode()


def test_a_run_that_nobody_knows_is_not_found(hub, workspace):
    with pytest.raises(RunNotFound, match=RUN):
        ask(monitoring.get_run(hub, workspace, RUN))


def test_a_finished_run_is_its_record(hub, workspace):
    runfiles.write_json(workspace.lake("bronze"), record_path(RUN), {"run_id": RUN, "status": "succeeded"})

    found = ask(monitoring.get_run(hub, workspace, RUN))

    assert found == {"run_id": RUN, "status": "succeeded", "path": record_path(RUN)}


def test_a_recorded_run_that_still_holds_its_lease_is_not_shown_as_ended(hub, workspace):
    """Who polls for the end and then starts the next run is not refused."""
    runfiles.write_json(workspace.lake("bronze"), record_path(RUN), {"run_id": RUN, "status": "succeeded"})
    hub.instance(RUN, customStatus={"phase": "gold"}, input=dict(REQUEST))
    hub.entities["pipeline", "sales"] = {"fence": 1, "holder": {"run_id": RUN, "since": "..."}, "runs": []}

    assert ask(monitoring.get_run(hub, workspace, RUN))["status"] == "running"

    hub.entities["pipeline", "sales"]["holder"] = None
    assert ask(monitoring.get_run(hub, workspace, RUN))["status"] == "succeeded"


@pytest.mark.parametrize("shown", [None, {"phase": "planning", "fence": 4}])
def test_a_run_that_has_only_begun_shows_its_phase(hub, workspace, shown):
    hub.instance(RUN, customStatus=shown, input=dict(REQUEST))

    record = ask(monitoring.get_run(hub, workspace, RUN))

    assert (record["status"], record["tables"], record["trigger"]) == ("running", [], "http")
    assert record["phase"] == ("planning" if shown else "starting") and record["fence"] == (4 if shown else None)


def test_a_live_run_shows_what_is_done_what_is_under_way_and_what_is_to_come(hub, workspace):
    plan_run(workspace, REQUEST)
    hub.instance(RUN, customStatus={"phase": "bronze", "wave": 0, "lanes": 2, "fence": 4}, input=dict(REQUEST))
    hub.instance(f"{RUN}:0:0", customStatus={"item": "shop.orders", "done": []})
    hub.instance(
        f"{RUN}:0:0:shop.orders", customStatus={"phase": "planning", "started_at": "2026-11-23T06:00:01+00:00"}
    )
    hub.instance(f"{RUN}:0:1", "Completed", customStatus={"item": "shop.items", "done": []})
    record_items(workspace, {"run_id": RUN, "wave": 0, "lane": 1, "page": 0,
                             "items": [{"name": "shop.items", "status": "succeeded", "rows": 7}]})  # fmt: skip

    record = ask(monitoring.get_run(hub, workspace, RUN))

    tables = {table["table"]: table for table in record["tables"]}
    assert tables["orders"] == {
        "source": "shop", "table": "orders", "status": "running", "attempts": 1,
        "progress": {"phase": "planning"}, "started_at": "2026-11-23T06:00:01+00:00",
    }  # fmt: skip
    assert (tables["items"]["status"], tables["items"]["rows"]) == ("succeeded", 7)
    assert record["datasets"] == [{"stage": "silver", "name": "a", "status": "pending"}]
    assert record["finished_at"] is None


def test_lanes_that_have_not_started_yet_do_not_disturb(hub, workspace):
    plan_run(workspace, REQUEST)
    hub.instance(RUN, customStatus={"phase": "bronze", "wave": 0, "lanes": 2, "fence": 4}, input=dict(REQUEST))

    assert {table["status"] for table in ask(monitoring.get_run(hub, workspace, RUN))["tables"]} == {"queued"}


def test_a_refused_run_says_who_held_the_lease(hub, workspace):
    holder = {"run_id": "sales-20261123T050000Z-aaaaaa", "since": "t"}
    hub.instance(RUN, "Completed", output={"run_id": RUN, "status": "skipped", "holder": holder})

    record = ask(monitoring.get_run(hub, workspace, RUN))

    assert (record["status"], record["holder"], record["tables"]) == ("skipped", holder, [])


@pytest.mark.parametrize(
    ("runtime", "output"), [("Terminated", None), ("Failed", "Orchestrator function failed: boom")]
)
def test_a_run_that_ended_without_a_record_has_failed(hub, workspace, runtime, output):
    hub.instance(RUN, runtime, output=output)

    assert ask(monitoring.get_run(hub, workspace, RUN))["status"] == "failed"


@pytest.mark.parametrize("ended", ["Failed", "Terminated"])
def test_a_run_whose_orchestration_ended_without_a_record_says_so(hub, workspace, ended):
    hub.begins(RUN)
    hub.instance(RUN, ended, output=None)

    record = ask(monitoring.get_run(hub, workspace, RUN))

    assert (record["status"], record["error"]["code"]) == ("failed", "run_ended_unfinished")
    assert ended in record["error"]["message"] and record["error"]["remedy"]


LOST = {"code": "lake_unavailable", "message": "No space", "remedy": "Free space.", "transient": True}


def lake_gone(workspace) -> None:
    (workspace.project.root / "lake").write_text("a file where the folder was")


def lost_run(hub) -> None:
    """Let a run end whose record the lake did not take."""
    hub.begins(RUN)
    summary = {"run_id": RUN, "status": "failed", "finished_at": "t", "error": LOST, "unrecorded": True}
    hub.entities["pipeline", "sales"], _ = pipeline.finish(
        hub.entities["pipeline", "sales"], {"run_id": RUN, "summary": summary}
    )
    hub.instance(RUN, "Completed", output=summary)


@pytest.mark.parametrize("gone", [True, False])
@pytest.mark.parametrize("purged", [True, False])
def test_a_run_that_the_lake_did_not_take_is_shown_with_the_lakes_error(hub, workspace, gone, purged):
    lost_run(hub)
    if gone:
        lake_gone(workspace)
    if purged:
        hub.instances.clear()

    record = ask(monitoring.get_run(hub, workspace, RUN))

    assert (record["status"], record["error"], record["unrecorded"]) == ("failed", LOST, True)
    assert (record["trigger"], record["tables"], record["datasets"]) == ("http", [], [])


def test_a_run_that_is_on_while_the_lake_is_down_is_running_and_says_what_is_wrong(hub, workspace):
    hub.begins(RUN)
    lake_gone(workspace)

    record = ask(monitoring.get_run(hub, workspace, RUN))

    assert (record["status"], record["phase"], record["started_at"][:4]) == ("running", "planning", "2026")
    assert record["problem"]["code"] == "lake_unavailable" and record["problem"]["remedy"]


def test_a_recorded_run_cannot_be_shown_while_the_lake_is_down(hub, workspace):
    hub.instance(RUN, "Completed", output={"run_id": RUN, "status": "succeeded"})
    lake_gone(workspace)

    with pytest.raises(LakeUnavailable):
        ask(monitoring.get_run(hub, workspace, RUN))


def test_a_broken_record_is_a_problem_that_names_the_file(hub, workspace):
    workspace.lake("bronze").write(record_path(RUN), b'{"run_id": "sales-2026')
    hub.instance(RUN, "Completed", output={"run_id": RUN, "status": "succeeded"})

    with pytest.raises(RecordUnreadable) as caught:
        ask(monitoring.get_run(hub, workspace, RUN))

    told = json.loads(problem(caught.value).text)
    assert (told["status"], told["code"], told["path"]) == (503, "record_unreadable", record_path(RUN))
    assert told["path"] in told["detail"] and "Restore the file" in told["remedy"]


def test_tables_are_listed_with_their_checkpoint_loaded_or_not(hub, workspace):
    commit = {
        "sequence": 1,
        "fence": 1,
        "run_id": RUN,
        "watermark": "2026",
        "manifest": "m",
        "rows": 5,
        "mode": "merge",
    }
    hub.entities["table", "sales.shop.orders"], _ = checkpoint.commit(checkpoint.initial(), commit)

    tables = ask(monitoring.list_tables(hub, workspace))["tables"]

    assert [(table["table"], table["sequence"], len(table["loads"])) for table in tables] == [
        ("orders", 1, 1),
        ("items", 0, 0),
    ]
    assert ask(monitoring.get_table(hub, workspace, "shop.orders"))["loads"] == [commit]


@pytest.mark.parametrize("name", ["order", "shop.order", "shop", "", "shop.orders.x", "../x", "SHOP.ORDERS"])
def test_a_table_that_is_not_configured_is_not_found(hub, workspace, name):
    with pytest.raises(monitoring.TableNotFound) as caught:
        ask(monitoring.get_table(hub, workspace, name))
    assert problem(caught.value).status == 404


def test_health_names_every_reason_not_to_start(workspace, monkeypatch, tmp_path):
    monkeypatch.setenv("WEB_TEST_SHOP", "host=db")
    assert ask(monitoring.health(workspace)) == (True, {"status": "ok", "reasons": []})

    monkeypatch.delenv("WEB_TEST_SHOP")
    well, body = ask(monitoring.health(workspace))
    assert not well and "WEB_TEST_SHOP" in body["reasons"][0]
