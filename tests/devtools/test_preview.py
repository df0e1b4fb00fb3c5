"""What a run would do, worked out for several tables at a time."""

from __future__ import annotations

import threading

from comboi_core.app.loader import load
from comboi_core.app.workspace import Workspace
from comboi_core.devtools import preview as module
from comboi_core.domain.errors import SourceUnreachable
from comboi_core.state import checkpoint
from tests.support.till import TABLE, Till
from tests.support.waiting import WAIT

REQUEST = {"stage": None, "select": [], "full_refresh": False, "backfill": None, "interval": None}


def project(tmp_path, tables: int, lanes: int) -> Workspace:
    """A project over copies of one table."""
    till = Till.make(tmp_path / "till")
    names = [f"sales_{number}" for number in range(tables)]
    source = {"name": "till", "type": "sqlite", "connection": {"path": "till.db"}, "max_parallel": lanes}
    till.configure(sources=[source | {"tables": [TABLE | {"name": name} for name in names]}])
    till.write("configs/transformations.yml", "{}")
    return Workspace(load(till.folder / "configs" / "initial.yml"))


def previewed(workspace: Workspace) -> list[dict]:
    """The tables of a preview, nothing of which has been landed."""
    new = checkpoint.get(checkpoint.initial(), {})[1]["checkpoint"]
    names = [f"{source}.{table}" for source, table in workspace.project.tables]
    return module.preview(workspace, REQUEST, dict.fromkeys(names, new))["tables"]


def test_lanes_are_planned_side_by_side(tmp_path, monkeypatch):
    workspace, plan_load = project(tmp_path, 6, 3), module.plan_load
    together = threading.Barrier(3)

    def planned(*given, **more):
        together.wait(WAIT)  # until one table of each lane is here
        return plan_load(*given, **more)

    monkeypatch.setattr(module, "plan_load", planned)
    tables = previewed(workspace)
    assert sorted(table["table"] for table in tables) == [f"sales_{number}" for number in range(6)]
    assert {table["estimated_rows"] for table in tables} == {2}


def test_a_source_has_no_more_to_do_than_in_a_run(tmp_path, monkeypatch):
    workspace, plan_load = project(tmp_path, 6, 1), module.plan_load
    alone = threading.Lock()

    def planned(*given, **more):
        assert alone.acquire(blocking=False), "two tables of one lane at a time"
        try:
            return plan_load(*given, **more)
        finally:
            alone.release()

    monkeypatch.setattr(module, "plan_load", planned)
    assert len(previewed(workspace)) == 6


def test_a_table_that_cannot_be_planned_is_told_beside_the_others(tmp_path, monkeypatch):
    workspace, plan_load = project(tmp_path, 3, 3), module.plan_load

    def planned(given, item, *more):
        if item["table"] == "sales_1":
            raise SourceUnreachable("it is down")
        return plan_load(given, item, *more)

    monkeypatch.setattr(module, "plan_load", planned)
    errors = {table["table"]: table.get("error", {}).get("code") for table in previewed(workspace)}
    assert errors == {"sales_0": None, "sales_1": SourceUnreachable.code, "sales_2": None}
