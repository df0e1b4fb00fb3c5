"""How a run grows with its tables: `python benchmarks/scale.py [TABLES ...] [--json]`.

comboi's own orchestrators and entities run on the embedded host, over activities that only take time. What is counted,
histories, episodes, messages, entity operations, is the same on Azure Durable Functions; what is measured in seconds is
the embedded host's.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

SIZES = (10, 100, 1000, 5000)
SPEED = 1000
APP = Path(__file__).resolve().parent / "scale_app"
LARGE = 45_000
"""Bytes from which the Azure Storage provider puts a payload into a blob."""


class Counting:
    """Counts what the store commits, per execution of an orchestration."""

    def __init__(self) -> None:
        self.episodes: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.entities: Counter[str] = Counter()
        self.events: Counter[tuple[str, str]] = Counter()
        self.bytes: Counter[tuple[str, str]] = Counter()
        self.names: dict[str, str] = {}
        self.largest = 0

    def step(self, seen: Any, step: Any) -> None:
        """Count an episode that was committed."""
        key = (seen.id, seen.execution_id)
        self.names[seen.id] = seen.name
        self.episodes[seen.name] += 1
        self.events[key] += len(step.events)
        self.bytes[key] += sum(map(len, step.events))
        self.counts["messages to orchestrations"] += len(step.consumed)
        self.counts["activities"] += len(step.activities)
        self.counts["timers"] += len(step.timers)
        sent = [text or "" for _, _, text in step.activities] + [child.input or "" for child in step.children]
        self.largest = max([self.largest, *map(len, sent), *map(len, step.events)])

    def batch(self, entity: str, operations: int) -> None:
        """Count a batch of operations that an entity worked through."""
        self.entities[entity] += operations
        self.counts["entity batches"] += 1

    def figures(self) -> dict[str, Any]:
        """Return what was counted; of histories the longest, and the largest, per orchestrator."""
        longest: dict[str, int] = {}
        largest: dict[str, int] = {}
        for (instance, _execution), events in self.events.items():
            name = self.names[instance]
            longest[name] = max(longest.get(name, 0), events)
            largest[name] = max(largest.get(name, 0), self.bytes[(instance, _execution)])
        return {
            "instances": len(self.names),
            "instances_by_name": Counter(self.names.values()),
            "executions": len(self.events),
            "episodes": sum(self.episodes.values()),
            "history_events": sum(self.events.values()),
            "history_bytes": sum(self.bytes.values()),
            "longest_history": longest,
            "largest_history_bytes": largest,
            "largest_payload": self.largest,
            "entity_operations": sum(self.entities.values()),
            "busiest_entity": max(self.entities.values()),
            **{name.replace(" ", "_"): count for name, count in self.counts.items()},
        }


def counted(counting: Counting) -> None:
    """Make the embedded host's store count."""
    from durable_local import host
    from durable_local.store import Store

    class CountingStore(Store):
        def commit_step(self, seen, step, now):
            stored = super().commit_step(seen, step, now)
            if stored is not None:
                counting.step(seen, step)
            return stored

        def commit_batch(self, sid, rows, state, replies, now):
            counting.batch(sid, len(rows))
            return super().commit_batch(sid, rows, state, replies, now)

    host.Store = CountingStore


def run_once(tables: int) -> dict[str, Any]:
    """Run a pipeline of so many tables and return its figures."""
    os.environ |= {"SCALE_TABLES": str(tables), "SCALE_SPEED": str(SPEED)}
    counting = Counting()
    counted(counting)
    from durable_local import Host

    run = {"run_id": "scale-20261123T060000Z-0a1b", "pipeline": "scale", "trigger": "http", "stage": None}
    run |= {"select": [], "full_refresh": False, "backfill": None, "interval": None}
    with tempfile.TemporaryDirectory() as folder, Host(APP, Path(folder) / "hub.db", timers=False) as host:
        began = time.perf_counter()
        url = f"{host.url}/runtime/webhooks/durabletask/orchestrators/run_pipeline/{run['run_id']}"
        urllib.request.urlopen(urllib.request.Request(url, json.dumps(run).encode())).close()
        status = host.wait(run["run_id"], timeout=3600)
        seconds = time.perf_counter() - began
        stored = (Path(folder) / "hub.db").stat().st_size + (Path(folder) / "hub.db-wal").stat().st_size
    if (status["output"] or {}).get("status") != "succeeded":
        raise SystemExit(f"the run of {tables} tables ended with {status}")
    return {
        "tables": tables,
        "seconds": round(seconds, 1),
        "hub_bytes": stored,
        **_planned(tables),
        **counting.figures(),
    }


def _planned(tables: int) -> dict[str, Any]:
    """Return the lanes of bronze, all activities' time, and the longest lane's, in simulated seconds."""
    from benchmarks.scale_model import SECONDS, chunks_of, project, rows_of
    from comboi_core.runs.planning import plan_waves

    waves = plan_waves(project(tables), None, [], rows_of(tables))
    around = SECONDS["land_tables"] - SECONDS["extract_chunks"]

    def lane_seconds(items: list[dict[str, Any]], parallel: bool) -> float:
        chunks = [chunks_of(item["name"]) if item["kind"] == "table" else 0 for item in items]
        extracting = sum(-(-count // (2 if parallel else 1)) for count in chunks) * SECONDS["extract_chunks"]
        tables_here = sum(count > 0 for count in chunks)
        return extracting + tables_here * around + (len(items) - tables_here) * SECONDS["build"]

    lanes = [(wave["stage"], lane) for wave in waves for lane in wave["lanes"]]
    longest = sum(max(lane_seconds(lane, True) for lane in wave["lanes"]) for wave in waves)
    return {
        "lanes": sum(stage == "bronze" for stage, _ in lanes),
        "activity_seconds": round(sum(lane_seconds(lane, False) for _, lane in lanes)),
        "longest_lane_seconds": round(longest),
    }


def measure(tables: int) -> dict[str, Any]:
    """Run one size in a process of its own."""
    command = [sys.executable, __file__, "--one", str(tables)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=ROOT).stdout)


ROWS = (
    ("lanes of bronze", "lanes"),
    ("orchestration instances", "instances"),
    ("executions (with continue-as-new)", "executions"),
    ("episodes", "episodes"),
    ("activities", "activities"),
    ("messages to orchestrations", "messages_to_orchestrations"),
    ("entity operations", "entity_operations"),
    ("operations on the busiest entity", "busiest_entity"),
    ("history events, all", "history_events"),
    ("history bytes, all", "history_bytes"),
    ("largest payload, bytes", "largest_payload"),
    ("simulated activity seconds", "activity_seconds"),
    ("longest lanes, simulated seconds", "longest_lane_seconds"),
    ("embedded host, wall seconds", "seconds"),
    ("embedded host, task hub bytes", "hub_bytes"),
)


def table(found: list[dict[str, Any]]) -> str:
    """Return the figures as a Markdown table, the longest histories below."""
    lines = [f"| tables | {' | '.join(str(one['tables']) for one in found)} |", f"|---|{'---:|' * len(found)}"]
    lines += [f"| {title} | {' | '.join(f'{one[key]:,}' for one in found)} |" for title, key in ROWS]
    for name in found[-1]["longest_history"]:
        events = " | ".join(
            f"{one['longest_history'].get(name, 0):,} / {one['largest_history_bytes'].get(name, 0) / 1000:,.0f} kB"
            for one in found
        )
        lines.append(f"| longest history of `{name}`, events / largest | {events} |")
    return "\n".join(lines)


def main() -> None:
    """Measure the sizes and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="*", type=int, default=list(SIZES))
    parser.add_argument("--json", action="store_true", help="machine-readable output")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(run_once(arguments.one)))
        return
    found = [measure(tables) for tables in arguments.tables]
    print(json.dumps(found) if arguments.json else table(found))


if __name__ == "__main__":
    main()
