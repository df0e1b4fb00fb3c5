"""A session of DuckDB with PostgreSQL: attached, asked, closed; its errors typed and without secrets."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from comboi_core.domain.errors import ComboiError, ConfigError
from comboi_core.domain.sql import identifier, literal
from comboi_core.sources.common.snapshots import one_snapshot
from comboi_core.sources.postgres.connection import login, session
from comboi_core.sources.postgres.errors import translate

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_PACKAGE = "duckdb_extension_postgres_scanner"
_EXTENSION = "postgres_scanner.duckdb_extension"
_ALIASES = itertools.count()
TOKEN_MARGIN = 60.0
"""Seconds that a token has to live on when a question is asked, since it may open a connection."""

T = TypeVar("T")


class PostgresSession:
    """PostgreSQL attached to a DuckDB connection, under an alias of its own, until `close`.

    Attributes:
        settings: What every connection of the session has to be set to.

    Args:
        connection: The model `PostgresConnection` as a dict, its references resolved.
        place: What errors name: `source.table`.

    Raises:
        ComboiError: the typed error for what went wrong.
    """

    def __init__(self, con: DuckDBPyConnection, connection: Mapping[str, str], place: str) -> None:
        self._con = con
        self._place = place
        self._connection = connection
        self._alias = f"comboi_pg_{next(_ALIASES)}"
        self._login = login(connection, place)
        self.settings = session(connection)
        self._held = False
        self._guarded(lambda: con.execute(f"LOAD {literal(str(extension_path()))}"))
        self._attach()

    def query(self, text: str) -> str:
        """Return DuckDB's FROM item for a SELECT that PostgreSQL runs."""
        return f"postgres_query({literal(self._alias)}, {literal(text)})"

    def rows(self, text: str) -> list[dict[str, str | None]]:
        """Run a SELECT whose results are text; return its rows by name."""

        def fetch() -> list[dict[str, str | None]]:
            result = self._con.execute(f"SELECT * FROM {self.query(text)}")
            names = [column[0] for column in result.description]
            return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

        self._renew()
        return self._guarded(fetch)

    def describe(self, text: str) -> list[tuple[str, str]]:
        """Return names and DuckDB types of what a SELECT gives, without running it."""
        self._renew()
        found = self._guarded(lambda: self._con.execute(f"DESCRIBE SELECT * FROM {self.query(text)}").fetchall())
        return [(name, kind) for name, kind, *_ in found]

    def change(self, statements: Iterable[str]) -> None:
        """Run statements that change the database, in one transaction: what a user has asked for by name.

        Raises:
            ComboiError: the server refuses one of them; then none of them has changed anything.
        """
        texts = "; ".join(("SET TRANSACTION READ WRITE", *statements))
        self._renew()
        with one_snapshot(self._con):
            self._guarded(lambda: self._con.execute(f"CALL postgres_execute({literal(self._alias)}, {literal(texts)})"))

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Give a block in which every question is answered from one snapshot.

        Outside of it each has its own, taken once the relations are locked: DuckDB prepares a query, which waits for
        the locks, before it runs it, and in READ COMMITTED the snapshot is that of the running.
        """
        self._renew()
        with one_snapshot(self._con):
            isolation = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
            self._guarded(
                lambda: self._con.execute(f"CALL postgres_execute({literal(self._alias)}, {literal(isolation)})")
            )
            self._held = True
            try:
                yield
            finally:
                self._held = False

    def translate(self, error: Exception) -> ComboiError:
        """Return the typed error for what a statement over this session raised."""
        return translate(error, self._place, self._login.secrets, refused=self._login.remedy)

    def close(self) -> None:
        """Detach; never raises."""
        with suppress(Exception):
            self._con.execute(f"DETACH {identifier(self._alias)}")

    def _attach(self) -> None:
        options = "TYPE postgres, READ_ONLY, ISOLATION_LEVEL 'READ COMMITTED'"
        attach = f"ATTACH {literal(self._login.conn_str)} AS {identifier(self._alias)} ({options})"
        self._guarded(lambda: self._con.execute(attach))

    def _renew(self) -> None:
        """Sign in anew where the token is at its end.

        DuckDB closes a connection that was idle for a minute, and opens the next one with what it was attached with. In
        a transaction, as chunks are read, the connection stays open whatever becomes of the token.
        """
        expires_on = self._login.expires_on
        if not self._held and expires_on is not None and expires_on - time.time() < TOKEN_MARGIN:
            self._login = login(self._connection, self._place)
            self.close()
            self._attach()

    def _guarded(self, action: Callable[[], T]) -> T:
        """Run an action; raise what it raises as a typed error that does not refer to the original one."""
        failed: ComboiError
        try:
            return action()
        except Exception as error:
            failed = self.translate(error)
        raise failed


def extension_path() -> Path:
    """The extension's file in its wheel; loaded by path, so neither network nor home directory is needed."""
    spec = find_spec(_PACKAGE)
    folders = [Path(place) for place in spec.submodule_search_locations or ()] if spec else []
    for found in (path for folder in folders for path in folder.glob(f"extensions/*/{_EXTENSION}")):
        return found
    raise ConfigError(
        "DuckDB's postgres extension is not installed",
        remedy="Install the package duckdb-extension-postgres-scanner in the same version as duckdb.",
    )
