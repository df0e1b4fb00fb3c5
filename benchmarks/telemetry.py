"""Telemetry per table and run: `python benchmarks/telemetry.py [--tables 11] [--json]`.

What comboi itself sends is measured, in items and bytes, as it reaches a double of the ingestion endpoint. A pipeline
of N SQLite tables runs three times (everything is new, every table has changed, nothing has); the rows of each run are
compared with the source's first.

What the real Functions host sends beside it cannot run here, so it is estimated. On azure-functions-host 4.1037 with
the Durable extension 3.19 a run of 11 tables and 2 datasets sent 1,779 items, 2.1 MB, of which comboi's own were 58 kB.
The rest were three kinds of items for each call: the lines "Executing" and "Executed" (category `Function.NAME`), the
extension's lines on the life of a function (`Function.NAME.User`), both at level Information, and a request
(`Host.Results`: Information for a success, Error for a failure). Which of them are sent follows from the levels in
host.json: the rule with the longest prefix of a category counts, as Microsoft's page "Configure monitoring for Azure
Functions" says. A kind that is sent counts with a third of those 2.04 MB, in proportion to the Durable messages, which
are counted here. Sampling is left out, so the estimate is an upper bound.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.hops import runs
from tests.doubles.ingestion import IngestionDouble

VARIABLE = "APPLICATIONINSIGHTS_CONNECTION_STRING"
LEVELS = ("Trace", "Debug", "Information", "Warning", "Error", "Critical", "None")
KINDS = {
    "Function.land_tables": "Information",
    "Function.land_tables.User": "Information",
    "Host.Results": "Information",
}
"""Category -> level of what the host sends for a call that succeeds."""
SEEN_BYTES, SEEN_MESSAGES = 2_042_000, 241
"""What the host sent of that run, and the Durable messages that it had: 11 changed tables (209) and 2 datasets (32)."""


def level_of(category: str, levels: dict[str, str]) -> str:
    """Return the least level that is sent of a category, as the host's filter decides."""
    rules = [rule for rule in levels if category == rule or category.startswith(f"{rule}.")]
    return levels[max(rules, key=len)] if rules else levels.get("default", "Information")


def sent_kinds(document: dict[str, Any]) -> list[str]:
    """Return the categories, of those in KINDS, that are sent under a host.json."""
    levels = document["logging"].get("logLevel", {})
    return [name for name, level in KINDS.items() if LEVELS.index(level) >= LEVELS.index(level_of(name, levels))]


def measure(tables: int, document: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Run three times; return per run what comboi sent, in all and per table, and the estimate of the host's part."""
    double, found, before = IngestionDouble(), {}, 0
    os.environ[VARIABLE] = double.connection_string
    share = len(sent_kinds(document)) / len(KINDS) * SEEN_BYTES / SEEN_MESSAGES
    try:
        with tempfile.TemporaryDirectory() as home:
            for name, counts in runs(ROOT, Path(home) / "project", tables):
                items = double.envelopes[before:]
                before += len(items)
                if not any(item["data"]["baseType"] == "RequestData" for item in items):
                    raise SystemExit(f"{name}: the run itself is missing in what was sent")
                own = sum(len(json.dumps(item).encode()) for item in items)
                host = round(share * sum(counts.values()))
                figures = {"items": len(items), "own_bytes": own, "host_bytes": host}
                found[name] = figures | {"bytes_per_table": round((own + host) / tables)}
    finally:
        del os.environ[VARIABLE]
        double.close()
    return found


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=11)
    parser.add_argument("--json", action="store_true", help="machine-readable output")
    options = parser.parse_args()
    found = measure(options.tables, json.loads((ROOT / "host.json").read_text()))
    if options.json:
        print(json.dumps(found))
        return
    print("| run | items of comboi | bytes of comboi | bytes of the host, estimated | bytes per table |")
    print("|---|---:|---:|---:|---:|")
    for name, figures in found.items():
        print(f"| {name} | {' | '.join(f'{value:,}' for value in figures.values())} |")


if __name__ == "__main__":
    main()
