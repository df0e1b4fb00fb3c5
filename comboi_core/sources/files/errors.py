"""What DuckDB and readers of files say, as errors that name the file, the line and the column, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from comboi_core.domain.errors import ComboiError, InternalError, UnsupportedValue
from comboi_core.domain.redaction import redactor
from comboi_core.duckdb.errors import error_details
from comboi_core.sources.common import text_types
from comboi_core.sources.files.formats import UNREADABLE, Format
from comboi_core.sources.files.text import Copies

_LINE = re.compile(r"(?:Error on Line: |in line )(\d+)")
_IN_FILE = re.compile(r"file = (?P<csv>.+)$|in file \"(?P<json>.+?)\",|[Ff]ile '(?P<parquet>.+?)'", re.MULTILINE)
_ASIDE = re.compile(r"\s*(\*|LINE \d|\^|Possible|Try setting|CSV Error on Line|$)")
"""Lines of DuckDB's messages that say nothing to the reader of ours: proposals for parameters, and our own SQL."""
_OTHER_ENDS = "the line ends otherwise than the lines before it (LF, CR and CRLF are line ends, also within a value)"
_ONE_END = "Write the file with one kind of line end, or set options: {mixed_line_ends: true}."
_ENCODING = "Write the file in UTF-8, or set options: {encoding: cp1252}, or whatever it was written in."
_CORRECT = "Correct the file, or say in options: how it is written (delimiter, quote, encoding, max_line_bytes)."


class FileErrors:
    """Translates errors of one table's files."""

    def __init__(self, files: Copies, made_of: Format, place: str) -> None:
        self._files = files
        self._format = made_of
        self._place = place

    def translate(self, error: Exception) -> ComboiError:
        """Return the typed error for what planning or reading raised."""
        told = self._files.translate(error)
        if told:
            return told
        if isinstance(error, ComboiError):
            return error
        text = error_details(error)[0]
        refused = text_types.refused(text)
        if refused:
            return self._refusal(*refused)
        found, line = _IN_FILE.search(text), _LINE.search(text)
        if "Out of Memory" in text:
            return InternalError(f"{self._place}: DuckDB ran out of memory: {redactor.cut(text, 500)}")
        path = self._files.relative(next(filter(None, found.groups()))) if found else "a file"
        other_ends = "invalid state" in text
        if other_ends or "Malformed JSON" in text:
            number = self._line(path, None, "")
        else:
            number = int(line[1]) + self._files.cut(path) if line else None
        where = f"{self._place}: {path}, line {number}" if number else f"{self._place}: {path}"
        if other_ends:
            return UnsupportedValue(f"{where}: {_OTHER_ENDS}", remedy=_ONE_END)
        return UnsupportedValue(
            f"{where}: {_told(self._files.relative(text))}", remedy=_ENCODING if "utf-8" in text else _CORRECT
        )

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn what DuckDB and readers of files say into errors of the source."""
        import duckdb

        try:
            yield
            return
        except (duckdb.Error, ComboiError, *UNREADABLE) as error:
            failed = self.translate(error)
        raise failed

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


def _told(text: str) -> str:
    """What DuckDB says of a file, without its settings, which follow after `file =`."""
    said = redactor.text(text.removeprefix("Invalid Input Error: ").partition("\n  file = ")[0])
    told = (redactor.cut(line.strip(), 200) for line in said.splitlines() if not _ASIDE.match(line))
    return redactor.cut(" ".join(told), 500)
