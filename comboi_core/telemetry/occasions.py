"""On which occasions somebody is told: a pure function of a finished run and of what is remembered of those before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from comboi_core.config.monitoring import Occasion
from comboi_core.domain.contracts.record import RunRecord
from comboi_core.domain.interval import seconds_between
from comboi_core.telemetry.runs import items

RUN_ITSELF = "the run itself"
"""Stands among what fails for a run that could not be planned or recorded."""


@dataclass(frozen=True)
class Memory:
    """What is remembered from run to run.

    Attributes:
        run_id: The run that was taken in last.
        occasions: What came of it: occasion -> the names it is about.
        since: When the first run began that was taken in, ISO 8601.
        succeeded: Whether a run ever did.
        failing: What failed when it was last tried -> since when.
        landed: `source.table` -> the start of its last good load.
        stale: Tables whose staleness has been told.
        short: What succeeded with shortfalls when it last succeeded -> their codes, which have been told.
    """

    run_id: str | None = None
    occasions: dict[Occasion, list[str]] = field(default_factory=dict)
    since: str | None = None
    succeeded: bool = False
    failing: dict[str, str] = field(default_factory=dict)
    landed: dict[str, str] = field(default_factory=dict)
    stale: list[str] = field(default_factory=list)
    short: dict[str, list[str]] = field(default_factory=dict)


def advance(memory: Memory, record: RunRecord, freshness: Mapping[str, float | None], names: frozenset[str]) -> Memory:
    """Take a finished run in; taken in again at once, the answer is the same.

    Args:
        freshness: Each configured `source.table` -> the age in seconds at which it is stale, or None.
        names: Every configured table and dataset: what left the configuration is waited for no longer.
    """
    if memory.run_id == record["run_id"]:
        return memory
    failing, landed = _failing(memory, record, names), _landed(memory, record)
    since = memory.since or str(record["started_at"])
    ages = {name: seconds_between(landed.get(name, since), str(record["finished_at"])) for name in freshness}
    stale = [name for name, limit in freshness.items() if limit is not None and ages[name] > limit]
    short = _short(memory, record, names)
    found: dict[Occasion, list[str]] = {
        "failed": [name for _, name, _, item in items(record) if item["status"] == "failed"],
        "warned": [name for name, codes in short.items() if set(codes) - set(memory.short.get(name, ()))],
        "recovered": sorted(memory.failing) if not failing else [],
        "stale": [name for name in stale if name not in memory.stale],
        "first_success": [],
    }
    happened = {
        "failed": record["status"] in ("failed", "partial"),
        "warned": bool(found["warned"]),
        "recovered": bool(found["recovered"]) and record["status"] == "succeeded",
        "stale": bool(found["stale"]),
        "first_success": record["status"] == "succeeded" and not memory.succeeded,
    }
    return Memory(
        run_id=record["run_id"],
        occasions={occasion: about for occasion, about in found.items() if happened[occasion]},
        since=since,
        succeeded=memory.succeeded or record["status"] == "succeeded",
        failing=failing,
        landed=landed,
        stale=stale,
        short=short,
    )


def ages(memory: Memory, record: RunRecord, freshness: Mapping[str, float | None]) -> dict[str, float]:
    """Return `source.table` -> seconds between the start of its last good load and the end of the run."""
    end = str(record["finished_at"])
    return {name: seconds_between(memory.landed[name], end) for name in freshness if name in memory.landed}


def _failing(memory: Memory, record: RunRecord, names: frozenset[str]) -> dict[str, str]:
    failing = {name: since for name, since in memory.failing.items() if name in names or name == RUN_ITSELF}
    for _, name, _, item in items(record):
        if item["status"] == "succeeded":
            failing.pop(name, None)
        elif item["status"] == "failed":
            failing.setdefault(name, str(record["started_at"]))
    if record.get("error"):
        failing.setdefault(RUN_ITSELF, str(record["started_at"]))
    elif record["status"] != "cancelled":
        failing.pop(RUN_ITSELF, None)
    return failing


def _short(memory: Memory, record: RunRecord, names: frozenset[str]) -> dict[str, list[str]]:
    """Return the shortfalls that stand by now; a table or dataset that did not succeed keeps those it had."""
    short = {name: codes for name, codes in memory.short.items() if name in names}
    for _, name, _, item in items(record):
        if item["status"] == "succeeded":
            short.pop(name, None)
            if item.get("shortfalls"):
                short[name] = sorted({one["code"] for one in item["shortfalls"]})
    return short


def _landed(memory: Memory, record: RunRecord) -> dict[str, str]:
    return memory.landed | {
        name: item.get("started_at") or str(record["started_at"])
        for kind, name, _, item in items(record)
        if kind == "table" and item["status"] == "succeeded"
    }
