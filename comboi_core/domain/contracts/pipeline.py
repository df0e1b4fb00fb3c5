"""The entity `pipeline`: what it is asked and answers about its lease, its fence and its latest runs."""

from __future__ import annotations

from typing import NotRequired, Required

from typing_extensions import TypedDict

from comboi_core.domain.contracts.fields import Count, Moment, RunStatus, Seconds
from comboi_core.domain.errors import ErrorRecord


class Cancelled(TypedDict):
    """Who cancelled a run, and when."""

    at: Moment
    by: str


class Holder(TypedDict):
    """The run that holds the lease. What it is asked while it holds it goes with the lease."""

    run_id: str
    since: Moment
    cancelled: NotRequired[Cancelled]


class RunOf(TypedDict):
    """Names the run that asks."""

    run_id: str


class BeginRequest(RunOf):
    """Asks for the lease. `keyed`: whether the run's id ends in the digest of an idempotency key."""

    trigger: NotRequired[str | None]
    stage: NotRequired[str | None]
    started_at: Moment
    keyed: NotRequired[bool]


class Lease(TypedDict, total=False):
    """`fence` where the lease is granted, else `holder`: the run that has it, or has ended under the same key.

    `unrecorded`: when the run before started, if that one could not be recorded: its failure has been told already.
    """

    granted: Required[bool]
    fence: int
    holder: Holder
    unrecorded: str


class RunEnding(TypedDict, total=False):
    """How a run ended; its size does not grow with the tables.

    `counts`: `tables` and `datasets` -> status -> how many; `shortfalls`: how many there are; `unrecorded`: the record
    could not be written.
    """

    status: Required[RunStatus]
    finished_at: Moment | None
    seconds: Seconds
    rows: Count
    counts: dict[str, dict[str, int]]
    shortfalls: Count
    error: ErrorRecord | None
    unrecorded: bool


class RunSummary(RunEnding, total=False):
    """A run in the history. `path` of the record where that is unreadable."""

    run_id: Required[str]
    trigger: str | None
    stage: str | None
    started_at: Moment | None
    fence: Count | None
    path: str


class FinishRequest(RunOf):
    """Gives the lease back; `summary` is put over the run's summary."""

    summary: RunEnding


class ReleaseRequest(RunOf):
    """Takes the lease from a run whose orchestration ended without finishing it, for this reason."""

    finished_at: Moment
    reason: str


class Released(TypedDict):
    """Whether the run has lost the lease by this."""

    released: bool


class CancelRequest(RunOf, Cancelled):
    """Asks the run that holds the lease to end before its next item."""


class CancelAnswer(TypedDict):
    """Who asked first; None where the run does not hold the lease."""

    cancelled: Cancelled | None


class FenceRequest(TypedDict):
    """The largest fence that tables and datasets hold."""

    fence: int


class FenceAnswer(TypedDict, total=False):
    """`fence`, or `error` where the run does not hold the lease any more."""

    fence: int
    error: ErrorRecord
