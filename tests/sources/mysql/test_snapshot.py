"""All chunks of a load show one state of the table, or the load fails and says that it does not."""

from __future__ import annotations

import duckdb
import pytest
from duckdb.sqltypes import BIGINT

from comboi_core.domain.errors import SourceChanged, SourceUnreachable
from comboi_core.domain.load import Checkpoint
from tests.sources.mysql.conftest import Shop
from tests.support.mariadb import BLIND, mariadb

pytestmark = pytest.mark.few(2)

CHUNKED = {"primary_key": ["id"], "chunk_rows": 25, "mode": "full"}
MODES = {
    "chunks": CHUNKED,
    "one stream": {},
    "merge": {"primary_key": ["id"], "incremental_column": "at"},
    "query": {"query": "SELECT id, v, at FROM {s}.orders"},
    "view": {"table": "{s}.seen"},
}
REWRITES = {
    "emptied": "TRUNCATE {s}.orders",
    "emptied and filled": "CREATE TABLE {s}.t SELECT * FROM {s}.orders;\nTRUNCATE {s}.orders;\n"
    "INSERT INTO {s}.orders SELECT * FROM {s}.t",
    "written anew": "ALTER TABLE {s}.orders FORCE",
    "replaced": "CREATE TABLE {s}.other LIKE {s}.orders;\nINSERT INTO {s}.other SELECT * FROM {s}.orders;\n"
    "DROP TABLE {s}.orders;\nRENAME TABLE {s}.other TO {s}.orders",
    "swapped": "CREATE TABLE {s}.other LIKE {s}.orders;\n"
    "RENAME TABLE {s}.orders TO {s}.former, {s}.other TO {s}.orders",
}


@pytest.fixture
def table(shop):
    shop.run(
        "CREATE TABLE {s}.orders (id int PRIMARY KEY, v int NOT NULL, at datetime NOT NULL);\n"
        "INSERT INTO {s}.orders SELECT seq, 1, '2026-01-01' FROM seq_1_to_100;\n"
        "ANALYZE TABLE {s}.orders;\n"
        "CREATE VIEW {s}.seen AS SELECT id, v, at FROM {s}.orders".replace("seq_1_to_100", "{s}.seq_1_to_100")
    )
    return shop


def test_every_chunk_is_of_the_moment_at_which_the_reading_began(table):
    adapter = table.open(**CHUNKED)
    load = adapter.plan(Checkpoint(), full_refresh=False)
    assert len(load.chunks) >= 3
    rows = table.read(
        adapter, load, lambda: table.run("UPDATE {s}.orders SET v = 2;\nDELETE FROM {s}.orders WHERE id > 50")
    )
    assert sorted(row[0] for row in rows) == list(range(1, 101))
    assert {row[1] for row in rows} == {1}


def test_activities_that_read_one_state_say_so_where_the_server_can_tell(con):
    with mariadb("--log-bin", "--server-id=1") as server:
        server.run("CREATE DATABASE d;\nCREATE TABLE d.orders (id int PRIMARY KEY)")
        server.run("INSERT INTO d.orders SELECT seq FROM d.seq_1_to_100;\nANALYZE TABLE d.orders")
        shop, states = Shop(con, "d", server), []
        for change in ("", "", "INSERT INTO d.orders VALUES (101)"):
            if change:
                server.run(change)
            adapter = shop.open(**CHUNKED)
            shop.read(adapter, adapter.plan(Checkpoint(), full_refresh=False))
            states.append(adapter.state)
        shop.close()
    assert states[0] == states[1] != states[2]


def test_activities_whose_states_the_server_cannot_tell_are_never_taken_for_one(table):
    states = set()
    for _ in range(2):
        adapter = table.open(**CHUNKED)
        table.read(adapter, adapter.plan(Checkpoint(), full_refresh=False))
        states.add(adapter.state)
    assert len(states) == 2 and all(states)


def test_one_stream_is_of_one_moment(table):
    table.run("INSERT INTO {s}.orders SELECT seq + 100, 1, '2026-01-01' FROM {s}.seq_1_to_200000")
    adapter = table.open(query="SELECT id, v FROM {s}.orders ORDER BY id")
    load = adapter.plan(Checkpoint(), full_refresh=False)
    with adapter.reading(load):
        stream = table.con.execute(adapter.select(load, load.chunks[0]))
        first = stream.fetchone()
        table.run("UPDATE {s}.orders SET v = 2")
        rest = stream.fetchall()
    adapter.confirm(load)
    assert (first[1], len(rest), {row[1] for row in rest}) == (1, 200_099, {1})


@pytest.mark.few(5)
@pytest.mark.parametrize("rewrite", REWRITES.values(), ids=REWRITES)
@pytest.mark.parametrize("mode", MODES)
def test_a_table_that_was_rewritten_after_planning_is_not_taken_for_the_planned_one(table, mode, rewrite):
    adapter = table.open(**MODES[mode])
    load = adapter.plan(Checkpoint(), full_refresh=False)
    table.run(rewrite)
    with pytest.raises(SourceChanged, match="orders was rewritten, emptied or replaced while the load was read"):
        table.read(adapter, load)
    again = table.open(**MODES[mode])
    table.read(again, again.plan(Checkpoint(), full_refresh=False))


def test_a_view_that_was_defined_anew_after_planning_is_noticed(table):
    adapter = table.open(table="{s}.seen")
    load = adapter.plan(Checkpoint(), full_refresh=False)
    table.run("CREATE OR REPLACE VIEW {s}.seen AS SELECT id, v, at FROM {s}.orders WHERE id < 5")
    with pytest.raises(SourceChanged, match="seen was defined anew"):
        table.read(adapter, load)


def test_what_changes_nothing_of_the_rows_does_not_fail_a_load(table):
    adapter = table.open(**CHUNKED)
    load = adapter.plan(Checkpoint(), full_refresh=False)
    table.run(
        "INSERT INTO {s}.orders VALUES (500, 1, '2026-01-01');\nANALYZE TABLE {s}.orders;\nUPDATE {s}.orders SET v = 3"
    )
    assert {row[1] for row in table.read(adapter, load)} == {3}


def test_without_the_right_process_a_replaced_table_is_noticed_and_the_gap_is_told(table):
    table.connection |= {"user": BLIND}
    adapter = table.open()
    load = adapter.plan(Checkpoint(), full_refresh=False)
    assert any("emptied by TRUNCATE between planning and reading is not noticed" in said for said in load.warnings)
    table.run("DROP TABLE {s}.orders")
    with pytest.raises(Exception, match=r"doesn't exist|no longer there"):
        table.read(adapter, load)


def test_a_table_without_a_key_or_of_another_engine_is_one_stream(table):
    table.run(
        "CREATE TABLE {s}.plain ENGINE = MyISAM AS SELECT * FROM {s}.orders;\n"
        "ALTER TABLE {s}.plain ADD PRIMARY KEY (id)"
    )
    for given in ({"table": "{s}.plain", "primary_key": ["id"]}, {"primary_key": ["v"]}, {}):
        assert [chunk.kind for chunk in table.plan(**given, chunk_rows=25, mode="full").chunks] == ["all"]


def test_more_rows_of_one_key_than_a_chunk_may_have_are_one_stream(table):
    table.run(
        "CREATE TABLE {s}.lines (order_id int, line int, PRIMARY KEY (order_id, line));\n"
        "INSERT INTO {s}.lines SELECT 7, seq FROM {s}.seq_1_to_100;\nANALYZE TABLE {s}.lines"
    )
    load = table.plan(table="{s}.lines", primary_key=["order_id", "line"], chunk_rows=25, mode="full")
    assert [chunk.kind for chunk in load.chunks] == ["all"]


@pytest.mark.parametrize("kind", ["int", "bigint unsigned", "date", "datetime(6)", "timestamp(3)"])
def test_chunks_cover_every_row_once(shop, kind):
    value = "seq" if "int" in kind else "'2026-01-01' + INTERVAL seq DAY"
    shop.run(
        f"CREATE TABLE {{s}}.orders (k {kind} NOT NULL PRIMARY KEY);\n"
        f"INSERT INTO {{s}}.orders SELECT {value} FROM {{s}}.seq_1_to_100;\nANALYZE TABLE {{s}}.orders"
    )
    load, rows, _ = shop.land(primary_key=["k"], chunk_rows=9, mode="full")
    assert len(load.chunks) > 9 and len(rows) == len(set(rows)) == 100


@pytest.mark.slow
def test_a_server_that_goes_away_while_rows_are_read_fails_the_load_for_another_attempt(con):
    with mariadb() as server:
        server.run(
            "CREATE DATABASE big;\n"
            "CREATE TABLE big.orders AS SELECT seq AS id, REPEAT('x', 500) AS v FROM big.seq_1_to_200000"
        )

        def stop(number: int) -> int:
            server.stop()
            return number

        shop = Shop(con, "big", server)
        adapter = shop.open()
        load = adapter.plan(Checkpoint(), full_refresh=False)
        con.create_function("stop", stop, [BIGINT], BIGINT, side_effects=True)
        with pytest.raises(duckdb.Error) as raised:
            con.execute(
                f"SELECT count(stop(id::BIGINT)), count(v) FROM ({adapter.select(load, load.chunks[0])})"
            ).fetchall()
        failed = adapter.translate(raised.value)
        assert isinstance(failed, SourceUnreachable) and "the connection broke while rows were read" in failed.message
        server.start()
        again = shop.open()
        assert len(shop.read(again, again.plan(Checkpoint(), full_refresh=False))) == 200_000
        shop.close()
