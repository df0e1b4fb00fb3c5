"""A project: its configuration, its runs, and what its lake holds."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comboi.relation import Relation
from comboi.run import Run
from comboi_core.app.loader import DEFAULT_CONFIG, load
from comboi_core.app.workspace import Workspace
from comboi_core.config.project import Stage
from comboi_core.devtools.reading import full_name, open_reader
from comboi_core.domain.contracts.pipeline import RunSummary
from comboi_core.domain.errors import ConfigError, RequestInvalid, SelectionEmpty
from comboi_core.domain.names import table_id

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Project:
    """A pipeline in a folder; `Project.open` makes one.

    Attributes:
        config: The pipeline's file.
        url: The address of a deployed app that runs the pipeline; None: the host on this machine.
        key: The app's function key.
    """

    config: Path
    url: str | None = None
    key: str | None = None

    @classmethod
    def open(cls, path: str | Path = ".", *, url: str | None = None, key: str | None = None) -> Project:
        """Return the project in a folder.

        Args:
            path: The project's folder, or its pipeline file where that is not `configs/initial.yml`.
            url: Send runs to this deployed app in place of a host on this machine. Rows are read from the lake in any
                case, with the rights of this process.
            key: The app's function key; default: COMBOI_KEY, where there is a url.

        Raises:
            ConfigError: the configuration is missing or wrong; `problems` lists each with file and line.
        """
        place = Path(path)
        config = (place / DEFAULT_CONFIG if place.is_dir() else place).resolve()
        load(config)
        return cls(config, url, key or (os.environ.get("COMBOI_KEY") if url else None))

    @property
    def pipeline(self) -> str:
        """The pipeline's name."""
        return load(self.config).pipeline

    @property
    def tables(self) -> list[str]:
        """The names of all bronze tables, as `source.table`."""
        project = load(self.config)
        return [table_id(*key) for key in project.tables]

    @property
    def datasets(self) -> list[str]:
        """The names of all silver and gold datasets."""
        return [dataset.name for dataset in load(self.config).datasets()]

    def validate(self) -> None:
        """Check configuration, scripts, deduplication settings and references.

        Raises:
            ConfigError: something is wrong; `problems` lists each with file and line.
        """
        from comboi_core.building.validation.project import project_problems

        problems = project_problems(load(self.config))
        if problems:
            raise ConfigError("\n".join(problems), problems=problems)

    def plan(
        self, *, stage: Stage | None = None, select: Sequence[str] = (), full_refresh: bool = False
    ) -> dict[str, Any]:
        """Return what a run would do, as `comboi plan --json` prints it. Nothing is landed or built.

        Args:
            stage: Only this stage.
            select: Only these tables and datasets; default: all.
            full_refresh: Whether to read the tables again from the start.
        """
        from comboi_core.cli.hosting import serving

        with self._environment(), serving(self.config, self.url, self.key, resume=False) as served:
            planned: dict[str, Any] = served.api.post("plan", _request(stage, select, full_refresh, None))
            return planned

    def run(
        self,
        *,
        stage: Stage | None = None,
        select: Sequence[str] = (),
        full_refresh: bool = False,
        interval: tuple[str, str] | None = None,
        on_progress: Callable[[Run], None] | None = None,
    ) -> Run:
        """Run the pipeline, wait for its end, and return the run; `Run.raise_for_status` raises if it failed.

        Runs that a killed host left unfinished are finished first. If this process is killed, the next run, from here
        or from the command line, completes the work.

        Args:
            stage, select, full_refresh: See `plan`.
            interval: The interval that windowed datasets build, in UTC: its start, and its end, which does not belong
                to it; default: all of yesterday.
            on_progress: Called with the run each time that it was looked at, about once a second.

        Raises:
            ConfigError: the configuration is wrong.
            ComboiError: no host can be had, or the app does not answer.
        """
        from comboi_core.cli.following import watch
        from comboi_core.cli.hosting import serving

        request = _request(stage, select, full_refresh, interval)
        with self._environment(), serving(self.config, self.url, self.key) as served:
            for unfinished in served.unfinished:
                for _ in watch(served, unfinished):
                    pass
            run = Run(served.api.post("runs", request))
            for record in watch(served, run.run_id):
                run = Run(record)
                if on_progress:
                    on_progress(run)
            return run

    def runs(self, limit: int = 20) -> list[RunSummary]:
        """Return the summaries of the latest runs, newest first, as `comboi runs --json` prints them."""
        if self.url:
            from comboi_core.cli.client import Api

            return Api(self.url, self.key).runs(limit)
        from comboi_core.runs.history import recorded_runs

        return recorded_runs(self._workspace().lake("bronze"), self.pipeline, limit)

    def last_run(self) -> Run:
        """Return the latest run that the lake knows.

        Raises:
            RunNotFound: there has been none.
        """
        from comboi_core.runs.history import recorded_run

        return Run(recorded_run(self._workspace().lake("bronze"), self.pipeline, None))

    def table(self, name: str) -> Relation:
        """Return a bronze table; its own name is enough where no other source has it.

        Raises:
            SelectionEmpty: there is no such table.
        """
        return self._relation(name, self.tables, "table")

    def dataset(self, name: str) -> Relation:
        """Return a silver or gold dataset.

        Raises:
            SelectionEmpty: there is no such dataset.
        """
        return self._relation(name, self.datasets, "dataset")

    def query(self, sql: str) -> pa.Table:
        """Return the result of a SELECT over tables (`source.table`) and datasets; DuckDB's SQL.

        Raises:
            QueryFailed: the query is wrong.
            LakeNotFound: it reads what is not in the lake yet.
        """
        with open_reader(self._workspace()) as reader:
            return reader.arrow(reader.prepare(sql))

    def _relation(self, name: str, known: list[str], kind: str) -> Relation:
        workspace = self._workspace()
        full = full_name(workspace.project, name)
        if full not in known:
            raise SelectionEmpty(f"'{full}' is no {kind}")
        return Relation(full, workspace)

    def _workspace(self) -> Workspace:
        return Workspace(load(self.config))

    @contextmanager
    def _environment(self) -> Iterator[None]:
        """An embedded host names its project in COMBOI_CONFIG, for its own worker: put that back for this process."""
        before = os.environ.get("COMBOI_CONFIG")
        try:
            yield
        finally:
            if before is None:
                os.environ.pop("COMBOI_CONFIG", None)
            else:
                os.environ["COMBOI_CONFIG"] = before


def _request(
    stage: Stage | None, select: Sequence[str], full_refresh: bool, interval: tuple[str, str] | None
) -> dict[str, Any]:
    if isinstance(select, str):
        raise RequestInvalid("select is a list of names, not one text", remedy=f"Write select=['{select}'].")
    request: dict[str, Any] = {"stage": stage, "select": list(select), "full_refresh": full_refresh}
    if interval is not None:
        request["interval"] = {"from": interval[0], "to": interval[1]}
    return request
