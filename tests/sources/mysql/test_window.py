"""No row is lost at the watermark and none is read twice, whatever other sessions do meanwhile."""

from __future__ import annotations

import random
import time
from contextlib import ExitStack

import pytest

from comboi_core.domain.errors import UnsupportedValue
from comboi_core.domain.load import Checkpoint
from comboi_core.landing.backfill import backfilled
from comboi_core.sources.mysql import sight
from comboi_core.sources.mysql.sql import TRANSACTIONS, in_utc
from comboi_core.sources.mysql.window import value
from tests.support.mariadb import BLIND, mariadb, run

pytestmark = pytest.mark.few(2)

APPEND = {"incremental_column": "at", "mode": "append"}
MERGE = {"incremental_column": "at", "primary_key": ["id"]}


def ids(rows) -> list[int]:
    return sorted(int(row[0]) for row in rows)


def make(shop, kind: str = "timestamp(6) NOT NULL DEFAULT current_timestamp(6)", key: str = "int") -> None:
    shop.run(f"CREATE TABLE {{s}}.orders (id {key} PRIMARY KEY, at {kind}, KEY (at))")


def land_until(shop, checkpoint, wanted, **mode):
    """Land loads until the rows are all there, for as long as a transaction's age is counted in whole seconds."""
    rows, deadline = [], time.monotonic() + 60
    while ids(rows) != wanted and time.monotonic() < deadline:
        _, more, checkpoint = shop.land(checkpoint, **mode)
        rows += more
    return rows, checkpoint


@pytest.mark.parametrize("kind", ["timestamp(6)", "datetime(6)", "datetime"])
@pytest.mark.parametrize("mode", [APPEND, MERGE])
def test_rows_committed_late_are_read_once_they_are_there(shop, kind, mode):
    digits = "6" if "6" in kind else ""
    make(shop, f"{kind} NOT NULL DEFAULT current_timestamp({digits})")
    shop.run("INSERT INTO {s}.orders VALUES (1, now() - INTERVAL 1 HOUR)")
    _, first, checkpoint = shop.land(**mode)
    assert ids(first) == [1]
    with shop.transaction("INSERT INTO {s}.orders (id) VALUES (2)"):
        shop.run("INSERT INTO {s}.orders (id) VALUES (3)")
        _, during, checkpoint = shop.land(checkpoint, **mode)
    assert during == []
    shop.run("INSERT INTO {s}.orders VALUES (4, now() + INTERVAL 1 SECOND)")
    after, checkpoint = land_until(shop, checkpoint, [2, 3, 4], **mode)
    assert ids(after) == [2, 3, 4]
    last, rest, _ = shop.land(checkpoint, **mode)
    assert last.unchanged and rest == [] and last.watermark == checkpoint.watermark


def test_a_transaction_that_only_reads_holds_nothing_back(shop):
    make(shop)
    shop.run("INSERT INTO {s}.orders VALUES (1, now() - INTERVAL 1 HOUR)")
    with shop.transaction("SELECT * FROM {s}.orders FOR UPDATE"):
        assert ids(shop.land(**APPEND)[1]) == [1]


def test_numbers_that_are_drawn_but_not_committed_are_waited_for(shop, monkeypatch):
    monkeypatch.setattr(sight, "WRITERS_SECONDS", 0.3)
    shop.run("CREATE TABLE {s}.orders (id int AUTO_INCREMENT PRIMARY KEY, v int)")
    shop.run("INSERT INTO {s}.orders (v) VALUES (1)")
    mode = {"incremental_column": "id", "mode": "append"}
    _, first, checkpoint = shop.land(**mode)
    assert ids(first) == [1]
    with shop.transaction("INSERT INTO {s}.orders (v) VALUES (2)"):
        shop.run("INSERT INTO {s}.orders (v) VALUES (3)")
        load, during, checkpoint = shop.land(checkpoint, **mode)
        assert during == [] and any("goes on writing" in said for said in load.warnings)
    _, after, checkpoint = shop.land(checkpoint, **mode)
    assert ids(after) == [2, 3]


def test_random_writers_lose_and_double_nothing(shop, monkeypatch):
    """Writers begin, write and commit in any order between loads; in the end every row was landed once."""
    monkeypatch.setattr(sight, "WRITERS_SECONDS", 0.0)
    shop.run("CREATE TABLE {s}.orders (id int AUTO_INCREMENT PRIMARY KEY, v int)")
    rng, landed, checkpoint, number = random.Random(7), [], Checkpoint(), 0
    mode = {"incremental_column": "id", "mode": "append"}
    writers: list[ExitStack] = []
    for _ in range(30):
        action = rng.choice(["begin", "commit", "insert", "load"])
        if action == "begin" and len(writers) < 3:
            number += 1
            stack = ExitStack()
            stack.enter_context(shop.transaction(f"INSERT INTO {{s}}.orders (v) VALUES ({number})"))
            writers.append(stack)
        elif action == "commit" and writers:
            writers.pop(rng.randrange(len(writers))).close()
        elif action == "insert":
            number += 1
            shop.run(f"INSERT INTO {{s}}.orders (v) VALUES ({number})")
        elif action == "load":
            _, rows, checkpoint = shop.land(checkpoint, **mode)
            landed += rows
    for stack in writers:
        stack.close()
    _, rows, _ = shop.land(checkpoint, **mode)
    assert sorted(int(row[1]) for row in landed + rows) == list(range(1, number + 1))


@pytest.mark.parametrize("mode", [APPEND, MERGE])
def test_without_the_right_process_lag_stands_in_and_the_run_says_so(shop, mode):
    make(shop)
    shop.connection |= {"user": BLIND}
    shop.run("INSERT INTO {s}.orders VALUES (1, now() - INTERVAL 1 HOUR), (2, now() - INTERVAL 1 MINUTE)")
    load, rows, checkpoint = shop.land(**mode)
    assert any("grant it PROCESS" in said and "lag" in said for said in load.warnings)
    assert ids(rows) == ([1] if mode is APPEND else [1, 2])
    again, rows, _ = shop.land(checkpoint, **mode)
    assert ids(rows) == ([] if mode is APPEND else [2]), "what is younger than the lag is read again, and merged"
    assert again.watermark == checkpoint.watermark


def test_a_day_is_read_again_until_it_is_over_and_appended_when_it_is(shop):
    make(shop, "date NOT NULL")
    shop.run("INSERT INTO {s}.orders VALUES (1, utc_date() - INTERVAL 5 DAY), (2, utc_date())")
    assert ids(shop.land(**APPEND)[1]) == [1]
    _, rows, checkpoint = shop.land(**MERGE)
    assert ids(rows) == [1, 2]
    shop.run("INSERT INTO {s}.orders VALUES (3, utc_date() - INTERVAL 1 DAY)")
    assert ids(shop.land(checkpoint, **MERGE)[1]) == [2, 3]


def test_the_upper_bound_is_pinned_when_the_load_is_planned(shop):
    make(shop)
    shop.run("INSERT INTO {s}.orders VALUES (1, now() - INTERVAL 1 HOUR)")
    adapter = shop.open(**MERGE)
    load = adapter.plan(Checkpoint(), full_refresh=False)
    shop.run("INSERT INTO {s}.orders VALUES (2, now() - INTERVAL 1 MINUTE)")
    assert ids(shop.read(adapter, load)) == [1]


def test_cursors_from_the_future_are_told_and_no_watermark(shop):
    make(shop, "datetime NOT NULL")
    shop.run("INSERT INTO {s}.orders VALUES (1, now() - INTERVAL 1 HOUR), (2, now() + INTERVAL 9 DAY)")
    load, rows, _ = shop.land(**MERGE)
    assert ids(rows) == [1]
    assert [(told.code, told.rows) for told in load.shortfalls] == [("future_cursor", 1)]


def test_a_source_that_went_back_or_was_emptied_is_told(shop):
    make(shop, "datetime NOT NULL")
    shop.run("INSERT INTO {s}.orders VALUES (1, '2026-01-02')")
    _, _, checkpoint = shop.land(**MERGE)
    shop.run("UPDATE {s}.orders SET at = '2026-01-01'")
    assert [told.code for told in shop.land(checkpoint, **MERGE)[0].shortfalls] == ["source_behind"]
    shop.run("DELETE FROM {s}.orders")
    assert [told.code for told in shop.land(checkpoint, **MERGE)[0].shortfalls] == ["source_empty"]


def test_rows_without_a_cursor_are_included_excluded_or_refused(shop):
    make(shop, "datetime")
    shop.run("INSERT INTO {s}.orders VALUES (1, '2026-01-01'), (2, NULL)")
    assert ids(shop.land(**MERGE)[1]) == [1, 2]
    assert ids(shop.land(**MERGE, on_null_cursor="exclude")[1]) == [1]
    with pytest.raises(UnsupportedValue, match="1 rows have NULL in the cursor at, and on_null_cursor is fail"):
        shop.land(**MERGE, on_null_cursor="fail")
    with pytest.raises(UnsupportedValue, match="mode append would land them again"):
        shop.land(**APPEND)
    assert ids(shop.land(**APPEND, on_null_cursor="exclude")[1]) == [1]


def test_a_lag_reads_again_what_may_have_been_committed_late(shop):
    make(shop, "datetime NOT NULL")
    shop.run("INSERT INTO {s}.orders VALUES (1, '2026-01-01 11:00:00'), (2, '2026-01-01 12:00:00')")
    _, _, checkpoint = shop.land(**MERGE, lag="30m")
    shop.run("INSERT INTO {s}.orders VALUES (3, '2026-01-01 11:30:01'), (4, '2026-01-01 11:30:00')")
    assert ids(shop.land(checkpoint, **MERGE, lag="30m")[1]) == [2, 3]


@pytest.mark.parametrize("kind", ["varchar(9)", "double", "time"])
def test_what_cannot_be_a_cursor_is_refused_with_what_can(shop, kind):
    make(shop, kind)
    with pytest.raises(
        UnsupportedValue, match=rf"column at is {kind.replace('(', '.').replace(')', '.')}, which cannot"
    ) as raised:
        shop.plan(**MERGE)
    assert "timestamp, datetime, date or integer" in raised.value.remedy


def test_unsigned_numbers_above_the_signed_ones_are_cursors(shop):
    shop.run("CREATE TABLE {s}.orders (id bigint unsigned PRIMARY KEY)")
    shop.run("INSERT INTO {s}.orders VALUES (9223372036854775807), (18446744073709551614)")
    mode = {"incremental_column": "id", "mode": "append"}
    _, rows, checkpoint = shop.land(**mode)
    assert (len(rows), checkpoint.watermark) == (2, "18446744073709551614")
    shop.run("INSERT INTO {s}.orders VALUES (18446744073709551615)")
    assert shop.land(checkpoint, **mode)[1] == [("18446744073709551615",)]


def test_a_condition_holds_for_the_window_and_a_wrong_one_is_named(shop):
    from comboi_core.domain.errors import SourceQueryFailed

    make(shop, "datetime NOT NULL")
    shop.run("INSERT INTO {s}.orders VALUES (1, '2026-01-01'), (2, '2026-01-03'), (3, '2026-01-02')")
    load, rows, _ = shop.land(**MERGE, where="id <> 2; -- not that one")
    assert (ids(rows), load.watermark) == ([1, 3], "2026-01-02 00:00:00")
    with pytest.raises(SourceQueryFailed, match="where: nope = 1: Unknown column 'nope'"):
        shop.land(**MERGE, where="nope = 1")


def test_earlier_rows_are_looked_at_where_a_column_was_added(shop):
    make(shop, "datetime NOT NULL")
    shop.run("INSERT INTO {s}.orders VALUES (1, '2026-01-01'), (2, '2026-01-02')")
    _, _, checkpoint = shop.land(**MERGE)
    shop.run(
        "ALTER TABLE {s}.orders ADD COLUMN v int;\nUPDATE {s}.orders SET v = 7 WHERE id = 1;\n"
        "INSERT INTO {s}.orders VALUES (3, '2026-01-03', 1)"
    )
    adapter = shop.open(**MERGE)
    load = adapter.plan(checkpoint, full_refresh=False)
    added = tuple(column for column in load.columns if column.name == "v")
    found = adapter.look_back(load, added, checkpoint.watermark)
    assert (found.looked, found.filled, found.complete) == (2, {"v": 1}, True)


BACKFILL = [
    ("timestamp", "2026-01-01 10:00:00", "2026-01-01T13:00:00+01:00", [1, 2]),
    ("datetime(6)", "2026-01-01", "2026-01-01 11:00", [1]),
    ("date", "2025-12-31", "2026-01-01", [1, 2]),
    ("int", "20260100", "20260101", [1, 2]),
]


@pytest.mark.parametrize(("kind", "low", "high", "wanted"), BACKFILL)
def test_a_range_is_read_again_as_somebody_writes_it(shop, kind, low, high, wanted):
    make(shop, f"{kind} NOT NULL")
    given = ["'2026-01-01 11:00:00'", "'2026-01-01 12:00:00'"] if "time" in kind else ["20260101", "20260101"]
    shop.run(f"INSERT INTO {{s}}.orders VALUES (1, {given[0]}), (2, {given[1]})")
    adapter = shop.open(**MERGE)
    checkpoint = Checkpoint(1, shop.plan(**MERGE).watermark)
    load = backfilled(adapter.plan(checkpoint, full_refresh=False), checkpoint, {"from": low, "to": high})
    assert ids(shop.read(adapter, load)) == wanted


@pytest.mark.parametrize(("kind", "text"), [("datetime", "2026-01-01 00:00:00+01:00"), ("int", "1; DROP TABLE x")])
def test_a_value_that_is_none_of_the_cursors_type_is_refused(kind, text):
    with pytest.raises(UnsupportedValue, match="is no value of the type"):
        value(kind, text)


def test_a_transactions_age_is_right_when_the_servers_own_clock_goes_back():
    """In Berlin, 02:30 of 2026-10-25 was at 00:30 and again at 01:30 in UTC: the first one is the older transaction."""
    with mariadb(zone="Europe/Berlin") as server:
        for local, moment in {
            "2026-10-25 02:30:00": "2026-10-25 00:30:00",
            "2026-07-01 02:30:00": "2026-07-01 00:30:00",
        }.items():
            assert server.run("SELECT CAST(" + in_utc(f"TIMESTAMP'{local}'") + " AS CHAR)") == [(moment,)]
        server.run("CREATE DATABASE d;\nCREATE TABLE d.orders (id int)")
        session = server.connect(autocommit=False)
        run(session, "INSERT INTO d.orders VALUES (1)")
        ((age, _),) = server.run(TRANSACTIONS)
        assert 0 < int(age) < 3600, "in seconds, whatever the zone"
        session.close()
