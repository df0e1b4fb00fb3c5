"""Assets of Bruin, written by tests and read into datasets."""

from __future__ import annotations

import textwrap
from pathlib import Path

from comboi_core.bruin.header.finding import LoadedAssets
from comboi_core.bruin.header.loading import load_assets
from comboi_core.config.datasets import DatasetConfig

TABLES = ("shop.orders", "shop.items", "crm.orders", "crm.people")
NATIVES = {"cleaned": "silver", "report": "gold"}


def write(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else textwrap.dedent(text).lstrip("\n").encode())
    return path


def asset(
    folder: Path, header: str, *, body: str = "SELECT 1 AS id", name: str = "silver/a.sql", table: bool = True
) -> Path:
    """Write an SQL asset; its header's lines start in line 4 (3 where it names its own materialization)."""
    given = "type: duckdb.sql\n" + ("materialization: {type: table}\n" if table else "")
    return write(folder, name, f"/* @bruin\n{given}{textwrap.dedent(header).strip()}\n@bruin */\n{body}\n")


def load(folder: Path) -> LoadedAssets:
    return load_assets(folder, tables=TABLES, datasets=NATIVES, shown="t")


def only(folder: Path) -> DatasetConfig:
    """Return the one dataset of a folder without problems."""
    loaded = load(folder)
    assert loaded.problems == ()
    (dataset,) = (*loaded.silver, *loaded.gold)
    return dataset


def problem(folder: Path) -> str:
    (found,) = load(folder).problems
    return found


def inputs(found: DatasetConfig) -> dict[str, str]:
    return {item.alias: item.dataset or f"{item.source}.{item.table}" for item in found.inputs}
