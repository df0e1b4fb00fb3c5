"""A real PostgreSQL for the whole session, a schema of its own for each test."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from comboi_core.cli.demo.postgres import EmbeddedPostgres
from comboi_core.config.sources import PostgresSource
from comboi_core.domain.load import Checkpoint, LoadPlan
from comboi_core.domain.sql import literal
from comboi_core.sources.postgres import PostgresTable
from comboi_core.sources.postgres_session import extension_path
from comboi_core.sources.registry import open_source
from comboi_core.transforms.engine import open_duckdb
from tests.support.azure_sql import anywhere, azure

__all__ = ["anywhere", "azure"]

PASSWORD = "p'w \"d/é%:@?&=#+"
_NUMBERS = itertools.count()


@contextmanager
def data_folder() -> Iterator[Path]:
    """A folder of its own in the system's temporary one.

    Not pytest's: each pytest that starts closes the folder above those of all its runs, and the server's user has to
    pass through it.
    """
    with tempfile.TemporaryDirectory(prefix="comboi-test-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


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


@dataclass
class Shop:
    """One table of the source called `shop`, as a test uses it."""

    con: Any
    uri: str
    schema: str
    psql: Callable[[str], str]
    opened: list[PostgresTable] = field(default_factory=list)

    def run(self, text: str) -> str:
        """Run SQL as the superuser, `{s}` being the test's schema."""
        return self.psql(text.replace("{s}", self.schema))

    def open(self, *, uri: str | None = None, con: Any = None, **table: Any) -> PostgresTable:
        """Open the table `orders` of the test's schema, or what `table` says."""
        if "query" not in table:
            table.setdefault("table", f"{self.schema}.orders")
        given = {
            key: value.replace("{s}", self.schema) if isinstance(value, str) else value for key, value in table.items()
        }
        config = PostgresSource.model_validate(
            {
                "name": "shop",
                "type": "postgres",
                "connection": {"conn_str": uri or self.uri},
                "tables": [{"name": "orders"} | given],
            }
        )
        adapter = open_source(con or self.con, config, config.tables[0], {"conn_str": uri or self.uri})
        self.opened.append(adapter)
        return adapter

    def plan(self, checkpoint: Checkpoint | None = None, *, full_refresh: bool = False, **table: Any) -> LoadPlan:
        return self.open(**table).plan(checkpoint or Checkpoint(), full_refresh=full_refresh)

    def land(
        self, checkpoint: Checkpoint | None = None, *, full_refresh: bool = False, **table: Any
    ) -> tuple[LoadPlan, list[tuple[str | None, ...]], Checkpoint]:
        """Plan and read a load; return the plan, the rows as text in order, and the checkpoint after it."""
        checkpoint = checkpoint or Checkpoint()
        adapter = self.open(**table)
        load = adapter.plan(checkpoint, full_refresh=full_refresh)
        rows: list[tuple[str | None, ...]] = []
        for chunk in load.chunks:
            try:
                rows += self.con.execute(f"SELECT COLUMNS(*)::VARCHAR FROM ({adapter.select(load, chunk)})").fetchall()
            except Exception as error:
                raise adapter.translate(error) from None
        if load.unchanged:
            return load, rows, checkpoint
        after = Checkpoint(load.sequence, load.watermark, None, load.columns)
        return load, sorted(rows, key=repr), after

    @contextmanager
    def transaction(self, text: str) -> Iterator[None]:
        """Run SQL in a second session's transaction, which stays open for the block and commits at its end."""
        with open_duckdb(memory_limit="256MB", threads=1) as writer:
            writer.execute(f"LOAD {literal(str(extension_path()))}")
            writer.execute(f"ATTACH {literal(self.uri)} AS w (TYPE postgres)")
            writer.execute("BEGIN")
            writer.execute(f"CALL postgres_execute('w', {literal(text.replace('{s}', self.schema))})")
            yield
            writer.execute("COMMIT")


@pytest.fixture
def shop(con: Any, pg: EmbeddedPostgres, schema: str) -> Iterator[Shop]:
    made = Shop(con, pg.uri, schema, pg.psql)
    yield made
    for adapter in made.opened:
        adapter.close()


@pytest.fixture
def server() -> Iterator[EmbeddedPostgres]:
    """A server that a test may stop."""
    with data_folder() as folder, EmbeddedPostgres(folder) as started:
        yield started
