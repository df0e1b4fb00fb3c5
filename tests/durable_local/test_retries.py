"""Retry policies of timer functions: how often, after which wait, and what the function is told."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from durable_local_helpers import until, write_app

from durable_local import AppLoadError, TravelClock
from durable_local.retries import RetryPolicy, read_policy

APP = """
import json
import os
import azure.functions as func

app = func.FunctionApp()

@app.timer_trigger(arg_name="timer", schedule="0 0 0 * * *")
@app.retry({policy})
def failing(timer: func.TimerRequest, context: func.Context) -> None:
    seen = context.retry_context
    with open(os.environ["TIMER_LOG"], "a") as log:
        log.write(json.dumps([seen.retry_count, seen.max_retry_count, str(seen.exception)]) + "\\n")
    if seen.retry_count < {failures}:
        raise ValueError(f"failure {{seen.retry_count}}")
"""
FIXED = 'strategy="fixed_delay", max_retry_count="{}", delay_interval="00:00:00"'


@pytest.mark.parametrize(
    ("most", "failures", "calls"),
    [
        ("2", 9, [[0, 2, "None"], [1, 2, "failure 0"], [2, 2, "failure 1"]]),
        ("5", 1, [[0, 5, "None"], [1, 5, "failure 0"]]),
        ("0", 9, [[0, 0, "None"]]),
        ("-1", 3, [[0, -1, "None"], [1, -1, "failure 0"], [2, -1, "failure 1"], [3, -1, "failure 2"]]),
    ],
)
def test_a_timer_is_called_again_until_it_succeeds_or_the_policy_ends(
    new_host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most, failures, calls
):
    log = tmp_path / "calls.log"
    log.touch()
    monkeypatch.setenv("TIMER_LOG", str(log))
    app = write_app(tmp_path, APP.format(policy=FIXED.format(most), failures=failures))
    clock = TravelClock()
    host = new_host(app, clock=clock)

    def seen() -> list:
        return [json.loads(line) for line in log.read_text().splitlines()]

    clock.advance(timedelta(days=1))
    until(lambda: len(seen()) == len(calls))
    clock.advance(timedelta(days=1))  # the next slot comes once the first one's calls are over
    until(lambda: len(seen()) == 2 * len(calls))
    host.stop()
    assert seen() == [*calls, *calls]


def test_a_host_that_stops_does_not_wait_for_a_repetition(new_host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    log = tmp_path / "calls.log"
    log.touch()
    monkeypatch.setenv("TIMER_LOG", str(log))
    policy = 'strategy="fixed_delay", max_retry_count="-1", delay_interval="10:00:00"'
    clock = TravelClock()
    host = new_host(write_app(tmp_path, APP.format(policy=policy, failures=9)), clock=clock)
    clock.advance(timedelta(days=1))
    until(lambda: log.read_text())
    host.stop()
    assert len(log.read_text().splitlines()) == 1


def test_waits_grow_from_the_shortest_to_the_longest():
    policy = RetryPolicy(-1, 4.0, 60.0)
    waits = [policy.wait(retried) for retried in range(2000)]
    assert waits[0] == 4.0 and 4.0 + 3.2 <= waits[1] <= 4.0 + 4.8 and 4.0 + 6.4 <= waits[2] <= 4.0 + 9.6
    assert set(waits[6:]) == {60.0}
    assert {RetryPolicy(3, 5.0, None).wait(retried) for retried in range(9)} == {5.0}


def setting(strategy: str = "fixed_delay", count: object = "3", **spans: str) -> SimpleNamespace:
    given = dict.fromkeys(("delay_interval", "minimum_interval", "maximum_interval")) | spans
    return SimpleNamespace(strategy=strategy, max_retry_count=count, **given)


def test_policies_are_read_as_the_host_reads_them():
    assert read_policy(None) is None
    assert read_policy(setting(delay_interval="00:00:10")) == RetryPolicy(3, 10.0, None)
    exponential = setting("exponential_backoff", -1, minimum_interval="00:00:02", maximum_interval="00:15:00")
    assert read_policy(exponential) == RetryPolicy(-1, 2.0, 900.0)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (setting(), "delay_interval"),
        (setting(delay_interval="soon"), "delay_interval.*'soon'"),
        (setting(delay_interval="-00:00:10"), "delay_interval"),
        (setting(count="many", delay_interval="00:00:10"), "max_retry_count.*'many'"),
        (setting(count="-2", delay_interval="00:00:10"), "max_retry_count.*-2"),
        (setting("often", delay_interval="00:00:10"), "strategy.*'often'"),
        (setting("exponential_backoff", minimum_interval="00:00:10"), "maximum_interval"),
        (setting("exponential_backoff", minimum_interval="00:01:00", maximum_interval="00:00:10"), "longer"),
    ],
)
def test_a_policy_that_the_host_refuses_is_refused_with_the_field(given, says):
    with pytest.raises(AppLoadError, match=says):
        read_policy(given)
