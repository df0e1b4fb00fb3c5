"""Tables that follow the change feed: after each load the landed state is the source's, deleted rows included."""

from __future__ import annotations

import random
import threading

import pytest

from comboi_core.domain.errors import ConfigError, FeedLost
from comboi_core.domain.feed import Changes
from tests.support.waiting import until


@pytest.fixture
def orders(fed):
    fed.run("CREATE TABLE {s}.orders (id integer PRIMARY KEY, note text)")
    fed.follow("orders")
    fed.setup()
    return fed


def test_a_load_reads_what_changed_and_what_is_gone(orders):
    orders.run("INSERT INTO {s}.orders SELECT g, 'first' FROM generate_series(1, 5) g")
    first = orders.land()["orders"]
    assert first.mode == "merge" and not first.replaces and first.window.low is None
    orders.run("UPDATE {s}.orders SET note = 'x' WHERE id = 2; DELETE FROM {s}.orders WHERE id = 3")
    orders.run("UPDATE {s}.orders SET id = 40 WHERE id = 4; INSERT INTO {s}.orders VALUES (6)")
    load = orders.land()["orders"]
    assert [chunk.kind for chunk in load.chunks] == ["keys"] and load.estimated_rows == 5
    assert orders.landed["orders"] == orders.truth()
    assert sorted(orders.landed["orders"]) == [("1",), ("2",), ("40",), ("5",), ("6",)]
    assert orders.land()["orders"].unchanged


def test_peeking_consumes_nothing_and_committed_loads_let_the_server_forget(orders):
    orders.land()
    before = orders.position()
    orders.run("INSERT INTO {s}.orders VALUES (1)")
    one, two = orders.read(), orders.read()
    assert one.tables["orders"].portions[0].keys == two.tables["orders"].portions[0].keys == 1
    assert orders.position() == before == two.since
    orders.land()
    assert orders.position() != before


def test_a_table_that_is_not_landed_holds_the_slot_back_and_loses_nothing(fed):
    fed.run("CREATE TABLE {s}.a (id integer PRIMARY KEY); CREATE TABLE {s}.b (id integer PRIMARY KEY)")
    fed.follow("a")
    fed.follow("b")
    fed.setup()
    fed.land()
    fed.run("INSERT INTO {s}.a VALUES (1); INSERT INTO {s}.b VALUES (1)")
    fed.land("a")
    fed.run("INSERT INTO {s}.a VALUES (2)")
    fed.land("a")
    loads = fed.land()
    assert loads["b"].estimated_rows == 1 and loads["a"].unchanged
    assert fed.landed["b"] == fed.truth("b") and fed.landed["a"] == fed.truth("a")


def test_a_table_without_changes_lets_the_slot_go_on(fed):
    fed.run("CREATE TABLE {s}.a (id integer PRIMARY KEY); CREATE TABLE {s}.idle (id integer PRIMARY KEY)")
    fed.follow("a")
    fed.follow("idle")
    fed.setup()
    fed.land()
    for number in range(3):
        before = fed.position()
        fed.run(f"INSERT INTO {{s}}.a VALUES ({number})")
        plans = fed.land()
        assert plans["idle"].unchanged and not plans["a"].replaces and fed.position() != before
    fed.run("INSERT INTO {s}.idle VALUES (7)")
    assert not fed.land()["idle"].replaces and fed.landed["idle"] == fed.truth("idle")


def test_truncate_reads_the_whole_table_again(orders):
    orders.run("INSERT INTO {s}.orders SELECT g FROM generate_series(1, 5) g")
    orders.land()
    orders.run("TRUNCATE {s}.orders; INSERT INTO {s}.orders VALUES (3), (9)")
    load = orders.land()["orders"]
    assert load.replaces and "TRUNCATE" in load.warnings[0]
    assert orders.landed["orders"] == orders.truth()
    orders.run("INSERT INTO {s}.orders VALUES (10)")
    assert not orders.land()["orders"].replaces


def test_rolled_back_open_and_prepared_transactions(orders):
    orders.land()
    orders.run("BEGIN; INSERT INTO {s}.orders VALUES (1); ROLLBACK")
    orders.run("BEGIN; INSERT INTO {s}.orders VALUES (2); PREPARE TRANSACTION 'p'")
    orders.run("INSERT INTO {s}.orders VALUES (3)")
    load = orders.land()["orders"]
    assert load.estimated_rows == 1 and list(orders.landed["orders"]) == [("3",)]
    orders.run("COMMIT PREPARED 'p'")
    orders.land()
    assert orders.landed["orders"] == orders.truth() and ("2",) in orders.landed["orders"]


def test_a_commit_that_is_in_the_log_and_not_to_be_seen_yet_is_named_again(orders, feeding):
    """Of a transaction that waits for a synchronous standby the log has the commit, and nobody sees its rows."""
    orders.run("INSERT INTO {s}.orders VALUES (1, 'old'), (2, 'old')")
    orders.land()
    feeding.psql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'; SELECT pg_reload_conf()")
    try:
        writer = threading.Thread(target=orders.run, args=("DELETE FROM {s}.orders WHERE id = 1",))
        writer.start()
        until(lambda: feeding.psql("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") != "0\n")
        load = orders.land()["orders"]
        assert load.estimated_rows == 1 and ("1",) in orders.landed["orders"]
    finally:
        feeding.psql("ALTER SYSTEM RESET synchronous_standby_names; SELECT pg_reload_conf()")
    writer.join()
    assert not orders.land()["orders"].replaces and orders.landed["orders"] == orders.truth()


def test_a_lost_slot_reads_the_tables_again_or_fails(orders):
    orders.run("INSERT INTO {s}.orders VALUES (1), (2)")
    orders.land()
    orders.run("DELETE FROM {s}.orders WHERE id = 1")
    orders.run(f"SELECT pg_drop_replication_slot('{orders.slot}')")
    orders.on_lost = "fail"
    with pytest.raises(FeedLost, match="there is no slot"):
        orders.land()
    orders.on_lost = "reload"
    load = orders.land()["orders"]
    assert load.replaces and "no slot" in load.shortfalls[0].message and orders.landed["orders"] == orders.truth()


def test_a_slot_that_something_else_has_read_is_noticed(orders):
    orders.run("INSERT INTO {s}.orders VALUES (1), (2)")
    orders.land()
    orders.run("DELETE FROM {s}.orders WHERE id = 1")
    orders.run(f"SELECT pg_replication_slot_advance('{orders.slot}', pg_current_wal_lsn())")
    load = orders.land()["orders"]
    assert load.replaces and "something else has read it" in load.shortfalls[0].message
    assert orders.landed["orders"] == orders.truth()


def test_a_server_that_was_restored_is_noticed(orders):
    orders.land()
    early = Changes("0/1", "0/2", orders.read().tables)
    assert "was restored" in orders.land_one("orders", early).shortfalls[0].message


HOSTILE = [
    ("text", ["''", "'it''s'", r"E'a\\b\"c{},'", "E'a\\nb\\tc'", "'é😀'", "'NULL'", "' '"]),
    ("numeric", ["1.10", "-0.0", "1e30", "0.000001", "123456789012345678901234567890"]),
    ("numeric(12,3)", ["1.1", "-0", "99999"]),
    ("uuid", ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"]),
    ("timestamptz", ["'2024-02-29 12:00:00.123456+02'", "'0044-03-15 BC'"]),
    ("timestamp", ["'2024-02-29 12:00:00'"]),
    ("date", ["'2024-02-29'", "'1-1-1'"]),
    ("bytea", [r"'\x00ff27'", r"'\x'"]),
    ("char(5)", ["'a'", "'ab'"]),
    ("double precision", ["0.1", "1e300", "'-Infinity'"]),
    ("interval", ["'36 hours'", "'1 mon'"]),
    ("inet", ["'10.0.0.1'", "'10.0.0.0/8'"]),
    ("boolean", ["true", "false"]),
    ("jsonb", ["""'{"a": [1, "x\\"y"]}'"""]),
    ("integer[]", ["'{1,2}'", "'{}'"]),
    ("{s}.mood", ["'so \"so\"'", "'ok, fine'"]),
    ("{s}.positive", ["1", "2"]),
]


@pytest.mark.parametrize(("kind", "values"), HOSTILE, ids=[kind for kind, _ in HOSTILE])
def test_keys_of_every_type_find_their_rows_and_their_tombstones(fed, kind, values):
    fed.run("""CREATE TYPE {s}.mood AS ENUM ('so "so"', 'ok, fine');
               CREATE DOMAIN {s}.positive AS bigint CHECK (value > 0)""")
    fed.run(f"CREATE TABLE {{s}}.orders (part smallint, id {kind}, note text, PRIMARY KEY (id, part))")
    fed.follow("orders", "id", "part")
    fed.setup()
    fed.land()
    for value in values:
        fed.run(f"INSERT INTO {{s}}.orders VALUES (1, {value}, 'one'), (2, {value}, 'two')")
    fed.land()
    assert fed.landed["orders"] == fed.truth() and len(fed.truth()) == 2 * len(values)
    fed.run("DELETE FROM {s}.orders WHERE part = 1; UPDATE {s}.orders SET note = 'again'")
    load = fed.land()["orders"]
    assert not load.replaces and fed.landed["orders"] == fed.truth() and len(fed.truth()) == len(values)


def test_numerics_that_are_equal_are_one_key(fed):
    fed.run("CREATE TABLE {s}.orders (id numeric PRIMARY KEY, note text)")
    fed.follow("orders")
    fed.setup()
    fed.run("INSERT INTO {s}.orders VALUES (1.0)")
    fed.land()
    fed.run("UPDATE {s}.orders SET id = 1.00, note = 'x'")
    fed.run("UPDATE {s}.orders SET id = 1.000")
    fed.land()
    assert fed.landed["orders"] == fed.truth() == {("1",): ("1", "x")}


def test_rows_out_of_line_replica_identity_full_index_and_generated_columns(fed):
    fed.run("""
        CREATE TABLE {s}.whole (id integer PRIMARY KEY, note text); ALTER TABLE {s}.whole REPLICA IDENTITY FULL;
        CREATE TABLE {s}.indexed (id integer PRIMARY KEY, code text NOT NULL UNIQUE, body text,
            long text GENERATED ALWAYS AS (code || '!') STORED);
        ALTER TABLE {s}.indexed REPLICA IDENTITY USING INDEX indexed_code_key;
        CREATE TABLE {s}.wide (id text PRIMARY KEY, a text, n integer);
        ALTER TABLE {s}.wide ALTER a SET STORAGE EXTERNAL, ALTER id SET STORAGE EXTERNAL""")
    fed.follow("whole")
    fed.follow("indexed", "code")
    fed.follow("wide")
    fed.setup()
    fed.land()
    body = "(SELECT string_agg(md5(g::text), '') FROM generate_series(1, 1000) g)"
    fed.run(f"""
        INSERT INTO {{s}}.whole SELECT g, {body} FROM generate_series(1, 3) g;
        INSERT INTO {{s}}.indexed (id, code, body) SELECT g, 'c' || g, {body} FROM generate_series(1, 3) g;
        INSERT INTO {{s}}.wide SELECT g || left({body}, 2200), {body}, 0 FROM generate_series(1, 3) g""")
    fed.land()
    fed.run("""
        UPDATE {s}.whole SET id = 10 WHERE id = 1; DELETE FROM {s}.whole WHERE id = 2;
        UPDATE {s}.indexed SET code = 'd' WHERE code = 'c1'; DELETE FROM {s}.indexed WHERE id = 2;
        UPDATE {s}.wide SET n = 1; DELETE FROM {s}.wide WHERE id LIKE '2%'""")
    loads = fed.land()
    for name in fed.tables:
        assert fed.landed[name] == fed.truth(name) and len(fed.truth(name)) == 2 and not loads[name].replaces


def test_partitions_and_rows_that_move_between_them(fed):
    fed.run("""
        CREATE TABLE {s}.orders (id integer, day integer, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
        CREATE TABLE {s}.one PARTITION OF {s}.orders FOR VALUES FROM (0) TO (10);
        CREATE TABLE {s}.two PARTITION OF {s}.orders FOR VALUES FROM (10) TO (20);
        CREATE TABLE {s}.late (id integer NOT NULL, day integer NOT NULL); INSERT INTO {s}.late VALUES (9, 25)""")
    fed.follow("orders", "id", "day")
    fed.setup()
    fed.run("INSERT INTO {s}.orders VALUES (1, 1), (2, 1), (3, 11)")
    fed.land()
    fed.run("UPDATE {s}.orders SET day = 12 WHERE id = 1; DELETE FROM {s}.orders WHERE id = 3")
    assert not fed.land()["orders"].replaces and fed.landed["orders"] == fed.truth()
    fed.run("ALTER TABLE {s}.orders ATTACH PARTITION {s}.late FOR VALUES FROM (20) TO (30)")
    assert fed.land()["orders"].replaces and fed.landed["orders"] == fed.truth()
    fed.run("ALTER TABLE {s}.orders DETACH PARTITION {s}.one")
    assert fed.land()["orders"].replaces and fed.landed["orders"] == fed.truth()


def test_rows_that_where_leaves_out_are_gone(fed):
    fed.run("CREATE TABLE {s}.orders (id integer PRIMARY KEY, open boolean)")
    fed.follow("orders", where="open")
    fed.setup()
    fed.run("INSERT INTO {s}.orders VALUES (1, true), (2, true)")
    fed.land()
    fed.run("UPDATE {s}.orders SET open = false WHERE id = 1")
    fed.land()
    assert list(fed.landed["orders"]) == [("2",)]


def test_a_rewrite_that_changes_values_reads_the_table_again(orders):
    orders.run("INSERT INTO {s}.orders VALUES (1, '7')")
    orders.land()
    orders.run("VACUUM FULL {s}.orders")
    assert not orders.land()["orders"].replaces
    orders.run("ALTER TABLE {s}.orders ALTER note TYPE integer USING note::integer * 2")
    assert orders.land()["orders"].replaces and orders.landed["orders"] == orders.truth()


def test_random_writers_lose_nothing(orders):
    chance = random.Random(7)
    for step in range(12):
        statements = []
        for _ in range(chance.randrange(8)):
            key, other = chance.randrange(12), chance.randrange(12)
            statements.append(
                chance.choice(
                    [
                        f"INSERT INTO {{s}}.orders VALUES ({key}, '{step}') ON CONFLICT (id) DO UPDATE SET note = 'u'",
                        f"UPDATE {{s}}.orders SET note = note || 'x' WHERE id = {key}",
                        f"DELETE FROM {{s}}.orders WHERE id = {key}",
                        f"UPDATE {{s}}.orders o SET id = {other} WHERE id = {key} AND NOT EXISTS "
                        f"(SELECT 1 FROM {{s}}.orders WHERE id = {other})",
                        f"BEGIN; DELETE FROM {{s}}.orders WHERE id < {key}; ROLLBACK",
                        f"BEGIN; DELETE FROM {{s}}.orders WHERE id = {key}; "
                        f"INSERT INTO {{s}}.orders VALUES ({key}, 'again'); COMMIT",
                        *(["TRUNCATE {s}.orders"] if chance.random() < 0.1 else []),
                    ]
                )
            )
        orders.run(";".join(statements) or "SELECT 1")
        orders.land(advance=chance.random() < 0.5)
        assert orders.landed["orders"] == orders.truth(), step


def test_the_application_goes_on_when_a_table_cannot_be_followed(fed):
    fed.run("CREATE TABLE {s}.orders (id integer, note text); INSERT INTO {s}.orders VALUES (1)")
    fed.follow("orders")
    with pytest.raises(ConfigError, match="no replica identity"):
        fed.setup()
    fed.run("DELETE FROM {s}.orders")


def test_an_invalidated_slot_is_made_anew_and_one_that_is_near_to_it_is_told(orders, feeding):
    orders.land()
    orders.run("INSERT INTO {s}.orders VALUES (1)")
    feeding.psql("ALTER SYSTEM SET max_slot_wal_keep_size = '48MB'; SELECT pg_reload_conf()")
    try:
        for _ in range(3):
            orders.run("SELECT pg_switch_wal(); INSERT INTO {s}.orders VALUES (2) ON CONFLICT (id) DO NOTHING")
            feeding.psql("CHECKPOINT")
        (told,) = orders.land(advance=False)["orders"].shortfalls
        assert told.code == "feed_endangered" and "is lost after" in told.message
        for _ in range(5):
            orders.run("DELETE FROM {s}.orders; INSERT INTO {s}.orders VALUES (3); SELECT pg_switch_wal()")
            feeding.psql("CHECKPOINT")
        load = orders.land()["orders"]
        assert load.replaces and "invalidated it (wal_removed)" in load.shortfalls[0].message
        assert orders.landed["orders"] == orders.truth()
    finally:
        feeding.psql("ALTER SYSTEM RESET max_slot_wal_keep_size; SELECT pg_reload_conf()")
