"""Timer triggers: schedules, past due after downtime, one at a time."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from durable_local_helpers import until

from durable_local import TravelClock


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[dict]]:
    """The runs that a timer function noted so far."""
    log = tmp_path / "timers.log"
    log.touch()
    monkeypatch.setenv("TIMER_LOG", str(log))

    def read(name: str) -> list[dict]:
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        return [line for line in lines if line["name"] == name]

    return read


def test_schedules_fire_with_settings_and_clients(new_host, runs):
    clock = TravelClock()
    host = new_host("timers", clock=clock)
    assert os.environ["FROM_LOCAL_SETTINGS"] == "yes"
    clock.advance(timedelta(days=1))
    until(lambda: runs("daily") and runs("starter"))
    assert host.wait(runs("starter")[0]["id"])["output"] == "nothing"
    host.stop()
    assert "FROM_LOCAL_SETTINGS" not in os.environ


def test_downtime_is_one_run_past_due(new_host, runs):
    clock = TravelClock()
    host = new_host("timers", clock=clock)
    clock.advance(timedelta(days=1))
    until(lambda: runs("daily") and runs("starter"))
    assert not runs("daily")[0]["past_due"]
    host.stop()
    clock.advance(timedelta(days=10))
    new_host("timers", clock=clock)
    until(lambda: len(runs("daily")) == 2 and len(runs("starter")) == 2)
    late = runs("daily")[1]
    assert late["past_due"] and not late["last"].startswith("0001")
    clock.advance(timedelta(days=1))
    until(lambda: len(runs("daily")) == 3)
    assert not runs("daily")[2]["past_due"]


def test_a_first_start_is_not_past_due(new_host, runs):
    new_host("timers")
    until(lambda: runs("at_start"))
    assert not runs("daily") and not runs("at_start")[0]["past_due"]


def test_a_timer_never_meets_itself(new_host, runs):
    clock = TravelClock()
    new_host("timers", clock=clock)
    for count in range(1, 6):
        clock.advance(timedelta(seconds=2))
        until(lambda count=count: len(runs("every_second")) >= count)
    assert all(run["alone"] for run in runs("every_second"))


def test_timers_can_be_left_off(new_host, runs):
    clock = TravelClock()
    host = new_host("timers", clock=clock, timers=False)
    clock.advance(timedelta(days=2))
    host.stop()
    assert not runs("daily") and not runs("at_start")
