"""What an incremental run costs after 10, 100 and 1,000 loads of the same size.

    python benchmarks/bronze_growth.py [--loads 1000]

Each load lands 1,000 changed rows of a table of 100,000. Reported is the time on one embedded host from POST to the end
of the run, as the median of the last ten runs, compactions included, and the time to read the table's current state.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import duckdb

from benchmarks.orders import ORDERS, assert_changed, assert_landed, change, current, fill, project
from comboi_core.cli.client import Api
from comboi_core.cli.demo.postgres import EmbeddedPostgres
from comboi_core.cli.hosting import serving
from comboi_core.cli.options import quiet

ROWS, CHANGED, WINDOW = 100_000, 1_000, 10


def run_once(api: Api, rows: int) -> float:
    """Run to the end, which has to land so many rows; return the seconds."""
    began = time.monotonic()
    run_id = api.post("runs", {"stage": "bronze"})["run_id"]
    while (record := api.get(f"runs/{run_id}"))["status"] == "running":
        time.sleep(0.005)
    seconds = time.monotonic() - began
    assert (record["status"], record["tables"][0]["rows"]) == ("succeeded", rows), record
    return seconds


def read_seconds(folder: Path) -> float:
    """Return the seconds that reading the current state takes."""
    began = time.monotonic()
    relation = current(folder)
    assert duckdb.sql(f"SELECT count(note) FROM {relation}").fetchone() == (ROWS,)
    return time.monotonic() - began


def main() -> None:
    """Print a line at 10, 100 and 1,000 loads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loads", type=int, default=1000)
    loads = parser.parse_args().loads
    quiet()
    with tempfile.TemporaryDirectory() as home, EmbeddedPostgres(Path(home) / "postgres") as database:
        fill(database, ROWS)
        folder = project(Path(home) / "project", [ORDERS])
        os.environ |= {"BENCH_POSTGRES": database.uri, "COMBOI_CONFIG": str(folder / "configs" / "initial.yml")}
        with serving(None) as served:
            run_once(served.api, ROWS)
            assert_landed(current(folder), ROWS)
            times: list[float] = []
            for number in range(1, loads + 1):
                change(database, ROWS, CHANGED, number)
                times.append(run_once(served.api, CHANGED))
                assert_changed(current(folder), ROWS, CHANGED, number)
                if number in (10, 100, 1000, loads):
                    seconds = read_seconds(folder)
                    files = len(list((folder / "lake" / "bronze" / "pg" / "orders").rglob("*.parquet")))
                    print(
                        f"after {number:5} loads: {statistics.median(times[-WINDOW:]) * 1000:6.0f} ms a run "
                        f"(slowest of the last {WINDOW} {max(times[-WINDOW:]) * 1000:.0f}), {files:3} files, "
                        f"reading {seconds * 1000:.0f} ms",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
