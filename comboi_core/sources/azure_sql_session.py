"""A session with Azure SQL: opened, asked, read as a stream of Arrow batches, closed; its errors typed and without
secrets."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from comboi_core.domain.errors import ComboiError
from comboi_core.domain.sql import identifier
from comboi_core.sources import azure_sql_sql as sql
from comboi_core.sources.azure_sql_connection import LOGIN_SECONDS, login, reach
from comboi_core.sources.azure_sql_driver import load
from comboi_core.sources.azure_sql_errors import translate

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

STATEMENT_SECONDS = 7200
"""How long the server may work on one statement before its first row."""
BATCH_BYTES = 16 * 2**20
"""What a batch of rows is meant to weigh; the driver keeps one or two."""
MAX_BATCH_ROWS = 8192
WARY_BATCH_ROWS = 1024
"""The same where values may be of any size: after many small rows the next ones may all be large."""
_FIRST_BATCH_ROWS = 256
REPLACEMENT = "\ufffd"
"""What the driver puts, without a word, in place of half a surrogate pair, which nvarchar can hold and UTF-8 cannot."""
_NAMES = itertools.count()

T = TypeVar("T")


class AzureSqlSession:
    """A connection of its own to the server, until `close`; each statement is its own transaction.

    Args:
        con: Where the rows of `stream` become visible.
        connection: The configured connection, references resolved.
        place: What errors name: `source.table`.

    Raises:
        ComboiError: the typed error for what went wrong.
    """

    def __init__(self, con: DuckDBPyConnection, connection: dict[str, Any], place: str) -> None:
        self._con = con
        self._place = place
        self._secrets: tuple[str, ...] = ()
        self._failed: Exception | None = None
        self._cursor: Any = None
        self._stream: str | None = None
        self._session: Any = None
        self._guarded(lambda: self._open(connection))

    def rows(self, text: str) -> list[dict[str, str | None]]:
        """Run a SELECT whose results are text; return its rows by name."""

        def fetch() -> list[dict[str, str | None]]:
            with self._session.cursor() as cursor:
                cursor.execute(text)
                names = [column[0] for column in cursor.description]
                return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

        self._end_stream()
        return self._guarded(fetch)

    def execute(self, text: str) -> None:
        """Run a statement without results."""
        self._end_stream()
        self._guarded(lambda: self._session.cursor().execute(text).close())

    def stream(self, text: str, watched: Counter[str], *, wary: bool) -> str:
        """Start a SELECT and return DuckDB's FROM item for its rows, which can be read once.

        The server sends as DuckDB reads. The stream before this one ends.

        Args:
            watched: Result columns of text; counts the rows of each in which REPLACEMENT was read.
            wary: Whether a row may be of any size.
        """
        self._end_stream()
        return self._guarded(lambda: self._start(text, watched, WARY_BATCH_ROWS if wary else MAX_BATCH_ROWS))

    def translate(self, error: Exception) -> ComboiError:
        """Return the typed error for what a statement over this session raised."""
        # DuckDB shows the text of what broke the stream only; the original says more.
        return translate(self._failed or error, self._place, self._secrets)

    def close(self) -> None:
        """Close the connection; never raises."""
        with suppress(Exception):
            self._end_stream()
        if self._session is not None:
            with suppress(Exception):
                self._session.close()

    def _open(self, connection: dict[str, Any]) -> None:
        driver = load()
        found = login(connection, self._place)
        self._secrets = found.secrets
        reach(found.server, self._place)
        self._session = driver.connect(
            found.conn_str, autocommit=True, attrs_before=found.attributes, timeout=LOGIN_SECONDS
        )
        self._session.timeout = STATEMENT_SECONDS
        self._session.cursor().execute(sql.SESSION).close()

    def _start(self, text: str, watched: Counter[str], most: int) -> str:
        import pyarrow

        self._cursor = self._session.cursor()
        self._cursor.execute(text)
        schema = self._cursor.arrow_batch(0).schema
        self._stream = f"comboi_mssql_{next(_NAMES)}"
        reader = pyarrow.RecordBatchReader.from_batches(schema, self._batches(self._cursor, watched, most))
        self._con.register(self._stream, reader)
        return identifier(self._stream)

    def _batches(self, cursor: Any, watched: Counter[str], most: int) -> Iterator[Any]:
        """Batches of about BATCH_BYTES: rows of a few bytes or of many, the memory is the same."""
        from pyarrow import compute

        rows = _FIRST_BATCH_ROWS
        try:
            while (batch := cursor.arrow_batch(rows)).num_rows:
                for name in watched:
                    watched[name] += compute.sum(compute.match_substring(batch[name], REPLACEMENT)).as_py() or 0
                yield batch
                fitting = BATCH_BYTES * batch.num_rows // max(batch.nbytes, 1)
                rows = max(1, min(most, rows * 4, fitting))
        except Exception as error:
            self._failed = error
            raise

    def _end_stream(self) -> None:
        stream, cursor = self._stream, self._cursor
        self._failed = self._stream = self._cursor = None
        if stream is not None:
            self._con.unregister(stream)
        if cursor is not None:
            with suppress(Exception):  # if the connection is gone, the next statement says so, in our terms
                cursor.close()

    def _guarded(self, action: Callable[[], T]) -> T:
        """Run an action; raise what it raises as a typed error that does not refer to the original one."""
        try:
            return action()
        except Exception as error:
            failed = self.translate(error)
        failed.__context__ = None
        raise failed
