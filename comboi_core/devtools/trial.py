"""Builds a dataset into a temporary file, to try it out. Nothing is published."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from comboi_core.app.workspace import Workspace
from comboi_core.building.build import open_build
from comboi_core.building.datasets import check, next_state, sensitive, transformed
from comboi_core.domain.contracts.building import BuildDetails, BuildWork
from comboi_core.domain.errors import CheckFailed, SelectionEmpty
from comboi_core.domain.interval import Interval, day_before
from comboi_core.domain.names import did_you_mean
from comboi_core.domain.sql import literal, qualified
from comboi_core.duckdb.rows import one_row
from comboi_core.lake.exact import write_exactly
from comboi_core.landing.rebuild import checkpoints_in_lake


@dataclass
class Trial:
    """The result of a trial build.

    Attributes:
        file: The temporary file.
        rows: The number of rows in the file.
        columns: Name -> DuckDB type.
        head: The first rows, JSON-safe. Values of sensitive columns are hidden.
        details: Checks, deduplication, quarantine: as in a run record.
        failed: The message of the first failed check with severity `error`, or None.
        seconds: Step -> seconds.
    """

    name: str
    stage: str
    file: Path
    rows: int = 0
    columns: dict[str, str] = field(default_factory=dict)
    head: list[dict[str, Any]] = field(default_factory=list)
    details: BuildDetails = field(default_factory=BuildDetails)
    failed: str | None = None
    seconds: dict[str, float] = field(default_factory=dict)


def try_build(
    workspace: Workspace, name: str, folder: Path, *, sample: int | None = None, interval: Interval | None = None
) -> Trial:
    """Build a dataset from the lake, as its first build would.

    Args:
        folder: The folder of the temporary file.
        sample: The largest number of rows of each input. Default: all.
        interval: Default: yesterday.

    Raises:
        SelectionEmpty: the dataset does not exist.
        ComboiError: any error of a build, except failed checks.
    """
    from comboi_core.quality.samples import sample as shown

    names = [dataset.name for dataset in workspace.project.datasets()]
    if name not in names:
        raise SelectionEmpty(f"there is no dataset '{name}'{did_you_mean(name, names)}; there are {', '.join(names)}")
    stage, dataset = workspace.project.dataset(name)
    now = datetime.now(UTC)
    known = checkpoints_in_lake(workspace)
    job: BuildWork = {
        "run_id": "trial",
        "fence": 0,
        "started_at": now.isoformat(),
        "interval": interval or day_before(now),
        "full_refresh": False,
        "item": {"name": name},
        "manifests": {table: loads["manifest"] for table, loads in known.items()},
    }
    trial = Trial(name, stage, folder / f"{name}.parquet")
    with workspace.duckdb() as con:
        clock = _Clock(trial.seconds)
        work = open_build(workspace, con, dataset, job, None, sample=sample)
        trial.details = work.details
        clock.lap("inputs")
        with transformed(work) as batch:
            sql = next_state(work, batch)
            assert sql is not None  # None is possible only for a dataset that is published already
            with work.code.blaming(con, work.inputs.views):
                write_exactly(con, sql, str(trial.file), hidden=sensitive(dataset))
        clock.lap("transformation")
        try:
            check(work, f"read_parquet({literal(str(trial.file))})")
        except CheckFailed as failed:
            trial.failed = failed.message.removesuffix("; nothing was published")
        clock.lap("checks")
        view = qualified(name)
        trial.rows = one_row(con, f"SELECT count(*) FROM {view}")[0]
        trial.columns = {column: kind for column, kind, *_ in con.execute(f"DESCRIBE {view}").fetchall()}
        hidden = frozenset(column.lower() for column in sensitive(dataset))
        trial.head = shown(con, f"FROM {view}", known=trial.columns, sensitive=hidden)
    return trial


class _Clock:
    """Measures the time of each step."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self._seconds = seconds
        self._last = time.monotonic()

    def lap(self, step: str) -> None:
        now = time.monotonic()
        self._seconds[step] = round(now - self._last, 3)
        self._last = now
