"""Quarantine: each row goes to one side, whole and for the right reasons, whatever the rows hold."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comboi_core.domain.errors import ScriptError
from comboi_core.duckdb.engine import open_duckdb
from comboi_core.quality.checks import CheckResult
from tests.quality.asking import data, divide, parsed, quarantined


def rows(con: duckdb.DuckDBPyConnection, query: str) -> Counter[tuple[str, ...]]:
    """Return a query's rows as a multiset, each value as DuckDB writes it: NaN is NaN there."""
    shown = con.execute(f"SELECT CAST(COLUMNS(*) AS VARCHAR) FROM ({query})").fetchall()
    return Counter(shown)


def reasons(con: duckdb.DuckDBPyConnection) -> dict[Any, list[str]]:
    """Return the reasons of the bad rows by their first column."""
    return {row[0]: row[-1] for row in con.execute("FROM bad").fetchall()}


def test_each_row_goes_to_one_side_with_its_reasons(con: duckdb.DuckDBPyConnection) -> None:
    data(con, "(1, 'new', 5), (2, NULL, 5), (3, 'odd', -1), (4, 'paid', NULL), (4, 'paid', 2)", "id, status, amount")
    results = divide(
        con,
        quarantined("not_null", ["status", "amount"]),
        quarantined("accepted_values", "status", values=["new", "paid"]),
        {"not_null": "nowhere"},
        quarantined("positive", "amount", severity="warn"),
        quarantined("unique", "id"),
    )
    assert con.execute("FROM good").fetchall() == [(1, "new", 5)]
    assert con.execute("FROM bad ORDER BY ALL").fetchall() == [
        (2, None, 5, ["not_null(status)"]),
        (3, "odd", -1, ["accepted_values(status, values=['new', 'paid'])", "positive(amount)"]),
        (4, "paid", 2, ["unique(id)"]),
        (4, "paid", None, ["not_null(amount)", "unique(id)"]),
    ]
    assert [(found.name.split("(")[0], found.quarantined, found.passed) for found in results] == [
        ("not_null", 1, False),
        ("not_null", 1, False),
        ("accepted_values", 1, False),
        ("positive", 1, False),
        ("unique", 2, False),
    ]
    json.dumps([vars(found) for found in results], allow_nan=False)


def test_what_was_taken_out_is_said_and_shown_and_stops_nothing(con: duckdb.DuckDBPyConnection) -> None:
    data(con, "(3), (NULL), (1), (NULL)")
    missing, negative = divide(con, quarantined("not_null", "a"), quarantined("negative", "a", severity="error"))
    assert missing == CheckResult(
        name="not_null(a)",
        severity="warn",
        passed=False,
        failed_rows=2,
        sample=[{"a": None}, {"a": None}],
        message="2 of 4 rows have no value in a; quarantined",
        quarantined=2,
    )
    assert (negative.sample, negative.severity) == ([{"a": 1}, {"a": 3}], "warn")


def test_a_check_that_nothing_fails_passes(con: duckdb.DuckDBPyConnection) -> None:
    data(con, "(1), (2)")
    (found,) = divide(con, quarantined("unique", "a"))
    assert found == CheckResult("unique(a)", "error", True, 0, [], "2 rows checked", 0)
    assert con.execute("FROM bad").fetchall() == []
    assert con.execute("SELECT count(*) FROM good").fetchone() == (2,)
    assert con.execute("SELECT table_name FROM duckdb_tables()").fetchall() == [("bad",)]


@pytest.mark.parametrize(
    "entries", [(), ({"not_null": "a"},), ({"row_count": {"min": 1}}, {"sql": {"query": "FROM d"}})]
)
def test_without_such_checks_everything_is_good(con: duckdb.DuckDBPyConnection, entries: tuple[Any, ...]) -> None:
    data(con, "(1), (NULL)")
    assert divide(con, *entries) == []
    assert rows(con, "FROM good") == rows(con, "FROM d")
    assert con.execute("FROM bad").fetchall() == []
    assert con.execute("SELECT typeof(_reasons) FROM (SELECT _reasons FROM bad UNION ALL SELECT NULL)").fetchone() == (
        "VARCHAR[]",
    )


@pytest.mark.parametrize(
    ("values", "entry", "left"),
    [
        ("(1), (1), (NULL), (NULL), (2)", quarantined("unique", "a"), ["2", None, None]),
        ("('nan'::DOUBLE), ('nan'), (1)", quarantined("unique", "a"), ["1.0"]),
        ("(0.0::DOUBLE), (-0.0), (1)", quarantined("unique", "a"), ["1.0"]),
        ("([1, NULL]), ([1, NULL]), ([1]), (NULL)", quarantined("unique", "a"), ["[1]", None]),
        ("({'k': NULL}), ({'k': NULL}), ({'k': 1})", quarantined("unique", "a"), ["{'k': 1}"]),
        ("(MAP {'k': 1}), (MAP {'k': 1}), (MAP {'k': 2})", quarantined("unique", "a"), ["{k=2}"]),
        ("('a'), ('A'), ('a '), ('a')", quarantined("unique", "a"), ["A", "a "]),
        ("('nan'::DOUBLE), (-1), (NULL), (1)", quarantined("non_negative", "a"), ["1.0", None]),
        ("('x1'), ('1'), (NULL)", quarantined("pattern", "a", regex="^[0-9]$"), ["1", None]),
        ("(5), (NULL), (1)", quarantined("max", "a", value=3), ["1", None]),
    ],
)
def test_null_passes_all_but_not_null_and_every_row_of_a_repeated_value_goes(
    con: duckdb.DuckDBPyConnection, values: str, entry: Any, left: list[str | None]
) -> None:
    data(con, values)
    divide(con, entry)
    good = [row[0] for row in con.execute("SELECT CAST(a AS VARCHAR) FROM good ORDER BY 1").fetchall()]
    assert good == left


def test_a_repeated_combination_goes_and_one_with_a_null_stays(con: duckdb.DuckDBPyConnection) -> None:
    data(con, "(1, 'x', 1), (1, 'x', 2), (1, 'y', 3), (1, NULL, 4), (1, NULL, 5), (NULL, NULL, 6)", "a, b, n")
    (found,) = divide(con, {"unique_combination": {"columns": ["a", "B"], "on_fail": "quarantine"}})
    assert found.quarantined == 2
    assert con.execute("SELECT n FROM good ORDER BY n").fetchall() == [(3,), (4,), (5,), (6,)]


def test_rows_whose_parent_is_missing_go(con: duckdb.DuckDBPyConnection) -> None:
    data(con, "(1, 1), (2, 9), (3, NULL), (4, 9)", "id, customer")
    con.execute("CREATE TABLE customers AS SELECT unnest([1, NULL]) AS id")
    entry = quarantined("relationships", "customer", to="customers", field="id")
    (found,) = divide(con, entry, relations={"customers": "customers"})
    assert con.execute("SELECT id FROM good ORDER BY id").fetchall() == [(1,), (3,)]
    assert (found.quarantined, found.sample) == (2, [{"id": 2, "customer": 9}, {"id": 4, "customer": 9}])
    assert found.message == "2 of 4 rows have a value in customer that is not in id of customers; quarantined"


def test_a_dataset_that_refers_to_itself_is_not_divided(con: duckdb.DuckDBPyConnection) -> None:
    data(con, "(1, 9)", "id, boss")
    entry = quarantined("relationships", "boss", to="staff", field="id")
    with pytest.raises(ScriptError, match="use on_fail: stop"):
        divide(con, entry, relations={"staff": "d"}, dataset="staff")


def test_all_rows_failing_leave_an_empty_dataset_of_the_same_columns(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("CREATE VIEW d AS SELECT -1 AS a, range AS n FROM range(300000)")
    (found, unique) = divide(con, quarantined("positive", "a"), quarantined("unique", "a"))
    assert (found.quarantined, unique.quarantined) == (300000, 300000)
    assert found.sample == [{"a": -1, "n": n} for n in range(5)]
    assert con.execute("SELECT count(*) FROM good").fetchone() == (0,)
    assert con.execute("DESCRIBE good").fetchall() == con.execute("DESCRIBE d").fetchall()


def test_no_rows_are_divided_into_none(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("CREATE VIEW d AS SELECT 1 AS a WHERE false")
    results = divide(con, quarantined("not_null", "a"), quarantined("unique", "a"))
    assert [(found.passed, found.message) for found in results] == [(True, "0 rows checked")] * 2
    assert con.execute("FROM good UNION ALL SELECT a FROM bad").fetchall() == []


def test_types_are_kept_on_both_sides(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        """CREATE VIEW d AS SELECT unnest([1, NULL]) AS a, 1.10::DECIMAL(38,10) AS dec, TIMESTAMPTZ '2024-01-01' AS tz,
            TIMESTAMP_NS '2024-01-01' AS ns, 'a'::ENUM('a', 'b') AS enum, '{}'::JSON AS json, '\\x00'::BLOB AS bytes,
            [1, NULL] AS list, {'k': 1::UTINYINT} AS struct, MAP {'k': 1} AS map, 1::HUGEINT AS huge,
            '6ba7b810-9dad-11d1-80b4-00c04fd430c8'::UUID AS uuid, INTERVAL 1 DAY AS span, TIME '12:00' AS t,
            '101'::BIT AS bits, 1.5::FLOAT AS f, union_value(num := 1) AS either"""
    )
    divide(con, quarantined("not_null", "a"))
    wanted = con.execute("SELECT column_name, column_type FROM (DESCRIBE d)").fetchall()
    assert con.execute("SELECT column_name, column_type FROM (DESCRIBE good)").fetchall() == wanted
    assert con.execute("SELECT column_name, column_type FROM (DESCRIBE bad)").fetchall() == [
        *wanted,
        ("_reasons", "VARCHAR[]"),
    ]


@pytest.mark.parametrize(
    "column",
    ['say "hi"', "it's", "größe", "select", "a b", "{c}", "x" * 200, "reason", "_comboi_rows", "_comboi_key_1_0"]
    + ["_comboi_found_1", "; DROP VIEW d; --"],
)
def test_any_column_name_works(con: duckdb.DuckDBPyConnection, column: str) -> None:
    quoted = '"' + column.replace('"', '""') + '"'
    data(con, "(NULL::INTEGER), (1), (1), (2), (-1)", quoted)
    divide(con, *(quarantined(kind, column) for kind in ("not_null", "unique", "positive")))
    assert con.execute("FROM good").fetchall() == [(2,)]
    found = {row[0]: row[1] for row in con.execute("FROM bad").fetchall()}
    assert found == {None: [f"not_null({column})"], 1: [f"unique({column})"], -1: [f"positive({column})"]}


def test_labels_with_quotes_are_reasons_as_they_are(con: duckdb.DuckDBPyConnection) -> None:
    data(con, "('x'), ('it''s')")
    divide(con, quarantined("accepted_values", "a", values=["it's"]))
    assert reasons(con) == {"x": ['accepted_values(a, values=["it\'s"])']}


def test_a_column_called_like_the_reasons_is_refused(con: duckdb.DuckDBPyConnection) -> None:
    data(con, "(1, 2)", 'a, "_Reasons"')
    with pytest.raises(ScriptError, match="has a column _reasons"):
        divide(con, quarantined("not_null", "a"))


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (quarantined("not_null", "amuont"), "no column 'amuont' (did you mean 'amount'?)"),
        (quarantined("positive", "name"), "of type VARCHAR, not a number"),
        (quarantined("pattern", "name", regex="(["), "pattern(name, regex=([)"),
        (quarantined("min", "amount", value="ten"), "'ten' is not a number"),
        (quarantined("relationships", "amount", to="gone", field="id"), "there is no dataset or table 'gone'"),
    ],
)
def test_a_check_that_cannot_be_run_names_itself_and_makes_nothing(
    con: duckdb.DuckDBPyConnection, entry: Any, said: str
) -> None:
    data(con, "(1, 'x')", "amount, name")
    with pytest.raises(ScriptError) as raised:
        divide(con, quarantined("not_null", "amount"), entry)
    assert said in raised.value.message and raised.value.message.startswith("the result: ")
    with pytest.raises(duckdb.CatalogException):
        con.execute("FROM good")


def test_checks_of_single_rows_find_the_bad_ones_in_one_scan(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("CREATE SEQUENCE scans")
    con.execute("CREATE VIEW d AS SELECT nextval('scans') AS a FROM range(10)")
    divide(con, quarantined("not_null", "a"), quarantined("max", "a", value=5), quarantined("pattern", "a", regex="1"))
    assert con.execute("SELECT currval('scans')").fetchone() == (10,)


def test_good_and_bad_can_be_written_from_a_file(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    staged = tmp_path / "it's staged.parquet"
    quoted = str(staged).replace("'", "''")
    con.execute(f"COPY (SELECT range AS id, range % 3 AS a FROM range(1000)) TO '{quoted}'")
    divide(con, quarantined("positive", "a"), relation=f"read_parquet('{quoted}')")
    con.execute(f"COPY (FROM good) TO '{tmp_path}/good.parquet'; COPY (FROM bad) TO '{tmp_path}/bad.parquet'")
    read = f"SELECT count(*), count(DISTINCT id) FROM '{tmp_path}/%s.parquet'"
    assert con.execute(read % "good").fetchone() == (666, 666)
    assert con.execute(read % "bad").fetchone() == (334, 334)


# Whatever the rows: good and bad together are the rows, and each is where an oracle in Python says.

NUMBERS = st.one_of(st.none(), st.sampled_from([float("nan"), float("inf"), -0.0, 0.0, 1.0, 2.0, -1.0]))
KEYS = st.one_of(st.none(), st.integers(0, 4))
TEXTS = st.one_of(st.none(), st.text(alphabet="ab'\"% \\\N{SNOWMAN}", max_size=3))
PARENTS = [0, 1, 2]
CHECKS = {
    "not_null": quarantined("not_null", 'odd "name"'),
    "unique": quarantined("unique", "key"),
    "unique_combination": {"unique_combination": {"columns": ["key", 'odd "name"'], "on_fail": "quarantine"}},
    "positive": quarantined("positive", "number"),
    "max": quarantined("max", "number", value=1),
    "accepted_values": quarantined("accepted_values", 'odd "name"', values=["a", "b'", ""]),
    "pattern": quarantined("pattern", 'odd "name"', regex="^[ab]*$"),
    "relationships": quarantined("relationships", "key", to="parents", field="id"),
}
Row = tuple[int | None, str | None, float | None]


def failing(row: Row, others: Counter[Any]) -> dict[str, bool]:
    """Say of each check whether a row fails it."""
    key, text, number = row
    return {
        "not_null": text is None,
        "unique": key is not None and others[key] > 1,
        "unique_combination": None not in (key, text) and others[key, text] > 1,
        "positive": number is not None and not number > 0,
        "max": number is not None and not number <= 1,
        "accepted_values": text is not None and text not in ("a", "b'", ""),
        "pattern": text is not None and not set(text) <= {"a", "b"},
        "relationships": key is not None and key not in PARENTS,
    }


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    given_rows=st.lists(st.tuples(KEYS, TEXTS, NUMBERS), max_size=12),
    kinds=st.lists(st.sampled_from(sorted(CHECKS)), unique=True),
)
def test_good_and_bad_are_exactly_the_rows(given_rows: list[Row], kinds: list[str]) -> None:
    others = Counter([key for key, *_ in given_rows]) + Counter([(key, text) for key, text, _ in given_rows])
    labels = {kind: parsed(CHECKS[kind])[0].label for kind in kinds}
    with open_duckdb(memory_limit="256MB", threads=2) as con:
        con.execute('CREATE TABLE d (key INTEGER, "odd ""name""" VARCHAR, number DOUBLE)')
        if given_rows:
            con.executemany("INSERT INTO d VALUES (?, ?, ?)", given_rows)
        con.execute("CREATE TABLE parents AS SELECT unnest([0, 1, 2, NULL]) AS id")
        results = divide(con, *(CHECKS[kind] for kind in kinds), relations={"parents": "parents"})

        bad = "SELECT * EXCLUDE (_reasons) FROM bad"
        assert rows(con, "FROM good") + rows(con, bad) == rows(con, "FROM d")
        expected = Counter(
            (str(row), tuple(labels[kind] for kind in kinds if failing(row, others)[kind])) for row in given_rows
        )
        found = Counter((str(row), ()) for row in con.execute("FROM good").fetchall())
        found += Counter((str(row[:-1]), tuple(row[-1])) for row in con.execute("FROM bad").fetchall())
        assert found == expected
        assert [item.quarantined for item in results] == [
            sum(failing(row, others)[kind] for row in given_rows) for kind in kinds
        ]
