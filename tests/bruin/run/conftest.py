"""A connection with a source's table, and the folder that assets are written to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from comboi_core.duckdb.engine import open_duckdb


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with open_duckdb(memory_limit="256MB", threads=2) as connection:
        connection.execute("CREATE SCHEMA bronze")
        connection.execute(
            "CREATE VIEW bronze.orders AS SELECT range AS id, range * 1.5 AS amount,"
            " TIMESTAMP '2026-11-21 12:00:00' + to_hours(12 * range) AS happened FROM range(6)"
        )
        yield connection


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "transformations").mkdir()
    return tmp_path / "transformations"
