"""What tables and datasets are made from: compared part by part, and told in words without a secret."""

from __future__ import annotations

import pytest

from comboi_core.domain.origin import changed_parts, fingerprint, plain_sql, told


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a = 1", " a  =\n 1 "),
        ("a = 1 -- only the first\nAND b", "a = 1\n AND b"),
        ("a /* x\n -- y */ = 1", "a = 1"),
    ],
)
def test_blanks_and_comments_are_no_change(one, other):
    assert plain_sql(one) == plain_sql(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a = 'x  y'", "a = 'x y'"),
        ("a = '-- x'", "a = ''"),
        ("a = 'it''s  --'", "a = 'it''s --'"),
        ('"a  b" = 1', '"a b" = 1'),
        ("[a  b] = 1", "[a b] = 1"),
        ("a = $t$ -- x  y $t$", "a = $t$ -- x y $t$"),
        ("a = 1", "A = 1"),
    ],
)
def test_what_stands_in_quotes_is_compared_as_it_is(one, other):
    assert plain_sql(one) != plain_sql(other)


def test_a_part_that_comes_goes_or_differs_is_a_change():
    before = {"table": "a", "where": "x", "mask": "m"}
    now = {"table": "b", "where": "x", "columns": "id"}
    assert changed_parts(before, now) == ("columns", "mask", "table")
    said = told(before, now, ("columns", "mask", "table"))
    assert said == "`columns` was not set, is 'id'; `mask` was 'm', is not set; `table` was 'a', is 'b'"


def test_where_nothing_is_known_of_before_nothing_has_changed():
    assert changed_parts({}, {"table": "a"}) == ()


def test_a_text_and_its_fingerprint_are_one():
    assert changed_parts({"server": fingerprint("db")}, {"server": "db"}) == ()
    assert changed_parts({"server": "db"}, {"server": fingerprint("db")}) == ()
    assert changed_parts({"server": fingerprint("db")}, {"server": "db2"}) == ("server",)


def test_of_long_texts_the_difference_is_shown():
    before, now = "SELECT " + "a, " * 200 + "b FROM t", "SELECT " + "a, " * 200 + "c FROM t"
    said = told({"query": before}, {"query": now}, ("query",))
    assert "b FROM t'" in said and "c FROM t'" in said and len(said) < 200


def test_of_fingerprints_only_that_they_differ_is_told():
    assert told({"s": fingerprint("x")}, {"s": fingerprint("y")}, ("s",)) == "`s` has changed"
