"""Reads the lake for the catalogue: committed tables, published files, records of runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from comboi_core.app import runfiles
from comboi_core.app.workspace import Workspace
from comboi_core.config.project import Stage
from comboi_core.domain.errors import ComboiError
from comboi_core.domain.manifest import Manifest
from comboi_core.domain.ports import Lake
from comboi_core.domain.redaction import redactor
from comboi_core.domain.sql import literal
from comboi_core.landing.rebuild import checkpoints_in_lake
from comboi_core.runs.records import newest_records

T = TypeVar("T")


@dataclass(frozen=True)
class Published:
    """A dataset's published file.

    Attributes:
        columns: Name and type of each column.
        beside: Paths of files that belong to it: crosswalk, quarantine, reports.
    """

    columns: tuple[tuple[str, str], ...]
    rows: int
    beside: tuple[str, ...] = ()


@dataclass
class Lakes:
    """Reads all three lakes. What cannot be read is noted, and the rest can still be shown."""

    workspace: Workspace
    notes: list[str] = field(default_factory=list)

    def manifests(self) -> dict[str, Manifest]:
        """Return the newest complete manifest of each table, by `source.table`."""
        from comboi_core.lake.bronze import read_manifest

        def read() -> dict[str, Manifest]:
            known = {name: one["manifest"] for name, one in checkpoints_in_lake(self.workspace).items()}
            if not known:
                return {}
            lake = self.workspace.lake("bronze")
            return {name: read_manifest(lake, path) for name, path in known.items() if path}

        return self._noted("the landed tables", read) or {}

    def published(self) -> dict[str, Published]:
        """Return the published file of each dataset, by name."""
        found: dict[str, Published] = {}
        stages: tuple[Stage, ...] = ("silver", "gold")
        for stage in stages:
            if not self.workspace.project.datasets(stage):
                continue
            lake = self._noted(f"the {stage} lake", partial(self.workspace.lake, stage))
            if lake is not None:
                found |= self._noted(f"the {stage} lake", partial(self._stage, stage, lake)) or {}
        return found

    def records(self, limit: int) -> list[dict[str, Any]]:
        """Return the records of the latest finished runs, newest first."""

        def read() -> list[dict[str, Any]]:
            lake = self.workspace.lake("bronze")
            paths = (run.path for run in islice(newest_records(lake, self.workspace.project.pipeline), limit))
            found = [self._noted(path, partial(runfiles.read_json, lake, path)) for path in paths]
            return [record for record in found if isinstance(record, dict)]

        return self._noted("the records of runs", read) or []

    def _stage(self, stage: Stage, lake: Lake) -> dict[str, Published]:
        project = self.workspace.project
        there: dict[str, list[str]] = {}
        found: dict[str, Published] = {}
        with self.workspace.duckdb() as con:
            lake.attach(con)
            for dataset in project.datasets(stage):
                path = project.dataset_path(dataset.name)
                folder = path.rpartition("/")[0]
                if folder not in there:
                    there[folder] = lake.list(folder)
                if path not in there[folder]:
                    continue
                stem = f"{path.removesuffix('.parquet')}."
                beside = [other for other in there[folder] if other.startswith(stem) and other != path]
                read = self._noted(f"{stage}: {path}", partial(_read, con, lake, path))
                if read:
                    found[dataset.name] = Published(*read, beside=tuple(beside))
        return found

    def _noted(self, what: str, action: Callable[[], T]) -> T | None:
        import duckdb

        try:
            return action()
        except ComboiError as error:
            reason = error.message
        except (duckdb.Error, ValueError) as error:  # a file that is not Parquet, a record that is not JSON
            reason = str(error).partition("\n")[0]
        self.notes.append(redactor.text(f"{what}: {reason}"))
        return None


def _read(con: Any, lake: Lake, path: str) -> tuple[tuple[tuple[str, str], ...], int]:
    file = literal(lake.uri(path))
    columns = con.execute(f"DESCRIBE SELECT * FROM read_parquet({file}, hive_partitioning = false)").fetchall()
    rows = con.execute(f"SELECT sum(num_rows) FROM parquet_file_metadata({file})").fetchone()[0]
    return tuple((name, kind) for name, kind, *_ in columns), int(rows or 0)
