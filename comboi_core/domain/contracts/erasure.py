"""Erasures: how one is started, what its activities take and give, what it leaves for its record.

`keys` is always the path of the file that holds them: the task hub never sees a key.
"""

from __future__ import annotations

from typing import NotRequired

from typing_extensions import TypedDict

from comboi_core.domain.contracts.building import Built
from comboi_core.domain.contracts.pipeline import RunOf
from comboi_core.domain.contracts.record import DatasetRecord, TableFigures
from comboi_core.domain.contracts.run import RetryPolicy
from comboi_core.domain.contracts.table import CheckpointRecord, Commit
from comboi_core.domain.errors import ErrorRecord
from comboi_core.domain.manifest import FileRecord

Versions = dict[str, list[int]]
"""`source.table`, or dataset -> its number before and after the erasure."""


class ErasureRequest(TypedDict):
    """What is to be erased, as it is asked for. A key is a text, or an object column -> text."""

    table: str
    keys: list[str | dict[str, str]]
    columns: list[str]
    by: str


class StartErasure(RunOf):
    """What `erase_keys` is started with."""

    pipeline: str
    trigger: str
    source: str
    table: str
    keys: str
    by: str


class PlanErasure(StartErasure):
    """Asks `plan_erasure` what there is to look at."""

    fence: int
    checkpoint: CheckpointRecord


class DatasetToErase(TypedDict):
    """A dataset that is made of the erased table, and the bronze tables that it reads."""

    name: str
    stage: str
    tables: list[str]


class FrozenErasure(TypedDict):
    """The file that an erasure follows. `superseding`: path of later versions' keys; `others`: files no load lists."""

    superseding: str | None
    others: list[str]
    datasets: list[DatasetToErase]


class ErasurePlan(TypedDict):
    """What `plan_erasure` answers: path of the FrozenErasure, the committed manifest, how many files and datasets."""

    plan: str
    manifest: str
    sequence: int
    config_hash: str
    retry: RetryPolicy
    files: int
    datasets: int


class EraseFiles(RunOf):
    """Asks `erase_files` to go on from a file, counted from 0."""

    keys: str
    plan: str
    manifest: str
    next: int


class FilesErased(TypedDict):
    """What `erase_files` answers.

    `next`: the first file that is left to do; rows `removed` from files that readers see, and `elsewhere`; `page`: path
    of the list of rewritten files.
    """

    next: int
    removed: int
    elsewhere: int
    page: str | None


class RewrittenFile(TypedDict):
    """A file of the manifest and what takes its place; None where no row is left."""

    path: str
    new: FileRecord | None


class PublishErasure(RunOf):
    """Asks `publish_erasure` for the manifest that lists the rewritten files."""

    fence: int
    manifest: str
    pages: list[str]
    removed: int
    by: str


class ErasurePublished(TypedDict):
    """What the table's entity is asked to commit."""

    commit: Commit


class SweepErased(TypedDict):
    """Asks `sweep_erased` to leave the committed manifest and its files only."""

    manifest: str


class Swept(TypedDict):
    """How many files are deleted."""

    deleted: int


class OpenDataset(RunOf):
    """Asks `open_dataset` what is to be done to a dataset of the plan."""

    plan: str
    keys: str
    index: int
    versions: Versions


class OpenedDataset(TypedDict):
    """What `open_dataset` answers.

    `published`: whether there is such a dataset; `found`: rows with a key, None where no column tells; `build`: number
    of the published build; `owner`: the other pipeline whose dataset it is.
    """

    item: DatasetToErase
    published: bool
    rebuild: bool
    found: int | None
    build: int
    owner: NotRequired[str]


class EraseDataset(RunOf):
    """Asks `erase_dataset` to take out what is left. `built`: what the build gave, where there was one."""

    fence: int
    keys: str
    versions: Versions
    opened: OpenedDataset
    built: Built | None


class DatasetErased(TypedDict):
    """`error`, if the build failed and no column tells what to take out."""

    error: NotRequired[ErrorRecord]


class DatasetOutcome(DatasetRecord):
    """The file about an erased dataset: its part of the record, and the builds before and after."""

    builds: NotRequired[list[int]]


class EraseRecords(RunOf):
    """Asks `erase_records` to go on after a run."""

    pipeline: str
    keys: str
    plan: str
    after: str


class RecordsErased(TypedDict):
    """What `erase_records` answers.

    `after`: the run to go on after, None when all is done; `samples`: rows taken out of records; `left`: other
    pipeline -> rows with a key in its records.
    """

    after: str | None
    samples: int
    left: dict[str, int]


class ErasureDone(TypedDict, total=False):
    """What the steps have given so far."""

    table: TableFigures
    plan: str
    config_hash: str
    samples: int
    left: dict[str, int]


class RecordErasure(StartErasure):
    """Asks `record_erasure` for the record."""

    fence: int
    started_at: str
    finished_at: str
    error: ErrorRecord | None
    done: ErasureDone
