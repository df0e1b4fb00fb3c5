"""What a table holds stays right when its settings, its checkpoint or the task hub are not what they were before."""

from __future__ import annotations

import copy
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.project import CONFIG, Project

TABLE = {"name": "sales", "table": "sales", "primary_key": ["id"], "incremental_column": "version"}
SCHEMA = """
CREATE TABLE sales (id INTEGER PRIMARY KEY, version INTEGER NOT NULL, status TEXT NOT NULL);
INSERT INTO sales VALUES (1, 1, 'new'), (2, 2, 'new');
"""
CHANGE = "UPDATE sales SET version = 3, status = 'paid' WHERE id = 2"
NOW = [(1, 1, "new"), (2, 3, "paid"), (3, 4, "new")]


class Till(Project):
    """A project over one SQLite table, with one dataset of its changes."""

    def sql(self, text: str) -> None:
        with sqlite3.connect(self.folder / "till.db") as db:
            db.executescript(text)

    def table(self, **settings: Any) -> None:
        """Write the configuration; settings that are None are left out."""
        config = copy.deepcopy(CONFIG)
        told = {key: value for key, value in (TABLE | settings).items() if value is not None}
        config["sources"] = [
            {"name": "till", "type": "sqlite", "connection": {"path": "till.db"}, "tables": [told]},
        ]
        self.write("configs/initial.yml", yaml.safe_dump(config))

    def dataset(self, **materialization: Any) -> None:
        self.write(
            "configs/transformations.yml",
            yaml.safe_dump(
                {
                    "silver": [
                        {
                            "name": "seen",
                            "inputs": [{"alias": "sales", "source": "till", "table": "sales", "view": "changes"}],
                            "materialization": materialization,
                        }
                    ]
                }
            ),
        )
        self.write("transformations/seen.sql", "SELECT * FROM sales")

    def rows(self) -> list[tuple]:
        return self.contents()["till.sales"]


@pytest.fixture
def till(tmp_path: Path) -> Till:
    project = Till(tmp_path / "till")
    (project.folder / "configs").mkdir(parents=True)
    (project.folder / "transformations").mkdir()
    project.sql(SCHEMA)
    project.table()
    project.dataset(strategy="merge", unique_key=["id"])
    return project


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"mode": "append"}, "the mode is append, but the table was merged"),
        ({"primary_key": ["id", "status"]}, "the primary key is id, status, but the table was merged by id"),
    ],
)
def test_superseded_rows_of_a_merged_table_do_not_come_back(till: Till, settings: dict[str, Any], told: str):
    till.run("bronze")
    till.sql(CHANGE)
    till.run("bronze")
    till.sql("INSERT INTO sales VALUES (3, 4, 'new')")
    till.table(**settings)
    refused = till.comboi("run", "bronze")
    assert refused.returncode == 1
    assert told in refused.stdout and "--full-refresh" in refused.stdout
    till.run("bronze", "--full-refresh")
    assert till.rows() == NOW


@pytest.mark.parametrize("mode", ["append", "merge"])
def test_a_table_that_was_replaced_by_each_load_goes_on_from_its_latest_state(till: Till, mode: str):
    till.table(mode="full", incremental_column=None)
    till.run("bronze")
    till.sql(CHANGE + "; INSERT INTO sales VALUES (3, 4, 'new'), (4, 1, 'gone soon')")
    till.run("bronze")
    till.sql("DELETE FROM sales WHERE id = 4")
    till.table(mode=mode)
    till.run("bronze")
    assert till.rows() == NOW
    till.sql("INSERT INTO sales VALUES (5, 5, 'new')")
    assert till.run("bronze")["tables"][0]["rows"] == 1
    assert till.rows() == [*NOW, (5, 5, "new")]


def test_a_table_that_was_read_anew_is_not_appended_a_second_time(till: Till):
    till.dataset(strategy="append")
    till.run()
    assert till.comboi("checkpoints", "reset", "till.sales", "--yes").returncode == 0
    till.sql("INSERT INTO sales VALUES (3, 3, 'new')")
    refused = till.comboi("run")
    assert refused.returncode == 1
    assert "appended a second time" in refused.stdout and "--full-refresh" in refused.stdout
    assert len(till.contents()["seen"]) == 2
    till.run("--full-refresh", "--select", "seen")
    till.sql("INSERT INTO sales VALUES (4, 4, 'new')")
    till.run()
    assert [row[0] for row in till.contents()["seen"]] == [1, 2, 3, 4]


def test_a_task_hub_that_was_lost_after_the_first_load_is_noticed(till: Till):
    till.run()
    shutil.rmtree(till.folder / ".comboi")
    till.sql(CHANGE + "; INSERT INTO sales VALUES (3, 4, 'new')")
    refused = till.comboi("run")
    assert refused.returncode == 1
    assert "checkpoint_lost" in refused.stdout and "comboi checkpoints rebuild" in refused.stdout
    assert till.comboi("checkpoints", "rebuild").returncode == 0
    till.run()
    assert till.contents()["seen"] == NOW


def test_a_sum_of_integers_is_published_to_the_last_digit(till: Till):
    till.sql(f"UPDATE sales SET version = {2**53 + 1} WHERE id = 2")
    till.dataset(strategy="merge", unique_key=["id"])
    till.write("transformations/seen.sql", "SELECT id, sum(version) AS total FROM sales GROUP BY id")
    till.run()
    assert till.contents()["seen"] == [(1, 1), (2, 2**53 + 1)]
