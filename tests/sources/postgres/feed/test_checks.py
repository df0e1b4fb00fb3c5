"""What keeps a table from being followed is told before anything is made, with what to do."""

from __future__ import annotations

import pytest

from comboi_core.domain.errors import ConfigError
from comboi_core.sources.postgres.feed import running

TABLE = "CREATE TABLE {s}.orders (id integer PRIMARY KEY, note text)"


@pytest.mark.parametrize(
    ("made", "told"),
    [
        ("SELECT 1", "has no table"),
        ("CREATE VIEW {s}.orders AS SELECT 1 AS id", "is a view"),
        ("CREATE UNLOGGED TABLE {s}.orders (id integer PRIMARY KEY)", "unlogged"),
        ("CREATE TABLE {s}.orders (id integer NOT NULL)", "no replica identity"),
        (f"{TABLE}; ALTER TABLE {{s}}.orders REPLICA IDENTITY NOTHING", "no replica identity"),
        (
            "CREATE TABLE {s}.orders (id integer NOT NULL, other integer PRIMARY KEY)",
            "not part of the replica identity",
        ),
        ("CREATE TABLE {s}.orders (id integer); ALTER TABLE {s}.orders REPLICA IDENTITY FULL", "may be NULL"),
        (f"{TABLE}; CREATE TABLE {{s}}.heir () INHERITS ({{s}}.orders)", "inherit from it"),
    ],
)
def test_tables_that_cannot_be_followed(fed, made, told):
    fed.run(made)
    fed.follow()
    with pytest.raises(ConfigError, match=told) as refused:
        fed.setup()
    assert refused.value.remedy
    assert fed.run(f"SELECT count(*) FROM pg_publication WHERE pubname = '{fed.slot}'") == "0\n"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("DROP PUBLICATION {slot}", "there is no publication"),
        ("ALTER PUBLICATION {slot} SET (publish = 'insert')", "leaves out some kinds"),
        ("ALTER PUBLICATION {slot} DROP TABLE {s}.orders", "does not have"),
        ("ALTER PUBLICATION {slot} SET TABLE {s}.orders (id) WHERE (id > 5)", "has a WHERE"),
        ("ALTER PUBLICATION {slot} SET TABLE {s}.orders (note)", "lacks id"),
    ],
)
def test_a_publication_that_was_changed_is_refused_and_setup_repairs_it(fed, change, told):
    fed.run(TABLE)
    fed.follow()
    fed.setup()
    fed.run(change.replace("{slot}", fed.slot))
    with pytest.raises(ConfigError, match=told):
        fed.land()
    assert fed.setup() and not fed.setup()
    fed.run("INSERT INTO {s}.orders VALUES (6); UPDATE {s}.orders SET note = 'x'; DELETE FROM {s}.orders")
    fed.land()


def test_the_key_of_the_publication_follows_a_changed_replica_identity(fed):
    fed.run("CREATE TABLE {s}.orders (id integer PRIMARY KEY, code text NOT NULL UNIQUE)")
    fed.follow()
    fed.setup()
    fed.run("ALTER TABLE {s}.orders REPLICA IDENTITY USING INDEX orders_code_key")
    with pytest.raises(ConfigError, match="not part of the replica identity"):
        fed.land()


def test_a_partitioned_table_has_to_be_published_as_one(fed):
    fed.run("""CREATE TABLE {s}.orders (id integer PRIMARY KEY) PARTITION BY RANGE (id);
               CREATE TABLE {s}.one PARTITION OF {s}.orders FOR VALUES FROM (0) TO (10)""")
    fed.follow()
    fed.setup()
    fed.run(f"ALTER PUBLICATION {fed.slot} SET TABLE {{s}}.orders")
    fed.run(f"ALTER PUBLICATION {fed.slot} SET (publish_via_partition_root = false)")
    with pytest.raises(ConfigError, match="publish_via_partition_root"):
        fed.land()


def test_a_slot_of_another_kind_is_refused(fed):
    fed.run(TABLE)
    fed.follow()
    fed.run(f"SELECT pg_create_physical_replication_slot('{fed.slot}')")
    with pytest.raises(ConfigError, match="it is a physical slot"):
        fed.setup()


def test_status_tells_what_is_wrong_and_what_is_kept(fed):
    fed.run(TABLE)
    fed.follow()
    status = running.status(fed.con, fed.source, fed.connection)
    assert [message for message, _ in status.problems] == [
        f"there is no publication {fed.slot}",
        f"there is no slot {fed.slot}",
    ]
    fed.setup()
    fed.run("INSERT INTO {s}.orders SELECT g, repeat('x', 1000) FROM generate_series(1, 1000) g")
    status = running.status(fed.con, fed.source, fed.connection)
    assert not status.problems and status.retained > 1_000_000 and "MB of its log, without a limit" in status.told


def test_a_role_that_may_not_read_slots_is_told_so(fed, feeding):
    fed.run(TABLE)
    fed.follow()
    fed.setup()
    feeding.psql(f"CREATE ROLE reader_{fed.schema} LOGIN IN ROLE pg_read_all_data")
    connection = {"conn_str": feeding.uri.replace("//postgres@", f"//reader_{fed.schema}@")}
    status = running.status(fed.con, fed.source, connection)
    assert any("may not read slots" in message and "REPLICATION" in remedy for message, remedy in status.problems)


def test_without_logical_decoding_the_server_is_told(fed, pg):
    fed.server = pg
    pg.psql(f"CREATE SCHEMA {fed.schema}")
    fed.run(TABLE)
    fed.follow()
    with pytest.raises(ConfigError, match="wal_level is replica") as refused:
        fed.setup()
    assert "restart" in refused.value.remedy
    assert any(
        "CREATE PUBLICATION" in text for text in running.setup(fed.con, fed.source, fed.connection, carry_out=False)
    )
