"""Runs: how one is asked for, planned, dealt into lanes, and recorded."""

from __future__ import annotations

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from comboi_core.domain.contracts.fields import Moment
from comboi_core.domain.contracts.pipeline import Cancelled, RunEnding, RunOf
from comboi_core.domain.contracts.record import ItemRecord, LoadFigures, Range, RunHead
from comboi_core.domain.contracts.table import TableItem
from comboi_core.domain.interval import Interval


class RunRequest(TypedDict):
    """What a run is asked to do; None and an empty list ask for everything. `backfill` is of one table."""

    stage: str | None
    select: list[str]
    full_refresh: bool
    backfill: Range | None
    interval: Interval | None


class PlanRun(RunRequest, RunOf):
    """Asks `plan_run` for a run's plan."""

    pipeline: str
    trigger: str


class RunStart(PlanRun):
    """What `run_pipeline` is started with.

    `keyed`: the run's id ends in the digest of an idempotency key; `in_place_of`: the run that the host has ended,
    which this one repeats.
    """

    keyed: bool
    in_place_of: NotRequired[str]


class Outcome(ItemRecord, LoadFigures, total=False):
    """What came of an item. Of datasets the paths of the published file and of `BuildDetails`.

    `landed`: the table has a new load, so its folder is to be swept. `cancelled`: the run was cancelled before it.
    """

    cancelled: Cancelled
    manifest: str | None
    landed: bool
    path: str
    details: str


class ItemOutcome(Outcome):
    """An outcome with what names its item."""

    kind: str
    stage: str
    name: str


class DatasetItem(TypedDict):
    """A dataset as a run's plan lists it.

    `tables`: the bronze tables that it or its checks read; `upstream`: those and the datasets. `code`: the fingerprint
    of its script. `queued_at`: when its wave began. `manifests`: `source.table` -> the committed manifest, for tables
    that this run has landed.
    """

    kind: Literal["dataset"]
    stage: str
    name: str
    tables: list[str]
    upstream: list[str]
    code: NotRequired[str]
    manifests: NotRequired[dict[str, str]]
    queued_at: NotRequired[Moment]
    outcome: NotRequired[Outcome]


class PlannedTable(TableItem):
    """A table as a run's plan lists it; `outcome` where it is done already."""

    outcome: NotRequired[Outcome]


PlannedItem = PlannedTable | DatasetItem


class Wave(TypedDict):
    """Items that may be worked on at the same time, dealt into lanes."""

    stage: str
    lanes: list[list[PlannedItem]]


class FrozenPlan(TypedDict):
    """The file that a run follows."""

    run_id: str
    pipeline: str
    trigger: str | None
    stage: str | None
    select: list[str] | None
    full_refresh: bool | None
    config_hash: str
    failure_policy: str
    waves: list[Wave]


class ItemPage(TypedDict):
    """Items of a lane, and whether there are more. Those that are done, or have nothing to do, have an `outcome`."""

    items: list[PlannedItem]
    more: bool


class WaveOutline(TypedDict):
    """A wave as the orchestration sees it: how many lanes it has, and of few tables each lane's first page."""

    stage: str
    lanes: int
    pages: NotRequired[list[ItemPage]]


class RetryPolicy(TypedDict):
    """`attempts` at most, seconds before the second one, factor between delays."""

    attempts: int
    first_delay: float
    factor: float


class RunPlan(TypedDict):
    """What `plan_run` answers; `plan` is the path of the FrozenPlan."""

    plan: str
    config_hash: str
    failure_policy: str
    retry: RetryPolicy
    waves: list[WaveOutline]


class LanePage(RunOf):
    """A page of a lane of a wave, each counted from 0."""

    wave: int
    lane: int
    page: int


class ListItems(LanePage):
    """Asks `list_items` for a page; `again`: the host has ended an earlier execution of the lane."""

    plan: str
    again: NotRequired[int]


class RecordItems(LanePage):
    """Asks `record_items` to keep what came of a page."""

    items: list[ItemOutcome]


class ItemsKept(TypedDict):
    """Where in the lake the outcomes are kept."""

    path: str


class RecordRun(RunHead, total=False):
    """Asks `record_run` for the record, or `tell_unrecorded` to send alerts of a run that has none.

    `unrecorded`: when the run before started, if that one could not be recorded; `interrupted`: how many parts of the
    run the host has ended; `in_place_of`: see RunStart.
    """

    finished_at: str
    unrecorded: str | None
    interrupted: int
    in_place_of: str


class RunRecorded(TypedDict):
    """What `record_run` answers: the ending, for the pipeline's history."""

    summary: RunEnding
