"""A real PostgreSQL for the whole session, a schema of its own for each test."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from comboi_core.cli.demo.postgres import EmbeddedPostgres
from comboi_core.domain.folders import Scratch
from comboi_core.domain.sql import literal
from comboi_core.duckdb.engine import open_duckdb
from comboi_core.sources.postgres.session import extension_path
from comboi_core.sources.postgres.table import PostgresTable
from tests.support.azure_sql import anywhere, azure
from tests.support.shop import SourceShop

__all__ = ["anywhere", "azure"]

PASSWORD = "p'w \"d/é%:@?&=#+"
_NUMBERS = itertools.count()


@contextmanager
def data_folder() -> Iterator[Path]:
    """A folder of its own in the system's temporary one.

    Not pytest's: each pytest that starts closes the folder above those of all its runs, and the server's user has to
    pass through it.
    """
    with Scratch() as folder:
        yield folder


@pytest.fixture(scope="session")
def pg() -> Iterator[EmbeddedPostgres]:
    with data_folder() as folder, EmbeddedPostgres(folder, tcp=True, password=PASSWORD) as server:
        yield server


@pytest.fixture
def con() -> Iterator[Any]:
    with open_duckdb(memory_limit="512MB", threads=2) as opened:
        yield opened


@pytest.fixture
def schema(pg: EmbeddedPostgres) -> str:
    name = f"t{next(_NUMBERS)}"
    pg.psql(f"CREATE SCHEMA {name}")
    return name


class Shop(SourceShop):
    """One table of the source called `shop`, in PostgreSQL."""

    kind = "postgres"

    def __init__(self, con: Any, uri: str, schema: str, psql: Callable[[str], str]) -> None:
        super().__init__(con, schema, {"conn_str": uri})
        self.uri = uri
        self._psql = psql

    def run(self, text: str) -> str:
        """Run SQL as the superuser, `{s}` being the test's schema."""
        return self._psql(self.filled(text))

    def open(self, *, uri: str | None = None, con: Any = None, **table: Any) -> PostgresTable:
        """Open the table `orders` of the test's schema, or what `table` says."""
        return super().open(con=con, connection={"conn_str": uri} if uri else None, **table)

    @contextmanager
    def transaction(self, text: str) -> Iterator[None]:
        """Run SQL in a second session's transaction, which stays open for the block and commits at its end."""
        with open_duckdb(memory_limit="256MB", threads=1) as writer:
            writer.execute(f"LOAD {literal(str(extension_path()))}")
            writer.execute(f"ATTACH {literal(self.uri)} AS w (TYPE postgres)")
            writer.execute("BEGIN")
            writer.execute(f"CALL postgres_execute('w', {literal(self.filled(text))})")
            yield
            writer.execute("COMMIT")


@pytest.fixture
def shop(con: Any, pg: EmbeddedPostgres, schema: str) -> Iterator[Shop]:
    made = Shop(con, pg.uri, schema, pg.psql)
    yield made
    made.close()


@pytest.fixture
def server() -> Iterator[EmbeddedPostgres]:
    """A server that a test may stop."""
    with data_folder() as folder, EmbeddedPostgres(folder) as started:
        yield started
