"""Files in a folder or a container as a source: CSV, JSON lines and Parquet.

Which files are new is decided by what was landed, not by times: the manifest remembers each file by path, size and
modification time. So a file that arrives late with an old time (`cp -p`, `rsync -t`) is read like any other. The price
is a line in the manifest for each file of the table, about 100 bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from comboi_core.config.files import FilesTable
from comboi_core.domain.duckdb_errors import error_details
from comboi_core.domain.errors import (
    BackfillImpossible,
    ComboiError,
    InternalError,
    SourceFileChanged,
    SourceObjectMissing,
    UnsupportedValue,
)
from comboi_core.domain.load import Checkpoint, Chunk, Column, LoadPlan, SourceFile, Window
from comboi_core.domain.names import table_id
from comboi_core.domain.sql import identifier, identifiers, literal
from comboi_core.sources import text_types
from comboi_core.sources.files_columns import CURSOR, LINEAGE, Columns, Layouts
from comboi_core.sources.files_container import FilesInContainer
from comboi_core.sources.files_folder import Folder
from comboi_core.sources.files_formats import FILE, ROW, UNREADABLE, open_format
from comboi_core.sources.files_gzip import refuse_cut
from comboi_core.sources.files_listing import DEFAULT_LAG, Files, Listing, cut, instant, newest_first, together

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

CHUNK_FILES = 500
CHUNK_BYTES = 256 * 2**20
"""A chunk has so many files, and about so many bytes, at most; a file is never divided."""

_LINE = re.compile(r"(?:Error on Line: |in line )(\d+)")
_IN_FILE = re.compile(r"file = (?P<csv>.+)$|in file \"(?P<json>.+?)\",|[Ff]ile '(?P<parquet>.+?)'", re.MULTILINE)
_ASIDE = re.compile(r"\s*(\*|LINE \d|\^|Possible|Try setting|CSV Error on Line|$)")
"""Lines of DuckDB's messages that say nothing to the reader of ours: proposals for parameters, and our own SQL."""
_CORRECT = "Correct the file, or say in options: how it is written (delimiter, quote, encoding, max_line_bytes)."


class TableOfFiles:
    """The files of one table; implements `domain.ports.Source`.

    Args:
        connection: `{"path": ...}`, a folder, absolute; or `{"container": ...}`, as `files_container.Container` has it.
    """

    def __init__(self, con: DuckDBPyConnection, *, source: str, table: FilesTable, connection: dict[str, Any]) -> None:
        self._source = source
        self._config = table
        self._place = table_id(source, table.name)
        self._files = _open_files(con, connection, self._place)
        self._format = open_format(con, self._files, table, self._place)
        self._columns = Columns(con, self._format, table, self._place)
        self._read: list[SourceFile] = []

    def plan(self, checkpoint: Checkpoint, *, full_refresh: bool) -> LoadPlan:
        """See `domain.ports.Source.plan`; a load reads the files that are new or changed, or all if it replaces."""
        with self._explained():
            return self._plan(checkpoint, full_refresh)

    def select(self, load: LoadPlan, chunk: Chunk) -> str:
        """See `domain.ports.Source.select`; raises SourceFileChanged if a file is not what it was at planning."""
        if chunk.kind != "files":
            raise BackfillImpossible(f"{self._place} is made from files, which have no ranges to read again")
        with self._explained():
            self._files.check(chunk.files)
            self._read += chunk.files
            refuse_cut(self._files, chunk.files, self._place)
            return self._select(load, chunk)

    def _select(self, load: LoadPlan, chunk: Chunk) -> str:
        columns = [column for column in load.columns if column not in LINEAGE]
        there = {column.name for column in columns}
        if not self._format.optional:
            there &= {column.name for column in self._format.layouts(chunk.files[:1])[chunk.files[0].path]}
        values = ", ".join(
            f"{self._value(column) if column.name in there else f'NULL::{column.type}'} AS {identifier(column.name)}"
            for column in columns
        )
        scan = self._format.scan(chunk.files, [column.name for column in columns if column.name in there])
        names = ", ".join(
            f"({literal(self._files.address(file.path))}, {literal(file.path)}, "
            f"{literal(instant(file.modified_ns))}::TIMESTAMPTZ)"
            for file in chunk.files
        )
        lineage = f"coalesce(f.name, error('unexpected file ' || r.{FILE})) AS _file, f.modified AS _modified"
        files = f"(VALUES {names}) AS f (path, name, modified) ON f.path = r.{FILE}"
        if load.mode != "merge":
            return f"SELECT {values}, {lineage} FROM {scan} AS r LEFT JOIN {files}"
        # The last row of the newest file that has a key; the order across chunks follows from `_modified`.
        rows = f"SELECT {values}, {lineage}, r.{ROW} FROM {self._format.numbered(scan)} AS r LEFT JOIN {files}"
        return (
            f"SELECT * EXCLUDE ({ROW}) FROM ({rows}) QUALIFY row_number() OVER ("
            f"PARTITION BY {identifiers(self._config.primary_key)} "
            f"ORDER BY _modified DESC, _file DESC, {ROW} DESC) = 1"
        )

    def confirm(self, load: LoadPlan) -> None:
        """See `domain.ports.Source.confirm`; raises SourceFileChanged if a file was written to while it was read."""
        self._files.check(self._read)

    def translate(self, error: Exception) -> ComboiError:
        """See `domain.ports.Source.translate`."""
        told = self._files.translate(error)
        if told or isinstance(error, ComboiError):
            return told or error
        text = error_details(error)[0]
        refused = text_types.refused(text)
        if refused:
            return self._refusal(*refused)
        found, line = _IN_FILE.search(text), _LINE.search(text)
        if "Out of Memory" in text:
            return InternalError(f"{self._place}: DuckDB ran out of memory: {text[:500]}")
        path = self._files.relative(next(filter(None, found.groups()))) if found else "a file"
        number = self._line(path, None, "") if "Malformed JSON" in text else line and line[1]
        where = f"{path}, line {number}" if number else path
        return UnsupportedValue(f"{self._place}: {where}: {_told(self._files.relative(text))}", remedy=_CORRECT)

    def close(self) -> None:
        """See `domain.ports.Source.close`."""
        self._files.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what DuckDB and readers of files say into errors of the source."""
        import duckdb

        try:
            yield
            return
        except (duckdb.Error, ComboiError, *UNREADABLE) as error:
            failed = self.translate(error)
        raise failed

    def _plan(self, checkpoint: Checkpoint, full_refresh: bool) -> LoadPlan:
        config, mode = self._config, self._config.effective_mode
        listing = self._files.list(config.path, DEFAULT_LAG if config.lag is None else config.lag)
        seen = {} if full_refresh else {file.path: file for file in checkpoint.inputs}
        files = self._to_read(listing, seen, checkpoint, mode == "full")
        replaces = bool(files) and (full_refresh or mode == "full")
        known = () if full_refresh else checkpoint.columns
        with self._unless_cut(files):
            layouts = self._format.layouts(files)
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
            key_unique=mode == "merge" and len(chunks) == 1,
            schema_changes=changes,
            warnings=_waiting(listing.young),
        )

    @contextmanager
    def _unless_cut(self, files: tuple[SourceFile, ...]) -> Iterator[None]:
        """Where the columns of files cannot be made out, see first whether one was cut off; else unzip nothing."""
        import duckdb

        try:
            yield
            return
        except (duckdb.Error, UnsupportedValue, SourceObjectMissing, *UNREADABLE) as error:
            failed = error
        refuse_cut(self._files, files, self._place)
        raise failed

    def _to_read(
        self, listing: Listing, seen: dict[str, SourceFile], checkpoint: Checkpoint, whole: bool
    ) -> tuple[SourceFile, ...]:
        """The files that the load reads; none if there is nothing to do."""
        if not listing.files and not listing.young and not (seen and not whole):
            raise SourceObjectMissing(
                f"{self._place}: no file matches {self._config.path}, or all are empty",
                remedy="Correct path:, or put the files there; a table without any file has no columns.",
            )
        fresh = tuple(file for file in listing.files if seen.get(file.path) != file)
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

    def _chunks(self, files: tuple[SourceFile, ...], layouts: Layouts) -> tuple[Chunk, ...]:
        """Groups of files of equal layout, the newest first: of equal times, readers take what an earlier chunk has."""
        alike = together(newest_first(files), lambda file: layouts[file.path])
        groups = [group for same in alike for group in cut(same, count=CHUNK_FILES, size=CHUNK_BYTES)]
        return tuple(Chunk(index, "files", files=group) for index, group in enumerate(groups))

    def _value(self, column: Column) -> str:
        operand = self._format.operand(column.name, column.type)
        if self._format.typed:
            return f"{operand}::{column.type}"
        declared = column.name in self._config.types
        return text_types.typed(column.type, operand, place=f"r.{FILE}", column=column.name, declared=declared)

    def _refusal(self, path: str, column: str, kind: str, text: str) -> ComboiError:
        name = self._files.relative(path)
        line = None if text_types.is_cut(text) else self._line(name, column, text)
        where = f"{self._place}: {name}, line {line}" if line else f"{self._place}: {name}"
        remedy = f"Correct the file, or set `types: {{{column}: VARCHAR}}` and run the table with --full-refresh."
        return text_types.refusal(where, column, kind, text, remedy=remedy)

    def _line(self, path: str, column: str | None, text: str) -> int | None:
        try:
            return self._format.line(path, column, text)
        except (*UNREADABLE, ComboiError):
            return None  # the error matters more than its line


def _open_files(con: DuckDBPyConnection, connection: dict[str, Any], place: str) -> Files:
    container = connection.get("container")
    return FilesInContainer(con, container, place) if container else Folder(connection["path"], place)


def _told(text: str) -> str:
    """What DuckDB says of a file, without its settings, which follow after `file =`."""
    said = text.removeprefix("Invalid Input Error: ").partition("\n  file = ")[0]
    return " ".join(line.strip()[:200] for line in said.splitlines() if not _ASIDE.match(line))[:500]


def _waiting(young: tuple[str, ...]) -> tuple[str, ...]:
    if not young:
        return ()
    names = ", ".join(young[:5]) + (", ..." if len(young) > 5 else "")
    return (f"{len(young)} files are still being written to and wait for the next run: {names}",)
