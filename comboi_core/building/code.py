"""A dataset's code, whatever it is written as: a native script or an asset of Bruin, run in the same way."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from comboi_core.config.datasets import DatasetConfig
from comboi_core.config.project import Project
from comboi_core.domain.contracts.building import RunMoment
from comboi_core.domain.errors import MaterializationRefused
from comboi_core.domain.sql import literal
from comboi_core.transforms.batches import Moment

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from comboi_core.bruin.run.context import AssetContext

_READS_INTERVAL = re.compile(r"getvariable\s*\(\s*'interval_(?:start|end)'\s*\)", re.IGNORECASE)

Views = Mapping[str, str]
"""Alias -> quoted name of the view."""


class Code(Protocol):
    """What a build runs.

    Attributes:
        moment: When the build happens, and the interval that it looks at.
        anew: Whether a full refresh was asked for, and the code allows one.
        dataset: The dataset, with what its checks leave to the run filled in.
        reads_interval: Whether the rows depend on the run's interval.
    """

    moment: Moment
    anew: bool
    dataset: DatasetConfig

    @property
    def reads_interval(self) -> bool:
        """See above."""

    def run(self, con: DuckDBPyConnection, views: Views, into: str) -> None:
        """Make the result readable as `into`, a view wherever possible; raises ScriptError with the user's line."""

    def blaming(self, con: DuckDBPyConnection, views: Views) -> AbstractContextManager[None]:
        """Point what goes wrong while the lazy result is read to the user's file and line."""

    def finish(self, con: DuckDBPyConnection) -> None:
        """Do what comes after the result was staged, before it is checked."""


class Script:
    """`transformations/NAME.sql` or `.py`."""

    def __init__(self, project: Project, dataset: DatasetConfig, job: RunMoment) -> None:
        from comboi_core.transforms.scripts import find_script

        self.dataset, self.moment, self.anew = dataset, _moment(job), bool(job["full_refresh"])
        self._file = find_script(project.transformations_folder, dataset.script_name)

    @property
    def reads_interval(self) -> bool:
        """See Code."""
        text = self._file.read_text(encoding="utf-8", errors="replace")
        return bool(self.dataset.materialization.time_granularity or _READS_INTERVAL.search(text))

    def run(self, con: DuckDBPyConnection, views: Views, into: str) -> None:
        """See Code.run."""
        from comboi_core.transforms.scripts import run_script

        how = self.dataset.materialization
        whole = not how.incremental or (self.anew and not how.time_granularity)
        if whole and self.reads_interval:
            raise MaterializationRefused(
                f"{self.dataset.name}: {self._file} reads the run's interval, but its result replaces all of it",
                remedy="Choose a materialization that keeps what lies outside: delete+insert with time_granularity.",
            )
        for name in ("start", "end"):
            value = literal(getattr(self.moment, name).isoformat())
            con.execute(f"SET VARIABLE interval_{name} = {value}::TIMESTAMPTZ")
        run_script(con, self._file, views, into=into)

    def blaming(self, con: DuckDBPyConnection, views: Views) -> AbstractContextManager[None]:
        """See Code.blaming."""
        from comboi_core.transforms.scripts import user_errors

        return user_errors(self._file, con, views)

    def finish(self, con: DuckDBPyConnection) -> None:
        """See Code.finish; nothing."""


class BruinAsset:
    """An asset of Bruin."""

    def __init__(self, project: Project, dataset: DatasetConfig, job: RunMoment) -> None:
        from comboi_core.bruin.run.running import interval_of, render_checks

        self._file: Path = project.transformations_folder / str(dataset.asset)
        self._context = asset_context(project, job)
        own = interval_of(self._file, self._context)
        self.dataset = render_checks(dataset, self._context)
        self.moment, self.anew = Moment(_moment(job).started_at, own.start, own.end), own.full_refresh

    @property
    def reads_interval(self) -> bool:
        """See Code."""
        from comboi_core.bruin.header.loading import read_asset

        asset = read_asset(self._file, self._context.folder)
        return bool(self.dataset.materialization.time_granularity or asset.windowed)

    def run(self, con: DuckDBPyConnection, views: Views, into: str) -> None:
        """See Code.run."""
        from comboi_core.bruin.run.running import run_asset

        run_asset(con, self._file, self._context, views, into=into)

    def blaming(self, con: DuckDBPyConnection, views: Views) -> AbstractContextManager[None]:
        """See Code.blaming."""
        from comboi_core.bruin.run.running import asset_errors

        return asset_errors(con, self._file, self._context, views)

    def finish(self, con: DuckDBPyConnection) -> None:
        """See Code.finish; the asset's post hooks."""
        from comboi_core.bruin.run.running import post_hooks

        post_hooks(con, self._file, self._context)


def code_of(project: Project, dataset: DatasetConfig, job: RunMoment) -> Code:
    """Return a dataset's code.

    Raises:
        ScriptError: there is no such file, or it cannot be run in this interval.
    """
    return (BruinAsset if dataset.asset else Script)(project, dataset, job)


def _moment(job: RunMoment) -> Moment:
    times = (job["started_at"], job["interval"]["start"], job["interval"]["end"])
    return Moment(*map(datetime.fromisoformat, times))


def asset_context(project: Project, job: RunMoment) -> AssetContext:
    """Return what assets know of the run."""
    from comboi_core.bruin.run.context import AssetContext

    moment = _moment(job)
    return AssetContext(
        folder=project.transformations_folder,
        run_id=job["run_id"],
        pipeline=project.pipeline,
        started_at=moment.started_at,
        interval_start=moment.start,
        interval_end=moment.end,
        full_refresh=bool(job["full_refresh"]),
    )


def code_problems(project: Project, dataset: DatasetConfig, job: RunMoment) -> list[str]:
    """Return what is wrong with a dataset's code, as `file:line: text`, without running it.

    Args:
        job: Of a run as it could be now.
    """
    if dataset.asset:
        from comboi_core.bruin.run.running import validate_asset
        from comboi_core.duckdb.engine import open_duckdb

        with open_duckdb(memory_limit="256MB", threads=1) as con:
            return validate_asset(con, project.transformations_folder / dataset.asset, asset_context(project, job))
    from comboi_core.transforms.scripts import find_script, validate_script

    return validate_script(find_script(project.transformations_folder, dataset.script_name))
