"""Keys are compared as MySQL compares them, or the load tells that readers of the lake will not."""

from __future__ import annotations

import pytest

from comboi_core.domain.load import Checkpoint, Column
from comboi_core.sources.mysql.facts import texts
from comboi_core.sources.mysql.keys import blind_to, pads

pytestmark = pytest.mark.few(2)

MERGE = {"primary_key": ["code"], "incremental_column": "at"}


def make(shop, kind: str) -> None:
    shop.run(f"CREATE TABLE {{s}}.orders (code {kind} NOT NULL PRIMARY KEY, at datetime NOT NULL, v int)")


@pytest.mark.parametrize("collation", ["utf8mb4_bin", "utf8mb4_general_ci", "latin1_swedish_ci"])
def test_a_key_lands_without_the_blanks_that_its_collation_does_not_see(shop, collation):
    make(shop, f"varchar(9) CHARACTER SET {collation.partition('_')[0]} COLLATE {collation}")
    shop.run("INSERT INTO {s}.orders VALUES ('a  ', '2026-01-01', 1)")
    load, rows, checkpoint = shop.land(**MERGE)
    assert load.columns[0].canonical and rows[0][0] == "a"
    shop.run("UPDATE {s}.orders SET code = 'a', at = '2026-01-02' WHERE code = 'a'")
    assert shop.land(checkpoint, **MERGE)[1] == [("a", "2026-01-02 00:00:00", "1")]


def test_a_key_of_a_collation_that_sees_blanks_keeps_them(shop):
    make(shop, "varchar(9) COLLATE utf8mb4_nopad_bin")
    shop.run("INSERT INTO {s}.orders VALUES ('a  ', '2026-01-01', 1), ('a', '2026-01-01', 2)")
    load, rows, _ = shop.land(**MERGE)
    assert {row[0] for row in rows} == {"a", "a  "} and not load.columns[0].canonical and not load.shortfalls


def test_a_key_without_regard_to_case_or_accents_is_told(shop):
    make(shop, "varchar(9) COLLATE utf8mb4_general_ci")
    shop.run("INSERT INTO {s}.orders VALUES ('É', '2026-01-01', 1)")
    (told,) = shop.plan(**MERGE).shortfalls
    assert told.code == "key_equality"
    assert "code (utf8mb4_general_ci) without regard to case and accents" in told.message
    assert shop.run("SELECT count(*) FROM {s}.orders WHERE code = 'e'") == [(1,)], "so does the server"


def test_a_key_that_was_landed_as_it_is_written_keeps_that_until_it_is_read_anew(shop):
    make(shop, "varchar(9) COLLATE utf8mb4_bin")
    shop.run("INSERT INTO {s}.orders VALUES ('a ', '2026-01-01', 1)")
    before = tuple(Column(c.name, c.source_type, c.type) for c in shop.plan(**MERGE).columns)
    checkpoint = Checkpoint(1, "2025-01-01 00:00:00", None, before)
    assert not shop.plan(checkpoint, **MERGE).columns[0].canonical
    assert shop.plan(checkpoint, full_refresh=True, **MERGE).columns[0].canonical


@pytest.mark.parametrize(
    ("kind", "given", "landed"),
    [
        ("double", "-0e0", "0.0"),
        ("enum('b','a')", "'a'", "a"),
        ("binary(2)", "'a'", "a\\x00"),
        ("char(3)", "'a '", "a"),
    ],
)
def test_other_keys_land_in_one_spelling(shop, kind, given, landed):
    make(shop, kind + (" COLLATE utf8mb4_bin" if "char" in kind else ""))
    shop.run(f"INSERT INTO {{s}}.orders VALUES ({given}, '2026-01-01', 1)")
    load, rows, _ = shop.land(**MERGE)
    assert rows[0][0] == landed and not load.shortfalls


@pytest.mark.parametrize(
    ("collation", "unseen"),
    [
        ("utf8mb4_0900_ai_ci", ("case", "accents")),
        ("utf8mb4_0900_as_ci", ("case",)),
        ("utf8mb4_0900_as_cs", ()),
        ("utf8mb4_0900_bin", ()),
        ("utf8mb4_unicode_ci", ("case", "accents")),
        ("uca1400_ai_ci", ("case", "accents")),
        ("latin1_general_cs", ()),
        ("binary", ()),
    ],
)
def test_a_collations_name_says_what_it_does_not_see(collation, unseen):
    assert blind_to(collation) == unseen


@pytest.mark.parametrize(
    ("collation", "padded"),
    [("utf8mb4_0900_ai_ci", False), ("utf8mb4_nopad_bin", False), ("utf8mb4_bin", True), ("latin1_swedish_ci", True)],
)
def test_a_collations_name_says_whether_it_sees_blanks_at_the_end(collation, padded):
    assert pads(collation) is padded


@pytest.mark.parametrize(("key", "unique"), [(["code"], True), (["code", "v"], True), (["v"], False)])
def test_a_key_is_known_to_be_unique_where_an_index_over_not_null_columns_says_so(shop, key, unique):
    make(shop, "int")
    shop.run("ALTER TABLE {s}.orders ADD UNIQUE (v)")
    assert shop.plan(primary_key=key, incremental_column="at").key_unique is unique


@pytest.mark.parametrize(
    ("source_type", "kind", "text"),
    [("char(3)", "padded", "a  "), ("varchar(9)", "padded", "a  "), ("decimal(65,30)", "number", "2.00")],
)
def test_whoever_looks_for_a_value_finds_each_of_its_spellings(source_type, kind, text):
    compare = texts(Column("code", source_type, "VARCHAR"))
    assert compare.kind == kind and compare.compared(text) == compare.compared(text.rstrip(" 0."))
