"""Every type of MySQL lands exactly, or the load says which column and value cannot."""

from __future__ import annotations

import pytest

from comboi_core.domain.errors import UnsupportedValue

pytestmark = pytest.mark.few(2)

EXACT = [
    ("tinyint(1)", "2", "2", "TINYINT"),
    ("boolean", "-128", "-128", "TINYINT"),
    ("tinyint unsigned", "255", "255", "SMALLINT"),
    ("smallint unsigned", "65535", "65535", "INTEGER"),
    ("mediumint", "-8388608", "-8388608", "INTEGER"),
    ("int unsigned", "4294967295", "4294967295", "BIGINT"),
    ("int unsigned zerofill", "7", "7", "BIGINT"),
    ("bigint", "-9223372036854775808", "-9223372036854775808", "BIGINT"),
    ("bigint unsigned", "18446744073709551615", "18446744073709551615", "DECIMAL(20,0)"),
    ("decimal(12,2)", "-9999999999.99", "-9999999999.99", "DECIMAL(12,2)"),
    ("decimal(5,0)", "99999", "99999", "DECIMAL(5,0)"),
    ("decimal(38,10)", "1234567890123456789012345678.0123456789", None, "DECIMAL(38,10)"),
    ("decimal(38,0) unsigned", "9" * 38, None, "DECIMAL(38,0)"),
    ("decimal(65,30)", "9" * 35 + "." + "1" * 30, None, "VARCHAR"),
    ("float", "16777217", "16777216.0", "FLOAT"),
    ("double", "0.1", "0.1", "DOUBLE"),
    ("double", "1.7976931348623157e308", "1.7976931348623157e+308", "DOUBLE"),
    ("bit(1)", "b'1'", "true", "BOOLEAN"),
    ("bit(9)", "b'100000001'", "257", "BIGINT"),
    ("bit(64)", "18446744073709551615", "18446744073709551615", "DECIMAL(20,0)"),
    ("date", "'9999-12-31'", "9999-12-31", "DATE"),
    ("datetime(6)", "'1000-01-01 00:00:00.000001'", "1000-01-01 00:00:00.000001", "TIMESTAMP"),
    ("datetime", "'9999-12-31 23:59:59'", "9999-12-31 23:59:59", "TIMESTAMP"),
    ("timestamp(6) NULL", "'2038-01-19 03:14:07.999999'", "2038-01-19 03:14:07.999999+00", "TIMESTAMPTZ"),
    ("time(6)", "'-838:59:59.000001'", "-838:59:59.000001", "VARCHAR"),
    ("time", "'25:00:00'", "25:00:00", "VARCHAR"),
    ("year", "2155", "2155", "SMALLINT"),
    ("year", "0", "0", "SMALLINT"),
    ("char(5)", "'ab   '", "ab", "VARCHAR"),
    ("varchar(9)", "' x  '", " x  ", "VARCHAR"),
    ("varchar(9) CHARACTER SET latin1", "'é€'", "é€", "VARCHAR"),
    ("varchar(9) COLLATE utf8mb4_bin", "'é'", "é", "VARCHAR"),
    ("longtext", "'héllo 😀\n\"''\\\\'", "héllo 😀\n\"'\\", "VARCHAR"),
    ("varchar(9)", "''", "", "VARCHAR"),
    ("varchar(9)", "'a\\0b'", "a\0b", "VARCHAR"),
    ("enum('a','é')", "'é'", "é", "VARCHAR"),
    ("set('x','y')", "'y,x'", "x,y", "VARCHAR"),
    ("json", """'{"a": [1, "ü"]}'""", '{"a": [1, "ü"]}', "VARCHAR"),
    ("binary(3)", "x'00ff'", "\\x00\\xFF\\x00", "BLOB"),
    ("varbinary(9)", "x'6100'", "a\\x00", "BLOB"),
    ("longblob", "x'c328'", "\\xC3(", "BLOB"),
    ("uuid", "'D4D49469-EC90-11F1-A36B-02FC00000001'", "d4d49469-ec90-11f1-a36b-02fc00000001", "UUID"),
    ("inet6", "'2001:DB8::1'", "2001:db8::1", "VARCHAR"),
]


@pytest.mark.parametrize(("kind", "given", "landed", "type_"), EXACT)
def test_a_value_lands_exactly(shop, kind, given, landed, type_):
    shop.run(
        f"CREATE TABLE {{s}}.orders (id int PRIMARY KEY, v {kind});\n"
        f"INSERT INTO {{s}}.orders VALUES (1, {given}), (2, NULL)"
    )
    load, rows, _ = shop.land()
    assert load.columns[1].type == type_
    assert rows == [("1", given if landed is None else landed), ("2", None)]


QUERIED = [
    ("decimal(5,0)", "99999", "99999"),
    ("decimal(5,0) unsigned", "99999", "99999"),
    ("decimal(5,5)", "0.99999", "0.99999"),
    ("decimal(36,2)", "9" * 34 + ".99", None),
    ("bigint unsigned", "18446744073709551615", "18446744073709551615"),
    ("tinyint(1)", "2", "2"),
    ("double", "-1.7976931348623157e308", "-1.7976931348623157e+308"),
    ("double", "0.1", "0.1"),
    ("float", "1.1", "1.1"),
    ("timestamp NULL", "'2026-01-01 00:00:00'", "2026-01-01 00:00:00"),
    ("varchar(9) COLLATE utf8mb4_bin", "'é'", "é"),
    ("json", "'[1]'", "[1]"),
    ("time", "'25:00:00'", "25:00:00"),
    ("bit(9)", "257", "\\x01\\x01"),
    ("varbinary(9)", "x'ff'", "\\xFF"),
]


@pytest.mark.parametrize(("kind", "given", "landed"), QUERIED)
def test_a_query_lands_the_same_values(shop, kind, given, landed):
    shop.run(f"CREATE TABLE {{s}}.orders (v {kind});\nINSERT INTO {{s}}.orders VALUES ({given}), (NULL)")
    _, rows, _ = shop.land(query="SELECT v AS 'a `name' FROM {s}.orders; -- the end")
    assert rows == sorted([(given if landed is None else landed,), (None,)], key=repr)


def test_a_querys_decimal_of_too_many_digits_is_refused_and_not_rounded(shop):
    shop.run("CREATE TABLE {s}.orders (v decimal(65,30));\nINSERT INTO {s}.orders VALUES (12345678901234567890.5)")
    with pytest.raises(UnsupportedValue, match="column v holds '12345678901234567890.5") as raised:
        shop.land(query="SELECT v FROM {s}.orders")
    assert "CAST(... AS CHAR)" in raised.value.remedy
    _, rows, _ = shop.land(query="SELECT CAST(v AS CHAR) AS v FROM {s}.orders")
    assert rows == [("12345678901234567890.500000000000000000000000000000",)]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("date", "0000-00-00"),
        ("date", "2024-00-10"),
        ("date", "2024-02-30"),
        ("datetime", "0000-00-00 00:00:00"),
        ("timestamp NULL", "0000-00-00 00:00:00"),
    ],
)
def test_dates_that_no_calendar_has_are_refused_or_null_as_declared(shop, kind, value):
    shop.run(
        f"CREATE TABLE {{s}}.orders (id int, v {kind});\nSET sql_mode = 'ALLOW_INVALID_DATES';\n"
        f"INSERT INTO {{s}}.orders VALUES (1, '{value}')"
    )
    with pytest.raises(UnsupportedValue, match=f"column v holds '{value}'") as raised:
        shop.land()
    assert "zero_dates: null" in raised.value.remedy
    shop.connection |= {"zero_dates": "null"}
    assert shop.land()[1] == [("1", None)]


def test_shapes_are_refused_with_what_to_do(shop):
    shop.run("CREATE TABLE {s}.orders (id int, place point)")
    with pytest.raises(UnsupportedValue, match="column place is point") as raised:
        shop.plan()
    assert "ST_AsText" in raised.value.remedy
    assert [column.name for column in shop.plan(columns=["id"]).columns] == ["id"]


def test_the_servers_own_settings_do_not_change_what_lands(shop):
    shop.run(
        "CREATE TABLE {s}.orders (c char(4), at timestamp NULL, b varchar(9));\n"
        "INSERT INTO {s}.orders VALUES ('a', '2026-01-01 00:00:00', 'x');\n"
        "SET GLOBAL sql_mode = 'ANSI,PAD_CHAR_TO_FULL_LENGTH,NO_BACKSLASH_ESCAPES';\n"
        "SET GLOBAL time_zone = '+05:00'"
    )
    try:
        for table in (
            {"where": "\"b\" = 'x' OR b = '\\'"},
            {"query": "SELECT c, at, b FROM {s}.orders WHERE \"b\" = 'x'"},
        ):
            _, rows, _ = shop.land(**table)
            assert rows in ([("a", "2026-01-01 00:00:00+00", "x")], [("a", "2026-01-01 00:00:00", "x")])
    finally:
        shop.run("SET GLOBAL sql_mode = DEFAULT;\nSET GLOBAL time_zone = 'SYSTEM'")


def test_names_of_any_letters_are_read(shop):
    shop.run("CREATE TABLE {s}.`we``ird-é.x` (`a``b \"c'` int, `ü` int);\nINSERT INTO {s}.`we``ird-é.x` VALUES (1, 2)")
    load, rows, _ = shop.land(table="{s}.`we``ird-é.x`")
    assert ([column.name for column in load.columns], rows) == (["a`b \"c'", "ü"], [("1", "2")])
    assert load.relations[0].storage.isdecimal(), "InnoDB's number of it is found under its name as a file"
