"""A table is rewritten, emptied, replaced or switched while a load waits for it, or after the load was planned.

A snapshot does not see that, so what was read is compared with what was planned.
"""

from __future__ import annotations

import threading

import pytest

from comboi_core.domain.errors import SourceChanged
from comboi_core.domain.load import Checkpoint
from comboi_core.sources.postgres.catalog import Catalog
from tests.support.sessions import Session

pytestmark = pytest.mark.few(2)

MODES = {
    "full": {},
    "append": {"incremental_column": "id", "mode": "append"},
    "merge": {"primary_key": ["id"], "incremental_column": "at"},
    "xmin": {"primary_key": ["id"], "cursor": "xmin"},
    "query": {"query": "SELECT id, v, at FROM {s}.orders", "primary_key": ["id"], "incremental_column": "at"},
}
REWRITES = {
    "a volatile default": "ALTER TABLE {s}.orders ADD u uuid DEFAULT gen_random_uuid()",
    "another column's type": "ALTER TABLE {s}.orders ALTER w TYPE numeric",
    "truncated": "CREATE TEMP TABLE t AS FROM_ORDERS; TRUNCATE {s}.orders; INSERT INTO {s}.orders SELECT * FROM t",
    "replaced": "CREATE TABLE {s}.other (LIKE {s}.orders INCLUDING ALL); INSERT INTO {s}.other FROM_ORDERS; "
    "DROP TABLE {s}.orders; ALTER TABLE {s}.other RENAME TO orders",
    "swapped": "CREATE TABLE {s}.other (LIKE {s}.orders INCLUDING ALL); INSERT INTO {s}.other FROM_ORDERS; "
    "ALTER TABLE {s}.orders RENAME TO former; ALTER TABLE {s}.other RENAME TO orders",
}
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation'"


@pytest.fixture
def table(shop):
    shop.run(
        "CREATE TABLE {s}.orders (id integer PRIMARY KEY, v text, w integer, at timestamptz NOT NULL);"
        "INSERT INTO {s}.orders SELECT n, 'v', n, '2026-01-01' FROM generate_series(1, 100) n"
    )
    return shop


def read(shop, adapter, load, meanwhile=lambda: None):
    """The rows of a load, read as an activity does; `meanwhile` is called after the first chunk."""
    rows = []
    with adapter.reading(load):
        for chunk in load.chunks:
            rows += shop.con.execute(adapter.select(load, chunk)).fetchall()
            if chunk.index == 0:
                meanwhile()
    adapter.confirm(load)
    return rows


@pytest.mark.parametrize("rewrite", REWRITES.values(), ids=REWRITES)
@pytest.mark.parametrize("mode", MODES)
def test_a_read_that_waited_for_a_rewrite_is_not_taken_for_the_table(table, pg, mode, rewrite):
    adapter = table.open(**MODES[mode])
    load = adapter.plan(Checkpoint(), full_refresh=False)
    with Session(pg) as other:
        other.run("BEGIN; " + table.filled(rewrite.replace("FROM_ORDERS", "SELECT * FROM {s}.orders")))
        done = threading.Thread(target=commit_when_waited_for, args=(other, pg))
        done.start()
        with pytest.raises(SourceChanged, match="while the load was read; nothing of it was published"):
            read(table, adapter, load)
        done.join()
    again = table.open(**MODES[mode])
    load = again.plan(Checkpoint(), full_refresh=False)
    assert len(read(table, again, load)) == 100, "the plan that follows lands every row"


def commit_when_waited_for(session: Session, pg) -> None:
    while pg.psql(WAITING).strip() == "0":
        pass
    session.run("COMMIT")


def test_a_plan_that_waits_for_a_rewrite_sees_what_it_left(table, pg):
    adapter = table.open(**MODES["append"])
    with Session(pg) as other:
        other.run(table.filled("BEGIN; ALTER TABLE {s}.orders ALTER w TYPE numeric"))
        done = threading.Thread(target=commit_when_waited_for, args=(other, pg))
        done.start()
        load = adapter.plan(Checkpoint(1, "50"), full_refresh=False)
        done.join()
    assert (load.unchanged, load.watermark) == (False, "100")


@pytest.mark.parametrize("mode", MODES)
def test_what_was_rewritten_between_plan_and_read_is_planned_again(table, mode):
    adapter = table.open(**MODES[mode])
    load = adapter.plan(Checkpoint(), full_refresh=False)
    table.run("TRUNCATE {s}.orders")
    with pytest.raises(SourceChanged, match="orders was rewritten or emptied"):
        read(table, adapter, load)


@pytest.mark.parametrize("plain", ["INSERT INTO {s}.orders VALUES (0, 'v', 1, '2026-01-01')", "ANALYZE {s}.orders",
                                   "DELETE FROM {s}.orders", "CREATE INDEX ON {s}.orders (at)"])  # fmt: skip
def test_what_snapshots_cover_changes_no_plan(table, plain):
    adapter = table.open()
    load = adapter.plan(Checkpoint(), full_refresh=False)
    table.run(plain)
    read(table, adapter, load)


@pytest.fixture
def parts(shop):
    shop.run(
        "CREATE TABLE {s}.orders (id integer NOT NULL, v text) PARTITION BY RANGE (id);"
        "CREATE TABLE {s}.low PARTITION OF {s}.orders FOR VALUES FROM (0) TO (10);"
        "CREATE TABLE {s}.high PARTITION OF {s}.orders FOR VALUES FROM (10) TO (20);"
        "INSERT INTO {s}.orders SELECT n, 'v' FROM generate_series(0, 19) n;"
        "CREATE TABLE {s}.new (id integer NOT NULL, v text); INSERT INTO {s}.new VALUES (25, 'v');"
        "CREATE VIEW {s}.seen AS SELECT * FROM {s}.orders;"
        "CREATE MATERIALIZED VIEW {s}.kept AS SELECT * FROM {s}.orders"
    )
    return shop


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("ALTER TABLE {s}.orders DETACH PARTITION {s}.low", "low is no longer read"),
        ("ALTER TABLE {s}.orders ATTACH PARTITION {s}.new FOR VALUES FROM (20) TO (30)", "new was attached"),
        ("TRUNCATE {s}.high", "high was rewritten"),
        ("VACUUM FULL {s}.low", "low was rewritten"),
        ("ALTER TABLE {s}.orders DETACH PARTITION {s}.low CONCURRENTLY", "low is no longer read"),
    ],
)
@pytest.mark.parametrize("of", ["orders", "seen"])
def test_partitions_that_come_and_go_are_noticed_through_views_as_well(parts, of, change, says):
    adapter = parts.open(table=f"{{s}}.{of}")
    load = adapter.plan(Checkpoint(), full_refresh=False)
    parts.run(change)
    with pytest.raises(SourceChanged, match=says):
        read(parts, adapter, load)


def test_a_materialized_view_that_is_refreshed_is_noticed(parts):
    adapter = parts.open(table="{s}.kept")
    load = adapter.plan(Checkpoint(), full_refresh=False)
    assert len(read(parts, adapter, load)) == 20
    parts.run("REFRESH MATERIALIZED VIEW {s}.kept")
    with pytest.raises(SourceChanged, match="kept was rewritten"):
        read(parts, adapter, load)


def test_what_a_function_of_a_query_reads_is_looked_at_as_well(table, pg):
    table.run(
        "CREATE TABLE {s}.names (id integer, name text);"
        "INSERT INTO {s}.names SELECT n, 'x' FROM generate_series(1, 5) n;"
        "CREATE FUNCTION {s}.names() RETURNS SETOF text LANGUAGE plpgsql STABLE AS $$ BEGIN "
        "RETURN QUERY SELECT name FROM {s}.names; END $$"
    )
    adapter = table.open(query="SELECT name FROM {s}.names() AS name")
    load = adapter.plan(Checkpoint(), full_refresh=False)
    assert len(read(table, adapter, load)) == 5
    with Session(pg) as other:
        other.run(table.filled("BEGIN; ALTER TABLE {s}.names ALTER id TYPE numeric"))
        done = threading.Thread(target=commit_when_waited_for, args=(other, pg))
        done.start()
        with pytest.raises(SourceChanged, match="names was rewritten"):
            read(table, adapter, load)
        done.join()


VIEW = "CREATE OR REPLACE VIEW {s}.seen AS SELECT * FROM {s}.orders WHERE v <> 'x'"


@pytest.mark.parametrize("change", [VIEW, "ALTER VIEW {s}.seen SET (security_invoker = true)"])
def test_a_view_that_is_defined_anew_is_noticed(parts, change):
    adapter = parts.open(table="{s}.seen")
    load = adapter.plan(Checkpoint(), full_refresh=False)
    parts.run(change)
    with pytest.raises(SourceChanged, match="seen was defined anew"):
        read(parts, adapter, load)


def test_a_view_that_is_defined_anew_while_it_is_waited_for_is_noticed(parts, pg):
    adapter = parts.open(table="{s}.seen")
    load = adapter.plan(Checkpoint(), full_refresh=False)
    with Session(pg) as other:
        other.run(parts.filled(f"BEGIN; {VIEW}"))
        done = threading.Thread(target=commit_when_waited_for, args=(other, pg))
        done.start()
        with pytest.raises(SourceChanged, match="seen was defined anew"):
            read(parts, adapter, load)
        done.join()


@pytest.mark.parametrize("chunk_rows", [50, 1000])
def test_an_heir_that_comes_between_two_chunks_is_noticed(table, chunk_rows):
    """The first chunk has been read without its rows, and each snapshot shows them, since they are older."""
    table.run("CREATE TABLE {s}.heir (LIKE {s}.orders INCLUDING ALL)")
    table.run(
        "INSERT INTO {s}.heir SELECT n, 'v', n, '2026-01-01' FROM generate_series(101, 110) n; ANALYZE {s}.orders"
    )
    adapter = table.open(primary_key=["id"], chunk_rows=chunk_rows)
    load = adapter.plan(Checkpoint(), full_refresh=False)
    assert len(load.chunks) == 100 // chunk_rows or chunk_rows == 1000
    with pytest.raises(SourceChanged, match="heir was attached"):
        read(table, adapter, load, lambda: table.run("ALTER TABLE {s}.heir INHERIT {s}.orders"))


def test_a_name_that_stands_for_another_table_is_noticed(table, pg):
    table.run(
        "GRANT USAGE ON SCHEMA {s} TO comboi; GRANT SELECT ON {s}.orders TO comboi; DROP SCHEMA IF EXISTS {s}_new "
        "CASCADE; CREATE SCHEMA {s}_new; CREATE TABLE {s}_new.orders AS TABLE {s}.orders;"
        "GRANT USAGE ON SCHEMA {s}_new TO comboi; GRANT SELECT ON {s}_new.orders TO comboi;"
        "ALTER ROLE comboi SET search_path = {s}"
    )
    try:
        load = table.open(uri=pg.tcp_uri(), table="orders").plan(Checkpoint(), full_refresh=False)
        table.run("ALTER ROLE comboi SET search_path = {s}_new")
        with pytest.raises(SourceChanged, match="orders is no longer read"):
            read(table, table.open(uri=pg.tcp_uri(), table="orders"), load)
    finally:
        table.run("ALTER ROLE comboi RESET search_path")


def test_a_plan_that_meets_another_table_at_each_look_gives_up(table, monkeypatch):
    real = Catalog.find

    def swapped(catalog):
        found = real(catalog)
        table.run(table.filled(REWRITES["replaced"].replace("FROM_ORDERS", "SELECT * FROM {s}.orders")))
        return found

    monkeypatch.setattr(Catalog, "find", swapped)
    with pytest.raises(SourceChanged, match="another table each time"):
        table.plan(primary_key=["id"])


def test_rights_on_single_columns_are_enough(table, pg):
    table.run("GRANT USAGE ON SCHEMA {s} TO comboi; GRANT SELECT (id, v) ON {s}.orders TO comboi")
    adapter = table.open(uri=pg.tcp_uri(), columns=["id", "v"])
    load = adapter.plan(Checkpoint(), full_refresh=False)
    assert len(read(table, adapter, load)) == 100
