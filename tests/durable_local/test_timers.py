"""Timer triggers: schedules, past due after downtime, one at a time."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from durable_local_helpers import until, write_app

from durable_local import AppLoadError, Host, TravelClock
from durable_local.clock import from_micros


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


SCHEDULED = """
import json, os
import azure.functions as func
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

def note(name, timer):
    line = {"name": name, "past_due": timer.past_due, "status": timer.schedule_status}
    with open(os.environ["TIMER_LOG"], "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\\n")

@app.timer_trigger(arg_name="timer", schedule="SCHEDULE")
def job(timer: func.TimerRequest) -> None:
    note("job", timer)

@app.timer_trigger(arg_name="timer", schedule="0 0 1 1 1 *", run_on_startup=True)
def other(timer: func.TimerRequest) -> None:
    note("other", timer)
"""


def scheduled(folder: Path, schedule: str) -> Path:
    return write_app(folder, SCHEDULED.replace("SCHEDULE", schedule))


def test_a_run_is_told_its_own_slot(tmp_path, runs):
    clock = TravelClock()
    start = from_micros(clock.now())
    with Host(scheduled(tmp_path, "1.00:00:00"), tmp_path / "hub.db", clock=clock):
        clock.advance(timedelta(days=1, hours=1))
        until(lambda: runs("job"))
        clock.advance(timedelta(days=1))
        until(lambda: len(runs("job")) == 2)
    first, second = (run["status"] for run in runs("job"))
    slot, ran = (datetime.fromisoformat(text) for text in (first["Next"], second["Last"]))
    assert first["Last"].startswith("0001")
    assert timedelta(0) <= slot - start - timedelta(days=1) < timedelta(minutes=5)
    # The next one is a day after the run, not after the slot.
    assert datetime.fromisoformat(second["Next"]) - ran == timedelta(days=1)
    assert ran - slot >= timedelta(minutes=55)


@pytest.mark.parametrize("schedule", ["*/20 * * * * *", "00:00:59"])
def test_a_timer_that_fires_within_a_minute_is_never_past_due(tmp_path, runs, schedule):
    clock, app = TravelClock(), scheduled(tmp_path, schedule)
    with Host(app, tmp_path / "hub.db", clock=clock):
        clock.advance(timedelta(seconds=60))
        until(lambda: runs("job"))
    seen = len(runs("job"))
    clock.advance(timedelta(days=1))
    with Host(app, tmp_path / "hub.db", clock=clock):
        clock.advance(timedelta(seconds=60))
        until(lambda: len(runs("job")) > seen)
    assert all(run["status"] == {} and not run["past_due"] for run in runs("job"))


def test_another_schedule_has_missed_nothing_yet(tmp_path, runs):
    clock = TravelClock()
    with Host(scheduled(tmp_path, "0 0 3 * * *"), tmp_path / "hub.db", clock=clock):
        until(lambda: runs("other"))
    clock.advance(timedelta(days=3))
    with Host(scheduled(tmp_path, "0 30 4 * * *"), tmp_path / "hub.db", clock=clock):
        until(lambda: len(runs("other")) == 2)
        assert not runs("job")
        clock.advance(timedelta(days=1))
        until(lambda: runs("job"))
    assert [run["past_due"] for run in runs("job")] == [False]


@pytest.mark.parametrize("schedule", ["whenever", "%NOT_SET_ANYWHERE%"])
def test_a_schedule_that_cannot_be_read_is_its_function_s_error(tmp_path, runs, schedule):
    app = scheduled(tmp_path, schedule)
    with Host(app, tmp_path / "hub.db"):
        until(lambda: runs("other"))
    with pytest.raises(AppLoadError, match=r"'job'.*does not run it.*\[schedule\]"):
        Host(app, tmp_path / "hub.db", strict=True).start()
    with Host(app, tmp_path / "hub.db", strict=True, timers=False):
        pass
