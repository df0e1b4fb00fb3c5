"""Capture what comboi's orchestrators and entities are asked: `python -m benchmarks.histories.capture FOLDER`.

comboi runs on the embedded host with a small SQLite source: a run, a run with a table that fails, one that is
cancelled, a backfill and an erasure. FOLDER gets `exchanges.jsonl`: each line is one call in the protocol of the worker
(`tape.Exchange`), for `replay` or for a worker of your own.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sqlite3
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.histories.tape import LABEL, Exchange, Trigger, write
from durable_local import Host
from durable_local.invoke import Answer, Invoker
from durable_local.loader import FunctionInfo

ROOT = Path(__file__).resolve().parent.parent.parent
PIPELINE = """
pipeline: histories
engine: {memory_limit: 256MB, threads: 1}
retry: {attempts: 2, first_delay: 0.1s}
sources:
  - name: till
    type: sqlite
    connection: {path: data/till.db}
    tables:
      - {name: sales, table: sales, primary_key: [id], incremental_column: changed_at, chunk_rows: 100}
      - {name: people, table: people, mode: full}
      - {name: extra, table: extra, mode: full}
stages:
  bronze: {data_lake: {path: lake/bronze}}
  silver: {data_lake: {path: lake/silver}}
  gold: {data_lake: {path: lake/gold}}
"""
DATASETS = """
silver:
  - name: buyers
    inputs: [{alias: sales, source: till, table: sales}]
gold:
  - name: turnover
    inputs: [{alias: buyers, dataset: buyers}]
"""
SCRIPTS = {
    "buyers.sql": "SELECT buyer, count(*) AS sales FROM sales GROUP BY buyer",
    "turnover.sql": "SELECT sum(sales) AS sales FROM buyers",
}
ROWS = 400
WAIT = 120.0


class Recorder(Invoker):
    """Calls functions as the host does and keeps what was said."""

    exchanges: list[Exchange] = []
    scenario = ""
    guard = threading.Lock()

    def orchestrator(self, info: FunctionInfo, context: str) -> Answer:
        return super().orchestrator(self._listening(info, "orchestrationTrigger", context), context)

    def entity(self, info: FunctionInfo, batch: str) -> dict[str, Any]:
        return super().entity(self._listening(info, "entityTrigger", batch), batch)

    def _listening(self, info: FunctionInfo, trigger: Trigger, request: str) -> FunctionInfo:
        def call(**arguments: Any) -> str:
            try:
                answer = info.call(**arguments)
            except Exception as error:
                self._keep(info, trigger, request, str(error).rpartition(LABEL)[2], raised=True)
                raise
            self._keep(info, trigger, request, answer, raised=False)
            return answer

        return dataclasses.replace(info, call=call)

    def _keep(self, info: FunctionInfo, trigger: Trigger, request: str, answer: str, *, raised: bool) -> None:
        with self.guard:
            self.exchanges.append(Exchange(self.scenario, info.name, trigger, request, answer, raised))


def capture(folder: Path) -> Path:
    """Run all scenarios and write what was said to `folder`; returns the file."""
    Recorder.exchanges = []
    with tempfile.TemporaryDirectory() as work:
        project = Path(work)
        _make(project)
        with _served(project) as host:
            for name, scenario in SCENARIOS.items():
                Recorder.scenario = name
                scenario(_Api(host.url), project)
    return write(folder, Recorder.exchanges)


def _make(project: Path) -> None:
    for name in ("configs", "data", "transformations"):
        (project / name).mkdir()
    (project / "configs/initial.yml").write_text(PIPELINE, encoding="utf-8")
    (project / "configs/transformations.yml").write_text(DATASETS, encoding="utf-8")
    for name, script in SCRIPTS.items():
        (project / "transformations" / name).write_text(script, encoding="utf-8")
    _source(
        project,
        "CREATE TABLE sales(id INTEGER PRIMARY KEY, buyer TEXT, changed_at TEXT)",
        *(
            f"INSERT INTO sales VALUES({n}, 'buyer {n % 7}', '2026-01-01 00:{n // 60:02}:{n % 60:02}')"
            for n in range(ROWS)
        ),
        "CREATE TABLE people(name TEXT)",
        "INSERT INTO people VALUES('Ada'), ('Grace')",
        "CREATE TABLE extra(n INTEGER)",
    )


def _source(project: Path, *statements: str) -> None:
    with sqlite3.connect(project / "data/till.db") as db:
        for statement in statements:
            db.execute(statement)
    db.close()


@contextmanager
def _served(project: Path) -> Iterator[Host]:
    settings = {"COMBOI_CONFIG": str(project / "configs/initial.yml")}
    with (
        mock.patch.dict(os.environ, settings),
        mock.patch("durable_local.host.Invoker", Recorder),
        Host(ROOT, project / "hub.db", timers=False) as host,
    ):
        yield host


class _Api:
    """comboi's API."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/api"

    def post(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        data = json.dumps(body or {}).encode()
        request = urllib.request.Request(f"{self._url}/{path}", data, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=WAIT) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refused:
            raise SystemExit(f"POST {path}: {refused.code} {refused.read().decode()}") from None

    def ended(self, run_id: str) -> dict[str, Any]:
        """The record of a run, once it has ended."""
        deadline = time.monotonic() + WAIT
        while time.monotonic() < deadline:
            with urllib.request.urlopen(f"{self._url}/runs/{run_id}", timeout=WAIT) as answer:
                found = json.load(answer)
            if found.get("status") in ("succeeded", "failed", "cancelled"):
                return found
            time.sleep(0.1)
        raise TimeoutError(f"run {run_id} has not ended after {WAIT:g} seconds")


def _expect(record: dict[str, Any], *statuses: str) -> None:
    if record["status"] not in statuses:
        raise SystemExit(f"the run ended as {record['status']}: {json.dumps(record)[:2000]}")


def _run(api: _Api, project: Path) -> None:
    _expect(api.ended(api.post("runs")["run_id"]), "succeeded")


def _failing(api: _Api, project: Path) -> None:
    _source(project, "DROP TABLE extra", "UPDATE sales SET changed_at='2026-02-01 00:00:00' WHERE id<50")
    _expect(api.ended(api.post("runs")["run_id"]), "failed")
    _source(project, "CREATE TABLE extra(n INTEGER)")


def _cancel(api: _Api, project: Path) -> None:
    run_id = api.post("runs", {"full_refresh": True})["run_id"]
    api.post(f"runs/{run_id}/cancel")
    _expect(api.ended(run_id), "cancelled")


def _backfill(api: _Api, project: Path) -> None:
    interval = {"from": "2026-01-01 00:00:00", "to": "2026-01-01 00:03:00"}
    body = {"stage": "bronze", "select": ["sales"], "backfill": interval}
    _expect(api.ended(api.post("runs", body)["run_id"]), "succeeded")


def _erase(api: _Api, project: Path) -> None:
    body = {"table": "till.sales", "keys": ["7"]}
    _expect(api.ended(api.post("erasures", body)["run_id"]), "succeeded")


SCENARIOS = {
    "run": _run,
    "failing share": _failing,
    "cancel": _cancel,
    "backfill": _backfill,
    "erasure": _erase,
}


def main() -> None:
    """Capture to a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where exchanges.jsonl goes")
    path = capture(parser.parse_args().folder)
    print(f"{len(Recorder.exchanges)} exchanges in {path}", file=sys.stderr)


if __name__ == "__main__":
    main()
