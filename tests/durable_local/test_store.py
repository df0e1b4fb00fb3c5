"""The task hub's file at its limits."""

from __future__ import annotations

import sqlite3

import pytest

from durable_local.store import Store


def test_a_full_disk_is_told_as_such_and_the_store_goes_on_once_there_is_space(tmp_path):
    """SQLite's own limit of a file's size stands for the disk's: the code is the same, SQLITE_FULL."""
    store = Store(tmp_path / "hub.db")
    with store.transaction() as db:
        pages = db.execute("PRAGMA page_count").fetchone()[0]
        db.execute(f"PRAGMA max_page_count={pages + 4}")
    for _ in range(2):
        with pytest.raises(sqlite3.OperationalError, match="full"), store.transaction() as db:
            for number in range(200):
                db.execute("INSERT INTO entities VALUES (?, ?, 0)", [f"@table@{number}", "x" * 1000])
    assert store.rows("SELECT count(*) FROM entities") == [(0,)]
    store.rows("PRAGMA max_page_count=100000")
    with store.transaction() as db:
        db.execute("INSERT INTO entities VALUES ('@table@t', '{}', 0)")
    assert store.rows("SELECT sid FROM entities") == [("@table@t",)]
    store.close()
