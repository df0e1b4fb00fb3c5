"""One embedded PostgreSQL for the folder, and DuckDB copies of its tables before and after the day of changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from comboi_core.cli.demo.data import change_source, load_source
from comboi_core.cli.demo.postgres import EmbeddedPostgres
from comboi_core.domain.folders import Scratch
from tests.demo.plain import attach


@dataclass
class Snapshots:
    """The source's tables in the DuckDB catalogs `before` and `after`, schema `nyc`; and what was returned."""

    con: duckdb.DuckDBPyConnection
    loaded: dict[str, int]
    changed: dict[str, int]


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """A directory right below the temporary one: pytest's own are closed to the server's user and get long."""
    with Scratch() as path:
        yield path


@pytest.fixture(scope="session")
def source() -> Iterator[EmbeddedPostgres]:
    """A running server; what is in it, each test says itself."""
    with Scratch() as path, EmbeddedPostgres(path) as server:
        yield server


@pytest.fixture(scope="session")
def snapshots(source: EmbeddedPostgres) -> Iterator[Snapshots]:
    """The source loaded, copied, changed and copied again."""
    with duckdb.connect() as con:
        attach(con, source.uri)
        loaded = load_source(source.uri)
        _copy(con, "before", loaded)
        changed = change_source(source.uri)
        _copy(con, "after", loaded)
        yield Snapshots(con, loaded, changed)


def _copy(con: duckdb.DuckDBPyConnection, catalog: str, tables: dict[str, int]) -> None:
    con.execute(f"ATTACH ':memory:' AS {catalog}")
    con.execute(f"CREATE SCHEMA {catalog}.nyc")
    for table in tables:
        name = table.split(".")[1]
        con.execute(f"CREATE TABLE {catalog}.nyc.{name} AS FROM postgres_query('source', 'SELECT * FROM {table}')")
