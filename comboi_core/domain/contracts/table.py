"""The entity `table`: what it remembers, is asked and answers; and how a run names a table."""

from __future__ import annotations

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from comboi_core.domain.errors import ErrorRecord


class TableName(TypedDict):
    """A table of the configuration; `name` is `source.table`."""

    name: str
    source: str
    table: str


class TableItem(TableName):
    """A table as a run's plan lists it.

    `queued_at` (ISO 8601) is when its wave began.
    """

    kind: Literal["table"]
    stage: Literal["bronze"]
    parallel_chunks: int
    queued_at: NotRequired[str]


class CheckpointRecord(TypedDict):
    """The committed state of a table: number of the load, watermark as text, path of the manifest.

    `reload`: whether the next load has to read the whole table and to replace what readers see.
    """

    sequence: int
    watermark: str | None
    manifest: str | None
    reload: bool


class OpenRequest(TypedDict):
    """`run_id` is given where it matters what the run has committed before."""

    fence: int
    run_id: NotRequired[str]


class Commit(TypedDict):
    """A load that is to be committed; `rows` and `bytes` are those of its files, `rows_deleted` its tombstones.

    `mode` is the load's, or `compaction` or `erasure`; an erasure says `by` whom and how many rows it has `removed`.
    `reloaded`: whether the load read the whole table as `reload` asked. `committed_at` is ISO 8601.
    """

    sequence: int
    fence: int
    run_id: str
    watermark: str | None
    manifest: str
    mode: str
    rows: int
    rows_deleted: NotRequired[int]
    bytes: int
    reloaded: NotRequired[bool]
    by: NotRequired[str]
    removed: NotRequired[int]
    committed_at: NotRequired[str]


class ResetRequest(TypedDict):
    """When (ISO 8601) and by whom a table is to be read anew."""

    at: str
    by: str


class Restorable(TypedDict):
    """A checkpoint that was rebuilt from the lake. `reload`: the lake has no load of the table that is complete."""

    sequence: int
    fence: int
    watermark: str | None
    manifest: str | None
    reload: NotRequired[bool]


class RestoreRequest(Restorable):
    """Asks for the checkpoint to be taken over: when (ISO 8601) and by whom."""

    at: str
    by: str


class Landed(TypedDict):
    """What a run has committed of a table before."""

    rows: int
    rows_deleted: NotRequired[int]
    bytes: int


class TableAnswer(TypedDict, total=False):
    """`checkpoint`, with `landed` where the run that opens the table has committed loads before; or `error`."""

    checkpoint: CheckpointRecord
    landed: Landed
    error: ErrorRecord


class AuditEntry(TypedDict):
    """What else has moved a checkpoint: `reset`, `restore` or `erasure`."""

    what: str
    at: str
    by: str
    watermark: NotRequired[str | None]
    sequence: NotRequired[int]
    removed: NotRequired[int]
