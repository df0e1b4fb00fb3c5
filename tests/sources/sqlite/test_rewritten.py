"""A database is swapped, restored, vacuumed or rewritten between plan and reading, or while it is read.

What SQLite's snapshots cover lands as it is; what they do not cover is not taken for what was planned.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from comboi_core.domain.errors import SourceChanged, UnsupportedValue
from comboi_core.domain.load import LoadPlan
from tests.support.landing import Landing, lake_in

pytestmark = pytest.mark.few(2)

MODES = {
    "full": {},
    "append": {"incremental_column": "id", "mode": "append"},
    "merge": {"primary_key": ["id"], "incremental_column": "at"},
    "query": {"query": "SELECT id, v, at FROM orders", "primary_key": ["id"], "incremental_column": "id"},
}
TABLE = "CREATE TABLE orders (id INTEGER PRIMARY KEY, v TEXT, at TEXT)"


@pytest.fixture(params=["delete", "wal"])
def path(request: Any, tmp_path: Path) -> Path:
    made = tmp_path / "till.db"
    write(made, f"PRAGMA journal_mode = {request.param}; {TABLE}; {numbers(1, 100)}")
    return made


@pytest.fixture(params=MODES)
def orders(request: Any, con: Any, tmp_path: Path, path: Path) -> Landing:
    given = MODES[request.param]
    table = given if "query" in given else {"table": "orders"} | given
    return Landing(con, lake_in(tmp_path), "sqlite", {"path": str(path)}, table)


def write(path: Path, script: str) -> None:
    """Write as other processes do: locks within one do not count."""
    program = "import sqlite3, sys; d = sqlite3.connect(sys.argv[1], timeout=0); d.executescript(sys.argv[2])"
    done = subprocess.run([sys.executable, "-c", program, str(path), script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def numbers(first: int, last: int) -> str:
    return (
        f"INSERT INTO orders WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last}) "
        "SELECT i, 'v', '2026-01-01 10:00:00' FROM n"
    )


def read(orders: Landing, load: LoadPlan, *, meanwhile: Callable[[], None] = lambda: None) -> list[int]:
    """The keys that a load reads, as an activity reads it."""
    adapter, found = orders.open(), []
    try:
        with adapter.reading(load):
            for chunk in load.chunks:
                found += orders.con.execute(f"SELECT id FROM ({adapter.select(load, chunk)})").fetchall()
                meanwhile()
        adapter.confirm(load)
    finally:
        adapter.close()
    return sorted(row[0] for row in found)


def swap(path: Path, rows: str = "") -> None:
    """Put another file in its place, as an export or a restore does."""
    other = path.with_suffix(".new")
    write(other, f"{TABLE}; {rows or numbers(101, 150)}")
    for log in ("-wal", "-shm"):
        path.with_name(path.name + log).unlink(missing_ok=True)
    other.replace(path)


def restore(path: Path) -> None:
    with sqlite3.connect(":memory:") as backup:
        backup.executescript(f"{TABLE}; {numbers(101, 150)}")
        with sqlite3.connect(path) as database:
            backup.backup(database)
        database.close()


CHANGES: dict[str, Callable[[Path], None]] = {
    "swapped": swap,
    "restored": restore,
    "made anew": lambda path: write(path, f"BEGIN; DROP TABLE orders; {TABLE}; {numbers(101, 150)}; COMMIT"),
    "renamed": lambda path: write(
        path, "CREATE TABLE b AS SELECT * FROM orders WHERE id < 9; DROP TABLE orders; ALTER TABLE b RENAME TO orders"
    ),
    "vacuumed": lambda path: write(path, "VACUUM"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_became_another_table_after_planning_is_not_read_as_the_planned_one(orders, path, change):
    load = orders.plan()
    change(path)
    with pytest.raises(SourceChanged, match=r"s\.t: .*till\.db was .*; nothing of it was published"):
        read(orders, load)
    with sqlite3.connect(path) as database:
        there = [row[0] for row in database.execute("SELECT id FROM orders ORDER BY id")]
    database.close()
    assert read(orders, orders.plan()) == there, "the plan that follows reads what is there"


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_became_another_table_between_two_parts_of_a_load_is_noticed(orders, path, change):
    load = orders.plan()
    assert len(read(orders, load)) == 100
    change(path)
    with pytest.raises(SourceChanged):
        read(orders, load)


@pytest.mark.parametrize("change", ["swapped", "restored", "made anew", "vacuumed"])
def test_a_change_while_rows_are_read_is_kept_out_or_noticed(orders, path, change):
    load = orders.plan()
    try:
        found = read(orders, load, meanwhile=lambda: CHANGES[change](path))
    except SourceChanged:
        return
    except (AssertionError, sqlite3.OperationalError) as kept_out:
        assert "locked" in str(kept_out)
        return
    pytest.fail(f"{len(found)} rows were taken for the planned ones")


def test_rows_that_a_transaction_rewrites_after_planning_land_as_it_left_them(orders, path):
    load = orders.plan()
    write(path, f"BEGIN; DELETE FROM orders; {numbers(1, 60)}; COMMIT")
    assert read(orders, load) == list(range(1, 61))


def test_rows_that_come_while_a_load_is_read_are_left_for_the_next_one(con, tmp_path):
    path = tmp_path / "till.db"
    write(path, f"PRAGMA journal_mode = wal; {TABLE}; {numbers(1, 100)}")
    orders = Landing(con, lake_in(tmp_path), "sqlite", {"path": str(path)}, {"table": "orders", **MODES["append"]})
    orders.load()
    write(path, numbers(101, 110))
    load = orders.plan()
    later = iter([numbers(111, 120)])
    found = read(orders, load, meanwhile=lambda: write(path, next(later)))
    assert found == list(range(101, 111))
    assert load.watermark == "110"


def test_a_file_that_is_written_over_without_locks_while_it_is_read_is_noticed(con, tmp_path):
    path, other = tmp_path / "till.db", tmp_path / "other.db"
    write(path, f"{TABLE}; {numbers(1, 100)}")
    write(other, f"{TABLE}; {numbers(1001, 1100)}")
    orders = Landing(con, lake_in(tmp_path), "sqlite", {"path": str(path)}, {"table": "orders"})
    load = orders.plan()

    def copied() -> None:
        subprocess.run(["cp", str(other), str(path)], check=True)

    with pytest.raises(SourceChanged, match="was written to without SQLite's locks while it was read"):
        read(orders, load, meanwhile=copied)
    assert read(orders, orders.plan()) == list(range(1001, 1101))


def test_an_error_of_a_file_that_was_written_over_is_the_change_and_not_a_damaged_file(con, tmp_path):
    path = tmp_path / "till.db"
    write(path, f"{TABLE}; {numbers(1, 100)}")
    orders = Landing(con, lake_in(tmp_path), "sqlite", {"path": str(path)}, {"table": "orders"})
    load = orders.plan()

    def cut() -> None:
        subprocess.run([sys.executable, "-c", f"open({str(path)!r}, 'wb').write(b'half')"], check=True)
        raise UnsupportedValue("something that follows from it")

    with pytest.raises(SourceChanged):
        read(orders, load, meanwhile=cut)


def test_a_plan_of_another_machine_or_of_an_earlier_comboi_is_compared_as_far_as_it_goes(con, tmp_path):
    path = tmp_path / "till.db"
    write(path, f"{TABLE}; {numbers(1, 5)}")
    orders = Landing(con, lake_in(tmp_path), "sqlite", {"path": str(path)}, {"table": "orders"})
    load = orders.plan()
    (relation,) = load.relations
    elsewhere = replace(load, relations=(replace(relation, id="other-machine:66:1234"),))
    for planned in (elsewhere, replace(load, relations=())):
        assert read(orders, planned) == [1, 2, 3, 4, 5]
    write(path, "ALTER TABLE orders ADD COLUMN w")
    with pytest.raises(SourceChanged, match="its tables were altered"):
        read(orders, elsewhere)
