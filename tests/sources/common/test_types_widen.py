"""Types of DuckDB compared: which holds the values of another, and which those of both."""

from __future__ import annotations

from typing import Any

import pytest

from comboi_core.domain.load import UNKNOWN
from comboi_core.domain.widening import is_nested, widens, widest


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("TINYINT", "BIGINT"),
        ("UINTEGER", "BIGINT"),
        ("INTEGER", "DOUBLE"),
        ("INTEGER", "DECIMAL(12,2)"),
        ("UBIGINT", "DECIMAL(20,0)"),
        ("DECIMAL(4,2)", "DECIMAL(6,3)"),
        (UNKNOWN, "VARCHAR"),
        (UNKNOWN, "STRUCT(a INTEGER)"),
        ("STRUCT(a INTEGER)", "STRUCT(b VARCHAR, a BIGINT)"),
        ("STRUCT(a INTEGER)[]", "STRUCT(a INTEGER, b VARCHAR)[]"),
        ("MAP(VARCHAR, INTEGER)", "MAP(VARCHAR, BIGINT)"),
        ('STRUCT("a b" STRUCT(x DECIMAL(4,2)))', 'STRUCT("a b" STRUCT(x DECIMAL(6,2), y TIMESTAMP WITH TIME ZONE))'),
    ],
)
def test_every_value_of_the_one_is_the_same_value_in_the_other(old, new):
    assert widens(old, new) and not widens(new, old)
    assert widest(old, new) == widest(new, old) == new


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ("BIGINT", "DOUBLE", "DOUBLE"),
        ("BIGINT", "UBIGINT", "DECIMAL(20,0)"),
        ("UINTEGER", "INTEGER", "BIGINT"),
        ("BIGINT", "DECIMAL(4,2)", "DECIMAL(21,2)"),
        ("DECIMAL(10,1)", "DECIMAL(10,5)", "DECIMAL(14,5)"),
        ("DECIMAL(12,2)", "DOUBLE", "DOUBLE"),
        ("INTEGER", "FLOAT", "DOUBLE"),
        ("TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMP_NS"),
        ("STRUCT(a BIGINT, b VARCHAR)", "STRUCT(c DATE, a DOUBLE)", 'STRUCT("a" DOUBLE, "b" VARCHAR, "c" DATE)'),
        ("STRUCT(a BIGINT)[]", "STRUCT(b BIGINT)[]", 'STRUCT("a" BIGINT, "b" BIGINT)[]'),
    ],
)
def test_two_types_may_land_as_a_third_in_which_single_values_have_to_be_looked_at(one, other, both):
    assert widest(one, other) == both and widest(both, one) == both
    assert not widens(one, other) and not widens(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("BIGINT", "VARCHAR"),
        ("DATE", "TIMESTAMP"),
        ("TIMESTAMP", "TIMESTAMP WITH TIME ZONE"),
        ("DECIMAL(38,0)", "DECIMAL(38,10)"),
        ("STRUCT(a INTEGER)", "STRUCT(a VARCHAR)"),
        ("STRUCT(a INTEGER)", "INTEGER"),
        ("INTEGER[]", "INTEGER"),
        ("INTEGER[]", "INTEGER[3]"),
        ("BOOLEAN", "INTEGER"),
    ],
)
def test_types_that_have_nothing_in_common(one, other):
    assert widest(one, other) is widest(other, one) is None


@pytest.mark.parametrize(
    "expression",
    [
        "1", "1.5", "{'a': 1, 'b c': [1], 'q\"q': {'x': 1.5}}", "[[1]]", "MAP {'k': [{'x': 1}]}", "now()", "'1'::JSON",
        "array_value(1, 2)", "[array_value(1.5, 2)]", "'x'::ENUM('x', 'y, (z')", "NULL", "INTERVAL 1 DAY",
        "union_value(a := 1)", "{'STRUCT': 1, 'MAP(': 2}", "{'a': MAP {1: {'b, ': 2}}, 'z': 1}",
    ],
)  # fmt: skip
def test_each_type_that_duckdb_spells_is_understood_or_left_alone(con: Any, expression: str):
    (kind,) = con.execute(f"SELECT typeof({expression})").fetchone()
    assert widens(kind, kind) and widest(kind, kind) == kind
    if kind.startswith("UNION"):
        return
    more = widest(kind, kind.replace("INTEGER", "BIGINT"))
    assert con.execute(f"SELECT typeof(NULL::{more})").fetchone() == (kind.replace("INTEGER", "BIGINT"),)
    assert is_nested(kind) == kind.startswith(("STRUCT", "MAP")) or kind.endswith("]")
