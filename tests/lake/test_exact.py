"""Files hold the values that a SELECT gives, exactly, or they are not written."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from comboi_core.domain.errors import UnsupportedValue
from comboi_core.lake.exact import exact, write_exactly

ROUNDED = 2**53 + 1
"""The first whole number that a DOUBLE cannot hold."""


def written(con: duckdb.DuckDBPyConnection, path: Path, select: str, **hidden: Any) -> tuple:
    write_exactly(con, select, str(path), **hidden)
    return con.execute(f"FROM '{path}'").fetchone()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (f"sum({ROUNDED}::BIGINT)", ROUNDED),
        (f"-sum({ROUNDED}::BIGINT)", -ROUNDED),
        (f"list({ROUNDED}::HUGEINT)", [ROUNDED]),
        (f"[{ROUNDED}]::HUGEINT[1]", [ROUNDED]),
        (f"MAP {{{ROUNDED}::HUGEINT: 1}}", {ROUNDED: 1}),
        (f"struct_pack(a := [{ROUNDED}::UHUGEINT], b := 1)", {"a": [ROUNDED], "b": 1}),
        (
            f"struct_pack(\"HUGEINT)\" := 'a HUGEINT)', b := {ROUNDED}::HUGEINT)",
            {"HUGEINT)": "a HUGEINT)", "b": ROUNDED},
        ),
        ("sum(NULL::BIGINT)", None),
        ("count(*)", 1),
        (f"{'9' * 38}::HUGEINT", int("9" * 38)),
        ("INTERVAL '40 days 23:59:59.001'", timedelta(days=40, hours=23, minutes=59, seconds=59, milliseconds=1)),
        ("[NULL, INTERVAL '1 day']", [None, timedelta(days=1)]),
        ("NULL::INTERVAL", None),
        ("TIMETZ '12:00:00+00'::VARCHAR", "12:00:00+00"),
        ("'0101'::BIT", "0101"),
        (f"'{'9' * 60}'::BIGNUM", "9" * 60),
        ("'a'::ENUM('a', 'b')", "a"),
        ("'12:00:00.123456789'::TIME_NS::VARCHAR", "12:00:00.123456789"),
        ("'2024-01-01 00:00:00.123456789'::TIMESTAMP_NS::VARCHAR", "2024-01-01 00:00:00.123456789"),
        ("'inf'::FLOAT", float("inf")),
    ],
)
def test_values_are_the_same_in_the_file(con, tmp_path: Path, value: str, expected: object):
    assert written(con, tmp_path / "x.parquet", f'SELECT {value} AS "a ""sum"""') == (expected,)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("INTERVAL '1 month 3.000001 seconds'", "1 month 00:00:03.000001"),
        ("INTERVAL '-1 day'", "-1 day"),
        ("INTERVAL '1 month -1 day'", "1 month -1 day"),
        ("INTERVAL '-1 microsecond'", "-00:00:00.000001"),
        ("to_milliseconds(4294967296)", "1193:02:47.296"),
        ("TIMETZ '12:00:00+02:00'", "12:00:00+02"),
        ("union_value(a := 1)", "1"),
        (f"1{'0' * 38}::HUGEINT", "1" + "0" * 38),
        (f"-1{'0' * 38}::HUGEINT", "-1" + "0" * 38),
        (f"1{'0' * 38}::UHUGEINT", "1" + "0" * 38),
        ("[INTERVAL '1 day', INTERVAL '-1 day']", "[1 day, -1 day]"),
        ("[[INTERVAL '-1 day']]::INTERVAL[][1]", "[[-1 day]]"),
        ("{'a': 1, 'b': {'c': TIMETZ '12:00:00+02:00'}}", "{'a': 1, 'b': {'c': '12:00:00+02'}}"),
        ("MAP {INTERVAL '-1 day': 1}", "{-1 day=1}"),
        ("MAP {1: union_value(a := 1)}", "{1=1}"),
        ("row(1, INTERVAL '-1 day')", "(1, -1 day)"),
    ],
)
def test_a_value_that_the_file_would_change_is_refused_by_column(con, tmp_path: Path, value: str, shown: str):
    select = f"""SELECT 1 AS id, {value} AS "a ""b" """
    for as_json in (False, True):
        con.execute(f"SET errors_as_json = {as_json}")
        with pytest.raises(UnsupportedValue) as raised:
            written(con, tmp_path / "x.parquet", select)
        assert raised.value.message.startswith(f'the column a "b holds {shown}, a value of type ')
        assert not raised.value.transient
        assert '"a ""b"::VARCHAR' in raised.value.remedy


def test_one_bad_value_among_good_ones_is_found(con, tmp_path: Path):
    select = "SELECT to_seconds(n - 90000) AS took FROM range(100000) AS t(n)"
    with pytest.raises(UnsupportedValue, match="column took holds -"):
        written(con, tmp_path / "x.parquet", select)


def test_a_hidden_value_is_not_shown(con, tmp_path: Path):
    with pytest.raises(UnsupportedValue) as raised:
        written(con, tmp_path / "x.parquet", "SELECT TIMETZ '12:34:56+02:00' AS \"Born\"", hidden={"born"})
    assert (
        raised.value.message
        == "the column Born holds a value of type TIME WITH TIME ZONE, which a Parquet file would change"
    )
    assert "12:34" not in str(raised.value.context)


def test_a_struct_without_names_of_large_numbers_is_refused(con, tmp_path: Path):
    with pytest.raises(UnsupportedValue, match="column x is .*without names"):
        written(con, tmp_path / "x.parquet", "SELECT row(1, 2::HUGEINT) AS x")


def test_what_parquet_holds_stays_as_it_is(con):
    select = "SELECT 1::BIGINT AS a, 'HUGEINT' AS b, 1.5::DECIMAL(12,2) AS c, [{'a': MAP {1: DATE '2026-01-01'}}] AS d"
    assert exact(con, select) == select


def test_errors_of_other_kinds_stay_what_they_are(con, tmp_path: Path):
    with pytest.raises(duckdb.InvalidInputException, match="mine"):
        written(con, tmp_path / "x.parquet", "SELECT error('mine') AS a, 1::HUGEINT AS b")


@pytest.mark.parametrize("value", ["[1::VARIANT]", "{'a': 1::VARIANT}", "MAP {'k': [1::VARIANT]}"])
def test_a_variant_within_another_type_is_refused_with_its_column(con, tmp_path: Path, value: str):
    with pytest.raises(UnsupportedValue, match="the column doc is .*VARIANT") as raised:
        written(con, tmp_path / "x.parquet", f"SELECT 1 AS id, {value} AS doc")
    assert raised.value.context["column"] == "doc"
    written(con, tmp_path / "x.parquet", f"SELECT 1 AS id, {value}::JSON AS doc, 1::VARIANT AS alone")
