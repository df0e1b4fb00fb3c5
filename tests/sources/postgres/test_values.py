"""Every value survives the way from PostgreSQL to Parquet exactly, or the load fails and names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from comboi_core.domain.errors import UnsupportedValue
from comboi_core.domain.load import Checkpoint, Chunk
from comboi_core.domain.sql import literal
from comboi_core.lake.bronze import write_chunk
from comboi_core.lake.local import LocalLake

LONG = "ä" * 25_000 + "x'\\\"y"
ODD = "a\u200b\u202e𝔘🤷🏽\u0301 \t\n\r ' \" \\ \\n $$ {} %s"

# PostgreSQL type, values as PostgreSQL reads them, DuckDB type, values as DuckDB prints them (None: the same text).
VALUES = {
    "smallint": (["-32768", "32767"], "SMALLINT", None),
    "integer": (["-2147483648", "2147483647"], "INTEGER", None),
    "bigint": (["-9223372036854775808", "9223372036854775807"], "BIGINT", None),
    "numeric(38,10)": (["9" * 28 + "." + "9" * 10, "-0.0000000001"], "DECIMAL(38,10)", None),
    "numeric(38,0)": (["-" + "9" * 38], "DECIMAL(38,0)", None),
    "numeric(4,4)": (["0.9999"], "DECIMAL(4,4)", [".9999"]),
    "numeric": (["NaN", "Infinity", "-Infinity", "1." + "0" * 40 + "1", "9" * 200], "VARCHAR", None),
    "numeric(60,20)": (["1" * 40 + "." + "2" * 20, "NaN"], "VARCHAR", None),
    "numeric(5,-2)": (["123400"], "VARCHAR", None),
    "numeric(2,5)": (["0.00012"], "VARCHAR", None),
    "real": (["3.4028235e+38", "NaN", "Infinity", "-0"], "FLOAT", ["3.4028235e+38", "nan", "inf", "-0.0"]),
    "double precision": (
        ["0.1", "5e-324", "NaN", "-Infinity", "-0"],
        "DOUBLE",
        ["0.1", "5e-324", "nan", "-inf", "-0.0"],
    ),
    "boolean": (["true", "false"], "BOOLEAN", None),
    "text": (["", " ", LONG, ODD, "NULL", "'"], "VARCHAR", None),
    "character varying(9)": (["a  ", "'; --"], "VARCHAR", None),
    "character(5)": (["a", "", "äöü"], "VARCHAR", ["a    ", "     ", "äöü  "]),
    "bpchar": (["a  "], "VARCHAR", None),
    '"char"': (["x"], "VARCHAR", None),
    "name": (["pg"], "VARCHAR", None),
    "date": (
        ["infinity", "-infinity", "0044-03-15 BC", "9999-12-31", "5874897-12-31"],
        "DATE",
        ["infinity", "-infinity", "0044-03-15 (BC)", "9999-12-31", "5874897-12-31"],
    ),
    "timestamp without time zone": (
        ["infinity", "-infinity", "4713-01-01 00:00:00 BC", "9999-12-31 23:59:59.999999", "1969-12-31 23:59:59.999999"],
        "TIMESTAMP",
        [
            "infinity",
            "-infinity",
            "4713-01-01 (BC) 00:00:00",
            "9999-12-31 23:59:59.999999",
            "1969-12-31 23:59:59.999999",
        ],
    ),
    "timestamp with time zone": (
        ["infinity", "2026-03-29 02:30:00.000001+05:45", "9999-12-31 23:59:59.999999+00", "0001-01-01 00:00:00+00 BC"],
        "TIMESTAMP WITH TIME ZONE",
        ["infinity", "2026-03-28 20:45:00.000001+00", "9999-12-31 23:59:59.999999+00", "0001-01-01 (BC) 00:00:00+00"],
    ),
    "timestamp(3) with time zone": (["2026-01-01 00:00:00.123+00"], "TIMESTAMP WITH TIME ZONE", None),
    "time without time zone": (["00:00:00", "23:59:59.999999", "24:00:00"], "TIME", None),
    "time with time zone": (["23:59:59.999999-15:59", "24:00:00+00"], "VARCHAR", None),
    "interval": (
        ["1 year 2 mons -3 days +04:05:06.000007", "-178000000 years", "00:00:00"],
        "VARCHAR",
        ["1 year 2 mons -3 days +04:05:06.000007", "-178000000 years", "00:00:00"],
    ),
    "bytea": (["\\x", "\\x00ff27225c"], "BLOB", ["", "\\x00\\xFF\\x27\\x22\\x5C"]),
    "uuid": (["ffffffff-ffff-ffff-ffff-ffffffffffff", "00000000-0000-0000-0000-000000000000"], "UUID", None),
    "json": (['{"a":  1.10, "a": "\\u00e9"}', "null"], "VARCHAR", None),
    "jsonb": (['{"a": 12345678901234567890.12345678901234567890}', "null"], "VARCHAR", None),
    "integer[]": (["{}", "{1,NULL,3}", "{{1,2},{3,4}}"], "VARCHAR", ["[]", "[1,null,3]", "[[1,2],[3,4]]"]),
    "text[]": (['{"a\\"b","NULL",NULL,""}'], "VARCHAR", ['["a\\"b","NULL",null,""]']),
    "numeric(10,2)[]": (["{1.10,NaN}"], "VARCHAR", ['[1.10,"NaN"]']),
    "money": (["-92233720368547758.08"], "VARCHAR", ["-$92,233,720,368,547,758.08"]),
    "inet": (["::1", "10.0.0.0/8"], "VARCHAR", None),
    "int4range": (["[1,10)", "empty"], "VARCHAR", None),
    "point": (["(1,2.5)"], "VARCHAR", None),
    "bit varying(9)": (["0101"], "VARCHAR", None),
    "oid": (["4294967295"], "BIGINT", None),
    "tsvector": (["'a':1 'b':2"], "VARCHAR", None),
    "{s}.mood": (["sad", "ha'ppy \\ é"], "VARCHAR", None),
    "{s}.amount": (["-1.50"], "DECIMAL(12,2)", None),
    "{s}.zip": (["12"], "VARCHAR", ["12   "]),
    "{s}.list": (["{1}"], "VARCHAR", ["[1]"]),
    "{s}.pair": (['(1,"a b")'], "VARCHAR", None),
}
TYPES = """
    CREATE TYPE {s}.mood AS ENUM ('sad', 'ha''ppy \\ é');
    CREATE DOMAIN {s}.base_amount AS numeric(12,2) NOT NULL;
    CREATE DOMAIN {s}.amount AS {s}.base_amount;
    CREATE DOMAIN {s}.zip AS character(5);
    CREATE DOMAIN {s}.list AS integer[];
    CREATE TYPE {s}.pair AS (a integer, b text);"""


def _expected(kind: str) -> list[str]:
    values, _, printed = VALUES[kind]
    return printed or values


def _landed(shop, tmp_path: Path, **table):
    """The first load through one Parquet file: types by column, rows as text."""
    adapter = shop.open(**table)
    load = adapter.plan(Checkpoint(), full_refresh=False)
    lake = LocalLake(tmp_path / "lake")
    write_chunk(shop.con, lake, adapter.select(load, Chunk(0)), "a.parquet")
    found = f"read_parquet({literal(lake.uri('a.parquet'))})"
    types = {name: kind for name, kind, *_ in shop.con.execute(f"DESCRIBE FROM {found}").fetchall()}
    rows = shop.con.execute(f"SELECT COLUMNS(*)::VARCHAR FROM {found} ORDER BY n").fetchall()
    return load, types, [row[1:] for row in rows]


@pytest.fixture
def hostile(shop):
    """A table with a column per type; row n holds each type's n-th value, the last row nothing but NULL."""
    shop.run(TYPES)
    kinds = {kind: f"c{index}" for index, kind in enumerate(VALUES)}
    shop.run(f"CREATE TABLE {{s}}.orders (n integer, {', '.join(f'{name} {kind}' for kind, name in kinds.items())})")
    deep = max(len(values) for values, *_ in VALUES.values())
    for n in range(deep):
        cells = [f"{literal(v[n])}::{kind}" if n < len(v) else "NULL" for kind, (v, *_) in VALUES.items()]
        # A domain may forbid NULL.
        cells = ["'-1.50'" if kind == "{s}.amount" else cell for kind, cell in zip(VALUES, cells, strict=True)]
        shop.run(f"INSERT INTO {{s}}.orders VALUES ({n}, {', '.join(cells)})")
    return kinds


@pytest.mark.parametrize("by_query", [False, True])
def test_values_of_every_type_come_through_exactly(shop, hostile, tmp_path, by_query):
    table = {"query": "SELECT * FROM {s}.orders -- all"} if by_query else {}
    load, types, rows = _landed(shop, tmp_path, **table)
    for position, (kind, name) in enumerate(hostile.items()):
        if by_query and kind in ("numeric(60,20)", "numeric(5,-2)", "numeric(2,5)"):
            assert types[name] == "VARCHAR"
        assert types[name] == VALUES[kind][1], kind
        expected = _expected(kind)
        for n, row in enumerate(rows):
            wanted = expected[n] if n < len(expected) else ("-1.50" if kind == "{s}.amount" else None)
            assert row[position] == wanted, f"{kind}, value {n}"
    assert not load.warnings


def test_columns_that_are_null_throughout_keep_their_types(shop, tmp_path):
    shop.run("CREATE TABLE {s}.orders (n integer, a numeric(10,2), b timestamptz, c text, d integer[], e interval)")
    shop.run("INSERT INTO {s}.orders VALUES (1)")
    _, types, rows = _landed(shop, tmp_path)
    assert list(types.values())[1:] == ["DECIMAL(10,2)", "TIMESTAMP WITH TIME ZONE", *["VARCHAR"] * 3]
    assert rows == [(None,) * 5]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("numeric(12,2)", "NaN"),
        ("timestamp without time zone", "294276-12-31 23:59:59"),
        ("timestamp with time zone", "294276-12-31 23:59:59+00"),
    ],
)
@pytest.mark.parametrize("column", ["amount", "o'd]d \"x"])
def test_a_value_that_parquet_cannot_hold_fails_the_load_and_is_named(shop, tmp_path, kind, value, column):
    quoted = '"' + column.replace('"', '""') + '"'
    shop.run(f"CREATE TABLE {{s}}.orders (n integer, {quoted} {kind})")
    # Far enough down that rows have been read before the value comes.
    shop.run(
        f"INSERT INTO {{s}}.orders SELECT i, CASE i WHEN 49999 THEN {literal(value)}::{kind} END "
        "FROM generate_series(1, 50000) i"
    )
    adapter = shop.open()
    load = adapter.plan(Checkpoint(), full_refresh=False)
    lake = LocalLake(tmp_path / "lake")
    with pytest.raises(Exception) as caught:
        write_chunk(shop.con, lake, adapter.select(load, Chunk(0)), "a.parquet")
    error = adapter.translate(caught.value)
    assert isinstance(error, UnsupportedValue)
    assert f"column {column} holds {value}" in error.message and "shop.orders" in error.message
    assert not error.transient and error.__cause__ is None and error.__context__ is None
    assert lake.list("") == [] and list((tmp_path / "lake" / ".staging").iterdir()) == []


def test_infinity_is_allowed_where_only_the_far_future_is_not(shop, tmp_path):
    shop.run("CREATE TABLE {s}.orders (n integer, t timestamp)")
    shop.run("INSERT INTO {s}.orders VALUES (1, 'infinity'), (2, '294246-12-31 23:59:59.999999')")
    _, _, rows = _landed(shop, tmp_path)
    assert rows == [("infinity",), ("294246-12-31 23:59:59.999999",)]
