"""What files are made of: which columns they have, and how DuckDB reads them.

Nothing is sniffed by DuckDB: what it guesses for one file it guesses otherwise for the next. CSV and JSON values are
read as text, and `text_types` makes values of them.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import IO, TYPE_CHECKING, Any, Protocol

from comboi_core.config.files import CsvOptions, FilesTable
from comboi_core.domain.errors import UnsupportedValue
from comboi_core.domain.load import Column, SourceFile
from comboi_core.domain.sql import identifier, literal
from comboi_core.sources.files_gzip import is_zipped
from comboi_core.sources.files_listing import Files, pattern
from comboi_core.sources.text_types import UNQUOTED

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FILE = "_comboi_file"
"""The column in which a scan names the file of each row."""
ROW = "file_row_number"
"""The column in which a numbered scan counts the rows of a file."""
UNREADABLE = (OSError, ValueError, EOFError, csv.Error, zlib.error)
"""What reading a file as text raises, whatever is wrong with it."""
_LONGEST_JSON = 16 * 2**20
_BUFFER = 8 * 2**20


class Format(Protocol):
    """One kind of files.

    Attributes:
        typed: Whether the files have types of their own.
        optional: Whether a column may be missing in any row, so that a file without it means nothing.
    """

    typed: bool
    optional: bool

    def layouts(self, files: Sequence[SourceFile]) -> dict[str, tuple[Column, ...]]:
        """Return the columns of each file, by path; columns without a type of their own have none."""

    def scan(self, files: Sequence[SourceFile], names: Sequence[str]) -> str:
        """Return a FROM item over files of equal layout, which has at least the columns `names`, and FILE."""

    def numbered(self, scan: str) -> str:
        """Return a FROM item over a scan with ROW: rows of a file are numbered in their order."""

    def operand(self, name: str, kind: str) -> str:
        """Return the SQL expression for a column of the scan, as text where the files have no types."""

    def line(self, path: str, column: str | None, text: str) -> int | None:
        """Return the first line in which a column has a value, as `operand` gives it; None if it is not found.

        Without a column: the first line that cannot be read at all, where DuckDB does not tell.
        """


class Csv:
    """Comma-separated values, or what the options say."""

    typed = False
    optional = False

    def __init__(self, files: Files, options: CsvOptions, place: str) -> None:
        self._files = files
        self._options = options
        self._place = place
        self._known: dict[str, tuple[str, ...]] = {}

    def layouts(self, files: Sequence[SourceFile]) -> dict[str, tuple[Column, ...]]:
        """See `Format.layouts`."""

        def columns(file: SourceFile) -> tuple[Column, ...]:
            return tuple(Column(name, "", "") for name in self._names(file.path))

        return _of_each(files, columns, self._files.parallel)

    def scan(self, files: Sequence[SourceFile], names: Sequence[str]) -> str:
        """See `Format.scan`; the columns of all the files are those of the first."""
        options = self._options
        columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in self._names(files[0].path))
        nulls = ", ".join(literal(text) for text in ("", options.null_text) if text is not None)
        said = {
            "columns": f"{{{columns}}}",
            "header": str(options.header).lower(),
            "skip": str(options.skip),
            "delim": literal(options.delimiter),
            "quote": literal(options.quote),
            "escape": literal(options.quote if options.escape is None else options.escape),
            "nullstr": f"[{nulls}]",
            "allow_quoted_nulls": str(options.quoted_nulls).lower(),
            "encoding": literal(options.encoding),
            "max_line_size": str(options.max_line_bytes),
            # DuckDB's own would be 16 lines of the largest size, for each thread.
            "buffer_size": str(max(_BUFFER, 2 * options.max_line_bytes)),
            "auto_detect": "false",
        }
        return _read("read_csv", self._files, files, said)

    def numbered(self, scan: str) -> str:
        """See `Format.numbered`: a window without an order makes DuckDB read with one thread, in order."""
        return _counted(scan)

    def operand(self, name: str, kind: str) -> str:
        """See `Format.operand`."""
        return f"r.{identifier(name)}"

    def line(self, path: str, column: str | None, text: str) -> int | None:
        """See `Format.line`."""
        if column is None:
            return None
        position = self._names(path).index(column)
        with self._open(path) as lines:
            rows = self._rows(lines)
            if self._options.header:
                next(rows, None)
            for row in rows:
                if len(row) > position and row[position] == text:
                    return rows.line_num + self._options.skip
        return None

    def _names(self, path: str) -> tuple[str, ...]:
        if path not in self._known:
            self._known[path] = self._header(path)
        return self._known[path]

    def _header(self, path: str) -> tuple[str, ...]:
        try:
            with self._open(path) as lines:
                first = next(self._rows(lines), [])
        except (ValueError, csv.Error, EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise UnsupportedValue(
                f"{self._place}: {path}: the first line cannot be read: {error}",
                remedy="Correct the file, or say in options: how it is written (encoding, delimiter, quote).",
            ) from None
        except OSError as error:
            raise self._files.unreadable(path, error) from None
        if not self._options.header:
            return tuple(f"column{position}" for position in range(len(first)))
        if any("\udc80" <= char <= "\udcff" for name in first for char in name):
            raise UnsupportedValue(
                f"{self._place}: {path}: the first line is not {self._options.encoding}",
                remedy="Correct the file, or set its encoding in options:.",
            )
        double = next((name for name in first if first.count(name) > 1), None)
        if double is not None or any(not name.strip() or "\x00" in name for name in first):
            wrong = f"has the column '{double}' twice" if double else "has a column without a name"
            raise UnsupportedValue(
                f"{self._place}: {path} {wrong}: {', '.join(first)[:200]}",
                remedy="Correct the first line, or set options: {header: false}.",
            )
        return tuple(first)

    def _rows(self, lines: IO[str]) -> Iterator[list[str]]:
        options = self._options
        csv.field_size_limit(options.max_line_bytes)
        for _ in range(options.skip):
            lines.readline()
        quoting = csv.QUOTE_MINIMAL if options.quote else csv.QUOTE_NONE
        doubled = options.escape in (None, options.quote)
        return csv.reader(
            lines,
            delimiter=options.delimiter,
            quotechar=options.quote or None,
            quoting=quoting,
            doublequote=doubled,
            escapechar=None if doubled else options.escape,
        )

    def _open(self, path: str) -> AbstractContextManager[IO[str]]:
        encoding = {"utf-8": "utf-8-sig"}.get(self._options.encoding, self._options.encoding)
        # What is not of the encoding is DuckDB's to refuse, which knows the line.
        return _open_text(self._files, path, encoding, errors="surrogateescape")


class Json:
    """One JSON object a line. Numbers are what JSON makes of them: whole ones of any size, others as doubles."""

    typed = False
    optional = True

    def __init__(self, con: DuckDBPyConnection, files: Files, place: str) -> None:
        self._con = con
        self._files = files
        self._place = place

    def layouts(self, files: Sequence[SourceFile]) -> dict[str, tuple[Column, ...]]:
        """See `Format.layouts`: all files have the keys of any; every line is looked at, for none must be lost."""
        if not files:
            return {}
        keys = "CASE WHEN json_type(json) = 'OBJECT' THEN json_keys(json) ELSE [NULL] END"
        scan = _read("read_ndjson_objects", self._files, files, {"maximum_object_size": str(_LONGEST_JSON)})
        found = self._con.execute(f"SELECT DISTINCT {FILE}, unnest({keys}) FROM {scan}").fetchall()
        for path, key in found:
            if key is None:
                name = self._files.relative(path)
                raise UnsupportedValue(
                    f"{self._place}: {name}, line {self.line(name, None, '')} is not one JSON object",
                    remedy="Write one object a line ({...}), not a list.",
                )
        names = tuple(Column(name, "", "") for name in sorted({key for _, key in found}))
        return {file.path: names for file in files}

    def scan(self, files: Sequence[SourceFile], names: Sequence[str]) -> str:
        """See `Format.scan`."""
        columns = ", ".join(f"{literal(name)}: 'JSON'" for name in names)
        said = {
            "columns": f"{{{columns}}}",
            "format": "'newline_delimited'",
            "maximum_object_size": str(_LONGEST_JSON),
        }
        return _read("read_json", self._files, files, said)

    def numbered(self, scan: str) -> str:
        """See `Format.numbered`."""
        return _counted(scan)

    def operand(self, name: str, kind: str) -> str:
        """See `Format.operand`: numbers and booleans as JSON writes them, the text of all others."""
        return f"r.{identifier(name)}::VARCHAR" if kind in UNQUOTED else f"(r.{identifier(name)} ->> '$')"

    def line(self, path: str, column: str | None, text: str) -> int | None:
        """See `Format.line`."""
        with _open_text(self._files, path, "utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                try:
                    value = json.loads(line)
                except ValueError:
                    return number
                if not isinstance(value, dict):
                    return number
                if column is not None and _is(value.get(column), text):
                    return number
        return None


class Parquet:
    """Parquet files, whose columns have types."""

    typed = True
    optional = False

    def __init__(self, con: DuckDBPyConnection, files: Files) -> None:
        self._con = con
        self._files = files

    def layouts(self, files: Sequence[SourceFile]) -> dict[str, tuple[Column, ...]]:
        """See `Format.layouts`."""
        return _of_each(files, self._columns, self._files.parallel)

    def scan(self, files: Sequence[SourceFile], names: Sequence[str]) -> str:
        """See `Format.scan`."""
        return _read("read_parquet", self._files, files, {ROW: "true", "hive_partitioning": "false"})

    def numbered(self, scan: str) -> str:
        """See `Format.numbered`."""
        return scan

    def operand(self, name: str, kind: str) -> str:
        """See `Format.operand`."""
        return f"r.{identifier(name)}"

    def line(self, path: str, column: str | None, text: str) -> int | None:
        """See `Format.line`; Parquet has no lines."""
        return None

    def _columns(self, file: SourceFile) -> tuple[Column, ...]:
        scan = f"read_parquet({pattern(self._files.address(file.path))}, hive_partitioning = false)"
        with self._con.cursor() as con:  # one connection does one thing at a time
            described = con.execute(f"DESCRIBE SELECT * FROM {scan}").fetchall()
        return tuple(Column(name, kind, kind) for name, kind, *_ in described)


def open_format(con: DuckDBPyConnection, files: Files, table: FilesTable, place: str) -> Format:
    """Return the format that the configuration names."""
    if table.effective_format == "csv":
        return Csv(files, table.effective_options, place)
    return Json(con, files, place) if table.effective_format == "json" else Parquet(con, files)


def _of_each(
    files: Sequence[SourceFile], columns: Callable[[SourceFile], tuple[Column, ...]], parallel: int
) -> dict[str, tuple[Column, ...]]:
    if parallel == 1 or len(files) < 2:
        return {file.path: columns(file) for file in files}
    with ThreadPoolExecutor(parallel) as pool:
        asked = [(file.path, pool.submit(columns, file)) for file in files]
        try:
            return {path: answer.result() for path, answer in asked}
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _read(function: str, place: Files, files: Sequence[SourceFile], options: dict[str, str]) -> str:
    paths = ", ".join(pattern(place.address(file.path)) for file in files)
    said = ", ".join(f"{name} = {value}" for name, value in {**options, "filename": literal(FILE)}.items())
    return f"{function}([{paths}], {said})"


def _counted(scan: str) -> str:
    return f"(SELECT *, row_number() OVER () AS {ROW} FROM {scan})"


def _is(value: Any, text: str) -> bool:
    """Tell whether a JSON value is what `Json.operand` gives as a text."""
    return value is not None and text in (value, json.dumps(value, ensure_ascii=False, separators=(",", ":")))


@contextmanager
def _open_text(files: Files, path: str, encoding: str, errors: str = "strict") -> Iterator[IO[str]]:
    with files.open(path) as raw:
        plain = gzip.GzipFile(fileobj=raw) if is_zipped(path) else raw
        with io.TextIOWrapper(plain, encoding=encoding, errors=errors, newline="") as lines:
            yield lines
