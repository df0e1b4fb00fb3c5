"""Names, columns, chunks, drift and errors of a PostgreSQL table."""

from __future__ import annotations

import pytest

from comboi_core.domain.errors import (
    ConfigError,
    SourceAuthFailed,
    SourceObjectMissing,
    SourceQueryFailed,
    SourceUnreachable,
    UnsupportedValue,
)
from comboi_core.domain.load import Checkpoint, Column
from comboi_core.domain.sql import identifier
from comboi_core.sources.postgres import chunks as postgres_chunks
from tests.sources.conftest import PASSWORD, Shop

pytestmark = pytest.mark.few(2)

MERGE = {"incremental_column": "at", "primary_key": ["id"]}


def ids(rows) -> list[int]:
    return sorted(int(row[0]) for row in rows)


@pytest.mark.parametrize(
    ("name", "configured"),
    [
        ("orders", "{s}.orders"),
        ("Orders", "{s}.Orders"),
        ("a.b", '{s}."a.b"'),
        ('say "hi"', '{s}."say ""hi"""'),
        ("select", "{s}.select"),
        ("mit Leer'zeichen; --", "{s}.mit Leer'zeichen; --"),
        ("größe\\n", '"{s}"."größe\\n"'),
    ],
)
def test_tables_and_columns_may_have_any_name(shop, name, configured):
    column = f"{name} 1"
    shop.run(f"CREATE TABLE {{s}}.{identifier(name)} ({identifier(column)} integer, at timestamptz DEFAULT now())")
    shop.run(f"INSERT INTO {{s}}.{identifier(name)} VALUES (1)")
    load, rows, _ = shop.land(table=configured, primary_key=[column], incremental_column="at")
    assert ids(rows) == [1] and load.columns[0].name == column


@pytest.mark.parametrize("name", ["", ".", "a.", ".a", "a..b", "a.b.c", '"a', '"a"b', '""'])
def test_a_table_s_name_that_cannot_be_understood_is_refused(shop, name):
    with pytest.raises((ConfigError, ValueError)):
        shop.open(table=name)


def test_a_table_without_schema_is_looked_up_on_the_search_path(shop):
    assert shop.plan(table="pg_class", mode="full", columns=["relname"]).columns == (
        Column("relname", "name", "VARCHAR"),
    )


def test_columns_can_be_chosen_and_keep_the_key_and_the_cursor(shop):
    shop.run("CREATE TABLE {s}.orders (id integer, a text, b text, at timestamptz)")
    load = shop.plan(columns=["b"], **MERGE)
    assert [column.name for column in load.columns] == ["id", "b", "at"]


@pytest.mark.parametrize(
    "table", [{"columns": ["amuont"]}, {"primary_key": ["amuont"]}, {"incremental_column": "amuont", "mode": "append"}]
)
def test_a_missing_column_is_named_with_the_closest_one(shop, table):
    shop.run("CREATE TABLE {s}.orders (amount integer)")
    with pytest.raises(SourceObjectMissing, match=r"no column amuont \(did you mean 'amount'\?\)"):
        shop.plan(**table)


@pytest.mark.parametrize("columns", ["", 'a integer, "A" integer', "_load integer", '"File_Row_Number" integer'])
def test_columns_that_cannot_be_landed_are_refused(shop, columns):
    shop.run(f"CREATE TABLE {{s}}.orders ({columns})")
    with pytest.raises(UnsupportedValue, match="shop.orders"):
        shop.plan()


def test_dropped_columns_are_gone(shop):
    shop.run("CREATE TABLE {s}.orders (id integer, a text); ALTER TABLE {s}.orders DROP COLUMN a")
    assert [column.name for column in shop.plan().columns] == ["id"]


def test_views_partitions_and_heirs_are_read_whole(shop):
    shop.run(
        """CREATE TABLE {s}.parent (id integer, at timestamptz DEFAULT now()) PARTITION BY LIST (id);
        CREATE TABLE {s}.p1 PARTITION OF {s}.parent FOR VALUES IN (1);
        CREATE TABLE {s}.p2 PARTITION OF {s}.parent FOR VALUES IN (2);
        INSERT INTO {s}.parent VALUES (1), (2); CREATE VIEW {s}.orders AS SELECT * FROM {s}.parent;
        CREATE TABLE {s}.old (id integer); CREATE TABLE {s}.new () INHERITS ({s}.old);
        INSERT INTO {s}.old VALUES (1); INSERT INTO {s}.new VALUES (2);
        ANALYZE"""
    )
    for table in ("{s}.parent", "{s}.orders", "{s}.old"):
        load, rows, _ = shop.land(table=table)
        assert ids(rows) == [1, 2] and load.estimated_rows == 2


class TestChunks:
    def make(self, shop, rows: str, key: str = "integer PRIMARY KEY") -> None:
        shop.run(f"CREATE TABLE {{s}}.orders (id {key}, at timestamptz DEFAULT now()); INSERT INTO {{s}}.orders {rows}")

    def test_small_loads_have_one(self, shop):
        self.make(shop, "SELECT generate_series(1, 10)")
        load = shop.plan(**MERGE, chunk_rows=10)
        assert [chunk.kind for chunk in load.chunks] == ["all"] and load.estimated_rows == 10 and load.key_unique

    @pytest.mark.parametrize("analyzed", [True, False])
    @pytest.mark.parametrize("mode", ["merge", "full"])
    def test_large_loads_are_cut_by_the_key_without_gap_or_overlap(self, shop, analyzed, mode):
        self.make(shop, "SELECT i - 50 FROM generate_series(1, 100) i")
        if analyzed:
            shop.run("ANALYZE {s}.orders")
        load, rows, checkpoint = shop.land(**MERGE | {"mode": mode}, chunk_rows=30)
        assert ids(rows) == list(range(-49, 51))
        assert [(chunk.low, chunk.high) for chunk in load.chunks] == [
            (None, "-25"),
            ("-25", "0"),
            ("0", "25"),
            ("25", None),
        ]

    def test_an_incremental_load_is_cut_by_what_it_reads(self, shop):
        self.make(shop, "SELECT i, '2026-01-01' FROM generate_series(1, 100) i")
        _, _, checkpoint = shop.land(**MERGE, chunk_rows=30)
        shop.run("UPDATE {s}.orders SET at = '2026-01-02' WHERE id > 60")
        load, rows, _ = shop.land(checkpoint, **MERGE, chunk_rows=30)
        assert ids(rows) == list(range(61, 101)) and load.estimated_rows == 40
        assert [(chunk.low, chunk.high) for chunk in load.chunks] == [(None, "80"), ("80", None)]

    def test_keys_at_the_ends_of_their_type(self, shop):
        self.make(shop, "VALUES (-9223372036854775808), (0), (9223372036854775807)", "bigint PRIMARY KEY")
        _, rows, _ = shop.land(**MERGE, chunk_rows=1)
        assert len(rows) == 3

    def test_a_key_by_configuration_only_may_be_null(self, shop):
        self.make(shop, "SELECT generate_series(1, 9) UNION ALL SELECT NULL", "integer")
        load, rows, _ = shop.land(**MERGE, chunk_rows=3)
        assert len(rows) == 10 and len(load.chunks) == 4 and not load.key_unique

    def test_without_a_key_there_is_one(self, shop):
        self.make(shop, "SELECT generate_series(1, 9)")
        assert len(shop.plan(mode="full", chunk_rows=2).chunks) == 1

    @pytest.mark.parametrize(
        ("kind", "value"),
        [
            ("text", "repeat(chr(39), i % 3) || chr(9) || i"),
            ("uuid", "md5(i::text)::uuid"),
            ("numeric", "i / 7.0"),
            ("timestamptz", "'2026-01-01'::timestamptz + i * interval '1.000001 s'"),
            ("timestamp(3)", "'2026-01-01'::timestamp + i * interval '0.1 s'"),
            ("date", "'0044-03-15 BC'::date + i"),
            ("smallint", "i"),
        ],
    )
    def test_keys_of_any_ordered_type_cut_and_so_does_the_first_of_several(self, shop, kind, value):
        shop.run(f"CREATE TABLE {{s}}.orders (k {kind}, n integer, PRIMARY KEY (k, n))")
        shop.run(f"INSERT INTO {{s}}.orders SELECT {value}, i FROM generate_series(1, 100) i")
        load, rows, _ = shop.land(primary_key=["k", "n"], mode="full", chunk_rows=30)
        assert len(load.chunks) == 4
        assert sorted(int(row[1]) for row in rows) == list(range(1, 101))

    def test_an_insert_only_table_without_a_key_is_cut_by_its_cursor(self, shop):
        shop.run("CREATE TABLE {s}.orders (id integer, at timestamptz NOT NULL)")
        shop.run("INSERT INTO {s}.orders SELECT i, '2026-01-01'::timestamptz + i * interval '1 s' "
                 "FROM generate_series(1, 100) i")  # fmt: skip
        load, rows, _ = shop.land(incremental_column="at", chunk_rows=30)
        assert len(load.chunks) == 4 and ids(rows) == list(range(1, 101))

    def test_skewed_keys_still_give_chunks_of_about_the_same_size(self, shop):
        self.make(shop, "SELECT CASE WHEN i < 5 THEN i ELSE 9e15::int8 + i END FROM generate_series(1, 1000) i",
                  "bigint PRIMARY KEY")  # fmt: skip
        adapter = shop.open(**MERGE, chunk_rows=250)
        load = adapter.plan(Checkpoint(), full_refresh=False)
        counts = [
            shop.con.execute(f"SELECT count(*) FROM ({adapter.select(load, chunk)})").fetchone()[0]
            for chunk in load.chunks
        ]
        assert sum(counts) == 1000 and max(counts) <= 252

    def test_the_keys_of_a_large_table_are_sampled(self, shop, monkeypatch):
        monkeypatch.setattr(postgres_chunks, "_SAMPLE_ROWS", 2000)
        self.make(shop, "SELECT generate_series(1, 20000)")
        shop.run("ANALYZE {s}.orders")
        load, rows, _ = shop.land(**MERGE, chunk_rows=5000)
        assert len(load.chunks) == 4 and len(rows) == 20000

    @pytest.mark.parametrize("analyzed", [True, False])
    def test_chunks_are_bounded_in_bytes_too(self, shop, analyzed):
        shop.run("CREATE TABLE {s}.orders (id integer PRIMARY KEY, at timestamptz DEFAULT now(), wide text)")
        shop.run("ALTER TABLE {s}.orders ALTER wide SET STORAGE EXTERNAL")
        shop.run("INSERT INTO {s}.orders SELECT i, now(), repeat('x', 10000) FROM generate_series(1, 200) i")
        if analyzed:
            shop.run("ANALYZE {s}.orders")
        load, rows, checkpoint = shop.land(**MERGE, chunk_bytes="500KB")
        assert len(rows) == 200 and 4 <= len(load.chunks) <= 7
        assert len(shop.land(checkpoint, full_refresh=True, **MERGE)[0].chunks) == 1
        shop.run("INSERT INTO {s}.orders VALUES (1000)")
        assert len(shop.land(checkpoint, **MERGE, chunk_bytes="500KB")[0].chunks) == 1

    def test_a_query_is_run_once(self, shop):
        self.make(shop, "SELECT generate_series(1, 9)")
        load = shop.plan(query="SELECT * FROM {s}.orders", primary_key=["id"], chunk_rows=2)
        assert len(load.chunks) == 1 and load.estimated_rows is None

    def test_a_row_that_moves_between_two_chunks_is_not_lost(self, shop):
        self.make(shop, "SELECT i, '2026-01-01' FROM generate_series(1, 10) i")
        adapter = shop.open(**MERGE, chunk_rows=5)
        load = adapter.plan(Checkpoint(), full_refresh=False)
        first = shop.con.execute(adapter.select(load, load.chunks[0])).fetchall()
        shop.run("UPDATE {s}.orders SET at = now()")
        second = shop.con.execute(adapter.select(load, load.chunks[1])).fetchall()
        after = Checkpoint(1, load.watermark, None, load.columns)
        _, third, _ = shop.land(after, **MERGE)
        assert ids(first) == [1, 2, 3, 4] and second == [] and ids(third) == list(range(1, 11))


class TestKeyUnique:
    @pytest.mark.parametrize(
        ("table", "key", "unique"),
        [
            ("id integer PRIMARY KEY, b integer", ["id"], True),
            ("id integer PRIMARY KEY, b integer", ["id", "b"], True),
            ("id integer, b integer, PRIMARY KEY (id, b)", ["id"], False),
            ("id integer UNIQUE NOT NULL, b integer", ["id"], True),
            ("id integer UNIQUE, b integer", ["id"], False),
            ("id integer, b integer", ["id"], False),
            ("id integer PRIMARY KEY DEFERRABLE, b integer", ["id"], False),
        ],
    )
    def test_follows_from_the_source_s_indexes(self, shop, table, key, unique):
        shop.run(f"CREATE TABLE {{s}}.orders ({table})")
        assert shop.plan(primary_key=key).key_unique is unique

    def test_partial_indexes_and_heirs_do_not_count(self, shop):
        shop.run("CREATE TABLE {s}.orders (id integer NOT NULL); CREATE UNIQUE INDEX ON {s}.orders (id) WHERE id > 5")
        assert not shop.plan(primary_key=["id"]).key_unique
        shop.run("CREATE TABLE {s}.a (id integer PRIMARY KEY); CREATE TABLE {s}.b () INHERITS ({s}.a)")
        assert not shop.plan(table="{s}.a", primary_key=["id"]).key_unique


class TestErrors:
    def check(self, caught, *words: str) -> None:
        error = caught.value
        for word in words:
            assert word in error.message
        for secret in (PASSWORD, "geheim", "postgresql://", "p%27w", "p'w"):
            assert secret not in error.message and secret not in error.remedy
        assert error.__cause__ is None and error.__context__ is None

    def test_wrong_password(self, shop, pg):
        with pytest.raises(SourceAuthFailed) as caught:
            shop.open(uri=pg.tcp_uri("geheim"))
        self.check(caught, "shop.orders", "password authentication failed for user")
        assert not caught.value.transient

    @pytest.mark.parametrize("form", ["uri", "keywords"])
    def test_nothing_listens(self, shop, form):
        uri = (
            "postgresql://u:geheim@127.0.0.1:1/x"
            if form == "uri"
            else r"host=127.0.0.1 port=1 user=u password='geheim'"
        )
        with pytest.raises(SourceUnreachable) as caught:
            shop.open(uri=uri)
        self.check(caught, "shop.orders", "Connection refused")
        assert caught.value.transient

    @pytest.mark.parametrize("conn_str", ["geheim", "host=h password='geheim", "postgres://geheim@[::1"])
    def test_a_connection_string_that_is_none_is_not_shown(self, shop, conn_str):
        with pytest.raises((SourceUnreachable, ConfigError)) as caught:
            shop.open(uri=conn_str)
        self.check(caught, "shop.orders")

    def test_keyword_connection_strings_and_the_user_s_options_work(self, shop, pg):
        shop.run("CREATE TABLE {s}.orders (id integer); GRANT USAGE ON SCHEMA {s} TO comboi")
        escaped = PASSWORD.replace("\\", "\\\\").replace("'", "\\'")
        keywords = f"host=127.0.0.1 port={pg.port} dbname=postgres user=comboi password='{escaped}' sslmode=disable"
        load = shop.plan(uri=f"{keywords} options='-c search_path={shop.schema}'", table="orders")
        assert [column.name for column in load.columns] == ["id"]

    def test_a_missing_table_or_database(self, shop, pg):
        with pytest.raises(SourceObjectMissing) as caught:
            shop.plan()
        self.check(caught, "no table", ".orders")
        with pytest.raises(SourceObjectMissing) as caught:
            shop.open(uri=pg.uri.replace("/postgres?", "/nowhere?"))
        self.check(caught, "nowhere")

    def test_a_table_dropped_between_plan_and_read(self, shop):
        shop.run("CREATE TABLE {s}.orders (id integer)")
        adapter = shop.open()
        load = adapter.plan(Checkpoint(), full_refresh=False)
        shop.run("DROP TABLE {s}.orders")
        with pytest.raises(Exception, match="relation") as caught:
            shop.con.execute(adapter.select(load, load.chunks[0])).fetchall()
        assert isinstance(adapter.translate(caught.value), SourceObjectMissing)

    def test_no_right_to_read(self, shop, pg):
        shop.run("CREATE TABLE {s}.orders (id integer, at timestamptz)")
        pg.psql("DROP ROLE IF EXISTS nobody_here; CREATE ROLE nobody_here LOGIN")
        with pytest.raises(SourceObjectMissing) as caught:
            shop.plan(uri=pg.uri.replace("postgres@", "nobody_here@"), **MERGE)
        self.check(caught, "permission denied")

    @pytest.mark.parametrize("query", ["SELEC 1", "SELECT 1 AS a, 2 AS a", "SELECT 1; SELECT 2", "SELECT 1/0 AS x"])
    def test_a_query_that_does_not_work(self, shop, query):
        with pytest.raises(SourceQueryFailed) as caught:
            _, rows, _ = shop.land(query=query)
        self.check(caught, "shop.orders")

    def test_the_server_stops_midway(self, server, con):
        shop = Shop(con, server.uri, "public", server.psql)
        shop.run("CREATE TABLE {s}.orders (id integer, at timestamptz)")
        adapter = shop.open(**MERGE)
        adapter.plan(Checkpoint(), full_refresh=False)
        server.stop()
        with pytest.raises(SourceUnreachable) as caught:
            adapter.plan(Checkpoint(), full_refresh=False)
        self.check(caught, "shop.orders")
        adapter.close()
        adapter.close()

    def test_the_session_only_reads(self, shop):
        shop.run("CREATE SEQUENCE {s}.numbers")
        with pytest.raises(SourceQueryFailed, match="read-only transaction"):
            shop.land(query="SELECT nextval('{s}.numbers') AS x")
