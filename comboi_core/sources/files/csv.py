"""CSV files: what their first lines say, and how DuckDB reads them without guessing."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count, islice
from typing import IO, Any

from comboi_core.domain.errors import UnsupportedValue
from comboi_core.domain.load import Column, SourceFile
from comboi_core.domain.redaction import redactor
from comboi_core.domain.sql import identifier, literal
from comboi_core.sources.files.config import CsvOptions
from comboi_core.sources.files.formats import counted, limited, of_each, read
from comboi_core.sources.files.text import Copies, Taken, Text, mixed, records

_BUFFER = 8 * 2**20
_LOOK = 2**15
"""So many characters at the beginning of a file show its names and its line ends."""
_SAMPLE = 64 * 2**20
"""A sample has about so many characters at most."""
_BLANKS = 10_000
"""So many blank lines are looked at for one that is not."""


@dataclass(frozen=True)
class _Start:
    """What the beginning of a file says.

    Attributes:
        names: Of the columns.
        cut: How many lines stand before the header (or the first row).
        copied: Whether DuckDB would read the file otherwise than as it is meant.
        width: About how many characters a record has.
    """

    names: tuple[str, ...]
    cut: int
    copied: bool
    width: int


class Csv:
    """Comma-separated values, or what the options say; implements `Format`."""

    typed = False
    optional = False

    def __init__(self, files: Copies, options: CsvOptions, place: str) -> None:
        self._files = files
        self._options = options
        self._place = place
        self._text = Text(files, encoding=options.encoding, longest=options.max_line_bytes, place=place)
        self._known: dict[str, _Start | None] = {}

    def layouts(self, files: Sequence[SourceFile]) -> dict[str, tuple[Column, ...]]:
        """See `Format.layouts`."""
        found = of_each(files, lambda file: self._start(file.path), self._files.parallel)
        return {path: tuple(Column(name, "", "") for name in start.names) for path, start in found.items() if start}

    def alike(self, path: str) -> bool:
        """See `Format.alike`."""
        start = self._start(path)
        return start is not None and start.copied

    def scan(self, files: Sequence[SourceFile], names: Sequence[str]) -> str:
        """See `Format.scan`; the columns of all the files, and whether they are copied, are those of the first."""
        if self.alike(files[0].path):
            of_each(files, lambda file: self._copy(file.path), self._files.parallel)
        return self._scan(files)

    def sample(self, file: SourceFile, names: Sequence[str], rows: int) -> str:
        """See `Format.sample`."""
        start = self._start(file.path)
        rows = min(rows, _SAMPLE // max(1, start.width if start else 1) + 1)
        if self.alike(file.path):
            self._copy(file.path, rows)
        return limited(self._scan([file]), rows)

    def numbered(self, scan: str) -> str:
        """See `Format.numbered`."""
        return counted(scan)

    def operand(self, name: str, kind: str) -> str:
        """See `Format.operand`."""
        return f"r.{identifier(name)}"

    def refuse_types(self, files: Sequence[SourceFile], columns: Sequence[Column]) -> None:
        """See `Format.refuse_types`: text is exact."""

    def refuse(self, files: Sequence[SourceFile], columns: Sequence[Column]) -> None:
        """See `Format.refuse`: text is exact."""

    def has_no_value(self, path: str, column: str) -> bool:
        """See `Format.has_no_value`, which is asked of files with types of their own."""
        return False

    def line(self, path: str, column: str | None, text: str) -> int | None:
        """See `Format.line`; without a column: the first line that ends otherwise than the first one."""
        start = self._start(path)
        if start is None:
            return None
        with self._text.open(path) as lines:
            self._pass(lines, path, start.cut)
            if column is None:
                return self._other_end(lines, path, start.cut)
            rows = self._reader(self._lines(lines, path, start.cut))
            position = [name.lower() for name in start.names].index(column.lower())
            if self._options.header:
                next(rows, None)
            for row in rows:
                if len(row) > position and row[position] == text:
                    return int(rows.line_num) + start.cut
        return None

    def _scan(self, files: Sequence[SourceFile]) -> str:
        options = self._options
        start = self._start(files[0].path)
        columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in (start.names if start else ()))
        nulls = ", ".join(literal(text) for text in ("", options.null_text) if text is not None)
        said = {
            "columns": f"{{{columns}}}",
            "header": str(options.header).lower(),
            "skip": "0",
            "delim": literal(options.delimiter),
            "quote": literal(options.quote),
            "escape": literal(options.quote if options.escape is None else options.escape),
            "comment": "''",
            "nullstr": f"[{nulls}]",
            "allow_quoted_nulls": str(options.quoted_nulls).lower(),
            "encoding": "'utf-8'",
            "strict_mode": "true",
            "null_padding": "false",
            "ignore_errors": "false",
            "hive_partitioning": "false",
            "max_line_size": str(options.max_line_bytes),
            # DuckDB's own would be 16 lines of the largest size, for each thread.
            "buffer_size": str(max(_BUFFER, 2 * options.max_line_bytes)),
            "auto_detect": "false",
        }
        return read("read_csv", self._files, files, said)

    def _copy(self, path: str, rows: int | None = None) -> None:
        start = self._start(path)
        if start is None:  # the file was emptied since: whoever reads it checks that it is what it was
            return
        with self._text.open(path) as lines:
            self._pass(lines, path, start.cut)
            taken = Taken(self._lines(lines, path, start.cut))
            made = records(taken, self._reader(taken))
            # One more than the rows: the header.
            made = made if rows is None else islice(made, rows + 1)
            try:
                self._files.copy(path, made, cut=start.cut)
            except csv.Error:
                where = f"{self._place}: {path}, line {start.cut + taken.count}"
                raise UnsupportedValue(
                    f"{where}: a value is longer than {self._options.max_line_bytes} characters; perhaps the quote "
                    "before it is never closed",
                    remedy="Correct the file, or raise max_line_bytes in options:.",
                ) from None
            except UnicodeDecodeError:
                raise self._text.undecodable(path) from None

    def _start(self, path: str) -> _Start | None:
        """What the beginning of a file says; None if nothing is in it."""
        if path not in self._known:
            self._known[path] = self._begin(path)
        return self._known[path]

    def _begin(self, path: str) -> _Start | None:
        try:
            with self._text.open(path) as lines:
                return self._read_start(lines, path)
        except UnicodeDecodeError:
            raise self._text.undecodable(path) from None
        except (ValueError, csv.Error, EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise UnsupportedValue(
                f"{self._place}: {path}: the first line cannot be read: {error}",
                remedy="Correct the file, or say in options: how it is written (encoding, delimiter, quote).",
            ) from None
        except OSError as error:
            raise self._files.unreadable(path, error) from None

    def _read_start(self, lines: IO[str], path: str) -> _Start | None:
        options = self._options
        self._pass(lines, path, options.skip)
        cut, first = options.skip, self._text.line(lines, path, options.skip + 1)
        blank = "\r\n" if options.delimiter == " " else " \r\n"
        while options.header and first and not first.strip(blank) and cut <= options.skip + _BLANKS:
            cut, first = cut + 1, self._text.line(lines, path, cut + 2)
        text = first + lines.read(max(0, _LOOK - len(first)))
        text += lines.readline(options.max_line_bytes)
        rows = self._reader(chain(io.StringIO(text, newline=""), self._lines(lines, path, cut)))
        record = next((row for row in islice(rows, _BLANKS) if row), None)
        if record is None:
            return None
        if any(name[:1] == " " and name.lstrip()[:1] == options.quote != "" for name in record):
            # Blanks before a quote: DuckDB passes them over in the rows.
            record = next(self._reader(io.StringIO(text, newline=""), skipinitialspace=True))
        copied = cut > 0 or options.encoding != "utf-8" or options.mixed_line_ends or mixed(text)
        width = len(text) // max(1, text.count("\n") or text.count("\r"))
        return _Start(self._names(record, path), cut, copied, width)

    def _names(self, first: list[str], path: str) -> tuple[str, ...]:
        if not self._options.header:
            return tuple(f"column{position}" for position in range(len(first)))
        if any("\udc80" <= char <= "\udcff" for name in first for char in name):
            raise UnsupportedValue(
                f"{self._place}: {path}: the first line is not {self._options.encoding}",
                remedy="Correct the file, or set its encoding in options: (cp1252 is the one of Windows in the West).",
            )
        seen: dict[str, str] = {}
        for name in first:
            wrong, other = None, seen.get(name.lower())
            if not name.strip() or "\x00" in name:
                wrong = "has a column without a name"
            elif other is not None:
                wrong = f"has the column '{name}' twice"
                wrong = (
                    wrong if other == name else f"has the columns '{other}' and '{name}', which only case tells apart"
                )
            if wrong:
                raise UnsupportedValue(
                    f"{self._place}: {path} {wrong}: {redactor.cut(', '.join(first), 200)}",
                    remedy="Correct the first line, or set options: {header: false}.",
                )
            seen[name.lower()] = name
        return tuple(first)

    def _reader(self, lines: Iterable[str], *, skipinitialspace: bool = False) -> Any:
        options = self._options
        csv.field_size_limit(options.max_line_bytes)
        doubled = options.escape in (None, options.quote)
        return csv.reader(
            lines,
            delimiter=options.delimiter,
            quotechar=options.quote or None,
            quoting=csv.QUOTE_MINIMAL if options.quote else csv.QUOTE_NONE,
            doublequote=doubled,
            escapechar=None if doubled else options.escape,
            skipinitialspace=skipinitialspace,
        )

    def _lines(self, lines: IO[str], path: str, before: int) -> Iterator[str]:
        """The lines that are left, after as many."""
        numbers = count(before + 1)
        return iter(lambda: self._text.line(lines, path, next(numbers)), "")

    def _pass(self, lines: IO[str], path: str, lines_before: int) -> None:
        for number in range(lines_before):
            self._text.line(lines, path, number + 1)

    def _other_end(self, lines: IO[str], path: str, cut: int) -> int | None:
        first = None
        for number, line in enumerate(self._lines(lines, path, cut), cut + 1):
            end = line[len(line.rstrip("\r\n")) :]
            first = first or end
            if end and end != first:
                return number
        return None
