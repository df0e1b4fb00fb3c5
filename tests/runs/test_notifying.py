"""Alerts and telemetry of finished runs: once per event, whatever is down, and the record says what was sent."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator

import pytest

from comboi_core.app import runfiles
from comboi_core.app.logs import VARIABLE, send_logs
from comboi_core.domain.errors import ConfigError, LakeUnavailable
from comboi_core.runs import notifying
from comboi_core.runs.notifying import after_run, memory_path, tell_unrecorded
from comboi_core.runs.records import record_path
from comboi_core.telemetry import webhooks
from comboi_core.telemetry.insights import insights_of
from comboi_core.telemetry.logs import InsightsHandler
from tests.doubles.ingestion import IngestionDouble
from tests.doubles.webhook import WebhookDouble

RUN = "sales-20261123T{hour:02d}0000Z-7f3a"
ERROR = {"code": "source_unreachable", "message": "refused", "remedy": "Look.", "transient": True}


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebhookDouble]:
    """A service that takes alerts, in HOOK; nobody waits between attempts, and nothing else is on."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(webhooks, "DELAYS", (0.0, 0.0))
    double = WebhookDouble()
    monkeypatch.setenv("HOOK", double.url)
    yield double
    double.close()


@pytest.fixture
def telling(make, service):
    """A workspace that tells everything to one service, as JSON."""
    return make(lambda pipeline, _: pipeline.update(notifications=[webhook()]))


def webhook(**more):
    return {"on": ["failed", "recovered", "first_success"], "webhook": "{{env:HOOK}}", "format": "json", **more}


def finish(workspace, hour: int, status: str = "succeeded"):
    """Write the record of a run over one table, as record_run does, and return it."""
    run = {
        "run_id": RUN.format(hour=hour),
        "pipeline": "sales",
        "trigger": "timer",
        "status": status,
        "started_at": f"2026-11-23T{hour:02d}:00:00+00:00",
        "finished_at": f"2026-11-23T{hour:02d}:01:00+00:00",
        "seconds": 60.0,
        "error": None,
        "tables": [{"source": "shop", "table": "orders", "status": status, "rows": 3}],
        "datasets": [],
    }
    if status == "failed":
        run["tables"][0]["error"] = ERROR
    runfiles.write_json(workspace.lake("bronze"), record_path(run["run_id"]), run)
    return run


def recorded(workspace, hour: int):
    return runfiles.read_json(workspace.lake("bronze"), record_path(RUN.format(hour=hour)))


def test_a_failure_is_told_and_the_record_says_so(telling, service):
    run = finish(telling, 1, "failed")

    (sent,) = after_run(telling, run)

    (payload,) = service.payloads
    assert (payload["occasion"], payload["problems"][0]["name"]) == ("failed", "shop.orders")
    assert sent.items() >= {"on": "failed", "webhook": 0, "format": "json", "sent": True, "attempts": 1}.items()
    assert recorded(telling, 1)["notifications"] == [sent] and service.url not in json.dumps(recorded(telling, 1))


def test_executed_again_nothing_is_sent_twice(telling, service):
    first = after_run(telling, finish(telling, 1, "failed"))

    again = after_run(telling, finish(telling, 1, "failed"))

    assert again == first == recorded(telling, 1)["notifications"] and len(service.payloads) == 1


def test_an_execution_that_overlaps_waits_for_the_one_that_sends(telling, service, monkeypatch):
    run = finish(telling, 1, "failed")
    sending, go_on = threading.Event(), threading.Event()
    real = notifying.post

    def slow(*arguments, **more):
        sending.set()
        assert go_on.wait(300)
        return real(*arguments, **more)

    monkeypatch.setattr(notifying, "post", slow)
    found = []
    threads = [threading.Thread(target=lambda: found.append(after_run(telling, dict(run)))) for _ in range(2)]
    threads[0].start()
    assert sending.wait(300)
    threads[1].start()
    go_on.set()
    for thread in threads:
        thread.join(60)

    assert len(service.payloads) == 1 and found[0] == found[1]


def test_an_alert_that_a_killed_execution_left_is_sent(telling, service, monkeypatch):
    monkeypatch.setattr(notifying, "CLAIM_SECONDS", 0.0)
    run = finish(telling, 1, "failed")
    path = f"work/{run['run_id']}/alerts/000-failed.json"
    runfiles.write_json(telling.lake("bronze"), path, {"by": "someone", "at": "2026-11-23T01:01:00+00:00"})

    (sent,) = after_run(telling, run)

    assert sent["sent"] and len(service.payloads) == 1


def test_failure_recovery_and_first_success_each_have_their_alert(telling, service):
    for hour, status in enumerate(["failed", "succeeded", "succeeded"]):
        after_run(telling, finish(telling, hour, status))

    first, *rest = [payload["occasion"] for payload in service.payloads]
    assert (first, sorted(rest)) == ("failed", ["first_success", "recovered"])


def test_only_what_was_asked_for_is_told(make, service):
    workspace = make(lambda pipeline, _: pipeline.update(notifications=[webhook(on=["recovered"])]))

    assert after_run(workspace, finish(workspace, 1, "failed")) == [] and service.payloads == []
    assert "notifications" not in recorded(workspace, 1)


def test_alerts_that_are_asked_for_later_know_of_the_runs_before(telling, service):
    for hour, status in ((1, "succeeded"), (2, "failed")):
        finish(telling, hour, status)

    after_run(telling, finish(telling, 3))

    assert [payload["occasion"] for payload in service.payloads] == ["recovered"]


def test_runs_of_other_pipelines_do_not_stand_in_for_the_runs_before(telling, service):
    for hour, status in ((1, "succeeded"), (2, "failed")):
        finish(telling, hour, status)
    lake, others = telling.lake("bronze"), [f"zoo-20261123T03{n:02d}00Z-7f3a" for n in range(notifying.SEEDS)]
    for other in others:
        run = {"run_id": other, "pipeline": "zoo", "status": "succeeded", "tables": [], "datasets": []}
        runfiles.write_json(lake, record_path(other), run)

    after_run(telling, finish(telling, 3))

    assert [payload["occasion"] for payload in service.payloads] == ["recovered"]


def test_what_is_remembered_may_be_lost_or_broken(telling, service):
    after_run(telling, finish(telling, 1))
    telling.lake("bronze").write(memory_path("sales"), b"{")

    after_run(telling, finish(telling, 2))

    assert [payload["occasion"] for payload in service.payloads] == ["first_success"]


def test_a_service_that_is_down_costs_nothing_but_the_alert(telling, service):
    service.close()

    (sent,) = after_run(telling, finish(telling, 1, "failed"))

    assert not sent["sent"] and sent["attempts"] == 3 and sent["told"].startswith("cannot be reached")
    assert recorded(telling, 1)["status"] == "failed"


def test_one_webhook_without_a_value_does_not_keep_the_other_from_its_alert(make, service, monkeypatch):
    monkeypatch.delenv("NO_HOOK", raising=False)
    hooks = [webhook(webhook="{{env:NO_HOOK}}"), webhook(format="slack")]
    workspace = make(lambda pipeline, _: pipeline.update(notifications=hooks))

    first, second = after_run(workspace, finish(workspace, 1, "failed"))

    assert not first["sent"] and "{{env:NO_HOOK}}" in first["told"]
    assert second["sent"] and "blocks" in service.payloads[0]


def test_a_stale_table_is_told(make, service):
    def change(pipeline, _):
        pipeline["notifications"] = [webhook(on=["stale"])]
        pipeline["sources"][0]["tables"][0]["freshness"] = "1h"

    workspace = make(change)
    after_run(workspace, finish(workspace, 1))
    after_run(workspace, finish(workspace, 3, "failed"))

    (payload,) = service.payloads
    assert payload["problems"][0]["name"] == "shop.orders" and payload["occasion"] == "stale"


def down(*_):
    raise LakeUnavailable("gone pwd=hunter2")


@pytest.mark.parametrize("part", ["read_json", "write_json"])
def test_a_failure_is_told_although_the_lake_is_down_by_then(telling, service, monkeypatch, caplog, part):
    run = finish(telling, 1, "failed")
    monkeypatch.setattr(notifying.runfiles, part, down)

    after_run(telling, run)

    assert [payload["occasion"] for payload in service.payloads] == ["failed"]
    assert "gone" in caplog.text and "hunter2" not in caplog.text


def test_a_success_that_the_lake_cannot_remember_is_nothing_to_tell(telling, service, monkeypatch):
    run = finish(telling, 1)
    monkeypatch.setattr(notifying.runfiles, "read_json", down)

    assert after_run(telling, run) == [] and service.payloads == []


def test_whatever_else_goes_wrong_is_logged_without_secrets_and_nothing_is_raised(telling, monkeypatch, caplog):
    run = finish(telling, 1, "failed")
    broken = RuntimeError("odd pwd=hunter2")
    monkeypatch.setattr(notifying, "advance", lambda *_: (_ for _ in ()).throw(broken))

    assert after_run(telling, run) == []
    assert "RuntimeError" in caplog.text and "hunter2" not in caplog.text


def lost(workspace, **changes):
    """Tell of a run that the lake did not take the record of; the lake's folder is a file, so any use of it fails."""
    folder, aside = workspace.project.root / "lake", workspace.project.root / "aside"
    folder.mkdir(exist_ok=True)
    folder.rename(aside)
    folder.write_text("a file where the folder was")
    error = {"code": "lake_unavailable", "message": "runs: No space", "remedy": "Free space.", "transient": True}
    run = {"run_id": RUN.format(hour=2), "pipeline": "sales", "trigger": "timer", "error": error, "fence": 2}
    run |= {"started_at": "2026-11-23T02:00:00+00:00", "finished_at": "2026-11-23T02:00:30+00:00", "select": []}
    answer = tell_unrecorded(workspace, run | changes)
    folder.unlink()
    aside.rename(folder)
    return answer


def test_a_run_without_a_record_is_told_with_the_lakes_error_and_remedy(make, service, monkeypatch):
    ingestion = IngestionDouble()
    monkeypatch.setenv(VARIABLE, ingestion.connection_string)
    workspace = make(lambda pipeline, _: pipeline.update(notifications=[webhook(), webhook(on=["recovered"])]))

    (sent,) = lost(workspace)["notifications"]

    (payload,) = service.payloads
    assert (payload["occasion"], payload["problems"][0]["remedy"]) == ("failed", "Free space.")
    assert payload["problems"][0]["name"] == "the run itself" and payload["facts"]["seconds"] == "30.0"
    assert sent["sent"] and sent["attempts"] == 1
    assert insights_of(ingestion.connection_string).flush(30)
    ingestion.close()
    assert [(row["success"], row["customDimensions"]["code"]) for row in ingestion.rows("requests")] == [
        (False, "lake_unavailable")
    ]


def test_the_end_of_an_outage_is_told_although_the_lake_knew_nothing_of_it(telling, service):
    after_run(telling, finish(telling, 1))
    lost(telling)

    after_run(telling, finish(telling, 3), unrecorded="2026-11-23T02:00:00+00:00")
    after_run(telling, finish(telling, 4))

    assert [payload["occasion"] for payload in service.payloads] == ["first_success", "failed", "recovered"]
    assert service.payloads[-1]["facts"]["had failed"] == "the run itself"


def test_a_broken_record_among_earlier_ones_keeps_no_alert_away(telling, service, caplog):
    finish(telling, 1)
    telling.lake("bronze").write(record_path(RUN.format(hour=2)), b'{"run_id": "sal')

    after_run(telling, finish(telling, 3, "failed"))

    assert [payload["occasion"] for payload in service.payloads] == ["failed"] and "T020000Z" in caplog.text


def test_without_webhooks_and_telemetry_the_lake_is_left_alone(workspace, service):
    after_run(workspace, finish(workspace, 1, "failed"))

    assert not workspace.lake("bronze").exists(memory_path("sales"))


@pytest.mark.parametrize("place", ["configuration", "environment"])
def test_telemetry_goes_where_configuration_or_environment_say_once_per_run(make, service, monkeypatch, place):
    ingestion = IngestionDouble()
    monkeypatch.setenv("INSIGHTS" if place == "configuration" else VARIABLE, ingestion.connection_string)
    text = "{{env:INSIGHTS}}"
    monitoring = {"monitoring": {"azure_connection_string": text}} if place == "configuration" else {}
    workspace = make(lambda pipeline, _: pipeline.update(monitoring))
    run = finish(workspace, 1)

    for _ in range(2):
        after_run(workspace, run)

    assert insights_of(ingestion.connection_string).flush(30)
    ingestion.close()
    assert [request["name"] for request in ingestion.rows("requests")] == ["run sales"]
    metrics = {row["name"]: row["value"] for row in ingestion.rows("customMetrics")}
    assert metrics == {"comboi.rows": 3, "comboi.freshness_seconds": 60.0}


def test_logs_go_to_telemetry_once_it_is_asked_for(make, service, monkeypatch):
    monkeypatch.setenv(VARIABLE, "InstrumentationKey=nonsense")
    logger = logging.getLogger("comboi")
    before = list(logger.handlers)

    for _ in range(2):
        send_logs(make(None))

    added = [handler for handler in logger.handlers if handler not in before]
    for handler in added:
        logger.removeHandler(handler)
    assert [type(handler) for handler in added] == [InsightsHandler]
    monkeypatch.delenv(VARIABLE)
    send_logs(make(None))
    assert logger.handlers == before


def test_telemetry_whose_place_has_no_value_is_off_with_a_warning(make, service, monkeypatch, caplog):
    monkeypatch.delenv("NO_INSIGHTS", raising=False)
    monitoring = {"azure_connection_string": "{{env:NO_INSIGHTS}}"}
    workspace = make(lambda pipeline, _: pipeline.update(monitoring=monitoring))

    assert after_run(workspace, finish(workspace, 1)) == []
    assert "telemetry is off" in caplog.text and "{{env:NO_INSIGHTS}}" in caplog.text


@pytest.mark.parametrize(
    "wrong",
    [{"on": []}, {"on": ["sometimes"]}, {"webhook": "http://example.com/x"}, {"webhook": ""}, {"format": "fax"}],
)
def test_a_notification_that_cannot_work_is_refused_by_name(make, service, wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        make(lambda pipeline, _: pipeline.update(notifications=[webhook(**wrong)]))
