"""A project whose datasets are built one by one: what a build publishes, without a source or a host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import yaml

from comboi_core.app import runfiles
from comboi_core.app.loader import load
from comboi_core.app.workspace import Workspace
from comboi_core.building.datasets import build
from comboi_core.lake.published import Published, write_options

CONFIG = {
    "pipeline": "lab",
    "engine": {"memory_limit": "512MB", "threads": 2},
    "sources": [
        {"name": "drop", "type": "files", "connection": {"path": "drop"}, "tables": [{"name": "t", "path": "*.csv"}]}
    ],
    "stages": {name: {"data_lake": {"path": f"lake/{name}"}} for name in ("bronze", "silver", "gold")},
    "monitoring": {"log_path": "logs/comboi.log"},
}
ONE = """/* @bruin
name: one
type: duckdb.sql
materialization: {type: table}
@bruin */
SELECT 1 AS one
"""


class Lab:
    """A folder with a project whose scripts and datasets a test writes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runs = 0
        self.manifests: dict[str, str] = {}
        self.write("configs/initial.yml", yaml.safe_dump(CONFIG))

    def write(self, name: str, text: str) -> Path:
        """Write a file of the project."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def dataset(self, name: str, script: str, ending: str = "sql", **settings: Any) -> None:
        """Let the project have this one dataset, made by a script; its input `one`, of one row, is new each time."""
        settings = {"inputs": [{"alias": "one", "dataset": "one"}], **settings}
        self.write("transformations/one.sql", ONE)
        self.write("configs/transformations.yml", yaml.safe_dump({"silver": [{"name": name, **settings}]}))
        self.write(f"transformations/{name}.{ending}", script)

    def build(self, name: str, *, full_refresh: bool = False, interval: tuple[str, str] | None = None) -> Any:
        """Build a dataset in a run of its own; return what the activity answers, with its details in place."""
        self.runs += 1
        one = self.folder / "lake/silver/refined/one.parquet"
        one.parent.mkdir(parents=True, exist_ok=True)
        duckdb.sql(f"COPY (SELECT 1 AS one) TO '{one}' ({write_options(Published(build=self.runs))})")
        workspace = Workspace(load(self.folder / "configs/initial.yml"))
        start, end = interval or (f"2026-03-{self.runs:02}", f"2026-03-{self.runs + 1:02}")
        job = {
            "run_id": f"run-{self.runs}",
            "fence": self.runs,
            "started_at": f"2026-03-{self.runs + 1:02}T06:00:00+00:00",
            "interval": {"start": f"{start}T00:00:00+00:00", "end": f"{end}T00:00:00+00:00"},
            "full_refresh": full_refresh,
            "item": {"name": name, "stage": "silver"},
            "manifests": self.manifests,
        }
        answer = build(workspace, job)
        return answer | {"details": runfiles.read_json(workspace.lake("bronze"), answer["details"])}

    def rows(self, name: str, query: str = "FROM {}") -> list[tuple]:
        """Return what a query over a published dataset gives."""
        file = self.folder / "lake/silver/refined" / f"{name}.parquet"
        return duckdb.sql(query.format(f"read_parquet('{file}')")).fetchall()

    def types(self, name: str) -> dict[str, str]:
        """Return the columns of a published dataset with their types."""
        return {column: kind for column, kind, *_ in self.rows(name, "DESCRIBE FROM {}")}
