"""A year of runs, one every five minutes: what grows, and what it costs.

    python benchmarks/growth.py [--runs 105000] [--tables 5]

The year is not waited for: a real run is made, and what it left is written again and again through the product's own
code, with the moments of a year: orchestrations through the embedded host's store, from which retention deletes as it
does every hour, and run records into the lake. A host is started after the first hundred runs, and again after all of
them. The size of the task hub, the CPU of GET /api/runs and of a run without changes, and the memory that further runs
take are compared. Then a table is landed, changed and folded 300 times, and folding is simulated for a year at several
sizes. The exit code is 1 if a figure misses its target.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.hops import FIRST, make
from benchmarks.lake_growth import UNIT, real_lake, simulated
from comboi_core.app.loader import load
from comboi_core.app.workspace import Workspace
from comboi_core.cli.client import Api
from comboi_core.cli.hosting import embedded
from comboi_core.cli.options import quiet
from comboi_core.config.monitoring import HistoryConfig
from comboi_core.domain.names import run_id
from comboi_core.runs.record import summary
from comboi_core.runs.records import newest_records, read_record, record_path
from comboi_core.state import pipeline
from durable_local import Host, clock
from durable_local.entities import scheduler_id
from durable_local.queries import purge_ended
from durable_local.records import NewInstance, Step
from durable_local.retention import BATCH
from durable_local.store import Store

YEAR, EVERY = 105_000, timedelta(minutes=5)
AN_HOUR = 12
"""Runs between two looks of retention."""
FEW = 100
"""Runs of the first measurement: as many as the pipeline's entity remembers."""
ASKED, RUNS, WARM = 50, 30, 5
HUB_BYTES, LIST_SECONDS, RATIO, LAKE_RATIO, MEMORY_BYTES = 10**9, 0.020, 1.1, 2.0, 20 * 2**20


@dataclass(frozen=True)
class Measured:
    """Of a host on a project: CPU seconds of GET /api/runs and of a run, the asking side's included; and the bytes of
    memory that further runs took."""

    listing: float
    run: float
    grown: int


def once(host: Host, api: Api, tables: int, rows: int) -> str:
    """Run to the end, which has to read so many rows of each table; return the run's id.

    Nobody looks at the run meanwhile: looking takes more of the processor than the run.
    """
    started: str = api.post("runs", {})["run_id"]
    host.wait(started, timeout=600)
    record = api.get(f"runs/{started}")
    assert record["status"] == "succeeded", record
    assert [table["rows"] for table in record["tables"]] == [rows] * tables, record["tables"]
    return started


def fastest(number: int, work: Callable[[], Any]) -> float:
    """Return the least CPU seconds of so many times of a work, after WARM ones that load what is loaded once.

    Other work on the machine adds to a time and takes nothing away, so the least is the nearest to the truth.
    """
    taken = []
    for _ in range(number + WARM):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return min(taken[WARM:])


def measure(config: Path, tables: int) -> Measured:
    """Start a host on the project, and measure. Nothing has changed at the source."""
    with embedded(config, timers=False) as host:
        api = Api(host.url, host.key)
        run = fastest(RUNS, lambda: once(host, api, tables, 0))
        before = resident()
        fastest(RUNS, lambda: once(host, api, tables, 0))
        grown = resident() - before
        return Measured(fastest(ASKED, lambda: api.get("runs")), run, grown)


def resident() -> int:
    """Return the bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Year:
    """Writes what a run has left again, as that of other runs."""

    def __init__(self, config: Path, pattern: str) -> None:
        self.hub = config.parent.parent / ".comboi" / "hub.db"
        self.pattern = pattern
        self.keep = timedelta(seconds=HistoryConfig().keep) // timedelta(microseconds=1)
        workspace = Workspace(load(config))
        self.lake, self.name = workspace.lake("bronze"), workspace.project.pipeline
        self.record = read_record(self.lake, pattern)
        self.text = self.lake.read(record_path(pattern)).decode()
        self.store = Store(self.hub)
        sql = "SELECT id, name, input FROM instances WHERE substr(id, 1, ?)=? ORDER BY id"
        found = self.store.rows(sql, (len(pattern), pattern))
        self.instances = [(*instance, self.store.history(instance[0])) for instance in found]
        assert len(self.instances) > 1 and all(history for *_, history in self.instances), "the run has left histories"
        self.store.close()
        self.largest = self.written = 0

    def live(self, runs: int, ended: timedelta = timedelta()) -> None:
        """Write so many runs, the last of which ended so long ago."""
        self.store = Store(self.hub)
        sid = scheduler_id("pipeline", self.name)
        self.state = json.loads(self.store.rows("SELECT state FROM entities WHERE sid=?", (sid,))[0][0])
        now = datetime.now(UTC) - ended
        for number in range(runs):
            moment = now - EVERY * (runs - number)
            self.one(run_id(self.name, moment, f"{number:06x}"), moment)
            if number % AN_HOUR == 0 or number == runs - 1:
                while purge_ended(self.store, clock.to_micros(moment) - self.keep, BATCH):
                    pass
                self.store.give_back()
                self.largest = max(self.largest, self.hub.stat().st_size)
        self.store.commit_batch(sid, [], (True, json.dumps(self.state)), [], clock.to_micros(now))
        self.written += runs
        self.assert_written()
        self.store.close()

    def one(self, run: str, moment: datetime) -> None:
        """Write one run: its orchestrations, its record, and what the pipeline's entity remembers of it."""
        micros = clock.to_micros(moment)
        for name, function, text, history in self.instances:
            new = NewInstance(self.renamed(name, run), "e", function, None, self.renamed(text, run))
            assert self.store.create(new, micros) is None
            seen = self.store.instance(new.id)
            assert seen is not None
            events = [self.renamed(event, run) for event in history]
            assert self.store.commit_step(seen, Step(events=events, status="Completed"), micros) is not None
        record = self.record | {"run_id": run, "started_at": moment.isoformat(), "finished_at": moment.isoformat()}
        written = self.renamed(self.text, run).replace(self.record["started_at"], record["started_at"])
        self.lake.write(record_path(run), written.encode())
        self.state, granted = pipeline.begin(self.state, record)
        assert granted["granted"]
        self.state, _ = pipeline.finish(self.state, {"run_id": run, "summary": summary(record)})

    def renamed(self, text: str, run: str) -> str:
        """Return a text of the run in which another one is named."""
        return text.replace(self.pattern, run)

    def assert_written(self) -> None:
        """Raise AssertionError unless every run has its record, and the task hub those of the time that is kept."""
        assert sum(1 for _ in newest_records(self.lake, self.name)) >= self.written
        (kept,) = self.store.rows("SELECT count(*) FROM instances WHERE execution_id='e'")[0]
        wanted = min(self.written, self.keep // (EVERY // timedelta(microseconds=1)))
        assert abs(kept - wanted * len(self.instances)) <= AN_HOUR * len(self.instances), (kept, wanted)


def main() -> None:
    """Write the year, measure, and compare with the first day."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=YEAR)
    parser.add_argument("--tables", type=int, default=5)
    options = parser.parse_args()
    quiet()
    missed = []

    def told(what: str, shown: str, well: bool) -> None:
        print(f"{what:<46} {shown:<40} {'' if well else 'MISSED'}".rstrip(), flush=True)
        missed.extend([] if well else [what])

    with tempfile.TemporaryDirectory() as home:
        project = Path(home) / "project"
        make(project, options.tables)
        config = project / "configs" / "initial.yml"
        os.environ |= {"COMBOI_CONFIG": str(config), "COMBOI_HUB": str(project / ".comboi" / "hub.db")}
        with embedded(config, timers=False) as host:
            first = once(host, Api(host.url, host.key), options.tables, FIRST)
        year = Year(config, first)
        with mock.patch("os.fsync"):  # the disk is not waited for a year long
            year.live(FEW, EVERY * options.runs)
        before, began = measure(config, options.tables), time.monotonic()
        with mock.patch("os.fsync"):
            year.live(options.runs)
        print(f"{options.runs:,} runs of {options.tables} tables written in {time.monotonic() - began:.0f} s")
        after = measure(config, options.tables)
        size = sum(file.stat().st_size for file in year.hub.parent.glob("hub.db*"))
    per_run = year.largest / min(options.runs, year.keep / (EVERY / timedelta(microseconds=1)))
    told("task hub, largest", f"{year.largest / 1e6:.0f} MB, {per_run / 1e3:.0f} kB a run that is kept",
         max(size, year.largest) < HUB_BYTES)  # fmt: skip
    pair = f"after {FEW} runs and now"
    told(f"GET /api/runs, CPU, {pair}", f"{before.listing * 1e3:.1f} ms, {after.listing * 1e3:.1f} ms",
         after.listing < max(LIST_SECONDS, RATIO * before.listing))  # fmt: skip
    told(f"a run, CPU, {pair}", f"{before.run * 1e3:.0f} ms, {after.run * 1e3:.0f} ms",
         after.run <= RATIO * before.run)  # fmt: skip
    told(f"memory after {RUNS + WARM} more runs", f"{after.grown / 2**20:+.1f} MiB", after.grown < MEMORY_BYTES)
    largest, rewritten = real_lake()
    told("lake against its live rows, 300 loads", f"{largest:.2f} times, {rewritten:.1f} bytes rewritten per byte",
         largest <= LAKE_RATIO)  # fmt: skip
    for live in (100, 400, 600, 6_000, 60_000):
        largest, rewritten = simulated(live * UNIT, options.runs)
        told(f"a table of {live:,} MiB after {options.runs:,} loads",
             f"{largest:.2f} times, {rewritten:.1f} bytes rewritten per byte", largest <= LAKE_RATIO)  # fmt: skip
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
