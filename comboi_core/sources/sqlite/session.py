"""A session of DuckDB with a SQLite database: attached, asked, closed; its errors typed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from comboi_core.domain.errors import ComboiError, SourceObjectMissing
from comboi_core.domain.sql import identifier, literal
from comboi_core.duckdb.errors import error_details
from comboi_core.sources.common import text_types
from comboi_core.sources.common.extensions import extension_path
from comboi_core.sources.common.snapshots import one_snapshot
from comboi_core.sources.sqlite import errors as sqlite_errors

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_ALIASES = itertools.count()
_REMEDY = "Correct the row, or read the column as text in `query:` (`CAST(column AS TEXT) AS column`)."

Rows = list[dict[str, str | None]]
Ask = Callable[[str], Rows]
"""Runs a SELECT; its results are text. Raises the typed errors."""
T = TypeVar("T")


class SqliteSession:
    """A SQLite database, attached read-only to a DuckDB connection under an alias of its own, until `close`.

    Args:
        file: The database's.
        place: What errors name: `source.table`.

    Raises:
        ComboiError: the typed error for what went wrong; SourceObjectMissing where there is no such file.
    """

    def __init__(self, con: DuckDBPyConnection, file: Path, place: str) -> None:
        self._con = con
        self._place = place
        self._alias = f"comboi_sqlite_{next(_ALIASES)}"
        self.file = file
        if not file.is_file():  # DuckDB would attach a missing one
            raise SourceObjectMissing(f"{place}: there is no file {file}", remedy="Correct connection.path.")
        attach = f"ATTACH {literal(str(file))} AS {identifier(self._alias)} (TYPE sqlite, READ_ONLY)"
        con.execute(f"LOAD {literal(str(extension_path('sqlite_scanner')))}")
        self._guarded(lambda: con.execute(attach))

    def query(self, text: str) -> str:
        """Return DuckDB's FROM item for a SELECT that SQLite runs."""
        return f"sqlite_query({literal(self._alias)}, {literal(text)})"

    def rows(self, text: str) -> Rows:
        """Run a SELECT; return its rows by name, values as text."""

        def fetch() -> Rows:
            result = self._con.execute(f"SELECT * FROM {self.query(text)}")
            names = [column[0] for column in result.description]
            return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

        return self._guarded(fetch)

    def names(self, text: str) -> list[str]:
        """Return the names of a SELECT's columns, without running it."""
        found = self._guarded(lambda: self._con.execute(f"DESCRIBE SELECT * FROM {self.query(text)}").fetchall())
        return [name for name, *_ in found]

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Give a block in which every question is answered from one state of the database.

        DuckDB opens the file with the first question of the block. Writers of a database without a write-ahead log
        wait until its end.
        """
        with one_snapshot(self._con):
            yield

    def translate(self, error: Exception) -> ComboiError:
        """Return the typed error for what a statement over this session raised."""
        if isinstance(error, ComboiError):
            return error
        text = error_details(error)[0]
        refused = text_types.refused(text)
        if refused:
            return text_types.refusal(self._place, *refused[1:], remedy=_REMEDY)
        return sqlite_errors.typed(text, file=self.file, place=self._place)

    def close(self) -> None:
        """Detach; never raises."""
        with suppress(Exception):
            self._con.execute(f"DETACH {identifier(self._alias)}")

    def _guarded(self, action: Callable[[], T]) -> T:
        """Run an action; raise what it raises as a typed error that does not refer to the original one."""
        try:
            return action()
        except Exception as error:
            failed = self.translate(error)
        raise failed
