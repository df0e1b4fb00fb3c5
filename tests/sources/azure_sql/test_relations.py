"""What a load from Azure SQL was planned for is what it read: tables, and what views and queries are made of.

On the double, which stands in for SQL Server; `anywhere` on a real server as well, where there is one.
"""

from __future__ import annotations

import pytest

from comboi_core.domain.errors import SourceChanged
from comboi_core.sources.azure_sql.text import names

pytestmark = pytest.mark.few(8)

VIEW = "CREATE VIEW {s}.{v} AS SELECT o.id FROM {s}.{t} AS o"
READS = {
    "table": {},
    "view": {"table": "{s}.v"},
    "view of a view": {"table": "{s}.w"},
    "query": {"table": None, "query": "WITH a AS (SELECT id FROM {s}.other) SELECT o.id FROM {s}.[orders] AS o, a"},
    "query of a view": {"table": None, "query": "SELECT x.id FROM {s}.other AS y JOIN {s}.w AS x ON x.id = y.id"},
    "condition": {"table": "{s}.other", "where": "id IN (SELECT id FROM {s}.orders)"},
}


def made(shop) -> None:
    shop.run("CREATE TABLE {s}.orders (id int NOT NULL PRIMARY KEY)", "INSERT INTO {s}.orders VALUES (1), (2)")
    shop.run("CREATE TABLE {s}.other (id int)", "INSERT INTO {s}.other VALUES (1), (2)")
    shop.run(VIEW.replace("{v}", "v").replace("{t}", "orders"), VIEW.replace("{v}", "w").replace("{t}", "v"))


def read(shop, table) -> tuple:
    """Plan; give the adapter of another activity, which has read the rows, and the plan."""
    load = shop.plan(**table)
    adapter = shop.open(**table)
    assert shop.con.execute(adapter.select(load, load.chunks[0])).fetchall()
    return adapter, load


@pytest.mark.parametrize("reads", READS)
@pytest.mark.parametrize("before", [True, False], ids=["before it is read", "while it is read"])
@pytest.mark.parametrize("how", ["truncated", "made anew"])
def test_nothing_is_landed_of_a_table_that_became_another_one(anywhere, reads, before, how):
    made(anywhere)
    table = {key: anywhere.filled(value) if value else value for key, value in READS[reads].items()}
    change = ["TRUNCATE TABLE {s}.orders"]
    if how == "made anew":
        change = ["DROP TABLE {s}.orders", "CREATE TABLE {s}.orders (id int NOT NULL PRIMARY KEY)"]
    change.append("INSERT INTO {s}.orders VALUES (1), (2)")
    if before:
        load, adapter = anywhere.plan(**table), anywhere.open(**table)
        anywhere.run(*change)
        anywhere.con.execute(adapter.select(load, load.chunks[0])).fetchall()
    else:
        adapter, load = read(anywhere, table)
        anywhere.run(*change)
    with pytest.raises(SourceChanged, match=r"orders was truncated, switched, filtered or made anew"):
        adapter.confirm(load)


@pytest.mark.parametrize("reads", READS)
def test_rows_that_come_and_go_and_what_is_not_read_are_no_reason(anywhere, reads):
    made(anywhere)
    anywhere.run("CREATE TABLE {s}.aside (id int)")
    table = {key: anywhere.filled(value) if value else value for key, value in READS[reads].items()}
    adapter, load = read(anywhere, table)
    anywhere.run("DELETE FROM {s}.orders", "INSERT INTO {s}.orders VALUES (3)", "TRUNCATE TABLE {s}.aside")
    anywhere.run("ALTER TABLE {s}.orders ADD b int", "CREATE INDEX ix ON {s}.orders (b)")
    adapter.confirm(load)


def test_a_view_that_is_defined_anew_is_noticed(anywhere):
    made(anywhere)
    adapter, load = read(anywhere, {"table": anywhere.filled("{s}.w")})
    anywhere.run("DROP VIEW {s}.v", VIEW.replace("{v}", "v").replace("{t}", "other"))
    with pytest.raises(SourceChanged, match=r"\.v was"):
        adapter.confirm(load)


def test_what_a_synonym_stands_for_is_watched(anywhere):
    made(anywhere)
    anywhere.run("CREATE SYNONYM {s}.s FOR {s}.orders")
    adapter, load = read(anywhere, {"table": anywhere.filled("{s}.s")})
    anywhere.run("TRUNCATE TABLE {s}.orders")
    with pytest.raises(SourceChanged, match=r"\.orders was"):
        adapter.confirm(load)


def test_a_policy_that_begins_to_filter_rows_is_noticed(azure):
    made(azure)
    adapter, load = read(azure, {})
    azure.double.set(filtered={f"{azure.schema}.orders"})
    with pytest.raises(SourceChanged, match="filtered"):
        adapter.confirm(load)


def test_a_policy_that_filters_rows_is_told(azure):
    made(azure)
    assert azure.plan().shortfalls == ()
    azure.double.set(filtered={f"{azure.schema}.orders"})
    (told,) = azure.plan().shortfalls
    assert told.code == "rows_hidden" and "row-level security" in told.message


def test_a_view_s_tables_that_the_login_does_not_see_do_not_stop_it(azure):
    made(azure)
    azure.double.set(shows_definition=False)
    adapter, load = read(azure, {"table": azure.filled("{s}.v")})
    assert [relation.name for relation in load.relations] == [azure.filled("{s}.v")]
    adapter.confirm(load)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("SELECT a FROM dbo . [x.y] AS s", {("a",), ("dbo", "x.y"), ("s",), ("SELECT",), ("FROM",), ("AS",)}),
        ('"a""b"."c"', {('a"b', "c")}),
        ("'dbo.t' -- dbo.u\n /* dbo.v */ 1.5 crm.dbo.t a..b", {("b",)}),
        ("f(dbo.g(x).y)", {("f",), ("dbo", "g"), ("x",), ("y",)}),
        ("[] a.", {("a",)}),
        ("", set()),
    ],
)
def test_every_name_in_a_text_is_found(text, found):
    assert set(names(text)) == found
