"""Erasing keys from the datasets that are made of a table.

A dataset with `replace` is rebuilt from inputs that no longer hold the key. What grows from build to build would
keep its rows: those with the key are taken out of its file. The numbers of the inputs that a file says it has read
move along with the erasure; else the next build would take the erased table for news and append it once more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from comboi_core.app import runfiles
from comboi_core.app.workspace import Workspace
from comboi_core.config.datasets import DatasetConfig
from comboi_core.domain.contracts.erasure import (
    DatasetErased,
    DatasetOutcome,
    EraseDataset,
    FrozenErasure,
    OpenDataset,
    OpenedDataset,
)
from comboi_core.domain.ports import Lake
from comboi_core.domain.sql import literal
from comboi_core.erasure.files import Sought
from comboi_core.erasure.keys import read_keys, unspoken
from comboi_core.lake.published import read_published, refuse_overtaken

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

CROSSWALK_COLUMNS = ("cluster_id", "survivor_id")
"""Columns of a crosswalk that name a record as well."""


def outcome_path(run_id: str, name: str) -> str:
    """Return the path of what became of a dataset."""
    return f"{runfiles.WORK}/{run_id}/outcomes/{name}.json"


def open_dataset(workspace: Workspace, job: OpenDataset) -> OpenedDataset:
    """Decide what is to be done to a dataset.

    One that is built anew each time is built anew if it holds a key, or if it was made of inputs as they were before
    the erasure; else it is what it would be again.
    """
    bronze, sought = workspace.lake("bronze"), read_keys(workspace, job["keys"])
    plan: FrozenErasure = runfiles.read_json(bronze, job["plan"])
    item = plan["datasets"][job["index"]]
    stage, dataset = workspace.project.dataset(item["name"])
    lake, path = workspace.lake(stage), workspace.project.dataset_path(dataset.name)
    unchanged: OpenedDataset = {"item": item, "published": False, "rebuild": False, "found": None, "build": 0}
    with unspoken(sought), workspace.duckdb() as con:
        published = read_published(con, lake, path)
        if published is None:
            return unchanged
        if published.owner and published.owner not in workspace.project.owners:
            return {**unchanged, "published": True, "build": published.build, "owner": published.owner}
        rows = _count(con, lake, path, sought)
        now = {name: after for name, (_, after) in job["versions"].items()} | _builds(workspace, con, dataset)
    stale = any(published.inputs[name] < number for name, number in now.items() if name in published.inputs)
    stale = stale or not published.inputs
    rebuild = built_anew(dataset) and (stale or bool(rows))
    return {"item": item, "published": True, "rebuild": rebuild, "found": rows, "build": published.build}


def built_anew(dataset: DatasetConfig) -> bool:
    """Whether a build gives the whole dataset, whatever was built before."""
    return not dataset.materialization.incremental and all(item.view != "changes" for item in dataset.inputs)


def _builds(workspace: Workspace, con: DuckDBPyConnection, dataset: DatasetConfig) -> dict[str, int]:
    """Return the number of the present build of each dataset that this one is made of."""
    builds = {}
    for name in {item.dataset for item in dataset.inputs if item.dataset}:
        stage, _ = workspace.project.dataset(name)
        published = read_published(con, workspace.lake(stage), workspace.project.dataset_path(name))
        builds[name] = published.build if published else 0
    return builds


def erase_dataset(workspace: Workspace, job: EraseDataset) -> DatasetErased:
    """Take the rows with a key out of a dataset's file and of the files beside it, and keep what became of it."""
    bronze, sought = workspace.lake("bronze"), read_keys(workspace, job["keys"])
    opened, fresh = job["opened"], job["built"] is not None and "error" not in job["built"]
    item = opened["item"]
    outcome: DatasetOutcome = {"stage": item["stage"], "name": item["name"], "status": "succeeded"}
    if not opened["published"]:
        return _keep(bronze, job, {**outcome, "status": "skipped", "reason": "it has not been published yet"})
    if owner := opened.get("owner"):
        return _keep(bronze, job, _foreign(outcome, owner, workspace.project.pipeline))
    stage, dataset = workspace.project.dataset(item["name"])
    upstream = _upstream(bronze, job, dataset)
    with unspoken(sought), workspace.duckdb() as con:
        work = Erasing(con, workspace.lake(stage), workspace.project.dataset_path(dataset.name), dataset)
        files = work.survey(sought, fresh=fresh)
        removed = _note(bronze, job, files)
        versions = job["versions"] | {name: made["builds"] for name, made in upstream.items() if "builds" in made}
        outdated = fresh and not dataset.splink  # a report of a time when there was something to report
        work.rewrite(files, versions, job["fence"], touched=any(removed.values()) or outdated)
        build, rows = work.published()
    outcome["rows"], outcome["builds"], outcome["removed_beside"] = rows, [opened["build"], build], removed["beside"]
    main = opened["found"] if fresh else files[0].count
    outcome["removed"] = None if main is None else max(main, removed["main"])
    outcome["how"] = "built anew" if fresh else "rows taken out" if any(removed.values()) else "left as it is"
    unclean = sorted(name for name, made in upstream.items() if made.get("not_erased"))
    return _keep(bronze, job, _with_left(outcome, dataset, job, sought, files, unclean))


def _with_left(
    outcome: DatasetOutcome,
    dataset: DatasetConfig,
    job: EraseDataset,
    sought: Sought,
    files: list[Surveyed],
    unclean: list[str],
) -> DatasetOutcome:
    """Return what the record says beyond what was done: where the key could not be looked for, and what failed.

    Args:
        unclean: Datasets that this one is made of, of which the same is said.
    """
    built = job["built"]
    error = built.get("error") if built else None
    warnings = outcome["warnings"] = []
    if files[0].count is None and (error or not built_anew(dataset) or unclean):
        outcome = _not_erased(outcome, dataset, sought, unclean)
        if error:
            outcome["status"], outcome["error"] = "failed", error
    elif error:
        warnings.append(f"it could not be built anew: {error['message']}")
    for file in files[1:]:
        if file.count is None:
            warnings.append(f"{file.path}: has no column of the key's name; look into it, or delete it")
            outcome["not_erased"] = True
    return outcome


@dataclass(frozen=True)
class Surveyed:
    """A Parquet file that belongs to a dataset, and what of it has a key.

    Attributes:
        count: Rows that have one; None where no column tells.
        kept: A SELECT for the other rows; all rows where no column tells.
    """

    path: str
    count: int | None
    kept: str


@dataclass(frozen=True)
class Erasing:
    """One dataset's files, on one connection."""

    con: DuckDBPyConnection
    lake: Lake
    path: str
    dataset: DatasetConfig

    def published(self) -> tuple[int, int]:
        """Return the number of the build, and the rows."""
        published = read_published(self.con, self.lake, self.path)
        return (published.build, published.rows) if published else (0, 0)

    def survey(self, sought: Sought, *, fresh: bool) -> list[Surveyed]:
        """Return the dataset's file, then those beside it.

        Args:
            fresh: Whether the dataset was built just now; what belongs to it by its configuration was made with it.
        """
        made = {
            "quarantine": any(check.on_fail == "quarantine" for check in self.dataset.checks),
            "crosswalk": self.dataset.splink is not None,
        }
        files = [self._look(self.path, sought, ())]
        for kind, path in self._beside("parquet"):
            file = self._look(path, sought, CROSSWALK_COLUMNS if kind == "crosswalk" else ())
            files.append(replace(file, count=0) if file.count is None and fresh and made.get(kind) else file)
        return files

    def _look(self, path: str, sought: Sought, more: tuple[str, ...]) -> Surveyed:
        from comboi_core.erasure.files import select_in_file

        selection = select_in_file(self.con, self.lake, path, sought, more)
        if selection is None:
            return Surveyed(path, None, f"FROM read_parquet({literal(self.lake.uri(path))}, hive_partitioning = false)")
        return Surveyed(path, selection.count(self.con), selection.kept)

    def _beside(self, ending: str) -> list[tuple[str, str]]:
        """Return kind and path of the files beside the dataset's own."""
        base = self.path.removesuffix(".parquet")
        named = re.compile(rf"{re.escape(base)}\.([^./]+)\.{ending}")
        matches = [(named.fullmatch(path), path) for path in self.lake.list(self.path.rpartition("/")[0])]
        return [(match[1], path) for match, path in matches if match]

    def rewrite(self, files: list[Surveyed], versions: Mapping[str, list[int]], fence: int, *, touched: bool) -> None:
        """Put the files in place anew that hold a key, those beside the dataset first: a kill in between is made good.

        Args:
            versions: Table or dataset -> its number before and after the erasure.
            touched: Whether a report about the rows goes: it may show one that held a key.
        """
        from comboi_core.erasure.files import rewrite_dataset

        for file in files[1:]:
            if file.count:
                rewrite_dataset(self.con, self.lake, file.path, file.kept, None)
        if touched:
            self.lake.delete(path for _, path in self._beside("html"))
        state = read_published(self.con, self.lake, self.path)
        if state is None:
            return
        inputs = {
            name: versions[name][1] if name in versions and versions[name][0] == number else number
            for name, number in state.inputs.items()
        }
        appends = self.dataset.materialization.strategy == "append" and inputs != dict(state.inputs)
        if files[0].count or appends:
            refuse_overtaken(self.con, self.lake, self.path, fence=fence, published=state)
            after = replace(state, build=state.build + 1, fence=fence, inputs=inputs)
            rewrite_dataset(self.con, self.lake, self.path, files[0].kept, after)


def _note(bronze: Lake, job: EraseDataset, files: list[Surveyed]) -> dict[str, int]:
    """Note how many rows are about to be removed, and return it: an execution that comes later finds them gone."""
    path = f"{runfiles.WORK}/{job['run_id']}/removed/{job['opened']['item']['name']}.json"
    earlier = runfiles.read_json(bronze, path) if bronze.exists(path) else {"main": 0, "beside": 0}
    now = {"main": files[0].count or 0, "beside": sum(file.count or 0 for file in files[1:])}
    removed = {kind: max(now[kind], earlier[kind]) for kind in now}
    if any(now.values()):
        runfiles.write_work(bronze, path, removed)
    return removed


def _not_erased(outcome: DatasetOutcome, dataset: DatasetConfig, sought: Sought, unclean: list[str]) -> DatasetOutcome:
    names = " and ".join(" or ".join(names) for names in sought.names)
    why = f"it has no column {names}" + (f", and it is made of {', '.join(unclean)}" if unclean else "")
    anew = f", or build it anew with `comboi run {outcome['stage']} --select {dataset.name} --full-refresh`"
    refreshed = not dataset.materialization.time_granularity
    return {
        **outcome,
        "not_erased": True,
        "how": "not erased",
        "reason": f"{why}: whether it holds the person cannot be told",
        "remedy": f"Name the column that holds the key with --column{anew if refreshed else ''}.",
    }


def _foreign(outcome: DatasetOutcome, owner: str, pipeline: str) -> DatasetOutcome:
    """Return what the record says of a dataset of the same name that another pipeline has published in this lake."""
    return {
        **outcome,
        "status": "skipped",
        "removed": None,
        "how": "not erased",
        "not_erased": True,
        "reason": f"it belongs to the pipeline {owner}; this pipeline is {pipeline}, and its rows are others",
        "remedy": f"If it holds the person, erase with the configuration of {owner}. If {owner} is a former name of "
        f"this pipeline, write `takes_over: [{owner}]` into its file and erase once more.",
    }


def _upstream(bronze: Lake, job: EraseDataset, dataset: DatasetConfig) -> dict[str, DatasetOutcome]:
    """Return what became of each dataset that this one is made of, as far as the erasure touches them."""
    names = {item.dataset for item in dataset.inputs if item.dataset}
    paths = {name: outcome_path(job["run_id"], name) for name in names}
    return {name: runfiles.read_json(bronze, path) for name, path in paths.items() if bronze.exists(path)}


def _keep(bronze: Lake, job: EraseDataset, outcome: DatasetOutcome) -> DatasetErased:
    runfiles.write_json(bronze, outcome_path(job["run_id"], outcome["name"]), outcome)
    return {"error": outcome["error"]} if "error" in outcome else {}


def _count(con: DuckDBPyConnection, lake: Lake, path: str, sought: Sought) -> int | None:
    from comboi_core.erasure.files import select_in_file

    selection = select_in_file(con, lake, path, sought)
    return selection.count(con) if selection else None
