"""Lands one table of a source, load by load, as a run does: plan, extract, publish; without the orchestration."""

from __future__ import annotations

import itertools
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from comboi_core.app.codec import decode_json
from comboi_core.app.loader import load
from comboi_core.app.workspace import Workspace
from comboi_core.domain.contracts.landing import ExtractChunks, Planned, PublishLoad, RunWork
from comboi_core.domain.contracts.table import CheckpointRecord, TableItem
from comboi_core.domain.load import LoadPlan
from comboi_core.domain.manifest import FileRecord
from comboi_core.lake.bronze import read_manifest
from comboi_core.lake.views import view_sql
from comboi_core.landing.landing import extract_chunks, plan_table, publish_load

SOURCE, TABLE = "contract", "landed"
_STAGES = ("bronze", "silver", "gold")
Row = dict[str, Any]


@dataclass(frozen=True)
class Begun:
    """A load that is planned and not yet read.

    Attributes:
        plan: What it will read.
        planned: What `plan_table` answered.
        workspace: The project it was planned in.
    """

    plan: LoadPlan
    planned: Planned
    workspace: Workspace


class Loading:
    """One table in a lake of its own.

    Args:
        folder: An empty folder, for the project and its lake.
        type: The source's type.
    """

    def __init__(self, folder: Path, type: str) -> None:
        self._folder = folder
        self._type = type
        self._runs = itertools.count(1)
        self.checkpoint: CheckpointRecord = {"sequence": 0, "watermark": None, "manifest": None, "reload": False}
        """The committed state, as the table's entity has it."""

    def workspace(self, connection: dict[str, Any], table: dict[str, Any]) -> Workspace:
        """Write a project with the table, and read it as every command does.

        Raises:
            ConfigError: the configuration is refused.
        """
        source = {"name": SOURCE, "type": self._type, "connection": connection}
        pipeline = {
            "pipeline": "contract",
            "engine": {"memory_limit": "512MB", "threads": 2},
            "sources": [{**source, "tables": [{"name": TABLE, **table}]}],
            "stages": {stage: {"data_lake": {"path": f"lake/{stage}"}} for stage in _STAGES},
        }
        file = self._folder / "configs" / "initial.yml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(pipeline, allow_unicode=True), encoding="utf-8")
        file.with_name("transformations.yml").write_text("{}", encoding="utf-8")
        return Workspace(load(file))

    def begin(self, connection: dict[str, Any], table: dict[str, Any], *, full_refresh: bool = False) -> Begun:
        """Plan the next load.

        Raises:
            ComboiError: what a run would tell.
        """
        workspace = self.workspace(connection, table)
        work = self._work(workspace, full_refresh)
        planned = plan_table(workspace, {**work, "item": _item(), "checkpoint": self.checkpoint})
        plan = decode_json(LoadPlan, workspace.lake("bronze").read(planned["plan"]))
        return Begun(plan, planned, workspace)

    def finish(self, begun: Begun) -> LoadPlan:
        """Read a planned load and commit it, unless there is nothing new; return its plan.

        Raises:
            ComboiError: what a run would tell; then nothing is committed.
        """
        plan, workspace = begun.plan, begun.workspace
        if plan.unchanged:
            return plan
        work = self._work(workspace, plan.replaces)
        files: list[FileRecord] = []
        states: list[str] = []
        rest = [chunk.index for chunk in plan.chunks]
        while rest:
            asked: ExtractChunks = {**work, "item": _item(), "plan": begun.planned["plan"], "chunks": rest}
            extracted = extract_chunks(workspace, asked)
            files, rest, states = [*files, *extracted["files"]], extracted["rest"], [*states, extracted["state"]]
        publish: PublishLoad = {
            **work,
            "item": _item(),
            "checkpoint": self.checkpoint,
            "plan": begun.planned["plan"],
            "files": files,
            "pages": [],
            "states": states,
            "token": secrets.token_hex(4),
        }
        published = publish_load(workspace, publish)
        commit = published["commit"]
        self.checkpoint = {
            "sequence": commit["sequence"],
            "watermark": commit["watermark"],
            "manifest": commit["manifest"],
            "reload": False,
        }
        return plan

    def rows(self, workspace: Workspace) -> list[Row]:
        """Return the table as readers see it, in some order."""
        if self.checkpoint["manifest"] is None:
            return []
        lake = workspace.lake("bronze")
        with workspace.duckdb() as con:
            lake.attach(con)
            found = con.execute(view_sql(lake, read_manifest(lake, self.checkpoint["manifest"]), "current"))
            names = [column[0] for column in found.description]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def _work(self, workspace: Workspace, full_refresh: bool) -> RunWork:
        run = next(self._runs)
        return {
            "run_id": f"contract-{run:04}",
            "pipeline": "contract",
            "fence": run,
            "config_hash": workspace.project.config_hash,
            "full_refresh": full_refresh,
            "backfill": None,
        }


def _item() -> TableItem:
    return {
        "kind": "table",
        "stage": "bronze",
        "name": f"{SOURCE}.{TABLE}",
        "source": SOURCE,
        "table": TABLE,
        "parallel_chunks": 1,
    }
