"""A session with Azure SQL: opened, asked, read as a stream of Arrow batches, closed; its errors typed and without
secrets."""

from __future__ import annotations

import itertools
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from comboi_core.domain.errors import ComboiError, SourceUnreachable
from comboi_core.domain.sql import identifier
from comboi_core.sources.azure_sql import sql
from comboi_core.sources.azure_sql.batches import batches
from comboi_core.sources.azure_sql.connection import LOGIN_SECONDS, Login, login, reach, redirected
from comboi_core.sources.azure_sql.driver import load
from comboi_core.sources.azure_sql.errors import translate
from comboi_core.sources.azure_sql.login import awake
from comboi_core.sources.azure_sql.socket import limit_silence, open_sockets

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

READ_SECONDS = 1800.0
"""How long the server may stay silent, be it at work on a statement before its first row or gone."""
SLEEP = time.sleep
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
                found = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
            if len(found) != 1:  # a single row comes whole or not at all
                self._whole(len(found))
            return found

        self._end_stream()
        return self._guarded(fetch)

    def execute(self, text: str) -> None:
        """Run a statement without results."""
        self._end_stream()
        self._guarded(lambda: self._session.cursor().execute(text).close())

    def stream(self, text: str, watched: Counter[str], *, most: int) -> str:
        """Start a SELECT and return DuckDB's FROM item for its rows, which can be read once.

        The server sends as DuckDB reads. The stream before this one ends.

        Args:
            watched: Result columns of text; see `azure_sql_batches.batches`.
            most: How many rows may be fetched at a time.
        """
        self._end_stream()
        return self._guarded(lambda: self._start(text, watched, most))

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
        reach(found.server, self._place, strict=found.strict)
        before = open_sockets()
        self._session = awake(lambda: self._guarded(lambda: self._connect(driver, found)), sleep=SLEEP)
        silence = math.ceil(connection.get("read_timeout") or READ_SECONDS)
        if not limit_silence(before, silence):
            self._session.timeout = silence
        self._session.cursor().execute(sql.SESSION).close()

    def _connect(self, driver: Any, found: Login) -> Any:
        try:
            return driver.connect(found.conn_str, autocommit=True, attrs_before=found.attributes, timeout=LOGIN_SECONDS)
        except Exception as error:
            failed = translate(error, self._place, self._secrets)
        if isinstance(failed, SourceUnreachable) and "number" not in failed.context:
            failed.remedy = redirected(found.server) or failed.remedy
        raise failed

    def _start(self, text: str, watched: Counter[str], most: int) -> str:
        import pyarrow

        self._cursor = self._session.cursor()
        self._cursor.execute(text)
        schema = self._cursor.arrow_batch(0).schema
        self._stream = f"comboi_mssql_{next(_NAMES)}"
        reader = pyarrow.RecordBatchReader.from_batches(schema, self._batches(self._cursor, most, watched))
        self._con.register(self._stream, reader)
        return identifier(self._stream)

    def _whole(self, rows: int) -> None:
        """Check that the last statement's rows are all there.

        Microsoft's provider takes a connection that breaks between two rows for the end of the rows, and says nothing.
        The server has counted them (ROWCOUNT_BIG: of the last statement); a connection that is gone says so here.
        """
        with self._session.cursor() as cursor:
            sent = int(cursor.execute(sql.ROWS_SENT).fetchone()[0])
        if sent != rows:
            raise SourceUnreachable(f"{self._place}: the connection broke: {rows:,} of {sent:,} rows came")

    def _batches(self, cursor: Any, most: int, watched: Counter[str]) -> Iterator[Any]:
        rows = 0
        try:
            for batch in batches(cursor, most, watched):
                rows += batch.num_rows
                yield batch
                del batch
            self._whole(rows)
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
