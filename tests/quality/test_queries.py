"""Checks that are queries: what counts as failing, and what a query may not be."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from comboi_core.domain.errors import ScriptError
from tests.quality.asking import data, one


def test_a_query_s_rows_are_the_failing_ones_whatever_its_dress(con: duckdb.DuckDBPyConnection) -> None:
    data(con, "(1), (2), (3)")
    query = "-- why; so\nSELECT a, 'x' AS note FROM d WHERE a > 1 ORDER BY a; -- done"
    found = one(con, {"sql": {"query": query, "description": "are too large"}})
    assert (found.failed_rows, found.message) == (2, "2 rows are too large")
    assert found.sample == [{"a": 2, "note": "x"}, {"a": 3, "note": "x"}]


@pytest.mark.parametrize(
    ("query", "value", "passed", "said"),
    [
        ("SELECT count(*) FROM d WHERE a > 2", 1, True, "the query returns 1"),
        ("SELECT count(*) FROM d WHERE a > 5", None, True, "the query returns 0"),
        ("SELECT count(*) FROM d", None, False, "the query returns 3, expected 0"),
        ("SELECT max(a) > 2 FROM d", 1, True, "the query returns True"),
        ("SELECT max(a) > 3 FROM d", 0, True, "the query returns False"),
        ("SELECT min(a) > 3 FROM d", 1, False, "the query returns False, expected 1"),
        ("SELECT '3'", 3, True, "the query returns 3"),
        ("SELECT 3.00::DECIMAL(9,2)", 3, True, "the query returns 3.00"),
        ("SELECT 0.4", 0, False, "the query returns 0.4, expected 0"),
        ("SELECT -0.0::DOUBLE", 0, True, "the query returns -0.0"),
        ("SELECT 9007199254740993", 9007199254740992, False, "returns 9007199254740993, expected 9007199254740992"),
        ("SELECT 170141183460469231731687303715884105727", 0, False, "returns 170141183460469231731687303715884105727"),
        ("SELECT sum(a) FROM d WHERE a > 5", 0, False, "the query returns NULL, expected 0"),
        ("SELECT a FROM d WHERE a > 5", 0, False, "the query returns no row, expected 0"),
        ("SELECT a, 99 FROM d ORDER BY a DESC", 3, True, "the query returns 3"),
        ('SELECT a AS "say ""hi""" FROM d ORDER BY a -- first', 1, True, "the query returns 1"),
        ("WITH odd AS (FROM d WHERE a % 2 = 1) SELECT count(*) FROM odd;", 2, True, "the query returns 2"),
    ],
)
def test_the_first_cell_of_a_custom_query_is_compared(
    con: duckdb.DuckDBPyConnection, query: str, value: int | None, passed: bool, said: str
) -> None:
    data(con, "(1), (2), (3)")
    body = {"query": query} if value is None else {"query": query, "value": value}
    found = one(con, {"custom": body})
    assert (found.passed, found.failed_rows, found.sample) == (passed, None, [])
    assert said in found.message


@pytest.mark.parametrize(("count", "passed"), [(0, False), (1, False), (2, True), (3, False)])
def test_a_custom_query_s_rows_are_counted(con: duckdb.DuckDBPyConnection, count: int, passed: bool) -> None:
    data(con, "(1), (2), (3)")
    found = one(con, {"custom": {"name": "two are large", "query": "FROM d WHERE a > 1 ORDER BY a", "count": count}})
    assert (found.name, found.passed) == ("two are large", passed)
    assert found.message == ("the query returns 2 rows" if passed else f"the query returns 2 rows, expected {count}")
    assert found.sample == ([] if passed else [{"a": 2}, {"a": 3}])


@pytest.mark.parametrize("kind", ["sql", "custom"])
@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELEC", "syntax error"),
        ("-- nothing", "expected one SELECT, not a comment"),
        (";", "expected one SELECT"),
        ("FROM nowhere", "nowhere"),
        ("SELECT CAST(name AS INTEGER) AS n FROM d WHERE n > 0", "Could not convert"),
        ("SELECT 1; SELECT 2", "expected one SELECT, not SELECT and SELECT"),
        ("SELECT 1; DROP VIEW d", "expected one SELECT, not SELECT and DROP"),
        ("DROP VIEW d", "expected one SELECT, not DROP"),
        ("COPY d TO 'stolen.csv'", "expected one SELECT, not COPY"),
        ("SELECT $a", "arameter"),
    ],
)
def test_a_query_that_cannot_be_run_says_so_and_does_nothing(
    con: duckdb.DuckDBPyConnection, kind: str, query: str, said: str
) -> None:
    data(con, "(1, 'x')", "a, name")
    with pytest.raises(ScriptError) as raised:
        one(con, {kind: {"query": query}})
    assert said in raised.value.message and raised.value.message.startswith("d: ")
    assert con.execute("SELECT count(*) FROM d").fetchone() == (1,)


@pytest.mark.parametrize("cell", ["'many'", "'nan'::DOUBLE", "'inf'::DOUBLE", "[1]", "DATE '2024-01-01'", "''"])
def test_a_custom_query_has_to_return_a_number(con: duckdb.DuckDBPyConnection, cell: str) -> None:
    data(con, "(1)")
    with pytest.raises(ScriptError, match="which is not a number"):
        one(con, {"custom": {"query": f"SELECT {cell}"}})


@pytest.mark.parametrize(
    "entry",
    [
        {"sql": {"query": "FROM d"}},
        {"custom": {"query": "SELECT 1"}},
        {"custom": {"query": "SELECT error('no')"}},
        {"custom": {"query": "SELECT 'x'"}},
    ],
)
def test_nothing_is_left_of_a_query(con: duckdb.DuckDBPyConnection, entry: Any) -> None:
    data(con, "(1)")
    try:
        one(con, entry)
    except ScriptError as error:
        assert "error" in entry["custom"]["query"] or "number" in error.message
    assert con.execute("SELECT count(*) FROM duckdb_views() WHERE view_name LIKE '_comboi%'").fetchone() == (0,)
