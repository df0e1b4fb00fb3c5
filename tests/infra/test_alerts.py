"""Alerts: their queries ask for what comboi sends, and their windows are such as Azure Monitor has."""

from __future__ import annotations

import re

import pytest

from comboi_core.telemetry.envelopes import envelope
from comboi_core.telemetry.runs import METRICS, TYPES, run_signals
from tests.infra.terraform import ROOT, infra

ALERTS = infra().locals["alerts"]
WINDOWS = [
    *(f"PT{minutes}M" for minutes in (1, 5, 10, 15, 30, 45)),
    *(f"PT{hours}H" for hours in range(1, 7)),
    "P1D",
    "P2D",
]
AT = "2026-11-23T06:00:00+00:00"
TABLES = {"requests", "dependencies", "customMetrics", "traces"}


def test_there_is_an_alert_for_each_thing_that_goes_wrong():
    assert set(ALERTS) == {"run-failed", "run-missing", "run-not-started", "table-stale", "retries"}


@pytest.mark.parametrize("name", ALERTS)
def test_windows_and_frequencies_are_such_as_azure_monitor_has(name):
    alert = ALERTS[name]
    assert alert["window"] in WINDOWS
    assert alert["frequency"] in WINDOWS
    assert WINDOWS.index(alert["frequency"]) <= WINDOWS.index(alert["window"])


@pytest.mark.parametrize("name", ALERTS)
def test_a_query_begins_with_a_table_and_gives_one_row_with_what_it_found(name):
    lines = [line.strip() for line in ALERTS[name]["query"].splitlines()[1:-1]]
    assert lines[0] in TABLES
    assert lines[-1] == "| summarize found = count()"


def test_queries_name_what_the_telemetry_names():
    text = infra().texts["alerts.tf"]
    assert set(re.findall(r'"(comboi\.[a-z_]+)"', text)) <= set(METRICS)
    assert set(re.findall(r'type == "([^"]+)"', text)) <= set(TYPES.values())
    said = re.findall(r'message startswith "([^"]+)"', text)
    assert said and all(phrase in (ROOT / "function_app.py").read_text() for phrase in said)


def test_what_a_failed_run_sends_is_what_the_queries_look_for():
    retried = {"code": "source_busy", "message": "m", "activity": "plan_table", "started_at": AT, "failed_at": AT}
    table = {"source": "shop", "table": "orders", "status": "failed", "started_at": AT, "seconds": 1.0, "rows": 0}
    record = {
        **{"run_id": "sales-20261123T060000Z-7f3a", "pipeline": "sales", "trigger": "timer", "status": "failed"},
        **{
            "started_at": AT,
            "finished_at": "2026-11-23T09:00:00+00:00",
            "seconds": 10_800.0,
            "datasets": [],
            "tables": [table | {"retried": [retried]}],
        },
    }
    signals = run_signals(record, {"shop.orders": 200_000.0})
    run = next(signal for signal in signals if signal.kind == "request")
    assert run.name.startswith("run ") and run.properties["pipeline"] and run.code == "failed"
    assert [signal.kind for signal in signals if signal.type == "comboi attempt"] == ["dependency"]
    stale = next(signal for signal in signals if signal.name == "comboi.freshness_seconds")
    assert stale.kind == "metric" and stale.properties["item"] == "shop.orders"
    assert stale.measurements == {"comboi.freshness_seconds": 200_000.0}
    # A metric bears the time of the run's end, a request and a dependency that of their beginning.
    assert envelope(stale, "key").time == record["finished_at"]
    assert all(
        envelope(signal, "key").time == record["started_at"]
        for signal in signals
        if signal.kind in ("request", "dependency")
    )


@pytest.mark.parametrize("name", ALERTS)
def test_runs_are_found_by_their_end_however_long_they_took(name, evaluated):
    query = evaluated(f'local.alerts["{name}"]', environment="dev", location="westeurope")["query"]
    if "requests" in query or "dependencies" in query:
        assert "where timestamp + duration * 1ms > ago(" in query
        assert ALERTS[name]["window"] == WINDOWS[-1]


@pytest.mark.parametrize(("hours", "missing"), [(26, True), (None, False)])
def test_a_schedule_rarer_than_two_days_has_no_alert_for_missing_runs(hours, missing, evaluated):
    expression = re.search(r"for_each += (\{ for .*\})", infra().texts["alerts.tf"])[1]
    environment = {"environment": "dev", "location": "westeurope", "alert_emails": {"team": "team@example.com"}}
    rules = evaluated(f"keys({expression})", **environment, expected_run_hours=hours)
    assert set(rules) == {name for name in ALERTS if missing or name != "run-missing"}


def test_a_run_that_failed_in_part_is_told_of_and_a_cancelled_one_is_not():
    states = re.search(r"resultCode in \(([^)]*)\)", ALERTS["run-failed"]["query"])[1]
    assert set(re.findall(r'"(\w+)"', states)) == {"failed", "partial"}


def test_without_addresses_there_are_neither_alerts_nor_a_budget():
    for kind in ("azurerm_monitor_action_group", "azurerm_monitor_scheduled_query_rules_alert_v2"):
        body = infra().one(kind, "this")
        assert "local.alerts_on" in body.get("count", body.get("for_each"))
    assert "var.alert_emails" in infra().one("azurerm_consumption_budget_resource_group", "this")["count"]
