"""Quality checks on hostile data: what passes, what fails, and what is said and shown."""

from __future__ import annotations

import json
import textwrap
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from comboi_core.domain.errors import ScriptError, SourceUnreachable
from comboi_core.quality.checks import CheckResult
from tests.quality.asking import check, data, one, quarantined

# Which rows fail.

NAN, INF = "'nan'::DOUBLE", "'inf'::DOUBLE"


@pytest.mark.parametrize(
    ("values", "entry", "failed"),
    [
        ("(1), (NULL), (NULL)", {"not_null": "a"}, 2),
        ("(1), (1), (1), (2), (NULL), (NULL)", {"unique": "a"}, 2),
        (f"({NAN}), ({NAN}), (1)", {"unique": "a"}, 1),
        ("('a'), ('A'), ('a ')", {"unique": "a"}, 0),
        ("(0), (-1), (1), (NULL)", {"positive": "a"}, 2),
        ("(0), (-1), (1), (NULL)", {"non_negative": "a"}, 1),
        ("(0), (-1), (1), (NULL)", {"negative": "a"}, 2),
        (f"({NAN}), ({INF}), (1)", {"positive": "a"}, 1),
        (f"({NAN}), ({INF}), (1)", {"non_negative": "a"}, 1),
        (f"({NAN}), (-1), (NULL)", {"negative": "a"}, 1),
        (f"({NAN}), (-1), ({INF}), (NULL)", {"min": {"column": "a", "value": 0}}, 2),
        (f"({NAN}), (-1), ({INF}), (NULL)", {"max": {"column": "a", "value": 0}}, 2),
        (f"({NAN}), (1), (NULL)", {"accepted_values": {"column": "a", "values": [1]}}, 1),
        ("(0.1), (0.30000000000000004)", {"max": {"column": "a", "value": 0.3}}, 1),
        ("(9007199254740993), (9007199254740992)", {"max": {"column": "a", "value": 9007199254740992}}, 1),
        ("(DATE '2024-01-01'), (DATE '2024-01-03')", {"min": {"column": "a", "value": "2024-01-02"}}, 1),
        ("(DATE '2024-01-01'), (DATE '2024-01-03')", {"min": {"column": "a", "value": date(2024, 1, 2)}}, 1),
        ("(DATE '2024-01-01'), (DATE '2024-01-03')", {"min": {"column": "a", "value": "2024-01-01 12:00"}}, 1),
        ("(TIMESTAMPTZ '2024-01-01 00:00:00+02')", {"max": {"column": "a", "value": "2023-12-31 21:59:59+00"}}, 1),
        ("('2024-01-01'), ('2024-01-03')", {"min": {"column": "a", "value": "2024-01-02"}}, 1),
        ("('new'), ('New'), (''), (NULL)", {"accepted_values": {"column": "a", "values": ["new"]}}, 2),
        ("('it''s'), ('x')", {"accepted_values": {"column": "a", "values": ["it's"]}}, 1),
        ("('a'), ('b')", {"accepted_values": {"column": "a", "values": ["a", None]}}, 1),
        ("(1), (2), (3)", {"accepted_values": {"column": "a", "values": [1.5, 2, 3]}}, 1),
        ("(1.00::DECIMAL(9,2)), (2.50)", {"accepted_values": {"column": "a", "values": [1]}}, 1),
        ("('1'), ('2')", {"accepted_values": {"column": "a", "values": [1]}}, 1),
        ("(true), (false)", {"accepted_values": {"column": "a", "values": [True]}}, 1),
        ("(DATE '2024-01-01'), (DATE '2024-01-02')", {"accepted_values": {"column": "a", "values": ["2024-01-01"]}}, 1),
        ("('ab1'), ('1'), ('ab'), ('')", {"pattern": {"column": "a", "regex": "[0-9]"}}, 2),
        ("('x1'), ('1'), (NULL)", {"pattern": {"column": "a", "regex": "^[0-9]$"}}, 1),
        ("(11), (22)", {"pattern": {"column": "a", "regex": "^1+$"}}, 1),
        ("('it''s'), ('x')", {"pattern": {"column": "a", "regex": "t's"}}, 1),
    ],
)
def test_exactly_the_failing_rows_are_counted(
    con: duckdb.DuckDBPyConnection, values: str, entry: Any, failed: int
) -> None:
    data(con, values)
    found = one(con, entry)
    assert (found.failed_rows, found.passed) == (failed, failed == 0)
    assert bool(found.sample) == bool(failed)


def test_repeated_combinations_are_found_and_one_with_a_null_passes(con: duckdb.DuckDBPyConnection) -> None:
    data(con, "(1, 'x'), (1, 'x'), (1, 'y'), (1, NULL), (1, NULL)", "a, b")
    found = one(con, {"unique_combination": ["a", "b"]})
    assert (found.failed_rows, found.sample) == (1, [{"a": 1, "b": "x"}] * 2)
    assert found.name == "unique_combination(a, b)"


@pytest.mark.parametrize(
    ("bounds", "passed", "said"),
    [
        ({"min": 2}, True, "2 rows"),
        ({"min": 3}, False, "2 rows, expected at least 3"),
        ({"max": 1}, False, "2 rows, expected at most 1"),
        ({"min": 1, "max": 2}, True, "2 rows"),
    ],
)
def test_rows_are_counted(con: duckdb.DuckDBPyConnection, bounds: dict[str, int], passed: bool, said: str) -> None:
    data(con, "(1), (2)")
    found = one(con, {"row_count": bounds})
    assert (found.passed, found.failed_rows, found.message) == (passed, None, said)


ALL_KINDS = [
    {"not_null": "a"},
    {"unique": "a"},
    {"unique_combination": ["a"]},
    {"accepted_values": {"column": "a", "values": [1]}},
    {"min": {"column": "a", "value": 5}},
    {"max": {"column": "a", "value": -5}},
    {"positive": "a"},
    {"non_negative": "a"},
    {"negative": "a"},
    {"pattern": {"column": "a", "regex": "x"}},
    {"row_count": {"max": 0}},
    {"sql": {"query": "FROM d WHERE a IS NULL OR a = 0"}},
    {"relationships": {"column": "a", "to": "d", "field": "a"}},
    {"custom": {"query": "SELECT count(*) FROM d WHERE a > 100"}},
]


def test_nothing_but_missing_values_is_wrong_with_nulls(con: duckdb.DuckDBPyConnection) -> None:
    data(con, "(NULL::INTEGER), (NULL)")
    failing = [found.name for found in check(con, *ALL_KINDS) if not found.passed]
    assert failing == ["not_null(a)", "row_count(max=0)", "sql(query=FROM d WHERE a IS NULL OR a = 0)"]


def test_an_empty_dataset_passes_everything_that_is_about_rows(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("CREATE VIEW d AS SELECT 1 AS a WHERE false")
    results = check(con, *ALL_KINDS, {"row_count": {"min": 1}})
    assert [found.name for found in results if not found.passed] == ["row_count(min=1)"]


def test_results_keep_the_order_and_severity_of_the_checks_and_are_json(con: duckdb.DuckDBPyConnection) -> None:
    data(con, "(0), (NULL), (0)")
    entries = [{"row_count": {"min": 9}}, {"positive": {"column": "a", "severity": "warn"}}, *ALL_KINDS]
    results = check(con, *entries)
    assert [found.name for found in results[:3]] == ["row_count(min=9)", "positive(a)", "not_null(a)"]
    assert [found.severity for found in results[:3]] == ["error", "warn", "error"]
    json.dumps([vars(found) for found in results], allow_nan=False)


def test_every_row_failing_every_check_shows_five(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("CREATE VIEW d AS SELECT -1 AS a FROM range(100000)")
    positive, unique = check(con, {"positive": "a"}, {"unique": "a"})
    assert (positive.failed_rows, len(positive.sample)) == (100000, 5)
    assert (unique.failed_rows, len(unique.sample)) == (99999, 5)
    assert positive.message == "100000 of 100000 rows have a value in a that is not positive"


@pytest.mark.parametrize(
    "column", ['say "hi"', "it's", "größe", "select", "a b", "{c}", "x" * 200, "; DROP VIEW d; --"]
)
def test_any_column_name_works(con: duckdb.DuckDBPyConnection, column: str) -> None:
    quoted = '"' + column.replace('"', '""') + '"'
    data(con, "(NULL::INTEGER), (1), (1)", quoted)
    results = check(
        con, {"not_null": column}, {"unique": column}, {"max": {"column": column, "value": 0}}, {"positive": column}
    )
    assert [found.failed_rows for found in results] == [1, 1, 2, 0]
    assert results[0].sample == [{column: None}]


def test_columns_are_found_as_sql_finds_them(con: duckdb.DuckDBPyConnection) -> None:
    data(con, "(1.5::DOUBLE)", "Amount")
    assert one(con, {"min": {"column": "amount", "value": 2}}).failed_rows == 1


def test_row_checks_together_cost_one_scan(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("CREATE SEQUENCE scans")
    con.execute("CREATE VIEW d AS SELECT nextval('scans') AS a FROM range(10)")
    check(con, {"not_null": "a"}, {"positive": "a"}, {"min": {"column": "a", "value": 0}}, {"row_count": {"min": 1}})
    assert con.execute("SELECT currval('scans')").fetchone() == (10,)


# What is shown.


def test_samples_hold_what_json_can_hold(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        """CREATE VIEW d AS SELECT
            NULL::INTEGER AS a, 1.10::DECIMAL(9,2) AS dec, TIMESTAMPTZ '2024-01-01 00:00:00+02' AS ts,
            'infinity'::TIMESTAMP AS inf, DATE '0044-03-15 (BC)' AS bc, '\\x00\\xFF'::BLOB AS bytes,
            repeat('ü', 201) AS long, repeat('ü', 200) AS fits, 'nan'::DOUBLE AS nan, 9007199254740993 AS big,
            1.5::FLOAT AS f, true AS b, [1, NULL] AS list, {'k': 'v'} AS struct,
            '6ba7b810-9dad-11d1-80b4-00c04fd430c8'::UUID AS u, INTERVAL 1 DAY AS i,
            170141183460469231731687303715884105727 AS h
        """
    )
    (row,) = one(con, {"not_null": "a"}).sample
    assert row == {
        "a": None,
        "dec": "1.10",
        "ts": "2023-12-31 22:00:00+00",
        "inf": "infinity",
        "bc": "0044-03-15 (BC)",
        "bytes": "\\x00\\xFF",
        "long": "ü" * 197 + "...",
        "fits": "ü" * 200,
        "nan": "nan",
        "big": "9007199254740993",
        "f": 1.5,
        "b": True,
        "list": "[1, NULL]",
        "struct": "{'k': v}",
        "u": "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "i": "1 day",
        "h": "170141183460469231731687303715884105727",
    }
    json.dumps(row, allow_nan=False)


# Checks that cannot be run as they are written.


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"not_null": "amuont"}, "no column 'amuont' (did you mean 'amount'?)"),
        ({"unique_combination": ["amount", "nope"]}, "no column 'nope'"),
        ({"min": {"column": "amount", "value": "ten"}}, "'ten' is not a number"),
        ({"min": {"column": "name", "value": 5}}, "cast the column in the transformation"),
        ({"min": {"column": "day", "value": "someday"}}, "min(day, value=someday)"),
        ({"positive": "name"}, "of type VARCHAR, not a number"),
        ({"accepted_values": {"column": "amount", "values": ["a"]}}, "'a' is not a number"),
        ({"pattern": {"column": "name", "regex": "(["}}, "pattern(name, regex=([)"),
    ],
)
def test_a_check_that_cannot_be_run_says_so_and_names_itself(
    con: duckdb.DuckDBPyConnection, entry: Any, said: str
) -> None:
    data(con, "(1, 'x', DATE '2024-01-01')", "amount, name, day")
    with pytest.raises(ScriptError) as raised:
        check(con, {"not_null": "amount"}, entry, {"positive": "amount"})
    assert said in raised.value.message
    assert raised.value.message.startswith("d: ")


def test_all_unknown_columns_are_named_at_once_with_those_there_are(con: duckdb.DuckDBPyConnection) -> None:
    data(con, "(1, 2)", "alpha, beta")
    with pytest.raises(ScriptError, match="'gamma'.*'delta'.*the columns are alpha, beta"):
        check(con, {"not_null": ["gamma", "delta"]})


# Scripts.


def script(folder: Path, text: str) -> Path:
    path = folder / "looks_right.py"
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


def test_a_script_passes_or_fails_with_its_own_words(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    data(con, "(1), (2)")
    script(
        tmp_path,
        """
        def check(con, dataset_name):
            rows = con.execute(f"SELECT count(*) FROM {dataset_name}").fetchone()[0]
            return rows > 2, f"{rows} rows in {dataset_name}"
        """,
    )
    found = one(con, "looks_right", scripts_folder=tmp_path)
    assert found == CheckResult("looks_right", "error", False, None, [], "2 rows in d")


@pytest.mark.parametrize(
    "answer", ["None", "True", "(True,)", "[True, '']", "(1, 'x')", "(None, 'x')", "(True, None)", "(True, 'x', 1)"]
)
def test_a_misshapen_answer_is_refused(con: duckdb.DuckDBPyConnection, tmp_path: Path, answer: str) -> None:
    data(con, "(1)")
    path = script(tmp_path, f"def check(con, dataset_name):\n    return {answer}\n")
    with pytest.raises(ScriptError, match=r"expected \(True or False, 'a message'\)") as raised:
        one(con, "looks_right", scripts_folder=tmp_path)
    assert raised.value.message.startswith(f"{path}:1: check returned ")


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("def check(con, dataset_name):\n    return 1 / 0\n", 2, "ZeroDivisionError: division by zero"),
        ("def check(con, dataset_name):\n    con.execute('FROM nowhere')\n", 2, "Catalog Error"),
        ("def check(con, dataset_name):\n    raise SystemExit(1)\n", 2, "SystemExit"),
        ("import no_such_package_at_all\n\ndef check(con, dataset_name): ...\n", 1, "ModuleNotFoundError"),
        ("def check(con, dataset_name)\n    pass\n", 1, "SyntaxError"),
        ("\ndef check(con):\n    pass\n", 2, "takes other arguments"),
        ("def transform(con, inputs): ...\n", 1, "defines no function check(con, dataset_name)"),
    ],
)
def test_a_broken_script_is_named_with_its_line(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, text: str, line: int, said: str
) -> None:
    data(con, "(1)")
    path = script(tmp_path, text)
    with pytest.raises(ScriptError) as raised:
        one(con, "looks_right", scripts_folder=tmp_path)
    assert raised.value.message.startswith(f"{path}:{line}: ")
    assert said in raised.value.message


def test_a_missing_script_is_named(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    data(con, "(1)")
    with pytest.raises(ScriptError, match=r"looks_right\.py:1: cannot be read"):
        one(con, "looks_right", scripts_folder=tmp_path)


def test_an_error_that_comboi_raised_on_purpose_passes_through(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    data(con, "(1)")
    script(
        tmp_path,
        """
        from comboi_core.domain.errors import SourceUnreachable
        def check(con, dataset_name):
            raise SourceUnreachable("away")
        """,
    )
    with pytest.raises(SourceUnreachable):
        one(con, "looks_right", scripts_folder=tmp_path)


def test_a_dataset_with_a_schema_is_read_by_its_name(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    con.execute("CREATE SCHEMA silver; CREATE VIEW silver.orders AS SELECT unnest([1, 1, NULL]) AS a")
    script(
        tmp_path,
        """
        def check(con, dataset_name):
            return True, str(con.execute(f"SELECT count(*) FROM {dataset_name}").fetchone()[0])
        """,
    )
    entries = [
        {"unique": "a"},
        {"sql": {"query": "FROM silver.orders WHERE a IS NULL"}},
        "looks_right",
        {"not_null": "a"},
    ]
    results = check(con, *entries, dataset="silver.orders", scripts_folder=tmp_path)
    assert [(found.failed_rows, found.message.split(" ")[0]) for found in results] == [
        (1, "1"),
        (1, "1"),
        (None, "3"),
        (1, "1"),
    ]
    with pytest.raises(ScriptError, match=r"^silver\.orders: "):
        check(con, {"not_null": "b"}, dataset="silver.orders")


def test_checks_that_take_rows_out_are_left_to_quarantine(con: duckdb.DuckDBPyConnection) -> None:
    data(con, "(NULL)")
    results = check(con, quarantined("not_null", "a"), {"row_count": {"min": 1}}, quarantined("unique", "nowhere"))
    assert [found.name for found in results] == ["row_count(min=1)"]


def test_no_checks_are_no_results(con: duckdb.DuckDBPyConnection) -> None:
    data(con, "(1)")
    assert check(con) == []
