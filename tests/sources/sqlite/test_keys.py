"""Keys are compared as SQLite compares them: what it calls equal, and the lake does not, is told or refused."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from comboi_core.domain.errors import UnsupportedValue
from tests.support.landing import Landing, lake_in

pytestmark = pytest.mark.few(2)

SQL = "INSERT INTO orders (id) VALUES "


@pytest.fixture
def make(con: Any, tmp_path: Path) -> Callable[..., Landing]:
    def fill(script: str, *, mine: bool = False, **table: Any) -> Landing:
        with sqlite3.connect(tmp_path / "shop.db") as db:
            if mine:
                db.create_collation("MINE", lambda one, other: (one > other) - (one < other))
            db.executescript(script)
        db.close()
        given = {"primary_key": ["id"]} | ({} if "query" in table else {"table": "orders"}) | table
        return Landing(con, lake_in(tmp_path), "sqlite", {"path": str(tmp_path / "shop.db")}, given)

    return fill


@pytest.mark.parametrize(
    ("declared", "query", "says"),
    [
        ("TEXT COLLATE NOCASE PRIMARY KEY", None, "id (COLLATE NOCASE)"),
        ("VARCHAR(9) PRIMARY KEY COLLATE RTRIM", None, "id (COLLATE RTRIM)"),
        ("TEXT COLLATE NOCASE", "SELECT * FROM orders WHERE at > ''", "id (COLLATE NOCASE)"),
        ("TEXT", "SELECT id COLLATE NOCASE AS id, at FROM orders", "id (COLLATE NOCASE)"),
        ("TEXT PRIMARY KEY", None, None),
        ("TEXT COLLATE NOCASE PRIMARY KEY", "SELECT lower(id) AS id, at FROM orders", None),
        ("INTEGER PRIMARY KEY", None, None),
    ],
)
def test_a_key_that_sqlite_compares_by_less_than_its_characters_is_told(make, declared, query, says):
    orders = make(
        f"CREATE TABLE orders (id {declared}, at TEXT DEFAULT '2026-01-01 10:00:00'); {SQL} ('1')",
        incremental_column="at",
        **({"query": query} if query else {}),
    )
    orders.load()
    found = [shortfall for shortfall in orders.said.shortfalls if shortfall.code == "key_equality"]
    assert [says in shortfall.message for shortfall in found] == ([True] if says else [])


def test_a_collation_that_only_an_application_knows_is_told_for_a_key_and_refused_for_a_cursor(make):
    orders = make(
        "CREATE TABLE orders (id TEXT COLLATE MINE PRIMARY KEY, n INTEGER, at TEXT COLLATE MINE);"
        "INSERT INTO orders VALUES ('a', 1, '2026-01-01')",
        mine=True,
        incremental_column="n",
    )
    assert len(orders.load()) == 1
    assert "id (COLLATE MINE)" in orders.said.shortfalls[0].message
    with pytest.raises(UnsupportedValue, match="s.t: no such collation sequence: MINE"):
        orders.load(incremental_column="at")


@pytest.mark.parametrize("query", [None, "SELECT * FROM orders"])
def test_a_key_that_holds_a_number_and_its_text_is_refused(make, query):
    script = f"CREATE TABLE orders (id UNIQUE NOT NULL, v TEXT DEFAULT 'x'); {SQL} (1), ('1'), ('a')"
    with pytest.raises(UnsupportedValue) as caught:
        make(
            script,
            mode="merge",
            incremental_column="v",
            on_null_cursor="include",
            **({"query": query} if query else {}),
        ).load()
    assert "the key id declares no type and holds '1' (integer) and 'a' (text)" in caught.value.message
    assert "CAST(id AS TEXT)" in caught.value.remedy and caught.value.context["column"] == "id"


@pytest.mark.parametrize("declared", ["ANY NOT NULL", ""])
def test_a_number_and_its_text_in_two_loads_are_refused(make, declared):
    strict = " STRICT" if declared else ""
    orders = make(
        f"CREATE TABLE orders (id {declared} PRIMARY KEY, n INTEGER){strict}; INSERT INTO orders VALUES ('1', 1)",
        incremental_column="n",
    )
    assert orders.load() == [{"id": "1", "n": 1}]
    with sqlite3.connect(orders.connection["path"]) as db:
        db.execute("INSERT INTO orders VALUES (1, 2)")
    with pytest.raises(UnsupportedValue, match=r"'1' \(integer\) and '1' \(text\)"):
        orders.load()


@pytest.mark.parametrize(
    ("declared", "before", "after", "landed"),
    [
        ("REAL", "1", "1.0", 1.0),
        ("REAL", "0.0", "-0.0", 0.0),
        ("", "1", "1.0", None),
        ("INTEGER", "1", "1.0", 1),
        ("TEXT", "1", "'1'", "1"),
        ("DATETIME", "1", "'1.0'", "1"),
        ("DECIMAL(9,2)", "'1.10'", "1.1", None),
    ],
)
def test_a_key_that_is_written_as_an_equal_number_stays_one_row(make, declared, before, after, landed):
    orders = make(
        f"CREATE TABLE orders (id {declared} PRIMARY KEY, n INTEGER); INSERT INTO orders VALUES ({before}, 1)",
        incremental_column="n",
    )
    first = orders.load()
    with sqlite3.connect(orders.connection["path"]) as db:
        db.execute(f"UPDATE orders SET id = {after}, n = 2")
    try:
        second = orders.load()
    except UnsupportedValue as refused:
        assert declared == "" and "column id holds '1.0', which is no BIGINT" in refused.message
        return
    assert len(first) == len(second) == 1 and (first[0]["id"], second[0]["n"]) == (second[0]["id"], 2)
    assert landed is None or second[0]["id"] == landed


@pytest.mark.parametrize(
    ("table", "unique"),
    [
        ("id INTEGER PRIMARY KEY, b INTEGER", True),
        ("id INTEGER PRIMARY KEY DESC, b INTEGER", False),
        ("id INT PRIMARY KEY, b INTEGER", False),
        ("id INT NOT NULL PRIMARY KEY, b INTEGER", True),
        ("id INTEGER, b INTEGER, PRIMARY KEY (id, b)", False),
        ("id INTEGER NOT NULL, b INTEGER NOT NULL, PRIMARY KEY (id, b)", True),
    ],
)
def test_a_key_is_unique_only_where_no_part_of_it_may_be_null(make, table, unique):
    orders = make(f"CREATE TABLE orders ({table}); INSERT INTO orders VALUES (1, 1)", primary_key=["id", "b"])
    assert orders.plan(mode="merge", incremental_column="b").key_unique is unique


def test_rows_with_a_null_in_a_composite_key_are_all_kept(make):
    orders = make(
        "CREATE TABLE orders (id INTEGER, b INTEGER, n INTEGER, PRIMARY KEY (id, b));"
        "INSERT INTO orders VALUES (1, NULL, 1), (1, NULL, 2), (1, 1, 3)",
        primary_key=["id", "b"],
        incremental_column="n",
    )
    assert len(orders.load()) == 3
