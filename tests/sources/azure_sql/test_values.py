"""Every value survives the way from SQL Server to Parquet exactly, or the load fails and names the column.

On the double, which stands in for SQL Server; the driver is Microsoft's own, and the connection is a real one. With
COMBOI_TEST_MSSQL on a real server as well.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from comboi_core.domain.errors import UnsupportedValue
from comboi_core.domain.load import Checkpoint, Chunk
from comboi_core.domain.sql import literal as duckdb_literal
from comboi_core.lake.bronze import write_chunk
from comboi_core.lake.local import LocalLake
from comboi_core.sources.azure_sql.text import literal
from tests.doubles.tds.types import SURROGATES
from tests.support.azure_sql import AzureShop

LONG = "ä🤷" * 25_000 + "x'\\\"y"
ODD = "a\u200b\u202e𝔘🤷🏽\u0301 \t\n\r ' \" \\ \\\n ]] [ {} %s ? :x @y -- /*"
TZ = "TIMESTAMP WITH TIME ZONE"

# T-SQL type, values in T-SQL, DuckDB type, values as DuckDB prints them, and beside them as text where there is a text.
VALUES: dict[str, tuple[list[str], str, list[str], list[str]]] = {
    "tinyint": (["0", "255"], "SMALLINT", ["0", "255"], []),
    "smallint": (["-32768", "32767"], "SMALLINT", ["-32768", "32767"], []),
    "int": (["-2147483648", "2147483647"], "INTEGER", ["-2147483648", "2147483647"], []),
    "bigint": (
        ["-9223372036854775808", "9223372036854775807"],
        "BIGINT",
        ["-9223372036854775808", "9223372036854775807"],
        [],
    ),
    "bit": (["1", "0"], "BOOLEAN", ["true", "false"], []),
    "decimal(38,10)": (
        ["9" * 28 + "." + "9" * 10, "-0.0000000001", "0"],
        "DECIMAL(38,10)",
        ["9" * 28 + "." + "9" * 10, "-0.0000000001", "0.0000000000"],
        [],
    ),
    "numeric(38,0)": (["-" + "9" * 38], "DECIMAL(38,0)", ["-" + "9" * 38], []),
    "decimal(4,4)": (["0.9999"], "DECIMAL(4,4)", [".9999"], []),
    "decimal": (["-7"], "DECIMAL(18,0)", ["-7"], []),
    "money": (
        ["922337203685477.5807", "-922337203685477.5808", "0.0001"],
        "DECIMAL(19,4)",
        ["922337203685477.5807", "-922337203685477.5808", "0.0001"],
        [],
    ),
    "smallmoney": (["-214748.3648", "214748.3647"], "DECIMAL(10,4)", ["-214748.3648", "214748.3647"], []),
    "real": (["3.4028235e38", "-1.5"], "FLOAT", ["3.4028235e+38", "-1.5"], []),
    "float": (
        ["0.1", "1.7976931348623157e308", "-2.2250738585072014e-308"],
        "DOUBLE",
        ["0.1", "1.7976931348623157e+308", "-2.2250738585072014e-308"],
        [],
    ),
    "char(5)": (["'a'", "''"], "VARCHAR", ["a    ", "     "], []),
    "varchar(30)": (["'a  '", "'NULL'", "''", "'; --'", "'é€'"], "VARCHAR", ["a  ", "NULL", "", "; --", "é€"], []),
    "varchar(max)": (["REPLICATE(CONVERT(varchar(max), 'x'), 50000)", "''"], "VARCHAR", ["x" * 50_000, ""], []),
    "nchar(3)": (["N'Ω'"], "VARCHAR", ["Ω  "], []),
    "nvarchar(60)": ([literal(ODD)], "VARCHAR", [ODD], []),
    "nvarchar(max)": ([literal(LONG), "N''", "N' '"], "VARCHAR", [LONG, "", " "], []),
    "binary(3)": (["0x00ff27"], "BLOB", ["\\x00\\xFF\\x27"], []),
    "varbinary(8)": (["0x", "0x225c"], "BLOB", ["", "\\x22\\x5C"], []),
    "varbinary(max)": (["0x" + "00ff" * 10_000], "BLOB", ["\\x00\\xFF" * 10_000], []),
    "uniqueidentifier": (
        ["'6F9619FF-8B86-D011-B42D-00C04FC964FF'", "'00000000-0000-0000-0000-000000000000'"],
        "UUID",
        ["6f9619ff-8b86-d011-b42d-00c04fc964ff", "00000000-0000-0000-0000-000000000000"],
        [],
    ),
    "date": (["'0001-01-01'", "'9999-12-31'"], "DATE", ["0001-01-01", "9999-12-31"], []),
    "time(0)": (["'23:59:59'"], "TIME", ["23:59:59"], []),
    "time(3)": (["'00:00:00.001'"], "TIME", ["00:00:00.001"], []),
    "time(7)": (
        ["'23:59:59.9999999'", "'00:00:00'"],
        "TIME",
        ["23:59:59.999999", "00:00:00"],
        ["23:59:59.9999999", "00:00:00.0000000"],
    ),
    "smalldatetime": (
        ["'1900-01-01 00:00:00'", "'2079-06-06 23:59:00'"],
        "TIMESTAMP",
        ["1900-01-01 00:00:00", "2079-06-06 23:59:00"],
        [],
    ),
    "datetime": (
        ["'1753-01-01 00:00:00'", "'9999-12-31 23:59:59.997'", "'2026-03-29 02:30:00.003'"],
        "TIMESTAMP",
        ["1753-01-01 00:00:00", "9999-12-31 23:59:59.997", "2026-03-29 02:30:00.003"],
        [],
    ),
    "datetime2(0)": (["'9999-12-31 23:59:59'"], "TIMESTAMP", ["9999-12-31 23:59:59"], []),
    "datetime2(6)": (["'0001-01-01 00:00:00.000001'"], "TIMESTAMP", ["0001-01-01 00:00:00.000001"], []),
    "datetime2(7)": (
        ["'0001-01-01 00:00:00'", "'9999-12-31 23:59:59.9999999'", "'1969-12-31 23:59:59.1234567'"],
        "TIMESTAMP",
        ["0001-01-01 00:00:00", "9999-12-31 23:59:59.999999", "1969-12-31 23:59:59.123456"],
        ["0001-01-01 00:00:00.0000000", "9999-12-31 23:59:59.9999999", "1969-12-31 23:59:59.1234567"],
    ),
    "datetimeoffset(0)": (
        ["'2026-07-01 00:00:00 +14:00'"],
        TZ,
        ["2026-06-30 10:00:00+00"],
        ["2026-07-01 00:00:00 +14:00"],
    ),
    "datetimeoffset(7)": (
        [
            "'0001-01-01 00:00:00 +00:00'",
            "'9999-12-31 23:59:59.9999999 +00:00'",
            "'2026-03-29 02:30:00.0000001 -05:45'",
        ],
        TZ,
        ["0001-01-01 00:00:00+00", "9999-12-31 23:59:59.999999+00", "2026-03-29 08:15:00+00"],
        [
            "0001-01-01 00:00:00.0000000 +00:00",
            "9999-12-31 23:59:59.9999999 +00:00",
            "2026-03-29 02:30:00.0000001 -05:45",
        ],
    ),
    "xml": (["N'<a b=\"1\">ü🤷</a>'"], "VARCHAR", ['<a b="1">ü🤷</a>'], []),
    "hierarchyid": (["'/1/2/'"], "VARCHAR", ["/1/2/"], []),
    "ntext": (["N'Ω'"], "VARCHAR", ["Ω"], []),
    "image": (["0x00ff"], "BLOB", ["\\x00\\xFF"], []),
}  # fmt: skip


def landed(shop: AzureShop, tmp_path: Path, **table):
    """The first load through one Parquet file: types by column, rows as text."""
    adapter = shop.open(**table)
    load = adapter.plan(Checkpoint(), full_refresh=False)
    lake = LocalLake(tmp_path / "lake")
    write_chunk(shop.con, lake, adapter.select(load, Chunk(0)), "a.parquet")
    found = f"read_parquet({duckdb_literal(lake.uri('a.parquet'))})"
    types = {name: kind for name, kind, *_ in shop.con.execute(f"DESCRIBE FROM {found}").fetchall()}
    rows = shop.con.execute(f"SELECT COLUMNS(*)::VARCHAR FROM {found} ORDER BY n::INTEGER").fetchall()
    return load, types, [dict(zip(types, row, strict=True)) for row in rows]


@pytest.fixture
def hostile(anywhere):
    """A table with a column per type; row n holds each type's n-th value, the last row nothing but NULL."""
    kinds = {kind: f"c{index}" for index, kind in enumerate(VALUES)}
    columns = ", ".join(f"{name} {kind}" for kind, name in kinds.items())
    anywhere.run(f"CREATE TABLE {{s}}.orders (n int, {columns}, version rowversion)")
    for n in range(max(len(values) for values, *_ in VALUES.values()) + 1):
        cells = [values[n] if n < len(values) else "NULL" for values, *_ in VALUES.values()]
        anywhere.run(f"INSERT INTO {{s}}.orders (n, {', '.join(kinds.values())}) VALUES ({n}, {', '.join(cells)})")
    return anywhere, kinds


@pytest.mark.parametrize("by_query", [False, True])
def test_values_of_every_type_come_through_exactly(hostile, tmp_path, by_query):
    shop, kinds = hostile
    table = {"query": "WITH o AS (SELECT * FROM {s}.orders) SELECT * FROM o -- all"} if by_query else {}
    load, types, rows = landed(shop, tmp_path, **table)
    for kind, name in kinds.items():
        _, landing, expected, texts = VALUES[kind]
        assert types[name] == landing, kind
        for n, row in enumerate(rows):
            assert row[name] == (expected[n] if n < len(expected) else None), f"{kind}, value {n}"
            if texts:
                assert row[f"{name}__text"] == (texts[n] if n < len(texts) else None), f"{kind}, text {n}"
        assert (f"{name}__text" in types) == bool(texts), kind
    versions = [row["version"] for row in rows]
    assert types["version"] == "BLOB" and len(set(versions)) == len(rows) and versions == sorted(versions)
    assert not load.warnings


def test_columns_that_are_null_throughout_keep_their_types(hostile, tmp_path):
    shop, kinds = hostile
    deep = max(len(values) for values, *_ in VALUES.values())
    _, types, rows = landed(shop, tmp_path, where=f"n = {deep}")
    assert [types[name] for name in kinds.values()] == [landing for _, landing, *_ in VALUES.values()]
    assert [row[name] for row in rows for name in kinds.values()] == [None] * len(kinds)


def test_the_parts_of_a_sql_variant_come_through_in_their_own_lossless_forms(anywhere, tmp_path):
    values = {
        "CAST(1 AS int)": "1",
        "CAST(123456789012345678.90 AS decimal(38,2))": "123456789012345678.90",
        "CAST(922337203685477.5807 AS money)": "922337203685477.5807",
        "CAST('2026-01-01 12:34:56.1234567' AS datetime2)": "2026-01-01 12:34:56.1234567",
        "CAST('2026-01-01 12:34:56.1234567 +05:45' AS datetimeoffset)": "2026-01-01 12:34:56.1234567 +05:45",
        "CAST('2026-01-01 12:34:56.003' AS datetime)": "2026-01-01 12:34:56.003",
        "CAST('2026-01-01' AS date)": "2026-01-01",
        "CAST('12:34:56.1234567' AS time)": "12:34:56.1234567",
        "CAST('6F9619FF-8B86-D011-B42D-00C04FC964FF' AS uniqueidentifier)": "6F9619FF-8B86-D011-B42D-00C04FC964FF",
        "CAST(0x00FF AS varbinary(8))": "0x00FF",
        "CAST(N'Ω🤷' AS nvarchar(10))": "Ω🤷",
        "CAST('a  ' AS varchar(10))": "a  ",
        "CAST(1 AS bit)": "1",
        "NULL": None,
    }
    anywhere.run("CREATE TABLE {s}.orders (n int, v sql_variant)")
    for n, value in enumerate(values):
        anywhere.run(f"INSERT INTO {{s}}.orders (n, v) VALUES ({n}, {value})")
    anywhere.run(f"INSERT INTO {{s}}.orders (n, v) VALUES ({len(values)}, CAST(0.1 AS float))")
    _, _, rows = landed(anywhere, tmp_path)
    assert [row["v"] for row in rows[:-1]] == list(values.values())
    assert float(rows[-1]["v"]) == 0.1


def test_half_of_a_surrogate_pair_does_not_pass_for_a_character(azure):
    """nvarchar holds any 16-bit units; Parquet holds characters, and the driver would write another one."""
    half = next(iter(SURROGATES))
    azure.run("CREATE TABLE {s}.orders (n int, fine nvarchar(10), broken nvarchar(max))")
    azure.run(
        f"INSERT INTO {{s}}.orders VALUES (1, N'\ufffd', N'\ufffd'), (2, N'\ufffd', N'x{half}y'), (3, N'z', N'z')"
    )
    adapter = azure.open()
    load = adapter.plan(Checkpoint(), full_refresh=False)
    azure.con.execute(adapter.select(load, Chunk(0))).fetchall()
    with pytest.raises(UnsupportedValue, match="shop.orders: column broken holds half of a surrogate pair"):
        adapter.confirm(load)

    azure.run("UPDATE {s}.orders SET broken = N'ok' WHERE n = 2")
    adapter = azure.open()
    load = adapter.plan(Checkpoint(), full_refresh=False)
    rows = azure.con.execute(adapter.select(load, Chunk(0))).fetchall()
    adapter.confirm(load)
    assert sorted(rows)[0] == (1, "\ufffd", "\ufffd")


def test_a_type_without_an_exact_form_is_refused_and_can_be_left_out(azure):
    azure.run("CREATE TABLE {s}.orders (n int, shape geography)")
    with pytest.raises(UnsupportedValue, match="shop.orders: column shape is geography") as caught:
        azure.plan()
    assert "STAsText" in caught.value.remedy
    assert [column.name for column in azure.plan(columns=["n"]).columns] == ["n"]


def test_a_column_that_has_the_name_of_a_text_is_refused(azure):
    azure.run("CREATE TABLE {s}.orders (at datetime2, AT__text int)")
    with pytest.raises(UnsupportedValue, match="at__text of the source has the name of a text"):
        azure.plan()


def test_digits_that_a_type_does_not_have_are_not_invented(azure, tmp_path):
    """datetime counts in 300ths of a second; it lands as it is printed, not as 0.003333333."""
    azure.run("CREATE TABLE {s}.orders (n int, at datetime)")
    azure.run("INSERT INTO {s}.orders VALUES (1, '2026-01-01 00:00:00.007')")
    _, types, rows = landed(azure, tmp_path)
    assert types["at"] == "TIMESTAMP" and rows[0]["at"] == "2026-01-01 00:00:00.007"


def test_a_column_left_alone_by_the_configuration_brings_its_text_along(azure):
    azure.run("CREATE TABLE {s}.orders (n int, at datetimeoffset(3), other nvarchar(5))")
    load = azure.plan(columns=["at"])
    assert [column.name for column in load.columns] == ["at", "at__text"]
