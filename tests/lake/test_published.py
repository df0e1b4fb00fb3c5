"""Published values are those that the transformation gave, where Parquet has no such type as well."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from comboi_core.lake.published import OPTIONS, exact

ROUNDED = 2**53 + 1
"""The first whole number that a DOUBLE cannot hold."""


def written(con: duckdb.DuckDBPyConnection, path: Path, select: str) -> tuple:
    con.execute(f"COPY ({exact(con, select)}) TO '{path}' ({OPTIONS})")
    return con.execute(f"FROM '{path}'").fetchone()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (f"sum({ROUNDED}::BIGINT)", ROUNDED),
        (f"-sum({ROUNDED}::BIGINT)", -ROUNDED),
        (f"list({ROUNDED}::HUGEINT)", [ROUNDED]),
        (f"struct_pack(a := [{ROUNDED}::UHUGEINT], b := 1)", {"a": [ROUNDED], "b": 1}),
        ("sum(NULL::BIGINT)", None),
        ("count(*)", 1),
    ],
)
def test_sums_of_integers_are_not_rounded(con, tmp_path: Path, value: str, expected: object):
    assert written(con, tmp_path / "x.parquet", f'SELECT {value} AS "a ""sum"""') == (expected,)


def test_what_parquet_holds_stays_as_it_is(con):
    select = "SELECT 1::BIGINT AS a, 'HUGEINT' AS b, 1.5::DECIMAL(12,2) AS c"
    assert exact(con, select) == select


def test_a_number_that_no_type_of_parquet_holds_fails(con, tmp_path: Path):
    with pytest.raises(duckdb.ConversionException, match=r"DECIMAL\(38,0\)"):
        written(con, tmp_path / "x.parquet", "SELECT 100000000000000000000000000000000000000::HUGEINT AS a")
