"""A project whose lake is a folder; nothing here needs a database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from comboi_core.app.loader import load
from comboi_core.app.workspace import Workspace

Change = Callable[[dict[str, Any], dict[str, Any]], None]


def pipeline() -> dict[str, Any]:
    """Two sources that share a table's name."""
    return {
        "pipeline": "sales",
        "engine": {"memory_limit": "256MB", "threads": 1, "parallel_datasets": 2},
        "sources": [
            {
                "name": source,
                "type": "postgres",
                "connection": {"conn_str": f"{{{{env:{source.upper()}_CONNECTION}}}}"},
                "max_parallel": 2,
                "tables": [{"name": name, "table": name} for name in tables],
            }
            for source, tables in (("shop", ("orders", "items", "customers")), ("crm", ("customers",)))
        ],
        "stages": {stage: {"data_lake": {"path": f"lake/{stage}"}} for stage in ("bronze", "silver", "gold")},
    }


def datasets() -> dict[str, Any]:
    """Silver a, b and c (c after a and b), gold top after c."""

    def of(name: str, *inputs: dict[str, str]) -> dict[str, Any]:
        return {"name": name, "inputs": [{"alias": f"i{n}", **item} for n, item in enumerate(inputs)]}

    return {
        "silver": [
            of("c", {"dataset": "a"}, {"dataset": "b"}),
            of("a", {"source": "shop", "table": "orders"}),
            of("b", {"source": "crm", "table": "customers"}),
        ],
        "gold": [of("top", {"dataset": "c"}, {"source": "shop", "table": "items"})],
    }


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Change | None], Workspace]:
    """Make a workspace from the two files, changed by a function; COMBOI_CONFIG names it."""

    def made(change: Change | None = None) -> Workspace:
        files = pipeline(), datasets()
        if change:
            change(*files)
        for name, content in zip(("initial", "transformations"), files, strict=True):
            file = tmp_path / "configs" / f"{name}.yml"
            file.parent.mkdir(exist_ok=True)
            file.write_text(yaml.safe_dump(content))
        folder = tmp_path / "transformations"
        folder.mkdir(exist_ok=True)
        for item in [*files[1].get("silver", ()), *files[1].get("gold", ())]:
            (folder / f"{item['name']}.sql").write_text("SELECT * FROM i0")
        monkeypatch.setenv("COMBOI_CONFIG", str(tmp_path / "configs" / "initial.yml"))
        monkeypatch.delenv("COMBOI_LAKE_ROOT", raising=False)
        return Workspace(load(tmp_path / "configs" / "initial.yml"))

    return made


@pytest.fixture
def workspace(make: Callable[[Change | None], Workspace]) -> Workspace:
    """The project as it is."""
    return make(None)
