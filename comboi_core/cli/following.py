"""Following a run: a live view in a terminal, otherwise plain lines."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live

from comboi_core.cli.client import part
from comboi_core.cli.render import number, pace, run_view, seconds
from comboi_core.domain.contracts.record import RunRecord

if TYPE_CHECKING:
    from comboi_core.cli.hosting import Served

ELSEWHERE, HERE = (0.02, 0.25), (0.25, 1.0)
"""Limits in seconds between two requests: the wait is a tenth of the time that the run has taken so far. A host of this
process tells the run's end by itself, and each request takes CPU from the run."""
SAY_AGAIN = 15.0
"""Seconds between two lines about the same table."""


def watch(served: Served, run_id: str) -> Iterator[RunRecord]:
    """Yield a run's record repeatedly until the run has ended."""
    began = time.monotonic()
    shortest, longest = HERE if served.here else ELSEWHERE
    while True:
        record: RunRecord = served.api.get(f"runs/{part(run_id)}")
        yield record
        if record["status"] != "running":
            return
        served.pause(run_id, min(max((time.monotonic() - began) / 10, shortest), longest))


def follow(served: Served, run_id: str, console: Console) -> RunRecord:
    """Show a run until it has ended; return its record."""
    if not console.is_terminal:
        return _lines(served, run_id, console)
    with Live(console=console, refresh_per_second=8, transient=True) as live:
        for record in watch(served, run_id):
            live.update(run_view(record))
    return record


def _lines(served: Served, run_id: str, console: Console) -> RunRecord:
    seen: dict[str, str] = {}
    printed_at: dict[str, float] = {}
    for record in watch(served, run_id):
        items: list[Mapping[str, Any]] = [*record.get("tables", ()), *record.get("datasets", ())]
        for item in items:
            name = item.get("name") or f"{item['source']}.{item['table']}"
            changed = item["status"] not in ("pending", "queued", seen.get(name))
            if changed or (item["status"] == "running" and time.monotonic() - printed_at[name] > SAY_AGAIN):
                seen[name], printed_at[name] = item["status"], time.monotonic()
                _line(console, name, item)
    return record


def _line(console: Console, name: str, item: Mapping[str, Any]) -> None:
    extra = ""
    if item["status"] == "succeeded" and "removed" in item:  # an erasure; the table at its end shows the rest
        extra = "" if item["removed"] is None else f"  {number(item['removed'])} rows removed"
    elif item["status"] == "succeeded" and item.get("rows") is not None:
        deleted = f", {number(item['rows_deleted'])} deleted" if item.get("rows_deleted") else ""
        extra = f"  {number(item['rows'])} rows{deleted}  {seconds(item.get('seconds'))}"
    progress = item.get("progress") or {}
    if progress.get("attempt"):
        extra = f"  attempt {progress['attempt']} after {progress['error']['code']}"
    elif progress.get("phase"):
        extra = f"  {pace(progress) or progress['phase']}"
    console.print(f"{item['status']:<10} {name}{extra}", markup=False, highlight=False)
