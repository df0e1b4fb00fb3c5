"""Relationships: every value is one of another dataset's column."""

from __future__ import annotations

import duckdb
import pytest

from comboi_core.domain.errors import ScriptError
from comboi_core.quality.checks import CheckResult
from tests.quality.asking import data, one

PARENT = {"customers": "(FROM parents)"}


def related(con: duckdb.DuckDBPyConnection, field: str = "k", to: str = "customers") -> CheckResult:
    return one(con, {"relationships": {"column": "a", "to": to, "field": field}}, relations=PARENT)


@pytest.mark.parametrize(
    ("values", "parents", "failed"),
    [
        ("(1), (2), (2), (3)", "(1), (3)", 2),
        ("(1), (NULL), (NULL)", "(1)", 0),
        ("(1), (2)", "(1), (NULL)", 1),
        ("(1), (1)", "(1), (1), (1)", 0),
        ("(1), (2)", "(NULL::INTEGER)", 2),
        ("(NULL::INTEGER)", "(NULL::INTEGER)", 0),
        ("(1::TINYINT), (2)", "(1::HUGEINT)", 1),
        ("(1.50::DECIMAL(9,2)), (2.5)", "(1.5::DOUBLE)", 1),
        ("('nan'::DOUBLE), ('inf')", "('nan'::DOUBLE)", 1),
        ("('a'), ('A'), ('a ')", "('a')", 2),
        ("('it''s'), ('x')", "('it''s')", 1),
        ("('a'::ENUM('a', 'b')), ('b')", "('a')", 1),
        ("('a'::ENUM('a', 'b')), ('b')", "('b'::ENUM('b', 'c'))", 1),
        ("(DATE '2024-01-01'), (DATE '2024-01-02')", "(TIMESTAMP '2024-01-01'), (TIMESTAMP '2024-01-02 12:00')", 1),
        ("('6ba7b810-9dad-11d1-80b4-00c04fd430c8'::UUID)", "('6ba7b811-9dad-11d1-80b4-00c04fd430c8'::UUID)", 1),
        ("('\\x00'::BLOB), ('\\x01'::BLOB)", "('\\x00'::BLOB)", 1),
    ],
)
def test_rows_whose_value_is_not_there_fail(
    con: duckdb.DuckDBPyConnection, values: str, parents: str, failed: int
) -> None:
    data(con, values)
    con.execute(f"CREATE VIEW parents AS SELECT * FROM (VALUES {parents}) AS v(k)")
    found = related(con)
    assert (found.failed_rows, found.passed, len(found.sample)) == (failed, failed == 0, failed)


def test_an_empty_parent_fails_every_value_and_an_empty_dataset_none(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("CREATE VIEW parents AS SELECT 1 AS k WHERE false")
    data(con, "(1), (NULL)")
    assert related(con).failed_rows == 1
    con.execute("CREATE OR REPLACE VIEW d AS SELECT 1 AS a WHERE false")
    assert related(con).passed


def test_what_fails_is_said_and_shown(con: duckdb.DuckDBPyConnection) -> None:
    data(con, "(1, 'x'), (7, 'y')", "a, note")
    con.execute('CREATE VIEW parents AS SELECT 1 AS "K"')
    assert related(con) == CheckResult(
        name="relationships(a, to=customers, field=k)",
        severity="error",
        passed=False,
        failed_rows=1,
        sample=[{"a": 7, "note": "y"}],
        message="1 of 2 rows have a value in a that is not in k of customers",
    )


@pytest.mark.parametrize("name", ['say "hi"', "größe", "select", "a b", "{parents}", "_comboi_parent"])
def test_any_column_name_works_on_both_sides(con: duckdb.DuckDBPyConnection, name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    data(con, "(1), (2)", quoted)
    con.execute(f"CREATE VIEW parents AS SELECT 1 AS {quoted}")
    entry = {"relationships": {"column": name, "to": "customers", "field": name}}
    assert one(con, entry, relations=PARENT).sample == [{name: 2}]


def test_a_dataset_that_refers_to_itself_finds_its_new_rows(con: duckdb.DuckDBPyConnection) -> None:
    data(con, "(1, NULL), (2, 1), (3, 9)", "id, boss")
    published = {"d": "(SELECT 9 AS id)"}
    found = one(con, {"relationships": {"column": "boss", "to": "d", "field": "id"}}, relations=published)
    assert found.sample == [{"id": 3, "boss": 9}]


@pytest.mark.parametrize(
    ("parent", "field", "to", "said"),
    [
        ("1 AS customer_id", "custmer_id", "customers", "no column 'custmer_id' (did you mean 'customer_id'?)"),
        (
            "1 AS k",
            "k",
            "customer",
            "no dataset or table 'customer' to compare with (did you mean 'customers'?)",
        ),
        (
            "'1' AS k",
            "k",
            "customers",
            "a has type INTEGER, and k of customers has type VARCHAR; these cannot be compared",
        ),
        ("DATE '2024-01-01' AS k", "k", "customers", "these cannot be compared, so cast one of them"),
        ("[1] AS k", "k", "customers", "these cannot be compared"),
    ],
)
def test_a_relationship_that_cannot_be_looked_up_says_why(
    con: duckdb.DuckDBPyConnection, parent: str, field: str, to: str, said: str
) -> None:
    data(con, "(1)")
    con.execute(f"CREATE VIEW parents AS SELECT {parent}")
    with pytest.raises(ScriptError) as raised:
        related(con, field, to)
    assert said in raised.value.message and raised.value.message.startswith("d: relationships(a, ")
