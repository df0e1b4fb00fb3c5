"""What a run costs in Application Insights, and that nothing an operator needs is filtered out."""

from __future__ import annotations

import json

import pytest

from benchmarks.telemetry import ROOT, level_of, measure, sent_kinds

HOST = json.loads((ROOT / "host.json").read_text())
LEVELS = HOST["logging"]["logLevel"]


@pytest.mark.slow
def test_a_table_sends_15_kb_at_most_and_3_kb_where_nothing_changed():
    found = measure(11, HOST)

    assert found["changed"]["bytes_per_table"] <= 15_000
    assert found["unchanged"]["bytes_per_table"] <= 3_000


def test_of_the_host_nothing_is_sent_for_a_call_that_succeeds():
    assert sent_kinds(HOST) == []
    loud = {"logging": {"logLevel": {"default": "Information"}}}
    assert sent_kinds(loud) == ["Function.land_tables", "Function.land_tables.User", "Host.Results"]


@pytest.mark.parametrize(
    ("category", "needed"),
    [
        ("Function.scheduled_run.User", "Warning"),  # `scheduled run skipped`, `scheduled run not started`
        ("Function.land_tables", "Error"),  # a function that failed
        ("Host.Results", "Error"),  # its request
        ("Host.Startup", "Warning"),
        ("Worker.rpcWorkerProcess", "Warning"),  # a worker that died
        ("Host.Triggers.DurableTask", "Warning"),
        ("DurableTask.AzureStorage", "Warning"),
    ],
)
def test_failures_and_warnings_are_sent(category: str, needed: str):
    order = ("Information", "Warning", "Error")
    assert order.index(level_of(category, LEVELS)) <= order.index(needed)
