"""The run record: one model for the file in the lake, the history, alerts, the API, the command line and the page."""

from __future__ import annotations

from typing import NotRequired, Required

from typing_extensions import TypedDict

from comboi_core.domain.contracts.building import BuildDetails
from comboi_core.domain.contracts.fields import Count, ItemStatus, Moment, RunStatus, Seconds
from comboi_core.domain.contracts.pipeline import Cancelled, Holder
from comboi_core.domain.errors import ErrorRecord
from comboi_core.domain.interval import Interval
from comboi_core.domain.load import WindowRecord
from comboi_core.domain.shortfall import ShortfallRecord

Range = TypedDict("Range", {"from": str, "to": str})
"""Cursor values as text: rows above `from` up to `to`."""


class Failure(TypedDict):
    """An error in short."""

    code: str
    message: str


class Retried(Failure):
    """An earlier attempt that failed. Records of earlier versions tell neither activity nor times."""

    activity: NotRequired[str]
    started_at: NotRequired[Moment]
    failed_at: NotRequired[Moment]


class Progress(TypedDict, total=False):
    """How far an item is that is worked on. `rows` may be an estimate from the chunks that are done."""

    phase: str
    since: Moment
    attempt: Count
    error: Failure
    sequence: Count
    chunks: Count
    chunks_done: Count
    rows: Count
    estimated_rows: Count | None


class ItemRecord(TypedDict, total=False):
    """What is told of a table and of a dataset alike. `reason`: why it was skipped."""

    status: Required[ItemStatus]
    attempts: Count
    retried: list[Retried]
    queued_at: Moment
    started_at: Moment
    finished_at: Moment
    seconds: Seconds
    reason: str
    progress: Progress
    error: ErrorRecord


class LoadFigures(TypedDict, total=False):
    """What a load has landed: `rows`, and as `rows_deleted` the keys that the source has deleted.

    `mode` is the load's, or `erasure`.
    """

    mode: str
    window: WindowRecord | None
    sequence: Count
    watermark: str | None
    rows: Count | None
    rows_deleted: Count
    bytes: Count
    files: Count
    schema_changes: list[str]
    warnings: list[str]
    shortfalls: list[ShortfallRecord]


class TableFigures(ItemRecord, LoadFigures, total=False):
    """What is told of a table. Of an erasure: rows `removed` from what readers see, and `removed_elsewhere`."""

    manifest: str | None
    removed: Count
    removed_elsewhere: Count


class TableRecord(TableFigures):
    """A table's part of the record."""

    source: str
    table: str


class DatasetRecord(ItemRecord, BuildDetails, total=False):
    """A dataset's part of the record; `path` in the lake of its stage.

    Of an erasure: `how` it was treated, rows `removed` from the dataset (None where that is not known) and from the
    files beside it, `warnings`; where the keys could not be looked for `not_erased` and a `remedy`.
    """

    stage: Required[str]
    name: Required[str]
    path: str
    how: str
    removed: Count | None
    removed_beside: Count
    warnings: list[str]
    not_erased: bool
    remedy: str


class Interruption(TypedDict):
    """How many parts of a run began again because the host restarted."""

    parts: Count
    message: str


class Delivery(TypedDict):
    """What came of sending an alert: the webhook's answer or what kept it from one, after how many attempts."""

    sent: bool
    told: str
    attempts: int
    at: Moment


class Notification(Delivery):
    """An alert: on which occasion, to which webhook (its place in the configuration)."""

    on: str
    webhook: int
    format: str


class ErasureRecord(TypedDict, total=False):
    """What an erasure did; it names nobody.

    `requested`: by whom and when; `columns` that the keys were looked for in, `also_named` in datasets; `keys`: their
    hashes, made with `key_hash`. `removed` rows, `samples` taken out of run records, `left_in_records`: other
    pipeline -> how many rows its records hold; `not_erased`: datasets that the keys could not be looked for in.
    """

    requested: dict[str, str]
    columns: list[str]
    also_named: list[str]
    key_hash: str
    keys: list[str]
    removed: Count
    samples: Count
    left_in_records: dict[str, int]
    found: bool
    not_erased: list[str]


class RunHead(TypedDict, total=False):
    """Which run it is, and what it was asked for."""

    run_id: Required[str]
    pipeline: str
    trigger: str | None
    fence: Count | None
    started_at: Moment | None
    error: ErrorRecord | None
    cancelled: Cancelled | None
    stage: str | None
    select: list[str] | None
    full_refresh: bool | None
    interval: Interval | None
    backfill: Range | None


class RunRecord(RunHead, total=False):
    """What a run did, or has done so far. Files of earlier versions have fewer fields, those of later ones further.

    `interrupted`, `notifications` and `erasure` are there where there is something to tell. `path` of the file in the
    lake, `phase`, `holder` of the lease, `problem` (what keeps parts of the answer away) and `unrecorded` are no part
    of the file.
    """

    status: Required[RunStatus]
    finished_at: Moment | None
    seconds: Seconds
    interrupted: Interruption
    lake: str
    config_hash: str | None
    failure_policy: str | None
    tables: list[TableRecord]
    datasets: list[DatasetRecord]
    shortfalls: Count
    notifications: list[Notification]
    erasure: ErasureRecord
    path: str
    phase: str
    holder: Holder
    problem: ErrorRecord
    unrecorded: bool
