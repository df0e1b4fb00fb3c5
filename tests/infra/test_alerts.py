"""Alerts: their queries ask for what comboi sends, and their windows are such as Azure Monitor has."""

from __future__ import annotations

import re

import pytest

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
def test_a_query_reads_one_table_and_gives_one_row_with_what_it_found(name):
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
            "finished_at": AT,
            "seconds": 2.0,
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


def test_a_run_that_failed_in_part_is_told_of_and_a_cancelled_one_is_not():
    states = re.search(r"resultCode in \(([^)]*)\)", ALERTS["run-failed"]["query"])[1]
    assert set(re.findall(r'"(\w+)"', states)) == {"failed", "partial"}


def test_without_addresses_there_are_neither_alerts_nor_a_budget():
    for kind in ("azurerm_monitor_action_group", "azurerm_monitor_scheduled_query_rules_alert_v2"):
        body = infra().one(kind, "this")
        assert "local.alerts_on ?" in body.get("count", body.get("for_each"))
    assert "var.alert_emails" in infra().one("azurerm_consumption_budget_resource_group", "this")["count"]
