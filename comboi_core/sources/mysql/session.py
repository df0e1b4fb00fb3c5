"""A session of DuckDB with MySQL: attached, asked, read, closed; its errors typed and without secrets.

DuckDB's extension has three ways to a server, and each of them is used for what only it can do:

- `mysql_execute` runs a statement on the connection of DuckDB's transaction. It sets up the session, and is refused
  where the database is attached READ_ONLY; so the server is asked to refuse what writes.
- `mysql_query(stream_results=false)` reads on that connection too, and so in the transaction's snapshot. It keeps the
  whole result in the process's memory, beside what DuckDB counts.
- `mysql_query` as it is reads on a connection of its own, as a stream, outside of any transaction. It is one statement,
  and so one state of the table by itself.

Connections go back to a pool, which resets them: settings of a session last as long as DuckDB's transaction.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from comboi_core.domain.errors import ComboiError
from comboi_core.domain.sql import identifier, literal
from comboi_core.duckdb.rows import one_row
from comboi_core.sources.common.extensions import extension_path
from comboi_core.sources.common.snapshots import one_snapshot
from comboi_core.sources.mysql import sql
from comboi_core.sources.mysql.connection import login
from comboi_core.sources.mysql.errors import translate

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_ALIASES = itertools.count()

T = TypeVar("T")


class MysqlSession:
    """MySQL attached to a DuckDB connection, under an alias of its own, until `close`.

    Attributes:
        mariadb: Whether the server is MariaDB.

    Args:
        connection: The model `MysqlConnection` as a dict, its references resolved.
        place: What errors name: `source.table`.

    Raises:
        ComboiError: the typed error for what went wrong.
    """

    def __init__(self, con: DuckDBPyConnection, connection: Mapping[str, Any], place: str) -> None:
        self._con = con
        self._place = place
        self._alias = f"comboi_mysql_{next(_ALIASES)}"
        self._login = login(connection)
        # Questions are asked on a connection of their own: DuckDB's transaction, which an error ends, is theirs alone.
        self._asking = con.cursor()
        self._open = False
        try:
            self._guarded(self._attach)
            version, mode = self._guarded(self._server)
        except ComboiError:
            self.close()
            raise
        self.mariadb, self._mode = "mariadb" in version.lower(), sql.pinned(mode)

    def rows(self, text: str) -> list[dict[str, str | None]]:
        """Run a SELECT whose results are text, outside of `transaction` as one of its own; return its rows by name."""

        def fetch() -> list[dict[str, str | None]]:
            self._begin_asking()
            result = self._asking.execute(f"SELECT * FROM {self.held(text)}")
            names = [column[0] for column in result.description]
            return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

        return self._guarded(fetch)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Give a block in which `rows` runs in one transaction of a snapshot, which other sessions see as open."""

        def begin() -> None:
            self._begin_asking()
            self._execute(self._asking, sql.SNAPSHOT)

        self._guarded(begin)
        yield
        self._guarded(lambda: self._execute(self._asking, sql.COMMIT))

    def describe(self, text: str) -> list[tuple[str, str]]:
        """Return names and DuckDB types of what a SELECT gives, without running it."""
        described = f"DESCRIBE SELECT * FROM {self.streamed(text)}"
        found = self._guarded(lambda: self._asking.execute(described).fetchall())
        return [(name, kind) for name, kind, *_ in found]

    def streamed(self, text: str) -> str:
        """Return DuckDB's FROM item for a SELECT that is read as a stream, as one statement outside of `snapshot`."""
        return f"mysql_query({literal(self._alias)}, {literal(sql.settled(text, self._mode, mariadb=self.mariadb))})"

    def held(self, text: str) -> str:
        """Return DuckDB's FROM item for a SELECT of a transaction, whose result is in memory as a whole."""
        return f"mysql_query({literal(self._alias)}, {literal(sql.MARK + text)}, stream_results=false)"

    @contextmanager
    def snapshot(self) -> Iterator[Callable[[str], list[dict[str, str | None]]]]:
        """Give a block in which what is `held` shows one snapshot; what it gives runs a SELECT whose results are text
        in it."""

        def ask(text: str) -> list[dict[str, str | None]]:
            def fetch() -> list[dict[str, str | None]]:
                result = self._con.execute(f"SELECT * FROM {self.held(text)}")
                names = [column[0] for column in result.description]
                return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

            return self._guarded(fetch)

        with one_snapshot(self._con):
            self._guarded(lambda: self._set_up(self._con))
            self._guarded(lambda: self._execute(self._con, sql.SNAPSHOT))
            yield ask
            self._guarded(lambda: self._execute(self._con, sql.COMMIT))

    def translate(self, error: Exception) -> ComboiError:
        """Return the typed error for what a statement over this session raised."""
        return translate(error, self._place, self._login.secrets)

    def close(self) -> None:
        """Detach; never raises."""
        self._end_asking()
        with suppress(Exception):
            self._asking.close()
        with suppress(Exception):
            self._con.execute(f"DETACH {identifier(self._alias)}")

    def _attach(self) -> None:
        self._con.execute(f"LOAD {literal(str(extension_path('mysql_scanner')))}")
        # What the extension sends as the first statement of each connection, and how it reads what it describes.
        for name, value in sql.EXTENSION.items():
            self._con.execute(f"SET GLOBAL {name} = {literal(value)}")
        # As a secret, which takes any character; what a connection string holds may be taken for a URI.
        given = ", ".join(f"{name} {literal(value)}" for name, value in self._login.parameters.items())
        secret = identifier(self._alias)
        self._con.execute(f"CREATE TEMPORARY SECRET {secret} (TYPE mysql, {given})")
        try:
            self._con.execute(f"ATTACH '' AS {secret} (TYPE mysql, SECRET {secret})")
        finally:
            self._con.execute(f"DROP TEMPORARY SECRET {secret}")

    def _server(self) -> tuple[str, str]:
        text = f"SELECT version, mode FROM mysql_query({literal(self._alias)}, {literal(sql.SERVER)})"
        version, mode = one_row(self._asking, text)
        return str(version), str(mode)

    def _begin_asking(self) -> None:
        if not self._open:
            self._asking.begin()
            self._open = True
            self._set_up(self._asking)

    def _end_asking(self) -> None:
        if self._open:
            self._open = False
            with suppress(Exception):
                self._asking.rollback()

    def _set_up(self, con: DuckDBPyConnection) -> None:
        """Set the session of a transaction's connection, and end the transaction that the extension has begun at the
        server: from then on each statement is one of its own."""
        for statement in sql.session(self._mode, mariadb=self.mariadb):
            self._execute(con, statement)
        self._execute(con, sql.COMMIT)

    def _execute(self, con: DuckDBPyConnection, statement: str) -> None:
        con.execute(f"CALL mysql_execute({literal(self._alias)}, {literal(statement)})")

    def _guarded(self, action: Callable[[], T]) -> T:
        """Run an action; raise what it raises as a typed error that does not refer to the original one."""
        failed: ComboiError
        try:
            return action()
        except Exception as error:
            failed = self.translate(error)
        self._end_asking()
        raise failed
