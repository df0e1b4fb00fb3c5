"""Windows over Azure SQL leave no gap, whatever is committed late.

On the double, which stands in for SQL Server; `anywhere` on a real server as well, where there is one.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from comboi_core.domain.errors import SourceObjectMissing, UnsupportedValue
from comboi_core.domain.load import Checkpoint
from comboi_core.sources import azure_sql_sight as sight

MERGE = {"incremental_column": "at", "primary_key": ["id"]}
VERSIONS = {"incremental_column": "version", "primary_key": ["id"]}


def ids(rows) -> list[int]:
    return sorted(int(row[0]) for row in rows)


def ago(seconds: float, digits: int = 7) -> str:
    """A moment in UTC, some seconds before now."""
    return f"{datetime.now(UTC) - timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S.%f}0"[: 20 + digits]


def make(shop, kind: str, *rows: str) -> None:
    shop.run(f"CREATE TABLE {{s}}.orders (id int NOT NULL PRIMARY KEY, at {kind})")
    for number, at in enumerate(rows, 1):
        shop.run(f"INSERT INTO {{s}}.orders (id, at) VALUES ({number}, '{at}')")


class TestRowversion:
    def make(self, shop, rows: int = 3) -> None:
        shop.run("CREATE TABLE {s}.orders (id int NOT NULL PRIMARY KEY, a int, version rowversion)")
        shop.run(f"INSERT INTO {{s}}.orders (id, a) SELECT value, 0 FROM GENERATE_SERIES(1, {rows})")

    @pytest.mark.parametrize("table", [VERSIONS, {"cursor": "rowversion", "primary_key": ["id"]}])
    def test_what_changed_is_read_once(self, anywhere, table):
        self.make(anywhere)
        load, rows, checkpoint = anywhere.land(**table)
        assert ids(rows) == [1, 2, 3] and load.mode == "merge" and load.key_unique
        assert checkpoint.watermark.startswith("0x") and len(checkpoint.watermark) == 18
        anywhere.run("UPDATE {s}.orders SET a = 1 WHERE id = 2", "INSERT INTO {s}.orders (id, a) VALUES (4, 1)")
        load, rows, checkpoint = anywhere.land(checkpoint, **table)
        assert ids(rows) == [2, 4] and load.window.lag_seconds == 0
        load, rows, _ = anywhere.land(checkpoint, **table)
        assert load.unchanged and load.window.low == load.window.high == checkpoint.watermark

    def test_a_late_commit_is_not_lost(self, anywhere):
        self.make(anywhere)
        _, _, checkpoint = anywhere.land(**VERSIONS)
        with anywhere.transaction("UPDATE {s}.orders SET a = 1 WHERE id = 1"):
            anywhere.run("INSERT INTO {s}.orders (id, a) VALUES (4, 1)")
            load, rows, checkpoint = anywhere.land(checkpoint, **VERSIONS)
            assert rows == [], "the row above the open transaction's version has to wait"
        _, rows, checkpoint = anywhere.land(checkpoint, **VERSIONS)
        assert ids(rows) == [1, 4]
        assert anywhere.land(checkpoint, **VERSIONS)[0].unchanged

    def test_the_bound_is_pinned_before_a_row_is_read(self, anywhere):
        self.make(anywhere)
        adapter = anywhere.open(**VERSIONS)
        load = adapter.plan(Checkpoint(), full_refresh=False)
        anywhere.run("UPDATE {s}.orders SET a = 1 WHERE id = 1")
        rows = anywhere.con.execute(adapter.select(load, load.chunks[0])).fetchall()
        assert ids(rows) == [2, 3]
        after = Checkpoint(1, load.watermark, None, load.columns)
        assert ids(anywhere.land(after, **VERSIONS)[1]) == [1]

    def test_columns_may_leave_it_out(self, anywhere):
        self.make(anywhere)
        load = anywhere.plan(cursor="rowversion", primary_key=["id"], columns=["a"])
        assert [column.name for column in load.columns] == ["id", "a", "version"]

    def test_a_table_without_one_says_so(self, azure):
        make(azure, "datetime2")
        with pytest.raises(SourceObjectMissing, match="wants a column of type rowversion") as caught:
            azure.plan(cursor="rowversion", primary_key=["id"])
        assert "ALTER TABLE" in caught.value.remedy

    def test_a_replica_which_knows_no_safe_bound_is_refused(self, azure):
        self.make(azure)
        azure.double.set(read_only=True)
        with pytest.raises(UnsupportedValue, match="replica"):
            azure.plan(**VERSIONS)

    def test_a_source_that_went_back_is_told(self, azure):
        self.make(azure)
        load, rows, after = azure.land(Checkpoint(3, "0x00000000FFFFFFFF"), **VERSIONS)
        assert "restored from a backup" in load.warnings[0]
        assert (rows, after.watermark) == ([], "0x00000000FFFFFFFF"), "the watermark never moves backwards"


# T-SQL type, old cursors in order, the first load's watermark of a merge.
CURSORS = {
    "datetime2(7)": (["2026-01-01 00:00:00.0000001", "2026-01-01 00:00:00.0000002"], "2026-01-01 00:05:00.0000002"),
    "datetime2(0)": (["2026-01-01 00:00:01", "2026-01-01 00:00:02"], "2026-01-01 00:05:02"),
    "datetime": (["2026-01-01 00:00:00.003", "2026-01-01 00:00:00.007"], "2026-01-01 00:05:00.007"),
    "smalldatetime": (["2026-01-01 00:01:00", "2026-01-01 00:02:00"], None),
    "date": (["2026-01-01", "2026-01-02"], "2026-01-04"),
    "datetimeoffset(7)": (
        ["2026-01-01 00:00:00.0000002 +02:00", "2026-01-01 00:00:00.0000001 -02:00"],
        "2026-01-01 00:05:00.0000001 -02:00",
    ),
}


class TestClocks:
    @pytest.mark.parametrize("kind", CURSORS)
    @pytest.mark.parametrize("mode", ["merge", "append"])
    def test_every_kind_of_cursor_reads_what_is_new_and_then_nothing(self, anywhere, kind, mode):
        cursors, watermark = CURSORS[kind]
        make(anywhere, kind, *cursors)
        table = MERGE | {"mode": mode}
        load, rows, checkpoint = anywhere.land(**table)
        assert ids(rows) == [1, 2] and load.window.cursor_type == kind and not load.warnings
        if watermark and mode == "merge":
            assert checkpoint.watermark == watermark
        load, rows, checkpoint = anywhere.land(checkpoint, **table)
        assert load.unchanged and rows == [] and load.watermark
        newer = "2026-02-01 00:00:00" + (" +00:00" if "offset" in kind else "")
        newer = newer[:10] if kind == "date" else newer
        anywhere.run(f"INSERT INTO {{s}}.orders (id, at) VALUES (3, '{newer}')")
        load, rows, checkpoint = anywhere.land(checkpoint, **table)
        assert ids(rows) == [3]

    def test_a_merge_reads_the_last_minutes_again_until_nothing_can_come_there(self, anywhere):
        make(anywhere, "datetime2(7)", ago(900), ago(120), ago(30))
        _, rows, checkpoint = anywhere.land(**MERGE)
        assert ids(rows) == [1, 2, 3]
        anywhere.run(f"INSERT INTO {{s}}.orders (id, at) VALUES (4, '{ago(200)}')")
        load, rows, checkpoint = anywhere.land(checkpoint, **MERGE)
        assert ids(rows) == [2, 3, 4] and load.window.lag_seconds == 300

    def test_an_append_stays_that_far_behind(self, anywhere):
        table = {"incremental_column": "at", "mode": "append"}
        make(anywhere, "datetimeoffset(7)", ago(900) + " +00:00", ago(30) + " +00:00")
        _, rows, checkpoint = anywhere.land(**table)
        assert ids(rows) == [1]
        anywhere.run(f"INSERT INTO {{s}}.orders (id, at) VALUES (3, '{ago(100)} +00:00')")
        load, rows, _ = anywhere.land(checkpoint, **table)
        assert load.unchanged and rows == []
        # Without lag the rows come at once.
        _, rows, _ = anywhere.land(checkpoint, **table, lag="0s")
        assert ids(rows) == [2, 3]

    def test_an_append_of_local_times_stays_behind_the_newest_row(self, anywhere):
        table = {"incremental_column": "at", "mode": "append"}
        make(anywhere, "datetime2(3)", ago(900, 3), ago(400, 3), ago(30, 3))
        _, rows, checkpoint = anywhere.land(**table)
        assert ids(rows) == [1, 2]
        anywhere.run(f"INSERT INTO {{s}}.orders (id, at) VALUES (4, '{ago(100, 3)}')")
        assert anywhere.land(checkpoint, **table)[0].unchanged

    def test_rows_from_the_future_wait_for_their_time(self, anywhere):
        make(anywhere, "datetime2(7)", "2026-01-01 00:00:00", "9999-12-31 23:59:59.9999999")
        load, rows, _ = anywhere.land(**MERGE)
        assert ids(rows) == [1]
        assert "9999-12-31 23:59:59.9999999, is in the future" in load.warnings[0]

    @pytest.mark.parametrize(
        ("kind", "first"), [("datetime2(7)", "0001-01-01 00:00:00"), ("datetime", "1753-01-01"), ("date", "0001-01-01")]
    )
    def test_a_lag_does_not_reach_before_the_first_moment_of_the_type(self, anywhere, kind, first):
        make(anywhere, kind, first)
        _, rows, checkpoint = anywhere.land(**MERGE, lag="3650d")
        assert ids(rows) == [1]
        load, _, _ = anywhere.land(checkpoint, **MERGE, lag="3650d")
        assert load.window.low == checkpoint.watermark

    def test_instants_are_compared_as_such_and_keep_their_offset(self, anywhere):
        make(anywhere, "datetimeoffset(0)", "2026-01-01 12:00:00 +14:00", "2026-01-01 00:00:00 -10:00")
        table = {"incremental_column": "at", "mode": "append"}
        columns = anywhere.plan(**table).columns
        between = Checkpoint(1, "2025-12-31 23:00:00 +00:00", None, columns)
        load, rows, _ = anywhere.land(between, **table)
        assert ids(rows) == [2] and load.watermark == "2026-01-01 00:00:00 -10:00"


class TestWriters:
    def test_rows_after_the_start_of_a_transaction_that_has_written_wait(self, azure):
        make(azure, "datetimeoffset(7)", ago(900) + " +00:00", ago(60) + " +00:00")
        with azure.double.transaction(
            f"INSERT INTO {azure.schema}.orders (id, at) VALUES (3, '{ago(590)} +00:00')", began=timedelta(minutes=10)
        ):
            load, rows, checkpoint = azure.land(**MERGE, lag="0s")
            assert ids(rows) == [1]
            assert "has been writing for 600 s" in load.warnings[0]
        _, rows, _ = azure.land(checkpoint, **MERGE, lag="0s")
        assert ids(rows) == [2, 3]

    def test_local_times_wait_as_long_as_the_transaction_is_old(self, azure):
        make(azure, "datetime2(7)", ago(900), ago(60))
        with azure.double.transaction(
            f"INSERT INTO {azure.schema}.orders (id, at) VALUES (3, '{ago(590)}')", began=timedelta(minutes=10)
        ):
            _, rows, checkpoint = azure.land(**MERGE, lag="0s")
            assert ids(rows) == [1]
        _, rows, _ = azure.land(checkpoint, **MERGE, lag="0s")
        assert ids(rows) == [2, 3]

    def test_a_login_that_does_not_see_them_is_told_and_lag_covers(self, azure):
        make(azure, "datetime2(7)", "2026-01-01 00:00:00")
        azure.double.set(shows_state=False)
        load, rows, _ = azure.land(**MERGE)
        assert ids(rows) == [1] and load.estimated_rows == 1
        assert load.warnings == (
            "rows committed late are caught by lag only (300 s are read again): the login does not see other "
            "transactions (grant it VIEW DATABASE STATE)",
        )

    def test_integers_wait_for_those_who_have_written(self, azure, monkeypatch):
        monkeypatch.setattr(sight, "WRITERS_SECONDS", 0.2)
        table = {"incremental_column": "id", "mode": "append"}
        azure.run("CREATE TABLE {s}.orders (id bigint)", "INSERT INTO {s}.orders VALUES (1)")
        _, _, checkpoint = azure.land(**table)
        with azure.transaction("INSERT INTO {s}.orders VALUES (2)"):
            azure.run("INSERT INTO {s}.orders VALUES (3)")
            load, rows, checkpoint = azure.land(checkpoint, **table)
            assert load.unchanged and "goes on writing" in load.warnings[0]
        assert ids(azure.land(checkpoint, **table)[1]) == [2, 3]

    def test_integers_that_cannot_wait_say_so(self, azure):
        azure.run("CREATE TABLE {s}.orders (id bigint)", "INSERT INTO {s}.orders VALUES (1)")
        azure.double.set(shows_state=False)
        load = azure.plan(incremental_column="id", mode="append")
        assert "may be missed" in load.warnings[0] and "rowversion" in load.warnings[0]

    def test_a_database_without_snapshots_is_told(self, azure):
        make(azure, "int")
        azure.double.set(snapshot=False, committed=False)
        assert "READ_COMMITTED_SNAPSHOT" in azure.plan().warnings[0]
        azure.double.set(snapshot=True)
        assert not azure.plan().warnings
        assert "SET TRANSACTION ISOLATION LEVEL SNAPSHOT" in azure.double.log.statements


class TestNullCursors:
    def make(self, shop) -> None:
        make(shop, "datetime2(7)", "2026-01-01 00:00:00")
        shop.run("INSERT INTO {s}.orders (id, at) VALUES (2, NULL)")

    def test_a_merge_reads_them_each_time(self, anywhere):
        self.make(anywhere)
        _, rows, checkpoint = anywhere.land(**MERGE)
        assert ids(rows) == [1, 2]
        load, rows, _ = anywhere.land(checkpoint, **MERGE)
        assert ids(rows) == [2] and not load.unchanged

    def test_they_can_be_left_out(self, anywhere):
        self.make(anywhere)
        assert ids(anywhere.land(**MERGE, on_null_cursor="exclude")[1]) == [1]

    @pytest.mark.parametrize("table", [MERGE | {"on_null_cursor": "fail"}, {"incremental_column": "at"}])
    def test_or_the_load_fails(self, anywhere, table):
        self.make(anywhere)
        with pytest.raises(UnsupportedValue, match="1 rows have NULL in the cursor at"):
            anywhere.plan(**table)


def test_zero_rows_never_move_the_watermark_backwards(anywhere):
    make(anywhere, "datetime2(7)", "2026-01-01 00:00:00")
    known = Checkpoint(5, "2026-06-01 00:00:00.0000000", None, anywhere.plan(**MERGE).columns)
    load, rows, after = anywhere.land(known, **MERGE)
    assert rows == [] and load.watermark == after.watermark == "2026-06-01 00:00:00.0000000"
    assert "restored from a backup" in load.warnings[0]


def test_an_empty_table_is_committed_once_and_read_when_it_has_rows(anywhere):
    make(anywhere, "datetime2(7)")
    load, rows, checkpoint = anywhere.land(**MERGE)
    assert not load.unchanged and rows == [] and checkpoint.watermark is None
    assert anywhere.land(checkpoint, **MERGE)[0].unchanged
    anywhere.run("INSERT INTO {s}.orders (id, at) VALUES (1, '0001-01-01 00:00:00')")
    assert ids(anywhere.land(checkpoint, **MERGE)[1]) == [1]


def test_a_full_refresh_reads_everything(anywhere):
    make(anywhere, "datetime2(7)", "2026-01-01 00:00:00", "2026-01-02 00:00:00")
    _, _, checkpoint = anywhere.land(**MERGE)
    load, rows, _ = anywhere.land(checkpoint, full_refresh=True, **MERGE)
    assert load.replaces and ids(rows) == [1, 2] and load.window.low is None


def test_a_type_that_cannot_be_a_cursor_is_refused(azure):
    azure.run("CREATE TABLE {s}.orders (id int, at nvarchar(30))")
    with pytest.raises(UnsupportedValue, match=r"column at is nvarchar\(30\), which cannot be a cursor"):
        azure.plan(**MERGE)
