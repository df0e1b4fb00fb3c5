"""The overview behind the monitor page: every table and dataset against the latest runs.

It is made from the entities and the run records; no instance of the task hub is looked at, so its cost does not grow
with the history.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections import OrderedDict
from datetime import UTC, datetime
from typing import NamedTuple, NotRequired, cast

from typing_extensions import TypedDict

from comboi_core.app.workspace import Workspace
from comboi_core.config.tables import BaseTable
from comboi_core.domain.contracts.building import CheckRecord
from comboi_core.domain.contracts.fields import Count, Moment, Seconds
from comboi_core.domain.contracts.pipeline import Holder, RunSummary
from comboi_core.domain.contracts.record import DatasetRecord, RunRecord, TableRecord
from comboi_core.domain.errors import ComboiError, ErrorRecord, LakeNotFound
from comboi_core.domain.names import table_id
from comboi_core.domain.ports import Lake
from comboi_core.runs.records import RecordUnreadable, read_record
from comboi_core.state import checkpoint
from comboi_core.state.checkpoint import TableState
from comboi_core.web.hub import Hub
from comboi_core.web.monitoring import entity_key
from comboi_core.web.page.schedule import Timer, timer

HISTORY = 30
"""Runs that the overview reaches back."""

_AT_ONCE = 32
"""Entities asked for side by side: each question may be a connection of its own."""

_REWRITES = {"compaction", "erasure"}
"""Modes of commits that read nothing from the source."""


class OverviewItem(TypedDict):
    """A table or dataset against the latest runs.

    `history` (statuses; `short` for a success with shortfalls) and `rows` have one entry per run, None where the item
    was no part of it. `as_of`: start of the last run in which it succeeded; `checks`: how many passed, warned and
    failed in the latest run that has any. `freshness`: target in seconds; `backfill`: whether a range of the table can
    be read again.
    """

    layer: str
    name: str
    history: list[str | None]
    rows: list[Count | None]
    as_of: Moment | None
    checks: dict[str, int] | None
    sequence: NotRequired[Count]
    watermark: NotRequired[str | None]
    reload: NotRequired[bool]
    freshness: NotRequired[Seconds | None]
    stale: NotRequired[bool]
    backfill: NotRequired[bool]


class Overview(TypedDict):
    """What the monitor page shows before a run is opened.

    `now`: the server's clock; `holder` of the lease; `runs`: the latest ones, newest first; `problems`: what kept parts
    of the answer away.
    """

    pipeline: str
    now: Moment
    timer: Timer
    holder: Holder | None
    runs: list[RunSummary]
    problems: list[ErrorRecord]
    items: list[OverviewItem]


class Outcome(NamedTuple):
    """What one run did to one item.

    Attributes:
        short: Whether it has shortfalls: readers do not see all of it.
        checks: How many passed, warned and failed, where there are any.
    """

    status: str
    short: bool
    rows: int | None
    checks: dict[str, int] | None


class PastRun(NamedTuple):
    """A run's record, condensed. `renews` is False for what leaves a table as old as it was: backfills and erasures."""

    renews: bool
    outcomes: dict[tuple[str, str], Outcome]


_kept: OrderedDict[tuple[str, str], PastRun] = OrderedDict()
_KEPT_RUNS = 2 * HISTORY
_lock = threading.Lock()


async def overview(hub: Hub, workspace: Workspace, *, now: datetime | None = None) -> Overview:
    """Return what the monitor page shows before a run is opened, with HISTORY runs at most."""
    now = now or datetime.now(UTC)
    project = workspace.project
    keys = [entity_key(workspace, *key) for key in project.tables]
    gate = asyncio.Semaphore(_AT_ONCE)

    async def read(key: str) -> TableState | None:
        async with gate:
            return await hub.read("table", key)

    state, states = await asyncio.gather(
        hub.read("pipeline", project.pipeline), asyncio.gather(*(read(key) for key in keys))
    )
    runs = (state["runs"] if state else [])[:HISTORY]
    past, problems = await asyncio.to_thread(_past_runs, workspace, runs)
    items = [
        _table(source, table, known or checkpoint.initial(), runs, past, now)
        for ((source, _), table), known in zip(project.tables.items(), states, strict=True)
    ]
    for layer in ("silver", "gold"):
        items += [_item(layer, dataset.name, runs, past) for dataset in project.datasets(layer)]
    return {
        "pipeline": project.pipeline,
        "now": now.isoformat(),
        "timer": timer(now=now),
        "holder": state["holder"] if state else None,
        "runs": runs,
        "problems": problems,
        "items": items,
    }


def _item(layer: str, name: str, runs: list[RunSummary], past: list[PastRun | None]) -> OverviewItem:
    outcomes = [run and run.outcomes.get((layer, name)) for run in past]
    renewed = (
        summary["started_at"]
        for summary, run, outcome in zip(runs, past, outcomes, strict=True)
        if run and run.renews and outcome and outcome.status == "succeeded"
    )
    return {
        "layer": layer,
        "name": name,
        "history": [outcome and _status(outcome) for outcome in outcomes],
        "rows": [outcome and outcome.rows for outcome in outcomes],
        "as_of": next(renewed, None),
        "checks": next((outcome.checks for outcome in outcomes if outcome and outcome.checks), None),
    }


def _status(outcome: Outcome) -> str:
    return "short" if outcome.short and outcome.status == "succeeded" else outcome.status


def _table(
    source: str, table: BaseTable, known: TableState, runs: list[RunSummary], past: list[PastRun | None], now: datetime
) -> OverviewItem:
    item = _item("bronze", table_id(source, table.name), runs, past)
    if item["as_of"] is None:  # its last load is older than the runs that are looked at
        loads = (commit["committed_at"] for commit in known["commits"] if commit["mode"] not in _REWRITES)
        item["as_of"] = next(loads, None)
    return {
        **item,
        "sequence": known["sequence"],
        "watermark": known["watermark"],
        "reload": known["reload"],
        "freshness": table.freshness,
        "stale": _stale(table.freshness, item["as_of"], now),
        # See landing.backfill: only a merge over a range of the cursor's values can read rows twice.
        "backfill": bool(getattr(table, "incremental_column", None) and table.primary_key and table.mode != "full"),
    }


def _stale(freshness: float | None, as_of: str | None, now: datetime) -> bool:
    if freshness is None:
        return False
    return as_of is None or (now - datetime.fromisoformat(as_of)).total_seconds() > freshness


def _past_runs(workspace: Workspace, runs: list[RunSummary]) -> tuple[list[PastRun | None], list[ErrorRecord]]:
    """Return the finished runs' records, condensed, beside `runs`; after an error of the lake no other is asked for.

    A record that is not one is a problem of its own, and leaves its run's column empty.
    """
    past: list[PastRun | None] = [None] * len(runs)
    problems: list[ErrorRecord] = []
    try:
        lake = workspace.lake("bronze")
        for number, run in enumerate(runs):
            if run["status"] != "running":
                try:
                    past[number] = _past_run(lake, run["run_id"])
                except RecordUnreadable as error:
                    problems.append(error.record())
    except ComboiError as error:
        problems.append(error.record())
    return past, problems


def _past_run(lake: Lake, run_id: str) -> PastRun | None:
    """Return a finished run's record, condensed, from memory if it was read before; None if it has none."""
    key = lake.describe(), run_id
    with _lock:
        known = _kept.get(key)
    if known is None:
        try:
            known = _condensed(read_record(lake, run_id))
        except LakeNotFound:
            return None
        with _lock:
            _kept[key] = known
            while len(_kept) > _KEPT_RUNS:
                _kept.popitem(last=False)
    return known


def _condensed(record: RunRecord) -> PastRun:
    outcomes = {
        ("bronze", table_id(item["source"], item["table"])): _outcome(item) for item in record.get("tables", ())
    }
    outcomes |= {(sys.intern(item["stage"]), item["name"]): _outcome(item) for item in record.get("datasets", ())}
    return PastRun(not (record.get("backfill") or record.get("erasure")), outcomes)


def _outcome(item: TableRecord | DatasetRecord) -> Outcome:
    checks = cast("list[CheckRecord]", item.get("checks") or [])
    counts = {
        "passed": sum(check["passed"] for check in checks),
        "warned": sum(not check["passed"] and check["severity"] == "warn" for check in checks),
        "failed": sum(not check["passed"] and check["severity"] != "warn" for check in checks),
    }
    return Outcome(
        sys.intern(item["status"]), bool(item.get("shortfalls")), item.get("rows"), counts if checks else None
    )
