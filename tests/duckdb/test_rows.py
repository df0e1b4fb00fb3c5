"""The row of a query that always gives one."""

from __future__ import annotations

import duckdb
import pytest

from comboi_core.domain.errors import InternalError
from comboi_core.duckdb.rows import one_row


def test_the_row_of_a_query_with_and_without_parameters():
    with duckdb.connect() as con:
        assert one_row(con, "SELECT count(*), 'a' FROM range(3)") == (3, "a")
        assert one_row(con, "SELECT ?::INTEGER + 1", [41]) == (42,)


def test_no_row_is_an_error_that_shows_no_value_of_the_query():
    with duckdb.connect() as con, pytest.raises(InternalError) as refused:
        one_row(con, "SELECT 1 WHERE 'secret' = ''")

    assert "secret" not in refused.value.message
