"""The ports: what the engine asks of the world. Adapters implement them; `app` joins them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from comboi_core.domain.errors import ComboiError
from comboi_core.domain.load import Checkpoint, Chunk, Column, EarlierRows, LoadPlan

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class Entries(NamedTuple):
    """What lies directly in a folder: the names of its folders, and the paths of its files; both sorted."""

    folders: list[str]
    files: list[str]


class Lake(Protocol):
    """A folder of files, local or in a storage account. Paths are relative, with `/`.

    Every method raises LakeUnavailable when the storage does not answer, LakeRefused when it will not whoever asks
    again, LakeNotFound when a file that was asked for is not there.
    """

    def read(self, path: str) -> bytes:
        """Return a file's content."""

    def write(self, path: str, data: bytes) -> None:
        """Put a small file in place in one step, replacing an older one: readers see the old or the new one."""

    def exists(self, path: str) -> bool:
        """Tell whether a file is there."""

    def list(self, folder: str) -> list[str]:
        """Return the paths of all files below a folder, sorted; empty if there is no such folder."""

    def entries(self, folder: str) -> Entries:
        """Return what lies directly in a folder; nothing if there is no such folder."""

    def delete(self, paths: Iterable[str]) -> None:
        """Delete files; those already gone are passed over."""

    def stage(self, path: str) -> AbstractContextManager[Path]:
        """Give a local path to write a file to; put it in place in one step when the block ends without an error.

        When the block raises, the target stays as it was and nothing is left behind. A block that leaves no file puts
        none in place.
        """

    def tidy(self) -> None:
        """Remove what writers that were killed more than a day ago left behind unseen."""

    def attach(self, con: DuckDBPyConnection) -> None:
        """Make the connection able to read what `uri` names."""

    def uri(self, path: str) -> str:
        """Return what DuckDB's `read_parquet` takes for a file."""

    def describe(self) -> str:
        """Return where the lake is, for people; without credentials."""


class Source(Protocol):
    """One table of one source, ready to be read. Made for one activity; `close` releases what it holds.

    Errors are SourceUnreachable, SourceAuthFailed, SourceObjectMissing, SourceQueryFailed, UnsupportedValue and
    SchemaDrift.
    """

    def plan(self, checkpoint: Checkpoint, *, full_refresh: bool) -> LoadPlan:
        """Decide what the next load reads: columns, window (its upper bound pinned now), chunks."""

    def select(self, load: LoadPlan, chunk: Chunk) -> str:
        """Return a SELECT that DuckDB runs on the connection the source was opened with, giving the chunk's rows."""

    def reading(self, load: LoadPlan) -> AbstractContextManager[None]:
        """Give the block in which the SELECTs of a load are run: they show the source at one moment, where it can.

        When the block ends well, raise SourceChanged if what was read is not what the load was planned for.
        """

    def confirm(self, load: LoadPlan) -> None:
        """Check, after rows of a load were read, that their columns were those of the plan; else raise SchemaDrift."""

    def translate(self, error: Exception) -> ComboiError:
        """Return the typed error for what running the SELECT raised; without secrets, and not referring to `error`."""

    def close(self) -> None:
        """Release connections; never raises."""


@runtime_checkable
class TellsState(Protocol):
    """What a source may offer beside `Source`: to tell the states apart that it is read in.

    Attributes:
        state: The one that the last `reading` has shown. Two that are equal show the same rows.
    """

    state: str


@runtime_checkable
class LooksBack(Protocol):
    """What a source may offer beside `Source`: to look at rows that were landed before."""

    def look_back(self, load: LoadPlan, columns: tuple[Column, ...], watermark: str) -> EarlierRows:
        """Count values in columns of rows up to the watermark that the load does not read; `LOOKED_BACK` at most.

        Args:
            load: Has a window.
            columns: Some of the load's.
        """
