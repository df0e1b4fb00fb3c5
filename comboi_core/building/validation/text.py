"""The SELECT of a dataset as validation reads it, and the datasets that have none to be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from comboi_core.building.code import asset_context
from comboi_core.config.datasets import DatasetConfig
from comboi_core.config.project import Project
from comboi_core.domain.contracts.building import RunMoment
from comboi_core.domain.errors import ConfigError, ScriptError
from comboi_core.domain.interval import day_before


@dataclass(frozen=True)
class Select:
    """One SELECT.

    Attributes:
        file: Where it stands.
        text: With its templates filled in, as a run could do it now.
        line: Place in `text` -> the file's line.
    """

    file: Path
    text: str
    line: Callable[[int], int]


def select_of(project: Project, dataset: DatasetConfig) -> Select | None:
    """Return the SELECT of a dataset; None where it is no SQL, cannot be filled in, or hooks run before it."""
    if dataset.asset:
        return _of_asset(project, dataset.asset)
    file = project.transformations_folder / f"{dataset.script_name}.sql"
    if not file.is_file():
        return None
    text = file.read_text(encoding="utf-8-sig", errors="replace")
    return Select(file, text, lambda offset: 1 + text.count("\n", 0, offset))


def validation_job() -> RunMoment:
    """Return what code is asked with where nothing is run: a run as it could be now."""
    now = datetime.now(UTC)
    return {"run_id": "validation", "started_at": now.isoformat(), "interval": day_before(now), "full_refresh": False}


def unread(project: Project) -> list[str]:
    """Return a note on the datasets whose names of tables and columns cannot be looked at without running them."""
    names = [dataset.name for dataset in project.datasets() if select_of(project, dataset) is None]
    if not names:
        return []
    return [
        f"names of tables and columns were not looked at in {', '.join(names)}: only SQL without hooks can be read "
        "without being run"
    ]


def _of_asset(project: Project, path: str) -> Select | None:
    from comboi_core.bruin.header.asset import SQL
    from comboi_core.bruin.header.loading import read_asset
    from comboi_core.bruin.run.context import moment_of
    from comboi_core.bruin.run.queries import Query

    try:
        asset = read_asset(project.transformations_folder / path, project.transformations_folder)
        if asset.type != SQL or asset.is_ddl or asset.header.hooks.pre:
            return None
        query = Query(asset, moment_of(asset, asset_context(project, validation_job())))
    except (ConfigError, ScriptError):
        return None  # told by those who look at the code itself
    return Select(asset.file, query.text, query.line)
