"""What ended long ago leaves the store, and the store's file stays small."""

from __future__ import annotations

import sqlite3
from datetime import timedelta

import pytest
from durable_local_helpers import manage, run, start, until

from durable_local import TravelClock
from durable_local.events import Kind
from durable_local.queries import InstanceFilter, purge, purge_ended
from durable_local.records import NewInstance, Step
from durable_local.store import Store

KEEP = timedelta(days=7)
LONG_AGO, NOW = 1, 2


@pytest.fixture
def store(tmp_path):
    """An empty store."""
    opened = Store(tmp_path / "hub.db")
    yield opened
    opened.close()


def ended(store: Store, name: str, moment: int, body: str = "{}", events: int = 3) -> None:
    """Put an orchestration with a history into the store that was created and completed at a moment."""
    live(store, name, moment)
    seen = store.instance(name)
    step = Step(events=[body] * events, status="Completed")
    assert store.commit_step(seen, step, moment) is not None


def live(store: Store, name: str, moment: int) -> None:
    """Put an orchestration into the store that has not begun yet."""
    assert store.create(NewInstance(name, "e", "f", None, None), moment) is None


def count(store: Store, table: str) -> int:
    """The rows of a table."""
    return store.rows(f"SELECT count(*) FROM {table}")[0][0]


def test_a_host_deletes_what_ended_longer_ago_than_it_keeps(new_host):
    clock = TravelClock()
    host = new_host(clock=clock, keep=KEEP)
    old, waiting = start(host, "parent", {"n": 2}), start(host, "waits")
    host.wait(old, 30)
    manage(host, "POST", "/entities/counter/a?op=add", "1")
    clock.advance(KEEP / 2)
    new = run(host, "chain", {"n": 1})["instanceId"]
    clock.advance(KEEP / 2 + timedelta(minutes=1))
    until(lambda: manage(host, "GET", f"/instances/{old}").status == 404)
    assert manage(host, "GET", f"/instances/{new}").json["runtimeStatus"] == "Completed"
    assert manage(host, "GET", f"/instances/{waiting}").status == 202
    until(lambda: manage(host, "GET", "/entities/counter/a").text == "1")


def test_a_host_that_is_not_asked_to_keeps_everything(new_host):
    clock = TravelClock()
    host = new_host(clock=clock)
    old = run(host, "chain", {"n": 1})["instanceId"]
    clock.advance(timedelta(days=4000))
    assert manage(host, "GET", f"/instances/{old}").status == 200


def test_a_batch_takes_the_oldest_ones_with_all_that_is_theirs(store):
    for number in range(5):
        ended(store, f"old-{number}", LONG_AGO)
    live(store, "waiting", LONG_AGO)
    ended(store, "new", NOW)
    assert [purge_ended(store, NOW, 2) for _ in range(4)] == [2, 2, 1, 0]
    assert store.rows("SELECT id FROM instances ORDER BY id") == [("new",), ("waiting",)]
    assert store.rows("SELECT DISTINCT instance_id FROM history") == [("new",)]
    assert store.rows("SELECT instance_id FROM inbox") == [("waiting",)]


def test_what_began_long_ago_and_ended_lately_is_kept(store):
    live(store, "long", LONG_AGO)
    store.commit_step(store.instance("long"), Step(status="Completed"), NOW)
    assert purge_ended(store, NOW, 10) == 0


def test_a_purge_lets_others_write_between_its_transactions(store, monkeypatch):
    for number in range(250):
        ended(store, f"old-{number:03d}", LONG_AGO, events=1)
    transactions = []
    once = store.transaction
    monkeypatch.setattr(store, "transaction", lambda: transactions.append(count(store, "instances")) or once())
    deleted = purge(store, InstanceFilter(created_to=LONG_AGO, statuses=("Completed",)))
    assert len(deleted) == 250 and count(store, "history") == 0
    assert transactions == [250, 150, 50, 0]


def test_a_purge_leaves_alone_what_was_started_anew_meanwhile(store, monkeypatch):
    ended(store, "again", LONG_AGO)
    once = store.transaction

    def first_a_restart():
        monkeypatch.setattr(store, "transaction", once)
        live(store, "again", NOW)
        return once()

    monkeypatch.setattr(store, "transaction", first_a_restart)
    assert purge(store, InstanceFilter(statuses=("Completed",))) == []
    assert store.instance("again").status == "Pending"


def test_the_file_shrinks_once_most_of_it_is_empty(store, tmp_path):
    body = "x" * 2000
    for number in range(30):
        ended(store, f"old-{number}", LONG_AGO, body, events=500)
    store.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    full = (tmp_path / "hub.db").stat().st_size
    while purge_ended(store, NOW, 10):
        pass
    store.give_back()
    store.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    assert full > 30 * 500 * len(body)
    assert (tmp_path / "hub.db").stat().st_size < full * 0.6
    assert store.rows("PRAGMA integrity_check") == [("ok",)]


def test_empty_pages_are_used_again(store, tmp_path):
    for generation in range(5):
        for number in range(10):
            ended(store, f"{generation}-{number}", generation, "x" * 2000, events=100)
        while purge_ended(store, generation + 1, 10):
            pass
    store.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    assert (tmp_path / "hub.db").stat().st_size < 2 * 10 * 100 * 2000


@pytest.mark.parametrize("size", [300, 1200, 2500, 6000])
def test_histories_take_little_more_than_their_events(store, tmp_path, size):
    events = 3_000_000 // size // 20
    for number in range(20):
        ended(store, f"orchestration-{number}", LONG_AGO, "x" * size, events=events)
    store.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    assert (tmp_path / "hub.db").stat().st_size < 1.7 * 20 * events * size


def test_a_store_of_an_earlier_version_is_purged_as_well(tmp_path):
    path = tmp_path / "hub.db"
    Store(path).close()
    with sqlite3.connect(path) as db:  # as the version before made it
        db.executescript(
            "DROP INDEX instances_by_created; DROP TABLE history; CREATE TABLE history(instance_id TEXT, idx INTEGER, "
            "body TEXT NOT NULL, PRIMARY KEY(instance_id, idx)) WITHOUT ROWID; PRAGMA auto_vacuum=NONE; VACUUM;"
        )
    db.close()
    store = Store(path)
    for number in range(30):
        ended(store, f"old-{number}", LONG_AGO, "x" * 2000, events=500)
    assert purge_ended(store, NOW, 100) == 30
    store.give_back()  # which such a file cannot
    assert store.rows("PRAGMA freelist_count")[0][0] > 4096
    assert store.send("old-1", Kind.EVENT_RAISED, "{}", NOW) is False
    store.close()
