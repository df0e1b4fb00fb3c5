"""What all formats of files share: the port that each implements, and how a scan names its files.

Nothing is sniffed by DuckDB: what it guesses for one file it guesses otherwise for the next. CSV and JSON values are
read as text, and `text_types` makes values of them.
"""

from __future__ import annotations

import csv
import zlib
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

from comboi_core.domain.load import Column, SourceFile
from comboi_core.domain.manifest import SOURCE_ROW
from comboi_core.domain.sql import literal
from comboi_core.sources.files.listing import Files, pattern

FILE = "_comboi_path"
"""The column in which a scan names the file of each row."""
UNREADABLE = (OSError, ValueError, EOFError, csv.Error, zlib.error)
"""What reading a file as text raises, whatever is wrong with it."""

_Found = TypeVar("_Found")


class Format(Protocol):
    """One kind of files.

    Attributes:
        typed: Whether the files have types of their own.
        optional: Whether a column may be missing in any row, so that a file without it means nothing.
    """

    typed: bool
    optional: bool

    def layouts(self, files: Sequence[SourceFile]) -> dict[str, tuple[Column, ...]]:
        """Return the columns of each file, by path; columns without a type of their own have none.

        Files in which there is nothing at all, neither rows nor names of columns, are left out.
        """

    def alike(self, path: str) -> Hashable:
        """Return what two files of equal layout must have in common to be scanned together, beside that."""

    def scan(self, files: Sequence[SourceFile], names: Sequence[str]) -> str:
        """Return a FROM item over files of equal layout, which has at least the columns `names`, and FILE."""

    def sample(self, file: SourceFile, names: Sequence[str], rows: int) -> str:
        """Return a FROM item over the first rows of a file, as many at most, with the columns `names`."""

    def numbered(self, scan: str) -> str:
        """Return a FROM item over a scan with SOURCE_ROW: rows of a file are numbered in their order."""

    def operand(self, name: str, kind: str) -> str:
        """Return the SQL expression for a column of the scan, as text where the files have no types."""

    def refuse_types(self, files: Sequence[SourceFile], columns: Sequence[Column]) -> None:
        """Raise UnsupportedValue if DuckDB cannot hold a column exactly, as far as planning sees."""

    def refuse(self, files: Sequence[SourceFile], columns: Sequence[Column]) -> None:
        """Raise UnsupportedValue for values of the columns that DuckDB would change in silence."""

    def has_no_value(self, path: str, column: str) -> bool:
        """Tell whether a column holds NULL in every row of a file."""

    def line(self, path: str, column: str | None, text: str) -> int | None:
        """Return the first line in which a column has a value, as `operand` gives it; None if it is not found.

        Without a column: the first line that cannot be read at all, where DuckDB does not tell.
        """


def of_each(files: Sequence[SourceFile], find: Callable[[SourceFile], _Found], parallel: int) -> dict[str, _Found]:
    """Return what is found of each file, by path; several are looked into side by side."""
    if parallel == 1 or len(files) < 2:
        return {file.path: find(file) for file in files}
    with ThreadPoolExecutor(parallel) as pool:
        asked = [(file.path, pool.submit(find, file)) for file in files]
        try:
            return {path: answer.result() for path, answer in asked}
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def read(function: str, place: Files, files: Sequence[SourceFile], options: dict[str, str]) -> str:
    """Return the call of one of DuckDB's readers, with FILE."""
    paths = ", ".join(pattern(place.address(file.path)) for file in files)
    said = ", ".join(f"{name} = {value}" for name, value in {**options, "filename": literal(FILE)}.items())
    return f"{function}([{paths}], {said})"


def limited(scan: str, rows: int) -> str:
    """Return a FROM item over the first rows of a scan."""
    return f"(SELECT * FROM {scan} LIMIT {rows})"


def counted(scan: str) -> str:
    """Return a FROM item over a scan with SOURCE_ROW: a window without an order reads with one thread, in order."""
    return f"(SELECT *, row_number() OVER () AS {SOURCE_ROW} FROM {scan})"
