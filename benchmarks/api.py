"""How fast GET /api/runs answers on the embedded host with a long history: 1,000 runs of 100 tables.

The history is written as runs leave it: records in the lake, the latest 100 in the pipeline's entity. Reported are the
median and the 99th percentile of the first page, of a filter, of a page that only the lake knows, and of one run.

Run: python benchmarks/api.py [REQUESTS]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import requests
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from comboi_core.app import runfiles
from comboi_core.app.loader import load
from comboi_core.app.workspace import Workspace
from comboi_core.cli.hosting import embedded
from comboi_core.runs.record import summary
from comboi_core.runs.records import record_path
from comboi_core.state import pipeline
from durable_local.entities import scheduler_id
from durable_local.store import Store

RUNS, TABLES = 1000, 100
TARGET = 0.050
FIRST = datetime(2026, 1, 1, tzinfo=UTC)


def project(folder: Path) -> Path:
    """Write a project of 100 tables; no source is ever asked."""
    tables = [{"name": f"table_{number:03d}", "table": f"public.table_{number:03d}"} for number in range(TABLES)]
    source = {"name": "shop", "type": "postgres", "connection": {"conn_str": "host=nowhere"}, "tables": tables}
    stages = {stage: {"data_lake": {"path": f"lake/{stage}"}} for stage in ("bronze", "silver", "gold")}
    (folder / "configs").mkdir()
    (folder / "transformations").mkdir()
    config = folder / "configs" / "initial.yml"
    config.write_text(yaml.safe_dump({"pipeline": "sales", "sources": [source], "stages": stages}))
    (folder / "configs" / "transformations.yml").write_text("{}")
    return config


def record(number: int) -> dict:
    """Return the record of a run; every seventh one failed."""
    started = FIRST + timedelta(hours=number)
    finished = started + timedelta(minutes=3)
    run_id = f"sales-{started:%Y%m%dT%H%M%SZ}-{number:06x}"
    moment = started.isoformat()
    tables = [
        {
            "source": "shop",
            "table": f"table_{table:03d}",
            "status": "failed" if number % 7 == 0 and table == 5 else "succeeded",
            "mode": "merge",
            "sequence": number,
            "rows": 10_000 + table,
            "bytes": 500_000,
            "files": 1,
            "window": {"low": moment, "high": finished.isoformat(), "cursor": "updated_at"},
            "watermark": finished.isoformat(),
            "attempts": 1,
            "schema_changes": [],
            "warnings": [],
            "queued_at": moment,
            "started_at": moment,
            "finished_at": finished.isoformat(),
            "seconds": 1.5,
        }
        for table in range(TABLES)
    ]
    status = "failed" if number % 7 == 0 else "succeeded"
    moments = {"started_at": started.isoformat(), "finished_at": finished.isoformat(), "seconds": 180.0}
    named = {
        "run_id": run_id,
        "pipeline": "sales",
        "trigger": "timer",
        "stage": None,
        "status": status,
        "fence": number,
    }
    return {**named, **moments, "error": None, "tables": tables, "datasets": []}


def fill(config: Path) -> pipeline.PipelineState:
    """Write the records; return the state of the pipeline's entity after these runs."""
    lake, state = Workspace(load(config)).lake("bronze"), pipeline.initial()
    for number in range(RUNS):
        run = record(number)
        runfiles.write_json(lake, record_path(run["run_id"]), run)
        state, _ = pipeline.begin(state, run)
        state, _ = pipeline.finish(state, {"run_id": run["run_id"], "summary": summary(run)})
    return state


def measure(url: str, key: dict[str, str], number: int) -> tuple[float, float]:
    """Return median and 99th percentile of a request, in seconds."""
    session, taken = requests.Session(), []
    for _ in range(number + 5):
        began = time.perf_counter()
        answer = session.get(url, headers=key, timeout=60)
        taken.append(time.perf_counter() - began)
        assert answer.status_code == 200 and (answer.json().get("runs") or answer.json().get("tables")), answer.text
    taken = sorted(taken[5:])  # the first ones load what is loaded once
    return taken[len(taken) // 2], taken[min(len(taken) - 1, int(len(taken) * 0.99))]


def _count(text: str) -> int:
    if not (text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 on, got '{text}'")
    return int(text)


def main() -> None:
    """Measure and report; exit with 1 if the first page misses the target."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("requests", nargs="?", type=_count, default=300, help="how often each is asked for (300)")
    number = parser.parse_args().requests
    with tempfile.TemporaryDirectory() as folder:
        config = project(Path(folder))
        os.environ["COMBOI_HUB"] = str(Path(folder) / "hub.db")
        state = fill(config)
        store = Store(Path(os.environ["COMBOI_HUB"]))
        store.commit_batch(scheduler_id("pipeline", "sales"), [], (True, json.dumps(state)), [], 0)
        store.close()
        with embedded(config, timers=False) as host:
            base = f"{host.url}/api"
            key = {"x-functions-key": host.key}
            newest = state["runs"][0]["run_id"]
            oldest = requests.get(f"{base}/runs?limit=100", headers=key, timeout=60).json()["next"]
            worst = 0.0
            for path in ("runs", "runs?limit=100", "runs?status=failed", f"runs?cursor={oldest}", f"runs/{newest}"):
                median, high = measure(f"{base}/{path}", key, number)
                worst = max(worst, high) if path == "runs" else worst
                print(
                    f"GET /api/{path.split('-2026')[0]:<24} median {median * 1000:6.1f} ms   p99 {high * 1000:6.1f} ms"
                )
    print(f"p99 of GET /api/runs: {worst * 1000:.1f} ms, target {TARGET * 1000:.0f} ms")
    sys.exit(worst > TARGET)


if __name__ == "__main__":
    main()
