"""The task hub forgets runs that ended long ago, on the embedded host and by the function that does so in Azure.

What the lake has of them, their records and rows, stays.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from datetime import timedelta
from unittest import mock

import pytest

from comboi_core.app.place import APP_FOLDER
from comboi_core.cli.hosting import embedded
from durable_local import Host, TravelClock
from tests.support.till import Till
from tests.support.waiting import until

NEW_YEAR = "0 0 0 1 1 *"
OLD = "shop-20260101T000000Z-abcdef"


@pytest.fixture
def till(tmp_path):
    """A project that has run once and keeps no history."""
    project = Till.make(tmp_path / "till")
    project.run()
    project.configure(history={"keep": "0.001s"})
    return project


def instances(till: Till) -> list[str]:
    """The orchestrations that the task hub knows, with their events' number."""
    with closing(sqlite3.connect(till.hub)) as db:
        found = [name for (name,) in db.execute("SELECT id FROM instances")]
        assert {name for (name,) in db.execute("SELECT DISTINCT instance_id FROM history")} <= set(found)
        return found


def assert_all_is_there(till: Till) -> None:
    """Raise AssertionError unless the next run goes on where the forgotten one has ended."""
    assert json.loads(till.comboi("status", "--json").stdout)["status"] == "succeeded"
    till.sql("INSERT INTO sales VALUES (3, 3, 'new')")
    assert [table["rows"] for table in till.run()["tables"]] == [1]
    assert len(till.rows()) == 3
    assert len(json.loads(till.comboi("runs", "--json").stdout)) == 2


def test_the_embedded_host_forgets_without_a_timer(till):
    assert instances(till)
    with embedded(till.folder / "configs" / "initial.yml", timers=False):
        until(lambda: not instances(till))
    assert_all_is_there(till)


@pytest.mark.slow
def test_the_timer_function_forgets(till):
    """The shipped app through the SDK's client, on a host that itself keeps everything."""
    clock, environment = TravelClock(), {"COMBOI_CONFIG": str(till.folder / "configs" / "initial.yml")}
    environment |= {"COMBOI_TIMER_SCHEDULE": NEW_YEAR}
    with mock.patch.dict(os.environ, environment), Host(APP_FOLDER, till.hub, clock=clock):
        assert instances(till)
        clock.advance(timedelta(hours=1))
        until(lambda: not instances(till))
    assert_all_is_there(till)


@pytest.mark.slow
def test_working_files_of_a_run_that_never_got_a_record_go_as_well(till):
    work = till.folder / "lake" / "bronze" / "work"
    for run in (OLD, OLD.replace("shop", "other")):
        (work / run / "plan").mkdir(parents=True)
        (work / run / "plan" / "0.json").write_text("{}")
    till.run()
    kept = {path.name for path in work.iterdir() if any(path.rglob("*.json"))}
    assert OLD not in kept
    assert OLD.replace("shop", "other") in kept, "another pipeline's run may be on"
