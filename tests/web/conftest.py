"""A fake hub, and a project whose lake is a folder."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from comboi_core.app.loader import load
from comboi_core.app.workspace import Workspace
from comboi_core.state import pipeline
from comboi_core.web.hub import ENDED


class FakeHub:
    """Stands in for Durable Functions (`comboi_core.web.hub.Hub`); the real one is covered end to end.

    Entities are kept as their reducers make them, a signal is carried out at once, and `on_start` says what becomes of
    an orchestration the moment it is started.
    """

    def __init__(self) -> None:
        self.entities: dict[tuple[str, str], Any] = {}
        self.instances: dict[str, dict[str, Any]] = {}
        self.started: list[tuple[str, str, dict[str, Any]]] = []
        self.on_start: Callable[[str, dict[str, Any]], None] = lambda run_id, request: self.begins(run_id)

    async def read(self, entity: str, key: str) -> dict[str, Any] | None:
        return self.entities.get((entity, key))

    async def signal(self, entity: str, key: str, operation: str, value: dict[str, Any]) -> None:
        assert entity == "pipeline"
        self.entities[entity, key], _ = pipeline.OPERATIONS[operation](self.entities[entity, key], value)

    async def start(self, orchestrator: str, instance_id: str, value: dict[str, Any]) -> None:
        self.started.append((orchestrator, instance_id, value))
        self.on_start(instance_id, value)

    async def status(self, instance_id: str) -> dict[str, Any] | None:
        return self.instances.get(instance_id)

    async def purge(self, before: datetime) -> int:
        old = [
            run_id
            for run_id, found in self.instances.items()
            if found["runtimeStatus"] in ENDED and datetime.fromisoformat(found["createdTime"]) < before
        ]
        for run_id in old:
            del self.instances[run_id]
        return len(old)

    def instance(self, run_id: str, runtime: str = "Running", **fields: Any) -> None:
        """Put an orchestration into the hub."""
        empty = {"customStatus": None, "output": None, "input": None, "createdTime": "2026-11-23T06:00:00+00:00"}
        self.instances[run_id] = {"runtimeStatus": runtime, **empty, **fields}

    def begins(self, run_id: str, runtime: str = "Running") -> None:
        """Let a run take the lease."""
        before = self.entities.get(("pipeline", "sales"), pipeline.initial())
        request = {"run_id": run_id, "trigger": "http", "stage": None, "started_at": "2026-11-23T06:00:00+00:00"}
        self.entities["pipeline", "sales"], answer = pipeline.begin(before, request)
        assert answer["granted"]
        self.instance(run_id, runtime, customStatus={"phase": "planning", "fence": answer["fence"]})

    def finishes(self, run_id: str, status: str = "succeeded") -> None:
        """Let a run give its lease back."""
        request = {"run_id": run_id, "summary": {"status": status}}
        self.entities["pipeline", "sales"], _ = pipeline.finish(self.entities["pipeline", "sales"], request)
        self.instances[run_id]["runtimeStatus"] = "Completed"


@pytest.fixture
def hub() -> FakeHub:
    """An empty hub."""
    return FakeHub()


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A project with two tables and a dataset."""
    tables = [{"name": name, "table": name} for name in ("orders", "items")]
    source = {"name": "shop", "type": "postgres", "connection": {"conn_str": "{{env:WEB_TEST_SHOP}}"}, "tables": tables}
    files = {
        "initial": {
            "pipeline": "sales",
            "sources": [source],
            "stages": {stage: {"data_lake": {"path": f"lake/{stage}"}} for stage in ("bronze", "silver", "gold")},
        },
        "transformations": {
            "silver": [{"name": "a", "inputs": [{"alias": "i", "source": "shop", "table": "orders"}]}],
        },
    }
    (tmp_path / "configs").mkdir()
    for name, content in files.items():
        (tmp_path / "configs" / f"{name}.yml").write_text(yaml.safe_dump(content))
    (tmp_path / "transformations").mkdir()
    (tmp_path / "transformations" / "a.sql").write_text("SELECT * FROM i")
    return Workspace(load(tmp_path / "configs" / "initial.yml"))
