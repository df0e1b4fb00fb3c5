"""A connection with the inputs of scripts."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from comboi_core.duckdb.engine import open_duckdb


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with open_duckdb(memory_limit="256MB", threads=2) as connection:
        connection.execute("CREATE VIEW orders AS SELECT range AS order_id, range * 1.5 AS amount FROM range(10)")
        connection.execute('CREATE VIEW people AS SELECT 1 AS id, \'Zoë "O\'\'Neil" 🦆\' AS "full ""name"""')
        yield connection
