"""The interfaces of lakes and sources. Adapters implement them, and `app` connects them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, runtime_checkable

from comboi_core.domain.errors import ComboiError
from comboi_core.domain.feed import Changes, Known
from comboi_core.domain.load import Checkpoint, Chunk, Column, EarlierRows, LoadPlan

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class Entries(NamedTuple):
    """The direct content of a folder: names of its folders and paths of its files, both sorted."""

    folders: list[str]
    files: list[str]


class Lake(Protocol):
    """A folder of files, local or in a storage account. Paths are relative, with `/`.

    Methods raise LakeUnavailable if the storage does not answer, LakeRefused if it refuses access, and LakeNotFound if
    the requested file does not exist.
    """

    def read(self, path: str) -> bytes:
        """Return a file's content."""

    def write(self, path: str, data: bytes) -> None:
        """Write a small file atomically: readers see the old or the new one."""

    def exists(self, path: str) -> bool:
        """Tell whether a file exists."""

    def list(self, folder: str) -> list[str]:
        """Return the paths of all files below a folder, sorted; empty if there is no such folder."""

    def entries(self, folder: str) -> Entries:
        """Return the direct content of a folder. Empty if there is no such folder."""

    def delete(self, paths: Iterable[str]) -> None:
        """Delete files. Missing files are ignored."""

    def stage(self, path: str) -> AbstractContextManager[Path]:
        """Give a local path to write a file to. If the block succeeds, the file is published atomically.

        If the block raises, the target does not change and nothing is left behind. If the block writes no file, nothing
        is published.
        """

    def tidy(self) -> None:
        """Remove temporary files of writers that were killed more than a day ago."""

    def attach(self, con: DuckDBPyConnection) -> None:
        """Prepare the connection to read files by their `uri`."""

    def uri(self, path: str) -> str:
        """Return the address of a file for DuckDB's `read_parquet`."""

    def describe(self) -> str:
        """Return where the lake is, in words and without credentials."""


class Source(Protocol):
    """One table of one source, ready to be read. Made for one activity; `close` releases what it holds.

    Errors are SourceUnreachable, SourceAuthFailed, SourceObjectMissing, SourceQueryFailed, UnsupportedValue and
    SchemaDrift.
    """

    def plan(self, checkpoint: Checkpoint, *, full_refresh: bool) -> LoadPlan:
        """Decide what the next load reads: columns, window (the upper bound is fixed now) and chunks."""

    def select(self, load: LoadPlan, chunk: Chunk) -> str:
        """Return a SELECT for the chunk's rows. DuckDB runs it on the connection that the source was opened with."""

    def reading(self, load: LoadPlan) -> AbstractContextManager[None]:
        """Open the block in which the SELECTs of a load run. If possible they see the source at one moment.

        After the block, SourceChanged is raised if the source changed since the load was planned.
        """

    def confirm(self, load: LoadPlan) -> None:
        """Raise SchemaDrift if the columns of the rows that were read are not those of the plan."""

    def translate(self, error: Exception) -> ComboiError:
        """Return the typed error for an error of the SELECT. It has no secrets and no reference to `error`."""

    def close(self) -> None:
        """Release connections; never raises."""


@runtime_checkable
class TellsState(Protocol):
    """Optional for a source: it can identify the state in which it was read.

    Attributes:
        state: The state of the last `reading`. Equal states show the same rows.
    """

    state: str


@runtime_checkable
class LooksBack(Protocol):
    """Optional for a source: it can look at rows that were landed before."""

    def look_back(self, load: LoadPlan, columns: tuple[Column, ...], watermark: str) -> EarlierRows:
        """Count values in columns of rows below the watermark, which the load does not read; at most `LOOKED_BACK`.

        Args:
            load: A plan with a window.
            columns: Some of the load's columns.
        """


@runtime_checkable
class FollowsFeed(Protocol):
    """Optional for a source: a change feed tells which keys changed, and the source reads their rows."""

    def follow(self, changes: Changes, known: Known | None, *, on_lost: Literal["reload", "fail"]) -> None:
        """Take what the feed tells, before `plan`.

        Args:
            known: How far the table is complete beyond its watermark, if that is known.
            on_lost: What to do where changes are lost: read the whole table, or raise FeedLost.
        """

    def select_keys(self, load: LoadPlan, data: bytes) -> str:
        """Return a SELECT for the rows of a chunk's keys, and a tombstone for each key that has no row.

        Args:
            data: The keys, as they were kept.
        """
