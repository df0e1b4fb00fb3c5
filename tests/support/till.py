"""A project over one SQLite table, with one dataset of its changes: the smallest one that has everything."""

from __future__ import annotations

import copy
import sqlite3
from pathlib import Path
from typing import Any

import yaml

from tests.support.project import CONFIG, Project

TABLE = {"name": "sales", "table": "sales", "primary_key": ["id"], "incremental_column": "version"}
SCHEMA = """
CREATE TABLE sales (id INTEGER PRIMARY KEY, version INTEGER NOT NULL, status TEXT NOT NULL);
INSERT INTO sales VALUES (1, 1, 'new'), (2, 2, 'new');
"""


class Till(Project):
    """The table is `sales` of the source `till`, the dataset `seen` in silver."""

    @classmethod
    def make(cls, folder: Path) -> Till:
        """Write the files; the dataset merges what was landed since its last build."""
        project = cls(folder)
        (project.folder / "configs").mkdir(parents=True)
        (project.folder / "transformations").mkdir()
        project.sql(SCHEMA)
        project.table()
        project.dataset(strategy="merge", unique_key=["id"])
        return project

    def sql(self, text: str) -> None:
        """Run SQL in the source."""
        with sqlite3.connect(self.folder / "till.db") as db:
            db.executescript(text)

    def configure(self, **changes: Any) -> None:
        """Change top-level keys of the pipeline's file."""
        path = self.folder / "configs" / "initial.yml"
        self.write("configs/initial.yml", yaml.safe_dump(yaml.safe_load(path.read_text()) | changes))

    def table(
        self, source: str = "till", connection: dict[str, Any] | None = None, kind: str = "sqlite", **settings: Any
    ) -> None:
        """Write the pipeline's file, with a source of that type; settings of the table that are None are left out."""
        config = copy.deepcopy(CONFIG)
        told = {key: value for key, value in (TABLE | settings).items() if value is not None}
        config["sources"] = [
            {"name": source, "type": kind, "connection": connection or {"path": "till.db"}, "tables": [told]},
        ]
        self.write("configs/initial.yml", yaml.safe_dump(config))

    def dataset(
        self,
        script: str = "SELECT * FROM sales",
        *,
        name: str = "seen",
        source: str = "till",
        view: str = "changes",
        more: dict[str, Any] | None = None,
        **materialization: Any,
    ) -> None:
        """Write the datasets' file with this one alone, and its script; `more` are further keys of the dataset."""
        inputs = [{"alias": "sales", "source": source, "table": "sales", "view": view}]
        seen = {"name": name, "inputs": inputs, "materialization": materialization, **(more or {})}
        self.write("configs/transformations.yml", yaml.safe_dump({"silver": [seen]}))
        self.write(f"transformations/{name}.sql", script)

    def rows(self) -> list[tuple]:
        """The table as readers of bronze see it."""
        return self.contents()["till.sales"]
