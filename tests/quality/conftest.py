"""The DuckDB that checks are run in."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from comboi_core.duckdb.engine import open_duckdb


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """A small DuckDB of its own."""
    with open_duckdb(memory_limit="256MB", threads=2) as connection:
        yield connection
