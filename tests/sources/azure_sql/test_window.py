"""Windows over Azure SQL leave no gap, whatever is committed late.

On the double, which stands in for SQL Server; `anywhere` on a real server as well, where there is one.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from comboi_core.domain.errors import SourceObjectMissing, UnsupportedValue
from comboi_core.domain.load import Checkpoint
from comboi_core.sources.azure_sql import catalog, sight

pytestmark = pytest.mark.few(2)

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
        assert "restored from a backup" in load.shortfalls[0].remedy
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
        assert ids(rows) == [1, 2] and load.window.cursor_type == kind and not load.shortfalls
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
        (told,) = load.shortfalls
        assert told.code == "future_cursor" and told.rows == 1 and "9999-12-31 23:59:59.9999999" in told.message

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
            assert "has been writing for 60" in load.warnings[0]
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
        make(azure, "datetimeoffset(7)", "2026-01-01 00:00:00 +00:00")
        azure.double.set(shows_state=False)
        load, rows, _ = azure.land(**MERGE)
        assert ids(rows) == [1] and load.estimated_rows == 1
        assert load.warnings == (
            "rows committed late are caught by lag only (300 s are read again): the login does not see other "
            "transactions (grant it VIEW DATABASE STATE)",
        )

    @pytest.mark.parametrize(
        ("server", "grant"),
        [
            ({"edition": "5", "objective": "S3"}, None),
            ({"edition": "5", "objective": "S3", "shows_state": False}, "VIEW DATABASE STATE"),
            ({"edition": "5", "objective": "Basic"}, "##MS_ServerStateReader##"),
            ({"edition": "5", "objective": "ElasticPool"}, "##MS_ServerStateReader##"),
            ({"edition": "5", "objective": "S0", "state_reader": True}, None),
            ({"edition": "8", "server_state": False}, "VIEW SERVER STATE"),
            ({"edition": "3", "server_state": False, "server_performance": False}, "VIEW SERVER PERFORMANCE STATE"),
            ({"edition": "3", "server_state": False, "server_performance": True}, None),
            ({"edition": "3", "server_state": True}, None),
            ({"edition": "12", "server_state": False}, None),
        ],
    )
    def test_what_the_login_may_not_see_is_told_with_what_to_grant(self, azure, server, grant):
        """The views may be empty in place of refused: the right itself is asked for."""
        make(azure, "datetimeoffset(7)", "2026-01-01 00:00:00 +00:00")
        azure.double.set(**server)
        said = " ".join(azure.plan(**MERGE).warnings)
        assert (grant or "") in said and bool(said) == bool(grant)

    def test_integers_wait_for_those_who_have_written(self, azure, monkeypatch):
        monkeypatch.setattr(sight, "WRITERS_SECONDS", 0.2)
        table = {"incremental_column": "id", "mode": "append"}
        azure.run("CREATE TABLE {s}.orders (id bigint)", "INSERT INTO {s}.orders VALUES (1)")
        _, _, checkpoint = azure.land(**table)
        with azure.transaction("INSERT INTO {s}.orders VALUES (2)"):
            azure.run("INSERT INTO {s}.orders VALUES (3)")
            load, rows, checkpoint = azure.land(checkpoint, **table)
            assert load.unchanged and [told.code for told in load.shortfalls] == ["open_writer"]
        assert ids(azure.land(checkpoint, **table)[1]) == [2, 3]

    def test_integers_that_cannot_wait_say_so(self, azure):
        azure.run("CREATE TABLE {s}.orders (id bigint)", "INSERT INTO {s}.orders VALUES (1)")
        azure.double.set(shows_state=False)
        (told,) = azure.plan(incremental_column="id", mode="append").shortfalls
        assert told.code == "late_commits" and "may be missed" in told.message and "rowversion" in told.remedy

    @pytest.mark.parametrize(("kind", "lag"), [("bigint", None), ("datetimeoffset(7)", "0s")])
    def test_where_no_lag_covers_late_commits_that_is_a_shortfall(self, azure, kind, lag):
        make(azure, kind, *(["1"] if kind == "bigint" else ["2026-01-01 00:00:00 +00:00"]))
        azure.double.set(shows_state=False)
        load = azure.plan(**MERGE, **({"lag": lag} if lag else {}))
        assert [told.code for told in load.shortfalls] == ["late_commits"] and not load.warnings

    def test_a_login_without_the_right_uses_what_it_sees_all_the_same(self, azure):
        """An administrator sees the transactions, but is in no role and asks for no right."""
        make(azure, "datetimeoffset(7)", ago(900) + " +00:00", ago(60) + " +00:00")
        azure.double.set(objective="Basic")
        writing = f"INSERT INTO {azure.schema}.orders (id, at) VALUES (3, '{ago(590)} +00:00')"
        with azure.double.transaction(writing, began=timedelta(minutes=10)):
            assert ids(azure.land(**MERGE)[1]) == [1]

    def test_a_database_without_snapshots_is_told(self, azure):
        make(azure, "int")
        azure.double.set(snapshot=False, committed=False)
        (told,) = azure.plan().shortfalls
        assert told.code == "mixed_state" and "READ_COMMITTED_SNAPSHOT" in told.remedy
        table = {"incremental_column": "id", "mode": "append"}
        load = azure.plan(**table)
        assert "READ_COMMITTED_SNAPSHOT" in load.warnings[0] and not load.shortfalls, "what changed comes again"
        azure.double.set(snapshot=True)
        assert not azure.plan().shortfalls and not azure.plan(**table).warnings
        assert "SET TRANSACTION ISOLATION LEVEL SNAPSHOT" in azure.double.log.statements


def test_zero_rows_never_move_the_watermark_backwards(anywhere):
    make(anywhere, "datetime2(7)", "2026-01-01 00:00:00")
    known = Checkpoint(5, "2026-06-01 00:00:00.0000000", None, anywhere.plan(**MERGE).columns)
    load, rows, after = anywhere.land(known, **MERGE)
    assert rows == [] and load.watermark == after.watermark == "2026-06-01 00:00:00.0000000"
    assert "restored from a backup" in load.shortfalls[0].remedy


def test_a_source_that_is_suddenly_empty_is_told(anywhere):
    make(anywhere, "datetime2(7)", "2026-01-01 00:00:00")
    _, _, checkpoint = anywhere.land(**MERGE)
    anywhere.run("DELETE FROM {s}.orders")
    load, _, _ = anywhere.land(checkpoint, **MERGE)
    assert [told.code for told in load.shortfalls] == ["source_empty"]


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


class TestAZone:
    """`cursor_zone:` says whose clock writes a cursor without an offset."""

    BERLIN = MERGE | {"cursor_zone": "Europe/Berlin"}

    def at(self, shop, utc: str) -> None:
        shop.double.set(clock=datetime.fromisoformat(utc).replace(tzinfo=UTC))

    @pytest.mark.parametrize("kind", ["datetime2(7)", "datetime2(0)", "datetime", "smalldatetime"])
    def test_the_tail_is_not_read_for_half_a_day(self, azure, kind):
        make(azure, kind, "2026-07-01 11:40:00", "2026-07-01 11:45:00")
        self.at(azure, "2026-07-01 10:00:00")
        _, rows, checkpoint = azure.land(**self.BERLIN)
        assert ids(rows) == [1, 2]
        load, rows, _ = azure.land(checkpoint, **self.BERLIN)
        assert load.unchanged and not load.warnings
        unknown = azure.land(**MERGE)[2]
        assert ids(azure.land(unknown, **MERGE)[1]), "without the zone the same rows come again"

    def test_the_server_s_clock_in_the_zone_is_the_end(self, azure):
        make(azure, "datetime2(3)", "2026-07-01 11:59:00", "2026-07-01 12:01:00")
        self.at(azure, "2026-07-01 10:00:00")
        assert ids(azure.land(**self.BERLIN)[1]) == [1]

    @pytest.mark.parametrize("mode", ["merge", "append"])
    def test_no_row_of_a_repeated_hour_is_lost_or_read_twice(self, azure, mode):
        table = self.BERLIN | {"mode": mode} | ({"lag": "0s"} if mode == "merge" else {"primary_key": []})
        make(azure, "datetime2(0)", "2026-10-25 01:30:00", "2026-10-25 02:50:00")  # the second of the first pass
        self.at(azure, "2026-10-25 00:55:00")
        load, rows, checkpoint = azure.land(**table)
        assert ids(rows) == [1] and "the clock of Europe/Berlin goes back" in " ".join(load.warnings)
        azure.run("INSERT INTO {s}.orders VALUES (3, '2026-10-25 02:10:00')")  # of the second pass
        self.at(azure, "2026-10-25 01:20:00")
        load, rows, checkpoint = azure.land(checkpoint, **table)
        assert ids(rows) == [3] and not load.warnings
        self.at(azure, "2026-10-25 03:00:00")
        assert ids(azure.land(checkpoint, **table)[1]) == [2]

    def test_a_lag_reaches_over_an_hour_that_is_left_out(self, azure):
        make(azure, "datetime2(0)", "2026-03-29 01:50:00", "2026-03-29 03:01:00")
        self.at(azure, "2026-03-29 01:02:00")
        _, _, checkpoint = azure.land(**self.BERLIN)
        azure.run("INSERT INTO {s}.orders VALUES (3, '2026-03-29 01:58:00')")  # committed late, 3 minutes old
        assert ids(azure.land(checkpoint, **self.BERLIN)[1]) == [2, 3]

    @pytest.mark.parametrize("kind", ["datetime2(3)", "datetime", "smalldatetime"])
    @pytest.mark.parametrize(
        ("settings", "told"),
        [({}, True), ({"lag": "64m"}, True), ({"lag": "65m"}, False), ({"cursor_zone": "UTC"}, False)],
    )
    def test_without_it_the_wanted_lag_is_named_by_a_load_of_everything(self, azure, kind, settings, told):
        make(azure, kind, "2026-01-01 00:00:00")
        load, _, checkpoint = azure.land(**MERGE | settings)
        said = [text for text in load.warnings if "at is" in text]
        assert bool(said) is told and all("`lag: 65m`" in text and "`cursor_zone:`" in text for text in said)
        assert not azure.plan(checkpoint, **MERGE | settings).warnings, "it is told once"

    def test_it_has_no_meaning_where_the_cursor_needs_none(self, azure):
        make(azure, "datetimeoffset(0)", "2026-01-01 00:00:00 +00:00")
        (said,) = azure.plan(**self.BERLIN).warnings
        assert "cursor_zone has no meaning" in said


class TestAnIndex:
    """A large table without an index that begins with the cursor is scanned to find what is new."""

    @pytest.mark.parametrize(
        ("index", "told"),
        [
            (None, True),
            ("CREATE INDEX ix ON {s}.orders (at)", False),
            ("CREATE INDEX ix ON {s}.orders (at, id)", False),
            ("CREATE INDEX ix ON {s}.orders (id, at)", True),
            ("CREATE INDEX ix ON {s}.orders (at) WHERE id > 5", True),
        ],
    )
    def test_is_advised(self, azure, monkeypatch, index, told):
        monkeypatch.setattr(catalog, "ADVISED_ROWS", 3)
        azure.run("CREATE TABLE {s}.orders (id int, at bigint)", "INSERT INTO {s}.orders VALUES (1, 1), (2, 2), (3, 3)")
        azure.run(*([index] if index else []))
        advice = [text for text in azure.plan(**MERGE).warnings if "CREATE INDEX" in text]
        assert bool(advice) is told and all("begins with the cursor at" in text for text in advice)

    def test_is_not_advised_for_small_tables(self, azure):
        azure.run("CREATE TABLE {s}.orders (id int, at bigint)", "INSERT INTO {s}.orders VALUES (1, 1)")
        assert not azure.plan(**MERGE).warnings


class TestOneLook:
    """An incremental load looks at the table once before it reads it, whatever the cursor."""

    @pytest.mark.parametrize("kind", ["rowversion", "datetime2(7)", "datetimeoffset(7)", "bigint", "date"])
    @pytest.mark.parametrize("changed", [True, False])
    def test_before_the_rows_are_read(self, azure, kind, changed):
        azure.run(f"CREATE TABLE {{s}}.orders (id int, at {kind})")
        old, new = {"bigint": ("5", "6"), "rowversion": ("", "")}.get(kind, ("'2026-01-01'", "'2026-02-01'"))
        azure.run(f"INSERT INTO {{s}}.orders VALUES (1{', ' + old if old else ''})")
        _, _, checkpoint = azure.land(**MERGE)
        if changed:
            azure.run(f"INSERT INTO {{s}}.orders VALUES (2{', ' + new if new else ''})")
        before = len(azure.double.log.statements)
        load = azure.plan(checkpoint, **MERGE)
        asked = [text for text in azure.double.log.statements[before:] if f"FROM [{azure.schema}].[orders]" in text]
        looks = [text for text in asked if "TOP (1)" not in text and "describe_first" not in text]
        assert len(looks) == 1 and load.unchanged is not changed
        assert "DATEADD" not in looks[0].partition(" WHERE ")[2], "the bound is a literal, for which an index serves"
