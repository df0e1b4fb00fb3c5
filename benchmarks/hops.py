"""Durable messages per table: `python benchmarks/hops.py [--tables 11 40] [--against REVISION] [--json]`.

The real Functions host pays 40 to 100 ms for each message, so their number is how long a run takes whose tables are
small. A pipeline of N SQLite tables runs three times on the embedded host: everything is new, every table has changed,
nothing has. What the task hub stores is counted: messages that reach orchestrations, activities that are scheduled,
operations that entities work through. The rows of each run's record are compared with the source before anything is
counted. `--against` counts the same of an earlier revision, checked out into a git worktree.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FIRST, MORE = 50, 5
LANES = 4
RUNS = ("first", "changed", "unchanged")
KINDS = ("messages to orchestrations", "activities", "entity operations")


def make(folder: Path, tables: int) -> None:
    """Write a project over so many SQLite tables, in as many lanes as a source has by default."""
    names = [f"table_{number:03d}" for number in range(tables)]
    listed = [
        f"      - {{name: {name}, table: {name}, primary_key: [id], incremental_column: version}}" for name in names
    ]
    stages = [f"  {stage}: {{data_lake: {{path: lake/{stage}}}}}" for stage in ("bronze", "silver", "gold")]
    (folder / "configs").mkdir(parents=True)
    (folder / "transformations").mkdir()
    (folder / "configs" / "initial.yml").write_text(
        "\n".join(
            [
                "pipeline: hops",
                "engine: {memory_limit: 512MB, threads: 1}",
                "sources:",
                f"  - {{name: shop, type: sqlite, connection: {{path: shop.db}}, max_parallel: {LANES}, tables: [",
                *(line.replace("      - ", "      ") + "," for line in listed),
                "    ]}",
                "stages:",
                *stages,
                "",
            ]
        )
    )
    (folder / "configs" / "transformations.yml").write_text("silver: []\ngold: []\n")
    with sqlite3.connect(folder / "shop.db") as db:
        for name in names:
            db.execute(f"CREATE TABLE {name} (id INTEGER PRIMARY KEY, version INTEGER NOT NULL, what TEXT)")
            db.executemany(f"INSERT INTO {name} VALUES (?, ?, 'a')", [(number, number) for number in range(FIRST)])


def change(folder: Path, tables: int) -> None:
    """Add rows to every table."""
    with sqlite3.connect(folder / "shop.db") as db:
        for number in range(tables):
            rows = [(row, row) for row in range(FIRST, FIRST + MORE)]
            db.executemany(f"INSERT INTO table_{number:03d} VALUES (?, ?, 'b')", rows)


def count_one(checkout: Path, folder: Path, run_id: str) -> dict[str, int]:
    """Run the project once with the code of a checkout; return what went through the task hub."""
    command = [sys.executable, __file__, "--one", str(checkout), str(folder), run_id]
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("COMBOI_", "DURABLE_LOCAL_"))}
    environment = {**kept, "COMBOI_CONFIG": str(folder / "configs" / "initial.yml"), "PYTHONPATH": str(checkout)}
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=environment, cwd=checkout)
    return json.loads(done.stdout.splitlines()[-1])


def run_here(checkout: Path, folder: Path, run_id: str) -> Counter[str]:
    """Run in this process, on a host whose store counts."""
    sys.path.insert(0, str(checkout))
    from durable_local import Host, host, store

    counts: Counter[str] = Counter()

    class CountingStore(store.Store):
        def commit_step(self, seen: Any, step: Any, now: int) -> Any:
            stored = super().commit_step(seen, step, now)
            if stored is not None:
                counts["messages to orchestrations"] += len(step.consumed)
                counts["activities"] += len(step.activities)
            return stored

        def commit_batch(self, sid: str, rows: list[int], *rest: Any) -> Any:
            counts["entity operations"] += len(rows)
            return super().commit_batch(sid, rows, *rest)

    host.Store = CountingStore
    run = {"run_id": run_id, "pipeline": "hops", "trigger": "http", "stage": None, "select": []}
    run |= {"full_refresh": False, "backfill": None, "interval": None}
    with Host(checkout, folder / "hub.db", timers=False) as served:
        url = f"{served.url}/runtime/webhooks/durabletask/orchestrators/run_pipeline/{run_id}"
        urllib.request.urlopen(urllib.request.Request(url, json.dumps(run).encode())).close()
        status = served.wait(run_id, timeout=600)
    if (status["output"] or {}).get("status") != "succeeded":
        raise SystemExit(f"the run ended with {status['output']}")
    return counts


def record_of(folder: Path, run_id: str) -> dict[str, Any]:
    """Return a run's record; earlier revisions had no folder for each day."""
    (path,) = (folder / "lake" / "bronze" / "runs").rglob(f"{run_id}.json")
    return json.loads(path.read_text())


def runs(checkout: Path, folder: Path, tables: int) -> Iterator[tuple[str, dict[str, int]]]:
    """Run three times; yield each run's name and what was counted, after its rows were compared with the source's."""
    make(folder, tables)
    for number, (name, rows) in enumerate(zip(RUNS, (FIRST, MORE, 0), strict=True)):
        if name == "changed":
            change(folder, tables)
        run_id = f"hops-20261129T06000{number}Z-00000{number}"
        counts = count_one(checkout, folder, run_id)
        record = record_of(folder, run_id)
        landed = [table["rows"] for table in record["tables"]]
        if landed != [rows] * tables:
            raise SystemExit(f"{name}: each of {tables} tables should have {rows} rows, not {landed}")
        yield name, {kind: counts.get(kind, 0) for kind in KINDS}


def measure(checkout: Path, tables: int) -> dict[str, dict[str, int]]:
    """Return per run what was counted; see `runs`."""
    with tempfile.TemporaryDirectory() as home:
        return dict(runs(checkout, Path(home) / "project", tables))


def checked_out(revision: str, home: Path) -> Path:
    """Check a revision out beside this one."""
    place = home / "checkout"
    subprocess.run(["git", "worktree", "add", "-q", "--detach", str(place), revision], cwd=ROOT, check=True)
    return place


def table(found: dict[str, dict[int, dict[str, dict[str, int]]]]) -> str:
    """Return the figures as a Markdown table: per table of the pipeline, and in all."""
    lines = ["| code | tables | run | messages per table | in all | activities | entity operations |"]
    lines.append("|---|---:|---|---:|---:|---:|---:|")
    for code, sizes in found.items():
        for tables, runs in sizes.items():
            for name, counts in runs.items():
                total = sum(counts.values())
                figures = (f"{total / tables:.1f}", total, counts["activities"], counts["entity operations"])
                lines.append(f"| {code} | {tables} | {name} | {' | '.join(map(str, figures))} |")
    return "\n".join(lines)


def main() -> None:
    """Count, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, nargs="+", default=[11, 40])
    parser.add_argument("--against", metavar="REVISION", help="count the same of this revision, too")
    parser.add_argument("--json", action="store_true", help="machine-readable output")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        checkout, folder, run_id = options.one
        print(json.dumps(run_here(Path(checkout), Path(folder), run_id)))
        return
    found = {"now": {size: measure(ROOT, size) for size in options.tables}}
    if options.against:
        with tempfile.TemporaryDirectory() as home:
            place = checked_out(options.against, Path(home))
            try:
                found[options.against] = {size: measure(place, size) for size in options.tables}
            finally:
                subprocess.run(["git", "worktree", "remove", "--force", str(place)], cwd=ROOT, check=True)
    print(json.dumps(found) if options.json else table(found))


if __name__ == "__main__":
    main()
