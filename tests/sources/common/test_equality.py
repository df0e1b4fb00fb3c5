"""Texts are called equal where PostgreSQL calls the values equal, and a key is looked for as it lands."""

from __future__ import annotations

import itertools
import json

import pytest

from comboi_core.domain.equal_texts import LETTERS, Texts
from comboi_core.domain.load import Column
from comboi_core.domain.sql import literal
from comboi_core.sources.common.equality import texts_of
from comboi_core.sources.postgres import types as postgres_types

VALUES = {
    "numeric": ["2", "2.0", " 2.00", "+2e0", ".2e1", "0", "-0.0", "100", "1e2", "0.0100", "-7.50", "NaN", "nan",
                "Infinity", "-inf", "123456789012345678901234567890.10"],
    "numeric(40,2)": ["2", "2.00", "2.5"],
    "character(4)": ["a", "a ", "a   ", " a", "ab", "é"],
    "character varying(4)": ["a", "a ", "ab"],
    "interval": ["24:00:00", "1 day", "@ 24 hours", "1 mon", "30 days", "4 weeks 2 days", "1 mon -1 days", "29 days",
                 "1 year 2 mons 3 days 04:05:06.7", "14 mons 3 days 4 hours 5 mins 6.7 secs", "-1 days -02:00:00",
                 "26 hours ago", "00:00:00", "-00:00:00.000001", "1 mon -1 days +02:00:00", "29 days 2 hours",
                 "-1 year", "1.5 days", "36 hours", "0.5 weeks"],
    "inet": ["10.0.0.1", "10.0.0.1/32", "10.0.0.1/8", "2001:DB8::0001", "2001:db8::1", "::ffff:10.0.0.1", "::1/64"],
    "cidr": ["10.0.0.0/8", "10.0.0.1", "10.0.0.1/32", "2001:DB8::/32"],
    "macaddr": ["08:00:2B:01:02:03", "08002b010203", "0800.2b01.0203", "08-00-2b-01-02-04"],
}  # fmt: skip


def column(source_type: str, canonical: bool = False) -> Column:
    return Column("k", source_type, postgres_types.landed_type(source_type), canonical=canonical)


@pytest.mark.parametrize("kind", VALUES)
def test_a_text_is_compared_as_postgresql_compares_its_value(shop, con, kind):
    texts, values = texts_of("postgres", column(kind)), VALUES[kind]
    keys = kind.startswith(("numeric", "interval", "character("))
    both = ", ".join(postgres_types.expression(column(kind, canonical), "v") for canonical in (False, keys))
    rows = ", ".join(f"({number}, {literal(value)}::{kind})" for number, value in enumerate(values))
    written = shop.run(f"SELECT json_agg(ARRAY[{both}] ORDER BY n) FROM (VALUES {rows}) AS t (n, v)")
    equal = shop.run(
        f"WITH t (n, v) AS (VALUES {rows}) SELECT json_agg(a.v = b.v ORDER BY a.n, b.n) FROM t a CROSS JOIN t b"
    )
    as_text = dict(zip(values, json.loads(written), strict=True))
    said = dict(zip(itertools.product(values, values), json.loads(equal), strict=True))
    for value in values:
        assert texts.canonical(value) == as_text[value][1], value
        for other in values:
            found = con.execute(f"SELECT {texts.sql(literal(as_text[other][0]))} = {literal(texts.compared(value))}")
            assert found.fetchone()[0] is said[value, other], (value, other)


@pytest.mark.parametrize(
    ("kind", "text"),
    [("numeric", "2,0"), ("numeric", "two"), ("numeric", "1e999999"), ("numeric", "٣"), ("numeric(40,2)", "1.005"),
     ("interval", "soon"), ("interval", "1 fortnight"), ("interval", ""), ("interval", "24:00:00:00"),
     ("character(3)", "abcd"), ("character varying(3)", "abcd"), ("inet", "10.0.0.256"), ("inet", "fe80::1%eth0"),
     ("cidr", "10.0.0.1/8"), ("macaddr", "08:00:2b:01:02")],
)  # fmt: skip
def test_what_is_no_value_of_the_type_is_told_from_one(shop, kind, text):
    assert texts_of("postgres", column(kind)).canonical(text) is None


def test_each_source_says_which_texts_are_equal():
    def of(source: str, source_type: str, landed: str = "VARCHAR") -> Texts:
        return texts_of(source, Column("k", source_type, landed))

    assert of("postgres", "integer", "INTEGER") == of("sqlite", "INT", "BIGINT") == Texts("number")
    assert of("postgres", "public.citext") == of("postgres", '"Odd.s".citext') == Texts("caseless")
    assert of("postgres", "numeric(40,2)") == Texts("number", scale=2)
    assert of("azure_sql", "nchar(5)") == Texts("padded", 5) and of("azure_sql", "varchar(20)") == Texts("padded")
    assert of("files", "VARCHAR") == of("sqlite", "TEXT") == of("postgres", "text") == LETTERS


def test_a_hashed_value_is_looked_for_in_each_form_that_its_source_writes():
    assert Texts("padded", 5).spellings("a ") == ("a ", "a", "a    ")
    assert Texts("number", scale=2).spellings("2.0") == ("2.0", "2", "2.00")
    assert Texts("interval").spellings("24:00:00") == ("24:00:00", "1 day")
    assert Texts("number").spellings("nobody") == ("nobody",)
