from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from comboi_core.duckdb.engine import open_duckdb


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with open_duckdb(memory_limit="512MB", threads=2) as connection:
        yield connection
