"""Bronze: the activities that plan, extract, publish and fold the loads of tables."""

from __future__ import annotations

from typing import NotRequired

from typing_extensions import TypedDict

from comboi_core.domain.contracts.pipeline import Cancelled
from comboi_core.domain.contracts.record import LoadFigures, Range, Retried
from comboi_core.domain.contracts.table import CheckpointRecord, Commit, TableItem
from comboi_core.domain.errors import ErrorRecord
from comboi_core.domain.manifest import FileRecord
from comboi_core.domain.shortfall import ShortfallRecord


class RunWork(TypedDict):
    """What every activity of a load is told of its run. `attempt` counts the calls of one activity from 1."""

    run_id: str
    pipeline: str
    fence: int
    config_hash: str
    full_refresh: bool
    backfill: Range | None
    attempt: NotRequired[int]


class PlanTable(RunWork):
    """Asks `plan_table` for the next load of a table."""

    item: TableItem
    checkpoint: CheckpointRecord


class Planned(LoadFigures):
    """What `plan_table` answers.

    `plan` is a path in the lake; `chunks` is how many there are. All others are what the run record shows of the load,
    of which nothing is landed so far: `sequence`, `watermark` and `manifest` are the checkpoint's.
    """

    plan: str
    chunks: int
    unchanged: bool
    estimated_rows: int | None
    manifest: str | None
    reloaded: bool


class Published(TypedDict):
    """What `publish_load` answers.

    `files` is how many there are; `foldable`: whether the table has many small loads by now; `commit`: what the table's
    entity is asked to commit; `fallen_short`: what of the load readers do not see.
    """

    files: int
    foldable: bool
    commit: Commit
    fallen_short: list[ShortfallRecord]


class TableOutcome(Planned, total=False):
    """How far a table has come: `Planned`, over it `Published`. One that failed while it was planned has `error` alone.

    `after` and `seconds` are when it was begun and how long it took, in seconds of the activity's execution; `attempts`
    and `retried` are of the orchestrator.
    """

    foldable: bool
    commit: Commit
    fallen_short: list[ShortfallRecord]
    error: ErrorRecord
    after: float
    seconds: float
    attempts: int
    retried: list[Retried]


class OpenTable(TypedDict):
    """A table that a lane has opened. `planned`: its outcome, where an execution before this one has planned it."""

    item: TableItem
    checkpoint: CheckpointRecord
    planned: NotRequired[TableOutcome]


class LandTables(RunWork):
    """Asks `land_tables` to land tables, at least one."""

    tables: list[OpenTable]


class TablesLanded(TypedDict):
    """The outcomes of the first of the tables, in their order. `cancelled`: no table was begun after that."""

    outcomes: list[TableOutcome]
    cancelled: NotRequired[Cancelled]


class LandPlanned(PlanTable):
    """Asks for the one chunk of a load whose plan is of the same execution."""

    plan: str


class ExtractChunks(RunWork):
    """Asks `extract_chunks` for chunks (indexes, at least one) of a planned load."""

    item: TableItem
    plan: str
    chunks: list[int]


class Extracted(TypedDict):
    """What `extract_chunks` answers.

    A chunk without rows has no file. `rest`: the chunks that are left to do; `state`: of the source, in which the
    chunks were read, empty where the source does not tell; `cancelled`: where the run was cancelled before the first.
    """

    files: list[FileRecord]
    rest: list[int]
    state: str
    cancelled: NotRequired[Cancelled]


class KeepFiles(TypedDict):
    """Asks `keep_files` to keep a list of files: of which run, table, lane and page."""

    run_id: str
    item: TableItem
    lane: int
    page: int
    files: list[FileRecord]


class FilesKept(TypedDict):
    """Where in the lake a list of files is kept."""

    path: str


class PublishLoad(PlanTable):
    """Asks `publish_load` for a load's manifest.

    `pages` are paths of kept files; `states` are those of the source in which the chunks were read. `token` is given
    where the plan is the execution's own: see `domain.manifest.manifest_path`.
    """

    plan: str
    files: list[FileRecord]
    pages: list[str]
    states: list[str]
    token: NotRequired[str]


class FoldLoads(RunWork):
    """Asks `fold_loads` to fold a table's newest loads into one; `manifest` is the path of the committed one.

    `begun` is what an earlier call has answered.
    """

    item: TableItem
    manifest: str
    begun: NotRequired[str]


class Folded(TypedDict, total=False):
    """What the table's entity is asked to commit; nothing where there is nothing to fold.

    Of a large folding that has come to the deadline: `begun`, the path of how far it has come. Whoever calls again with
    it goes on there.
    """

    commit: Commit
    begun: str
