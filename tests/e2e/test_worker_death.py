"""The language worker dies at any call of a run: what the host ended by that is called again, and no run is lost.

The shipped app on the embedded host, in this process, with a clock that jumps over the pauses.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from benchmarks.hops import FIRST, MORE, ROOT, change, make, record_of
from comboi_core.lake.local import LocalLake
from comboi_core.runs.records import newest_records, read_record
from durable_local import Faults, Host, TravelClock, WorkerDeath

TABLES, SEED, TIMES = 6, 20261129, 50
CALLS = 47
"""Calls of orchestrators, entities and activities in a run of the project that changes every table."""

RUN = "hops-20261129T06000{0}Z-00000{0}"
NEW_YEAR = "0 0 0 1 1 *"

interrupted: list[bool] = []


def run(folder: Path, number: int, faults: Faults | None = None) -> dict[str, Any]:
    """Run the project once; return the instance's status."""
    run_id = RUN.format(number)
    request = {"run_id": run_id, "pipeline": "hops", "trigger": "http", "stage": None, "select": []}
    request |= {"full_refresh": False, "backfill": None, "interval": None}
    environment = {"COMBOI_CONFIG": str(folder / "configs" / "initial.yml")}
    clock = TravelClock()
    with (
        mock.patch.dict(os.environ, environment),
        Host(ROOT, folder / "hub.db", timers=False, clock=clock, faults=faults or Faults()) as host,
        jumping(clock),
    ):
        url = f"{host.url}/runtime/webhooks/durabletask/orchestrators/run_pipeline/{run_id}"
        urllib.request.urlopen(urllib.request.Request(url, json.dumps(request).encode())).close()
        return host.wait(run_id, timeout=300)


@contextmanager
def jumping(clock: TravelClock) -> Iterator[None]:
    """Let ten seconds pass in each tenth of one."""
    over = threading.Event()

    def jump() -> None:
        while not over.wait(0.1):
            clock.advance(timedelta(seconds=10))

    jumper = threading.Thread(target=jump, daemon=True)
    jumper.start()
    yield
    over.set()
    jumper.join()


def record(folder: Path, number: int) -> dict[str, Any]:
    """Return a run's record."""
    return record_of(folder, RUN.format(number))


def started_again(folder: Path) -> dict[str, Any]:
    """Serve the app with its timers until a run has been started in the place of the first one; return its record."""
    environment = {"COMBOI_CONFIG": str(folder / "configs" / "initial.yml"), "COMBOI_TIMER_SCHEDULE": NEW_YEAR}
    lake = LocalLake(folder / "lake" / "bronze")
    known = set(newest_records(lake))
    clock = TravelClock()
    with mock.patch.dict(os.environ, environment), Host(ROOT, folder / "hub.db", clock=clock), jumping(clock):
        deadline = time.monotonic() + 120
        while not (found := set(newest_records(lake)) - known):
            assert time.monotonic() < deadline, "nothing was started again"
            time.sleep(0.05)
    return read_record(lake, found.pop().run_id)


def landed(folder: Path) -> dict[str, tuple[int, int]]:
    """Return per table the load that is committed and the rows of all its files."""
    from comboi_core.domain.manifest import loads_of

    found = {}
    with sqlite3.connect(folder / "hub.db") as hub:
        for sid, state in hub.execute("SELECT sid, state FROM entities WHERE sid LIKE '@table@%'"):
            checkpoint = json.loads(state)
            manifest = json.loads((folder / "lake" / "bronze" / checkpoint["manifest"]).read_text())
            assert loads_of([checkpoint["manifest"]])[0][0] == checkpoint["sequence"]
            found[sid] = (checkpoint["sequence"], sum(file["rows"] for file in manifest["files"]))
    return found


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project that has been landed once and has changed since."""
    folder = tmp_path_factory.mktemp("worker") / "project"
    make(folder, TABLES)
    config = folder / "configs" / "initial.yml"
    config.write_text("retry: {attempts: 1, first_delay: 1s}\n" + config.read_text())
    assert run(folder, 0)["output"]["status"] == "succeeded"
    change(folder, TABLES)
    yield folder
    assert not interrupted or sum(interrupted) >= len(interrupted) / 2, "hardly a run was hit: the test lost its aim"


@pytest.mark.parametrize("number", range(TIMES))
@pytest.mark.few(2, then="kill")
def test_a_worker_that_dies_costs_no_table(before: Path, tmp_path: Path, number: int):
    chance = random.Random(SEED + number)
    death = WorkerDeath(chance.randint(2, CALLS), refused=chance.choice([0, 1, 2, 3]))
    faults = Faults(worker_death=death, lost_batch=chance.choice(["fail", "repeat"]))
    folder = tmp_path / "project"
    shutil.copytree(before, folder)

    ended = run(folder, 1, faults)

    rows = 0
    if ended["runtimeStatus"] == "Completed":
        told = record(folder, 1)
        assert told["status"] == "succeeded", (death, told["error"], told["tables"])
        rows = [table["rows"] for table in told["tables"]]
        assert rows == [MORE] * TABLES, (death, "the record counts what the run landed before and after")
        interrupted.append("interrupted" in told or any("retried" in table for table in told["tables"]))
    else:  # the run's own orchestration was hit: the timer that looks after runs starts it again
        assert "worker" in str(ended["output"]) or "exited" in str(ended["output"]) or "Non-Det" in str(ended["output"])
        interrupted.append(True)
        told = started_again(folder)
        assert told["status"] == "succeeded" and f"{RUN.format(1)} was on" in told["interrupted"]["message"]
        assert all(table["status"] == "succeeded" for table in told["tables"])
    assert set(landed(folder).values()) == {(2, FIRST + MORE)}, death
