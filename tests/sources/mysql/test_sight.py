"""InnoDB's list of transactions is a copy that may be old: it is believed only where it cannot be."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from comboi_core.sources.mysql import sight, sql
from comboi_core.sources.mysql.session import MysqlSession
from tests.support.mariadb import run

APPEND = {"incremental_column": "at", "mode": "append"}
MERGE = {"incremental_column": "at", "primary_key": ["id"]}
LIST = "SELECT COUNT(*) FROM information_schema.INNODB_TRX"


def ids(rows) -> list[int]:
    return sorted(int(row[0]) for row in rows)


@contextmanager
def polled(shop) -> Iterator[Callable[[], None]]:
    """Keep the list of this moment as it is for the block, or until what it gives is called."""
    ended, began = threading.Event(), threading.Event()

    def poll() -> None:
        session = shop.server.connect()
        while not ended.is_set():
            run(session, LIST)
            began.set()
        session.close()

    thread = threading.Thread(target=poll)
    thread.start()
    try:
        assert began.wait(10)
        yield ended.set
    finally:
        ended.set()
        thread.join()


@pytest.fixture
def orders(shop):
    shop.run(
        "CREATE TABLE {s}.orders (id int PRIMARY KEY, at timestamp(6) NOT NULL DEFAULT now(6), KEY (at));\n"
        "INSERT INTO {s}.orders VALUES (1, now() - INTERVAL 1 HOUR)"
    )
    return shop


@pytest.mark.parametrize("mode", [APPEND, MERGE])
def test_a_list_that_stays_old_is_told_and_lag_stands_in(orders, monkeypatch, mode):
    monkeypatch.setattr(sight, "STALE_SECONDS", 0.3)
    with polled(orders), orders.transaction("INSERT INTO {s}.orders (id) VALUES (2)"):
        orders.run("INSERT INTO {s}.orders (id) VALUES (3)")
        load, rows, checkpoint = orders.land(**mode)
    assert any("reads information_schema.INNODB_TRX all the time" in said and "lag" in said for said in load.warnings)
    assert ids(rows) == ([1] if mode is APPEND else [1, 3])
    if mode is MERGE:
        _, later, _ = orders.land(checkpoint, **mode, lag="1s")
        assert 2 in ids(later), "the watermark stayed behind the row that was committed late"


def test_numbers_are_not_said_to_be_complete_where_the_list_stays_old(orders, monkeypatch):
    monkeypatch.setattr(sight, "STALE_SECONDS", 0.3)
    with polled(orders):
        load, rows, _ = orders.land(incremental_column="id", mode="append")
    assert ids(rows) == [1] and any("may be missed" in said and "INNODB_TRX" in said for said in load.warnings)


def test_a_list_that_was_old_when_we_began_to_look_is_not_believed(orders, monkeypatch):
    """Somebody keeps the list of before the writers until we look for our own transaction."""
    asked = MysqlSession.rows

    def rows(self, text):
        if text == sql.LISTED:
            end()
        return asked(self, text)

    monkeypatch.setattr(MysqlSession, "rows", rows)
    with polled(orders) as end, orders.transaction("INSERT INTO {s}.orders (id) VALUES (2)"):
        orders.run("INSERT INTO {s}.orders (id) VALUES (3)")
        load, during, _ = orders.land(**APPEND)
    assert (ids(during), load.warnings) == ([1], ())


def test_a_transaction_of_before_on_the_same_connection_proves_nothing(orders):
    """A list that shows our connection from the start is old until it does not."""
    answers = iter("1110")
    asked, opened = [], []

    def ask(text):
        asked.append(text)
        return [{"listed": next(answers)}]

    @contextmanager
    def transaction() -> Iterator[None]:
        opened.append(True)
        yield

    assert sight._renewed(ask, transaction) and len(asked) == 4 and not opened
    answers = iter("001")
    assert sight._renewed(ask, transaction) and opened == [True]
