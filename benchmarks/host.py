"""What the embedded host costs by itself: `python benchmarks/host.py [--json]`.

Every activity returns at once, so the figures are the host's own: queueing, replay, SQLite, threads. A fresh store per
measurement, the best of three repetitions (one for the big runs), wall time.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from durable_local import Host

APP = Path(__file__).resolve().parent / "host_app"


@dataclass(frozen=True)
class Figure:
    """One measurement; `unit` says what `per_item_ms` is per."""

    name: str
    unit: str
    items: int
    seconds: float
    per_item_ms: float


@dataclass(frozen=True)
class Case:
    """An orchestration of the benchmark app with its size."""

    name: str
    orchestrator: str
    unit: str
    items: int
    repetitions: int


CASES = (
    Case("fan-out", "fan", "activity", 1000, 3),
    Case("chain", "chain", "activity", 200, 3),
    Case("tables", "tables", "table", 100, 3),
    Case("tables", "tables", "table", 1000, 1),
)


def measure(case: Case) -> Figure:
    """Run a case on fresh stores and keep the fastest run."""
    seconds = min(_run(case) for _ in range(case.repetitions))
    return Figure(case.name, case.unit, case.items, round(seconds, 3), round(seconds / case.items * 1000, 3))


def _run(case: Case) -> float:
    with tempfile.TemporaryDirectory() as folder, Host(APP, Path(folder) / "hub.db", timers=False) as host:
        began = time.perf_counter()
        status = host.wait(_start(host, case.orchestrator, case.items), timeout=600)
        seconds = time.perf_counter() - began
    if status["output"] != case.items:
        raise SystemExit(f"{case.name} of {case.items} ended with {status}")
    return seconds


def _start(host: Host, name: str, value: int) -> str:
    url = f"{host.url}/runtime/webhooks/durabletask/orchestrators/{name}"
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(str(value)).encode())) as response:
        return json.load(response)["id"]


def growth(figures: Iterable[Figure]) -> float:
    """How much dearer a table is among 1,000 than among 100; 1 is linear growth."""
    small, large = sorted((f for f in figures if f.name == "tables"), key=lambda figure: figure.items)
    return round(large.per_item_ms / small.per_item_ms, 2)


def main() -> None:
    """Measure everything and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="machine-readable output")
    arguments = parser.parse_args()
    figures = [measure(case) for case in CASES]
    if arguments.json:
        print(json.dumps({"figures": [asdict(figure) for figure in figures], "tables_growth": growth(figures)}))
        return
    print(f"{'case':<10}{'items':>7}{'seconds':>10}{'ms per item':>14}")
    for figure in figures:
        print(
            f"{figure.name:<10}{figure.items:>7}{figure.seconds:>10.2f}{figure.per_item_ms:>14.2f}  per {figure.unit}"
        )
    print(f"a table among 1,000 costs {growth(figures):.2f} times a table among 100 (1 = linear)")


if __name__ == "__main__":
    main()
