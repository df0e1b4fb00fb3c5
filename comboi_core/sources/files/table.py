"""Files in a folder or a container as a source: CSV, JSON lines and Parquet.

Which files are new is decided by what was landed, not by times: the manifest remembers each file, see `identity`.
So a file that arrives late with an old time (`cp -p`, `rsync -t`) is read like any other. The price is a line in the
manifest for each file of the table, about 200 bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from comboi_core.domain.errors import (
    BackfillImpossible,
    ComboiError,
    SourceFileChanged,
    SourceObjectMissing,
    UnsupportedValue,
)
from comboi_core.domain.load import UNKNOWN, Checkpoint, Chunk, Column, LoadPlan, SourceFile, Window
from comboi_core.domain.manifest import SOURCE_ROW
from comboi_core.domain.names import table_id
from comboi_core.domain.sql import identifier, literal
from comboi_core.domain.widening import widens
from comboi_core.sources.common import text_types
from comboi_core.sources.files.columns import CURSOR, LINEAGE, Columns, Layouts
from comboi_core.sources.files.config import FilesTable
from comboi_core.sources.files.container import FilesInContainer
from comboi_core.sources.files.csv import Csv
from comboi_core.sources.files.errors import FileErrors
from comboi_core.sources.files.folder import Folder
from comboi_core.sources.files.formats import FILE, UNREADABLE, Format
from comboi_core.sources.files.gzip import refuse_unsound
from comboi_core.sources.files.identity import Compared, compare, digested
from comboi_core.sources.files.json import Json
from comboi_core.sources.files.listing import DEFAULT_LAG, Files, Listing, cut, instant, newest_first, together
from comboi_core.sources.files.parquet import Parquet
from comboi_core.sources.files.text import Copies

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

CHUNK_FILES = 500
CHUNK_BYTES = 256 * 2**20
"""A chunk has so many files, and about so many bytes, at most; a file is never divided."""


class TableOfFiles:
    """The files of one table; implements `domain.ports.Source`.

    Args:
        connection: `{"path": ...}`, a folder, absolute; or `{"container": ...}`, as `files_container.Container` has it.
    """

    def __init__(self, con: DuckDBPyConnection, *, source: str, table: FilesTable, connection: dict[str, Any]) -> None:
        self._source = source
        self._config = table
        self._place = table_id(source, table.name)
        self._files = Copies(_open_files(con, connection, self._place), con)
        self._format = _open_format(con, self._files, table, self._place)
        self._errors = FileErrors(self._files, self._format, self._place)
        self._columns = Columns(con, self._format, table, self._place)
        self._read: list[SourceFile] = []

    def plan(self, checkpoint: Checkpoint, *, full_refresh: bool) -> LoadPlan:
        """See `domain.ports.Source.plan`; a load reads the files that are new or changed, or all if it replaces."""
        with self._errors.explained():
            return self._plan(checkpoint, full_refresh)

    def select(self, load: LoadPlan, chunk: Chunk) -> str:
        """See `domain.ports.Source.select`; raises SourceFileChanged if a file is not what it was at planning."""
        if chunk.kind != "files":
            raise BackfillImpossible(f"{self._place} is made from files, which have no ranges to read again")
        with self._errors.explained():
            self._files.drop()
            self._files.check(chunk.files)
            self._read += chunk.files
            self._refuse_unsound(chunk.files)
            return self._select(load, chunk)

    def _select(self, load: LoadPlan, chunk: Chunk) -> str:
        columns = [column for column in load.columns if column not in LINEAGE and column.type != UNKNOWN]
        # The files of a chunk are alike, but for those in which any column may be missing: they share their keys.
        looked_at = chunk.files if self._format.optional else chunk.files[:1]
        layout = self._format.layouts(looked_at)[chunk.files[0].path]
        there = {column.name.lower(): column for column in layout if column.type != UNKNOWN}
        if self._format.optional:
            there = {column.name.lower(): column for column in columns}
        self._format.refuse(chunk.files, columns)
        values = ", ".join(
            f"{self._value(there.get(column.name.lower()), column)} AS {identifier(column.name)}" for column in columns
        )
        scan = self._format.scan(chunk.files, [column.name for column in columns if column.name.lower() in there])
        names = ", ".join(
            f"({literal(self._files.address(file.path))}, {literal(file.path)}, "
            f"{literal(instant(file.modified_ns))}::TIMESTAMPTZ)"
            for file in chunk.files
        )
        lineage = f"coalesce(f.name, error('unexpected file ' || r.{FILE})) AS _file, f.modified AS _modified"
        files = f"(VALUES {names}) AS f (path, name, modified) ON f.path = r.{FILE}"
        landed = f"{values}, {lineage}" if values else lineage
        if load.mode == "merge":
            # Every row is landed, those that share a key too: readers see the last of them, and the others are counted.
            scan, landed = self._format.numbered(scan), f"{landed}, r.{SOURCE_ROW}"
        return f"SELECT {landed} FROM {scan} AS r LEFT JOIN {files}"

    def reading(self, load: LoadPlan) -> AbstractContextManager[None]:
        """See `domain.ports.Source.reading`."""
        return nullcontext()

    def confirm(self, load: LoadPlan) -> None:
        """See `domain.ports.Source.confirm`; raises SourceFileChanged if a file was written to while it was read."""
        self._files.check(self._read)

    def translate(self, error: Exception) -> ComboiError:
        """See `domain.ports.Source.translate`."""
        return self._errors.translate(error)

    def close(self) -> None:
        """See `domain.ports.Source.close`."""
        self._files.close()

    def _plan(self, checkpoint: Checkpoint, full_refresh: bool) -> LoadPlan:
        config, mode = self._config, self._config.effective_mode
        listing = self._files.list(config.path, DEFAULT_LAG if config.lag is None else config.lag)
        seen = {} if full_refresh else {file.path: file for file in checkpoint.inputs}
        compared = compare(listing.files, seen, self._files.digest)
        wanted = self._to_read(listing, compared, seen, checkpoint)
        with self._unless_cut(wanted):
            layouts = self._format.layouts(wanted)
            files = digested(self._with_content(wanted, layouts, compared, seen), self._files.digest)
            replaces = bool(files) and (full_refresh or mode == "full")
            known = () if full_refresh else checkpoint.columns
            columns, changes = (
                self._columns.landed(files, layouts, known, replaces=replaces) if files else (checkpoint.columns, ())
            )
        latest = [instant(max(file.modified_ns for file in files))] if files else []
        watermark = max(filter(None, [checkpoint.watermark, *latest]), default=None)
        chunks = self._chunks(files, layouts)
        return LoadPlan(
            source=self._source,
            table=config.name,
            sequence=checkpoint.sequence + 1,
            mode=mode,
            replaces=replaces,
            window=None if mode == "full" else Window(CURSOR, LINEAGE[1].type, None, watermark),
            watermark=watermark,
            columns=columns,
            chunks=chunks,
            unchanged=not files,
            schema_changes=changes,
            warnings=(*_waiting(listing.young), *_moved(compared.unsure)),
            moved=() if replaces else compared.moved,
        )

    def _with_content(
        self, wanted: tuple[SourceFile, ...], layouts: Layouts, compared: Compared, seen: dict[str, SourceFile]
    ) -> tuple[SourceFile, ...]:
        """Those of the files that hold something; none where the others are all that is new."""
        whole = self._config.effective_mode == "full"
        files = tuple(file for file in wanted if file.path in layouts)
        if wanted and not files and (whole or not seen):
            raise SourceObjectMissing(
                f"{self._place}: nothing is in any file that matches {self._config.path}",
                remedy="Correct path:, or write rows into the files; a table without any has no columns.",
            )
        # A blank file is remembered by no load; alone it is no reason for one.
        paths = {file.path for file in files}
        same = whole and paths == seen.keys() and not paths & {file.path for file in compared.fresh}
        return () if same else files

    @contextmanager
    def _unless_cut(self, files: tuple[SourceFile, ...]) -> Iterator[None]:
        """Where the columns of files cannot be made out, see first whether one was cut off; else unzip nothing."""
        import duckdb

        try:
            yield
            return
        except (duckdb.Error, UnsupportedValue, SourceObjectMissing, *UNREADABLE) as error:
            failed = error
        self._refuse_unsound(files)
        raise failed

    def _to_read(
        self, listing: Listing, compared: Compared, seen: dict[str, SourceFile], checkpoint: Checkpoint
    ) -> tuple[SourceFile, ...]:
        """The files that the load reads; none if there is nothing to do."""
        whole, fresh = self._config.effective_mode == "full", compared.fresh
        if not listing.files and not listing.young and not (seen and not whole):
            raise SourceObjectMissing(
                f"{self._place}: no file matches {self._config.path}, or all are empty",
                remedy="Correct path:, or put the files there; a table without any file has no columns.",
            )
        if whole:
            # A file that is being written to would be missing from the table until the next run.
            busy = any(path in {file.path for file in checkpoint.inputs} for path in listing.young)
            gone = seen.keys() - {file.path for file in listing.files}
            return listing.files if (fresh or gone) and not busy else ()
        changed = [file.path for file in fresh if file.path in seen]
        if changed and self._config.effective_mode == "append":
            raise SourceFileChanged(
                f"{self._place}: {', '.join(changed[:5])} changed after being landed, and mode append lands each file "
                "once: its rows would be doubled",
                remedy="Put new rows into new files; for files that change use mode: merge with a primary_key or "
                "mode: full, or run the table with --full-refresh.",
            )
        return fresh

    def _refuse_unsound(self, files: tuple[SourceFile, ...]) -> None:
        refuse_unsound(self._files, files, self._place, self._config.max_unzipped)

    def _chunks(self, files: tuple[SourceFile, ...], layouts: Layouts) -> tuple[Chunk, ...]:
        """Groups of files of equal layout, the newest first: of equal times, readers take what an earlier chunk has."""
        alike = together(newest_first(files), lambda file: (layouts[file.path], self._format.alike(file.path)))
        groups = [group for same in alike for group in cut(same, count=CHUNK_FILES, size=CHUNK_BYTES)]
        return tuple(Chunk(index, "files", files=group) for index, group in enumerate(groups))

    def _value(self, own: Column | None, column: Column) -> str:
        """The SQL expression for a column of the load, in a file that calls it `own`."""
        if own is None:
            return f"NULL::{column.type}"
        operand = self._format.operand(own.name, column.type)
        if not self._format.typed:
            declared = column.name in self._config.types
            return text_types.typed(column.type, operand, place=f"r.{FILE}", column=column.name, declared=declared)
        if widens(own.type, column.type):
            return f"{operand}::{column.type}"
        return text_types.converted(own.type, column.type, operand, place=f"r.{FILE}", column=column.name)


def _open_files(con: DuckDBPyConnection, connection: dict[str, Any], place: str) -> Files:
    container = connection.get("container")
    return FilesInContainer(con, container, place) if container else Folder(connection["path"], place)


def _open_format(con: DuckDBPyConnection, files: Copies, table: FilesTable, place: str) -> Format:
    if table.effective_format == "csv":
        return Csv(files, table.effective_options, place)
    if table.effective_format == "json":
        return Json(con, files, place, table.max_unzipped)
    texts = frozenset(name.lower() for name, kind in table.types.items() if kind == "VARCHAR")
    return Parquet(con, files, place, texts)


def _waiting(young: tuple[str, ...]) -> tuple[str, ...]:
    if not young:
        return ()
    names = ", ".join(young[:5]) + (", ..." if len(young) > 5 else "")
    return (f"{len(young)} files are still being written to and wait for the next run: {names}",)


def _moved(paths: tuple[str, ...]) -> tuple[str, ...]:
    if not paths:
        return ()
    names = ", ".join(paths[:5]) + (", ..." if len(paths) > 5 else "")
    return (
        f"{len(paths)} large files were moved, or written over with the same size and time, since they were landed; "
        f"parts of each were compared and are the same, so they are not read again (--full-refresh does): {names}",
    )
