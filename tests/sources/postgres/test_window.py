"""No row is lost at the watermark and none is read twice, whatever other sessions do meanwhile."""

from __future__ import annotations

import random
import re
import threading
import time
from contextlib import ExitStack

import pytest

from comboi_core.domain.errors import UnsupportedValue
from comboi_core.domain.load import Checkpoint
from comboi_core.duckdb.engine import open_duckdb
from comboi_core.sources.postgres import cursor as postgres_cursor
from tests.sources.conftest import PASSWORD

pytestmark = pytest.mark.few(2)

APPEND = {"incremental_column": "at", "mode": "append"}
MERGE = {"incremental_column": "at", "primary_key": ["id"]}


def ids(rows) -> list[int]:
    return sorted(int(row[0]) for row in rows)


def make(shop, kind: str = "timestamptz NOT NULL DEFAULT now()", key: str = "integer") -> None:
    shop.run(f"CREATE TABLE {{s}}.orders (id {key}, at {kind})")


@pytest.mark.parametrize("kind", ["timestamptz", "timestamp", "timestamp(3)", "timestamptz(0)"])
@pytest.mark.parametrize("mode", [APPEND, MERGE])
def test_rows_committed_late_are_read_once_they_are_there(shop, kind, mode):
    make(shop, f"{kind} NOT NULL DEFAULT now()")
    shop.run("INSERT INTO {s}.orders VALUES (1, now() - interval '1 hour')")
    _, first, checkpoint = shop.land(**mode)
    assert ids(first) == [1]
    with shop.transaction("INSERT INTO {s}.orders VALUES (2)"):
        time.sleep(0.01)
        shop.run("INSERT INTO {s}.orders VALUES (3)")
        _, during, checkpoint = shop.land(checkpoint, **mode)
    time.sleep(1.7 if kind == "timestamptz(0)" else 0)
    _, after, checkpoint = shop.land(checkpoint, **mode)
    last, rest, _ = shop.land(checkpoint, **mode)
    assert ids(during + after + rest) == [2, 3]
    assert last.unchanged and not last.chunks and last.watermark == checkpoint.watermark


def test_a_transaction_that_has_not_written_yet_holds_the_window_back(shop):
    make(shop)
    with shop.transaction("SELECT 1"):
        time.sleep(0.01)
        shop.run("INSERT INTO {s}.orders VALUES (1)")
        load, rows, checkpoint = shop.land(**APPEND)
    assert rows == [] and load.window.high is None
    assert ids(shop.land(checkpoint, **APPEND)[1]) == [1]


def test_a_reader_of_ours_holds_nothing_back(shop):
    make(shop)
    with open_duckdb(memory_limit="256MB", threads=1) as other:
        other_adapter = shop.open(con=other, query="SELECT 1 AS id", mode="full")
        other.execute("BEGIN")
        other_adapter._rows("SELECT 1 AS one")
        shop.run("INSERT INTO {s}.orders VALUES (1)")
        assert ids(shop.land(**APPEND)[1]) == [1]
        other.execute("COMMIT")
        other_adapter.close()


@pytest.mark.slow
def test_random_writers_lose_and_double_nothing(shop):
    """Writers begin, write and commit in any order between loads; in the end every row was landed once."""
    make(shop)
    rng, landed, checkpoint, number = random.Random(7), [], Checkpoint(), 0
    open_writers: list[ExitStack] = []
    for _ in range(40):
        action = rng.choice(["begin", "commit", "insert", "load"])
        if action == "begin" and len(open_writers) < 3:
            number += 1
            stack = ExitStack()
            stack.enter_context(shop.transaction(f"INSERT INTO {{s}}.orders VALUES ({number})"))
            open_writers.append(stack)
        elif action == "commit" and open_writers:
            open_writers.pop(rng.randrange(len(open_writers))).close()
        elif action == "insert":
            number += 1
            shop.run(f"INSERT INTO {{s}}.orders VALUES ({number})")
        elif action == "load":
            _, rows, checkpoint = shop.land(checkpoint, **APPEND)
            landed += rows
    for stack in open_writers:
        stack.close()
    landed += shop.land(checkpoint, **APPEND)[1]
    assert ids(landed) == list(range(1, number + 1))


def test_rows_at_the_watermark_are_not_read_again(shop):
    make(shop)
    shop.run("INSERT INTO {s}.orders SELECT i, '2026-01-01 00:00:00.123456+00' FROM generate_series(1, 3) i")
    load, rows, checkpoint = shop.land(**APPEND)
    assert ids(rows) == [1, 2, 3] and load.watermark == "2026-01-01 00:00:00.123456+00"
    shop.run("INSERT INTO {s}.orders VALUES (4, '2026-01-01 00:00:00.123457+00')")
    load, rows, _ = shop.land(checkpoint, **APPEND)
    assert ids(rows) == [4] and load.watermark == "2026-01-01 00:00:00.123457+00"


def test_the_upper_bound_is_pinned_before_a_row_is_read(shop):
    make(shop)
    shop.run("INSERT INTO {s}.orders VALUES (1)")
    adapter = shop.open(**APPEND)
    load = adapter.plan(Checkpoint(), full_refresh=False)
    shop.run("INSERT INTO {s}.orders VALUES (2)")
    assert ids(shop.con.execute(adapter.select(load, load.chunks[0])).fetchall()) == [1]


def test_a_table_without_rows_is_committed_once_and_then_unchanged(shop):
    make(shop)
    load, rows, checkpoint = shop.land(**APPEND)
    assert rows == [] and not load.unchanged and load.window.high is None and load.watermark is None
    again, _, _ = shop.land(checkpoint, **APPEND)
    assert again.unchanged


def test_rows_that_vanish_do_not_move_the_watermark_back(shop):
    make(shop)
    shop.run("INSERT INTO {s}.orders VALUES (1)")
    _, _, checkpoint = shop.land(**APPEND)
    shop.run("DELETE FROM {s}.orders")
    load, rows, _ = shop.land(checkpoint, **APPEND)
    assert load.unchanged and load.watermark == checkpoint.watermark and not load.warnings
    shop.run("INSERT INTO {s}.orders VALUES (2, '2020-01-01')")
    load, _, _ = shop.land(checkpoint, **APPEND)
    assert load.unchanged and load.watermark == checkpoint.watermark
    assert [told.code for told in load.shortfalls] == ["source_behind"]


def test_full_refresh_reads_everything_and_goes_on_from_there(shop):
    make(shop)
    shop.run("INSERT INTO {s}.orders VALUES (1, '2026-01-01'), (2, '2026-01-02')")
    _, _, checkpoint = shop.land(**MERGE)
    shop.run("UPDATE {s}.orders SET id = 9 WHERE id = 1")
    load, rows, checkpoint = shop.land(checkpoint, full_refresh=True, **MERGE)
    assert load.replaces and ids(rows) == [2, 9] and load.watermark == "2026-01-02 00:00:00+00"
    assert shop.land(checkpoint, **MERGE)[0].unchanged


def test_mode_full_has_no_window(shop):
    make(shop)
    shop.run("INSERT INTO {s}.orders VALUES (1), (2)")
    for checkpoint in (Checkpoint(), Checkpoint(4)):
        load, rows, _ = shop.land(checkpoint, mode="full")
        assert load.replaces and load.window is None and load.watermark is None and ids(rows) == [1, 2]


def test_cursors_in_the_far_future_do_not_become_the_watermark(shop):
    make(shop)
    shop.run("INSERT INTO {s}.orders VALUES (1, '2026-01-01'), (2, '9999-12-31'), (3, 'infinity')")
    load, rows, _ = shop.land(**APPEND)
    assert ids(rows) == [1] and load.watermark == "2026-01-01 00:00:00+00"
    (told,) = load.shortfalls
    assert (told.code, told.rows) == ("future_cursor", 2)


@pytest.mark.parametrize(
    ("kind", "future"),
    [
        ("timestamptz", "now() + interval '1 hour'"),
        ("timestamp", "now() + interval '20 hours'"),
        ("date", "now()::date + 3"),
    ],
)
@pytest.mark.parametrize("full_refresh", [False, True])
def test_rows_from_the_future_are_counted_with_each_load(shop, kind, future, full_refresh):
    make(shop, kind)
    shop.run(f"INSERT INTO {{s}}.orders VALUES (1, '2026-01-01'), (2, {future}), (3, {future})")
    load, rows, checkpoint = shop.land(**MERGE)
    assert ids(rows) == [1]
    for plan in (load, shop.plan(checkpoint, full_refresh=full_refresh, **MERGE)):
        assert [(told.code, told.rows) for told in plan.shortfalls] == [("future_cursor", 2)]


@pytest.mark.parametrize("table", [MERGE, APPEND, {"primary_key": ["id"], "cursor": "xmin"}])
def test_a_source_that_is_suddenly_empty_is_told_with_each_run(shop, table):
    make(shop)
    shop.run("INSERT INTO {s}.orders VALUES (1, '2026-01-01')")
    load, _, checkpoint = shop.land(**table)
    assert not load.shortfalls and not shop.plan(checkpoint, **table).shortfalls
    shop.run("TRUNCATE {s}.orders")
    for _ in range(2):
        load = shop.plan(checkpoint, **table)
        assert load.unchanged and [told.code for told in load.shortfalls] == ["source_empty"]


def test_a_source_that_went_back_is_told(shop):
    make(shop)
    shop.run("INSERT INTO {s}.orders VALUES (1, '2026-01-01'), (2, '2026-01-03')")
    _, _, checkpoint = shop.land(**MERGE)
    shop.run("DELETE FROM {s}.orders WHERE id = 2")
    assert [told.code for told in shop.plan(checkpoint, **MERGE).shortfalls] == ["source_behind"]
    assert not shop.plan(checkpoint, **MERGE, lag="3d").shortfalls


@pytest.mark.parametrize("lag", [None, 3600])
def test_lag_reads_again_below_the_watermark(shop, lag):
    make(shop)
    shop.run(
        "INSERT INTO {s}.orders SELECT i, timestamptz '2026-01-01' + i * interval '40 min' FROM generate_series(1, 3) i"
    )
    table = MERGE if lag is None else MERGE | {"lag": lag}
    _, _, checkpoint = shop.land(**table)
    shop.run("INSERT INTO {s}.orders VALUES (4, timestamptz '2026-01-01 02:20')")
    load, rows, checkpoint = shop.land(checkpoint, **table)
    assert ids(rows) == ([4] if lag is None else [2, 3, 4])
    assert load.window.lag_seconds == (lag or 0)


class TestNullCursors:
    @pytest.fixture(autouse=True)
    def table(self, shop):
        make(shop, "timestamptz")
        shop.run("INSERT INTO {s}.orders VALUES (1, '2026-01-01'), (2, NULL)")

    def test_include_reads_them_with_each_load(self, shop):
        _, rows, checkpoint = shop.land(**MERGE)
        assert ids(rows) == [1, 2]
        load, rows, _ = shop.land(checkpoint, **MERGE)
        assert ids(rows) == [2] and not load.unchanged and load.watermark == checkpoint.watermark

    def test_include_works_where_no_row_has_a_cursor(self, shop):
        shop.run("DELETE FROM {s}.orders WHERE id = 1")
        load, rows, _ = shop.land(**MERGE)
        assert ids(rows) == [2] and load.watermark is None


class TestIntegers:
    @pytest.fixture(autouse=True)
    def table(self, shop, monkeypatch):
        monkeypatch.setattr(postgres_cursor, "WRITERS_SECONDS", 0.2)
        shop.run("CREATE TABLE {s}.orders (id bigint GENERATED ALWAYS AS IDENTITY, note text)")

    TABLE = {"incremental_column": "id", "mode": "append"}

    def test_a_writer_that_goes_on_leaves_new_rows_for_the_next_run(self, shop):
        shop.run("INSERT INTO {s}.orders (note) VALUES ('a')")
        _, rows, checkpoint = shop.land(**self.TABLE)
        assert ids(rows) == [1]
        with shop.transaction("SET LOCAL application_name = 'nightly'; INSERT INTO {s}.orders (note) VALUES ('b')"):
            assert not shop.plan(checkpoint, **self.TABLE).shortfalls, "no row that others see waits"
            shop.run("INSERT INTO {s}.orders (note) VALUES ('c')")
            load, rows, checkpoint = shop.land(checkpoint, **self.TABLE)
            (told,) = load.shortfalls
            assert load.unchanged and told.code == "open_writer"
            assert re.search(r"to the table: nightly \(pid \d+, open since 2\d{3}-\d\d-\d\d .*\)$", told.message)
        assert ids(shop.land(checkpoint, **self.TABLE)[1]) == [2, 3]

    def test_a_writer_that_ends_in_time_is_waited_for(self, shop, monkeypatch):
        monkeypatch.setattr(postgres_cursor, "WRITERS_SECONDS", 120.0)
        written, go = threading.Event(), threading.Event()

        def write() -> None:
            with shop.transaction("INSERT INTO {s}.orders (note) VALUES ('b')"):
                written.set()
                go.wait(100)
                time.sleep(0.2)

        thread = threading.Thread(target=write)
        thread.start()
        assert written.wait(100)
        shop.run("INSERT INTO {s}.orders (note) VALUES ('c')")
        go.set()
        load, rows, _ = shop.land(**self.TABLE)
        thread.join()
        assert ids(rows) == [1, 2] and load.watermark == "2" and not load.warnings

    def test_another_table_s_writer_is_not_waited_for(self, shop):
        shop.run("CREATE TABLE {s}.other (id integer); INSERT INTO {s}.orders (note) VALUES ('a')")
        with shop.transaction("INSERT INTO {s}.other VALUES (1)"):
            assert ids(shop.land(**self.TABLE)[1]) == [1]

    def test_writers_of_a_partition_count(self, shop):
        shop.run(
            """DROP TABLE {s}.orders; CREATE TABLE {s}.orders (id bigint) PARTITION BY RANGE (id);
            CREATE TABLE {s}.low PARTITION OF {s}.orders FOR VALUES FROM (0) TO (10)"""
        )
        with shop.transaction("INSERT INTO {s}.low VALUES (1)"):
            shop.run("INSERT INTO {s}.orders VALUES (2)")
            assert [told.code for told in shop.plan(**self.TABLE).shortfalls] == ["open_writer"]


class TestDates:
    def test_merges_read_the_last_days_again(self, shop):
        make(shop, "date")
        shop.run("INSERT INTO {s}.orders VALUES (1, '2026-01-01'), (2, '2026-01-04')")
        _, _, checkpoint = shop.land(**MERGE)
        shop.run("INSERT INTO {s}.orders VALUES (3, '2026-01-04'), (4, '2026-01-03')")
        load, rows, _ = shop.land(checkpoint, **MERGE)
        assert ids(rows) == [2, 3, 4] and load.window.lag_seconds == 2 * 86400

    def test_appends_stop_before_the_current_day(self, shop):
        make(shop, "date NOT NULL")
        shop.run("INSERT INTO {s}.orders SELECT i, (now() AT TIME ZONE 'UTC')::date - i FROM generate_series(0, 5) i")
        _, rows, checkpoint = shop.land(**APPEND)
        assert set(range(1, 6)) >= set(ids(rows)) >= set(range(3, 6)), "yesterday is over everywhere from noon on"
        assert shop.land(checkpoint, **APPEND)[0].unchanged


class TestBlind:
    """A role that may not look into other sessions."""

    @pytest.mark.parametrize("kind", ["timestamptz", "timestamp"])
    def test_merges_get_the_default_lag_and_a_warning(self, shop, pg, kind):
        make(shop, kind)
        shop.run(
            "INSERT INTO {s}.orders VALUES (1, '2026-01-01 00:00'), (2, '2026-01-01 00:08'); "
            "GRANT USAGE ON SCHEMA {s} TO comboi"
        )
        with shop.transaction("SELECT 1"):
            load, rows, checkpoint = shop.land(uri=pg.tcp_uri(), **MERGE)
            assert ids(rows) == [1, 2] and load.watermark.startswith("2026-01-01 00:03:00")
            assert "pg_read_all_stats" in load.warnings[0] and "300 s are read again" in load.warnings[0]
            shop.run("INSERT INTO {s}.orders VALUES (3, '2026-01-01 00:05')")
            assert ids(shop.land(checkpoint, uri=pg.tcp_uri(), **MERGE)[1]) == [2, 3]
            load, _, _ = shop.land(uri=pg.tcp_uri(), lag=60, **MERGE)
            assert load.window.lag_seconds == 60
        assert PASSWORD not in repr(load)

    @pytest.mark.parametrize("kind", ["timestamptz", "timestamp"])
    def test_a_row_committed_late_is_read_by_a_load_that_sees_every_session_again(self, shop, pg, kind):
        """The load that moves the watermark is blind; the one that has to read the late row is not."""
        make(shop, kind)
        shop.run("INSERT INTO {s}.orders VALUES (1, '2026-01-01 00:00'); GRANT USAGE ON SCHEMA {s} TO comboi")
        _, _, checkpoint = shop.land(uri=pg.tcp_uri(), **MERGE)
        with shop.transaction("INSERT INTO {s}.orders VALUES (2, '2026-01-01 00:05')"):
            shop.run("INSERT INTO {s}.orders VALUES (3, '2026-01-01 00:06')")
            _, rows, checkpoint = shop.land(checkpoint, uri=pg.tcp_uri(), **MERGE)
            assert 3 in ids(rows)
        load, rows, checkpoint = shop.land(checkpoint, uri=pg.tcp_uri(), **MERGE)
        assert load.warnings == () and set(ids(rows)) >= {2, 3}
        assert shop.land(checkpoint, uri=pg.tcp_uri(), **MERGE)[0].unchanged

    def test_appends_stay_behind_instead(self, shop, pg):
        make(shop)
        shop.run(
            "INSERT INTO {s}.orders VALUES (1, now() - interval '1 hour'), (2, now() - interval '1 min'); "
            "GRANT USAGE ON SCHEMA {s} TO comboi"
        )
        with shop.transaction("SELECT 1"):
            load, rows, _ = shop.land(uri=pg.tcp_uri(), **APPEND)
        assert ids(rows) == [1] and "300 s behind" in load.warnings[0] and load.window.lag_seconds == 0

    def test_prepared_transactions_are_told(self, server, con):
        from tests.sources.conftest import Shop

        server.psql("ALTER SYSTEM SET max_prepared_transactions = 2")
        server.stop()
        server.start()
        shop = Shop(con, server.uri, "public", server.psql)
        make(shop)
        shop.run("BEGIN; INSERT INTO {s}.orders VALUES (1); PREPARE TRANSACTION 'x'")
        load, _, _ = shop.land(**MERGE)
        assert "prepared transactions" in load.warnings[0] and "300 s are read again" in load.warnings[0]
        shop.run("ROLLBACK PREPARED 'x'")
        shop.opened[0].close()


@pytest.mark.parametrize("kind", ["text", "numeric", "uuid", "boolean"])
def test_other_types_cannot_be_cursors(shop, kind):
    make(shop, kind)
    with pytest.raises(UnsupportedValue, match=f"column at is {kind}, which cannot be a cursor"):
        shop.plan(**MERGE)


def test_a_window_over_a_query_is_bounded_alike(shop):
    make(shop)
    table = {"query": "SELECT o.id, o.at FROM {s}.orders o -- every order", **APPEND}
    shop.run("INSERT INTO {s}.orders VALUES (1)")
    _, rows, checkpoint = shop.land(**table)
    assert ids(rows) == [1]
    with shop.transaction("INSERT INTO {s}.orders VALUES (2)"):
        time.sleep(0.01)
        shop.run("INSERT INTO {s}.orders VALUES (3)")
        assert shop.land(checkpoint, **table)[0].unchanged
    assert ids(shop.land(checkpoint, **table)[1]) == [2, 3]
