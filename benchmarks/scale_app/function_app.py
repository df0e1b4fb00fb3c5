"""The app that `benchmarks/scale.py` measures: comboi's own orchestrators and entities over activities that pretend.

SCALE_TABLES says how many tables there are. Every activity takes its simulated time divided by SCALE_SPEED.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import azure.durable_functions as df

from benchmarks.scale_model import CHUNK_ROWS, PAGE, SECONDS, chunks_of, project, rows_of
from comboi_core.runs.planning import plan_waves
from entities.memory import bp as entities
from orchestrators.build import bp as build_bp
from orchestrators.load import bp as load_bp
from orchestrators.run import bp as run_bp

app = df.DFApp()
for blueprint in (entities, run_bp, load_bp, build_bp):
    app.register_functions(blueprint)

SPEED = float(os.environ["SCALE_SPEED"])
RETRY = {"attempts": 3, "first_delay": 5.0, "factor": 3.0}

Payload = dict[str, Any]


@lru_cache(maxsize=1)
def waves() -> list[Payload]:
    """The plan, as comboi makes it: lanes per source, dealt by size."""
    tables = int(os.environ["SCALE_TABLES"])
    return plan_waves(project(tables), None, [], rows_of(tables))


def plan_run(payload: Payload) -> Payload:
    counts = [{"stage": wave["stage"], "lanes": len(wave["lanes"])} for wave in waves()]
    path = f"work/{payload['run_id']}/plan-0123abcd.json"
    return {"plan": path, "config_hash": "0123456789abcdef", "failure_policy": "stop", "retry": RETRY, "waves": counts}


def list_items(payload: Payload) -> Payload:
    items = waves()[payload["wave"]]["lanes"][payload["lane"]]
    start = payload["page"] * PAGE
    return {"items": items[start : start + PAGE], "more": len(items) > start + PAGE}


def land_tables(payload: Payload) -> Payload:
    """A table of one chunk is landed, a bigger one is planned."""
    table = payload["tables"][0]
    work = {**payload, "item": table["item"], "checkpoint": table["checkpoint"], "files": [None]}
    outcome = plan_table(work)
    outcome |= publish_load(work) if outcome["chunks"] == 1 else {}
    return {"outcomes": [{**outcome, "after": 0.0, "seconds": 0.0}]}


def plan_table(payload: Payload) -> Payload:
    name = payload["item"]["name"]
    at = "2026-11-23 06:00:00.000000+00"
    return {
        **{
            "plan": f"work/{payload['run_id']}/{name}/load-0123abcd.json",
            "chunks": chunks_of(name),
            "unchanged": False,
        },
        **{"estimated_rows": chunks_of(name) * CHUNK_ROWS, "mode": "merge", "window": {"low": at, "high": at}},
        **{"sequence": 41, "watermark": at, "manifest": f"bronze/{name}/_loads/00000041.json", "reloaded": False},
        **{"rows": 0, "bytes": 0, "files": 0},
        **{"schema_changes": [], "warnings": [], "shortfalls": []},
    }


def extract_chunks(payload: Payload) -> Payload:
    name, chunk, *rest = payload["item"]["name"], *payload["chunks"]
    path = f"bronze/{name.replace('.', '/')}/load=00000042/{chunk:05d}-0123456789abcdef.parquet"
    file = {"path": path, "rows": CHUNK_ROWS, "bytes": 18_000_000, "load": 42, "low": "1", "high": "2"}
    return {"files": [file], "rest": rest, "state": ""}


def publish_load(payload: Payload) -> Payload:
    name = payload["item"]["name"]
    commit = {
        **{"sequence": payload["checkpoint"]["sequence"] + 1, "fence": payload["fence"], "run_id": payload["run_id"]},
        **{"watermark": "2026-11-23 06:00:00.000000+00", "manifest": f"bronze/{name}/_loads/00000042.json"},
        **{"mode": "merge", "rows": CHUNK_ROWS, "bytes": 18_000_000},
    }
    return {"files": len(payload["files"]), "foldable": False, "commit": commit, "fallen_short": []}


def build(payload: Payload) -> Payload:
    return {"rows": CHUNK_ROWS, "details": f"work/{payload['run_id']}/{payload['item']['name']}-0123abcd.json"}


def record_run(payload: Payload) -> Payload:
    return {"summary": {"status": "succeeded", "finished_at": payload["finished_at"]}}


SIMULATED: dict[str, Callable[[Payload], Payload]] = {
    **{"plan_run": plan_run, "list_items": list_items, "land_tables": land_tables, "extract_chunks": extract_chunks},
    **{"publish_load": publish_load, "build": build, "record_run": record_run},
    **{"keep_files": lambda payload: {"path": "work/files.json"}},
    **{"fold_loads": lambda payload: {}, "record_items": lambda payload: {"path": "work/items.json"}},
}


def _register(name: str) -> None:
    def pretend(payload: dict) -> dict:
        time.sleep(SECONDS.get(name, 0.1) / SPEED)
        return SIMULATED[name](payload)

    pretend.__name__ = name
    app.activity_trigger(input_name="payload")(app.function_name(name)(pretend))


for activity in SIMULATED:
    _register(activity)

os.environ.setdefault("COMBOI_CONFIG", str(Path(__file__)))
