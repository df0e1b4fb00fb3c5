"""Values of sensitive columns: in no sample, no message and no error, whatever a check does with them."""

from __future__ import annotations

import json
import traceback
from typing import Any

import duckdb
import pytest

from comboi_core.domain.errors import ScriptError
from tests.quality.asking import check, data, divide, one, quarantined

SECRET = "4711"
"""Stands in every sensitive column, as text, number, date or time."""

HIDDEN = frozenset({"Email", "SALARY", "born"})


@pytest.fixture(autouse=True)
def people(con: duckdb.DuckDBPyConnection) -> None:
    data(
        con,
        f"(1, 'a{SECRET}', {SECRET}, DATE '{SECRET}-01-01', 'x'), (2, 'a{SECRET}', {SECRET}, NULL, 'y')",
        "id, email, salary, born, city",
    )


FAILING = [
    {"unique": "email"},
    {"unique_combination": ["email", "salary"]},
    {"accepted_values": {"column": "email", "values": ["b"]}},
    {"max": {"column": "salary", "value": 5}},
    {"max": {"column": "born", "value": "2024-01-01"}},
    {"negative": "salary"},
    {"pattern": {"column": "email", "regex": "^b"}},
    {"relationships": {"column": "salary", "to": "wages", "field": "wage"}},
    {"not_null": "born"},
    {"sql": {"query": "FROM d"}},
    {"sql": {"query": "SELECT email AS note, upper(email), [salary] AS l, d AS whole, {'e': email} AS s FROM d"}},
    {"sql": {"query": "SELECT * FROM d AS t(a, b, c, e, f)"}},
    {"sql": {"query": "SELECT EMAIL FROM d"}},
    {"custom": {"query": "SELECT max(salary) FROM d"}},
    {"custom": {"query": "SELECT salary FROM d"}},
    {"custom": {"query": "SELECT max(salary) AS n FROM d"}},
    {"custom": {"query": "FROM d", "count": 0}},
]


@pytest.mark.parametrize("entry", FAILING, ids=lambda entry: json.dumps(entry)[:60])
def test_a_failing_check_shows_none_of_them(con: duckdb.DuckDBPyConnection, entry: Any) -> None:
    found = one(con, entry, sensitive=HIDDEN, relations={"wages": "(SELECT 1 AS wage)"})
    assert not found.passed
    assert SECRET not in json.dumps(vars(found))
    open_result = one(con, entry, relations={"wages": "(SELECT 1 AS wage)"})
    assert SECRET in json.dumps(vars(open_result)), "the test's own check: without `sensitive` it would be seen"


def test_the_other_columns_are_shown(con: duckdb.DuckDBPyConnection) -> None:
    found = one(con, {"not_null": "born"}, sensitive=HIDDEN)
    assert found.sample == [{"id": 2, "email": "***", "salary": "***", "born": None, "city": "y"}]
    found = one(con, {"sql": {"query": "SELECT city, count(*), count(email) FROM d GROUP BY city ORDER BY city"}})
    assert found.sample == [{"city": city, "count_star()": 1, "count(email)": 1} for city in "xy"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT count(*) FROM d WHERE salary > 5", "the query returns 2, expected 0"),
        ("SELECT count(DISTINCT email) FROM d", "the query returns 1, expected 0"),
        ("SELECT max(id) FROM d", "the query returns ***, expected 0"),
        ("SELECT id FROM d ORDER BY id", "the query returns 1, expected 0"),
    ],
)
def test_counts_are_shown(con: duckdb.DuckDBPyConnection, query: str, said: str) -> None:
    assert one(con, {"custom": {"query": query}}, sensitive=HIDDEN).message == said


@pytest.mark.parametrize("max_age", ["1h", "3650d"])
@pytest.mark.parametrize("born", ["2001-02-03", "2026-11-23", "2030-01-01"])
def test_the_age_of_the_newest_one_is_not_told(con: duckdb.DuckDBPyConnection, born: str, max_age: str) -> None:
    data(con, f"(DATE '{born}')", "born")
    found = one(con, {"freshness": {"column": "BORN", "max_age": max_age}}, sensitive=HIDDEN)
    expected = "young enough" if found.passed else f"too old, expected at most {max_age}"
    assert found.message == f"the newest BORN is {expected}"


@pytest.mark.parametrize(
    "query",
    [
        "SELECT CAST(email AS INTEGER) FROM d",
        "SELECT count(*) FROM d WHERE CAST(email AS DATE) > '2024-01-01'",
        "SELECT error(email) FROM d",
        "SELECT salary::TINYINT FROM d",
        "SELECT email FROM d",
    ],
)
def test_an_error_shows_none_of_them(con: duckdb.DuckDBPyConnection, query: str) -> None:
    for kind in ("sql", "custom"):
        try:
            found = one(con, {kind: {"query": query}}, sensitive=HIDDEN)
        except ScriptError as error:
            assert SECRET not in "".join(traceback.format_exception(error)) + error.remedy
            assert kind in error.message
        else:
            assert SECRET not in json.dumps(vars(found))


def test_an_error_of_the_query_itself_is_told_in_full(con: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(ScriptError, match=r"emial(?s:.*)Candidate bindings"):
        one(con, {"sql": {"query": "SELECT emial FROM d"}}, sensitive=HIDDEN)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"pattern": {"column": "email", "regex": "(["}}, "missing ]"),
        ({"min": {"column": "born", "value": "someday"}}, "someday"),
        ({"max": {"column": "salary", "value": "ten"}}, "'ten' is not a number"),
    ],
)
def test_a_parameter_that_is_wrong_in_itself_is_told_in_full(
    con: duckdb.DuckDBPyConnection, entry: Any, said: str
) -> None:
    with pytest.raises(ScriptError) as raised:
        one(con, entry, sensitive=HIDDEN)
    assert said in raised.value.message.split("): ")[1]


def test_quarantine_shows_none_of_them_and_keeps_them(con: duckdb.DuckDBPyConnection) -> None:
    results = divide(
        con,
        quarantined("unique", "email"),
        quarantined("max", "salary", value=5),
        quarantined("pattern", "email", regex="^b"),
        sensitive=HIDDEN,
    )
    assert SECRET not in json.dumps([vars(found) for found in results])
    assert [found.quarantined for found in results] == [2, 2, 2]
    assert con.execute("SELECT DISTINCT email, salary FROM bad").fetchall() == [(f"a{SECRET}", int(SECRET))]
    listed = con.execute("SELECT CAST(_reasons AS VARCHAR) FROM bad").fetchall()
    assert SECRET not in str(listed)


def test_all_checks_at_once_show_none_of_them(con: duckdb.DuckDBPyConnection) -> None:
    results = check(con, *FAILING, sensitive=HIDDEN, relations={"wages": "(SELECT 1 AS wage)"})
    assert len(results) == len(FAILING) and SECRET not in json.dumps([vars(found) for found in results])
