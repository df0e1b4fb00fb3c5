"""What an earlier comboi has left is gone on with: its lake, its task hub, its run records. `make.py` has packed it."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.support.project import Project

PACKED = sorted(Path(__file__).parent.glob("*.tar.gz"))


@pytest.fixture(params=PACKED, ids=lambda path: path.name.removesuffix(".tar.gz"))
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    shutil.unpack_archive(request.param, tmp_path)
    return Project(tmp_path / "project")


def change(project: Project) -> None:
    """Change every source; of one order's file a second one comes, one file of customers is written anew."""
    with sqlite3.connect(project.folder / "till.db") as db:
        db.executescript(
            "UPDATE sales SET version = 5, status = 'sent' WHERE id = 1; INSERT INTO sales VALUES (4, 6, 'new');"
            "INSERT INTO events VALUES (4, 4); DELETE FROM shops WHERE name = 'Ghent';"
        )
    db.close()
    incoming = project.folder / "incoming"
    (incoming / "orders" / "b.csv").write_text("order_id,customer_id\n12,3\n")
    (incoming / "customers" / "b.jsonl").write_text('{"id": 2, "name": "Bob"}\n{"id": 4, "name": "Di"}\n')


def test_there_are_projects_of_earlier_versions():
    assert {path.name for path in PACKED} >= {"first_landed.tar.gz", "rooms.tar.gz"}


def test_nothing_is_read_again_and_nothing_is_told_where_nothing_has_changed(project: Project):
    record = project.run()

    assert {table["table"]: table["rows"] for table in record["tables"]} == {
        "sales": 0, "events": 0, "shops": 2, "orders": 0, "customers": 0,
    }  # fmt: skip
    assert [table["warnings"] for table in record["tables"]] == [[]] * 5
    assert record["shortfalls"] == 0
    assert project.contents()["appended"] == [(1, 1), (2, 2), (3, 3)]


def test_the_next_run_lands_what_has_changed_and_loses_and_doubles_nothing(project: Project):
    change(project)

    record = project.run()

    assert record["fence"] == 3 and record["shortfalls"] == 0
    assert {table["table"]: (table["mode"], table["rows"]) for table in record["tables"]} == {
        "sales": ("merge", 2), "events": ("append", 1), "shops": ("full", 1),
        "orders": ("append", 1), "customers": ("merge", 2),
    }  # fmt: skip
    found = project.contents()
    assert found["till.sales"] == [(1, 5, "sent"), (2, 4, "paid"), (3, 3, "new"), (4, 6, "new")]
    assert found["till.events"] == [(1, 1), (2, 2), (3, 3), (4, 4)]
    assert found["till.shops"] == [("Ōsaka",)]
    assert [row[:2] for row in found["partner.orders"]] == [(10, 1), (11, 2), (12, 3)]
    # A row that is gone from its file stays: merges delete nothing.
    assert [row[:2] for row in found["partner.customers"]] == [(1, "Al"), (2, "Bob"), (3, "Cy"), (4, "Di")]
    assert found["merged"] == found["till.sales"]
    assert found["appended"] == found["till.events"]
    assert found["joined"] == [(10, "Al"), (11, "Bob"), (12, "Cy")]
    assert found["totals"] == [(4, 3)]
    versions = sorted((row[0], row[1]) for row in found["versions"])
    assert versions == [(1, "new"), (1, "sent"), (2, "new"), (2, "paid"), (3, "new"), (4, "new")]


def test_runs_of_the_earlier_version_are_shown_and_a_lost_hub_is_rebuilt_from_its_lake(project: Project):
    runs = json.loads(project.comboi("runs", "--json").stdout)
    assert len(runs) == 2
    assert project.comboi("status", runs[-1]["run_id"]).returncode == 0
    shutil.rmtree(project.folder / ".comboi")
    assert project.comboi("checkpoints", "rebuild").returncode == 0

    record = project.run()

    assert record["fence"] == 3
    assert {table["table"]: table["rows"] for table in record["tables"]}["sales"] == 0
    assert project.contents()["appended"] == [(1, 1), (2, 2), (3, 3)]
