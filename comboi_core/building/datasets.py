"""Building a dataset: transform, deduplicate, quarantine, materialize, check what would be published, publish.

Everything happens on a staged file. Its commit is one step, and what the build has consumed stands in the file itself,
so that a kill at any instant leaves the old dataset or the new one, and the next build neither skips nor repeats.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from comboi_core.app import runfiles
from comboi_core.app.workspace import Workspace
from comboi_core.building.build import Build, fall_short, open_build, tell_changes
from comboi_core.building.growing import column_gone, lost_columns, refuse_newer
from comboi_core.building.inputs import create_view, refuse_foreign
from comboi_core.building.remembered import Note, has_looked, looked_at, loss, lost, remember
from comboi_core.config.datasets import DatasetConfig
from comboi_core.config.splink import SplinkConfig
from comboi_core.domain.contracts.building import BuildDetails, BuildWork, Built
from comboi_core.domain.errors import CheckFailed, DedupeError, MaterializationRefused
from comboi_core.domain.manifest import DELETED
from comboi_core.domain.shortfall import Shortfall
from comboi_core.domain.sql import identifier, identifiers, literal, qualified
from comboi_core.duckdb.rows import one_row
from comboi_core.lake.exact import write_exactly
from comboi_core.lake.published import Published, read_published, refuse_overtaken, write_options
from comboi_core.transforms.batches import columns_of
from comboi_core.transforms.materialize import next_dataset
from comboi_core.transforms.widening import unite

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from comboi_core.quality.checks import CheckResult

RESULT, SURVIVORS, CROSSWALK = "_comboi_result", "_comboi_survivors", "_comboi_crosswalk"
GOOD, BAD, GONE = "_comboi_good", "_comboi_bad", "_comboi_gone"
BUILD = "_build"
"""The column that tells which build has put a row into quarantine."""
_TELLING = (CheckFailed, DedupeError, MaterializationRefused)
"""Errors that leave something to look at: they are recorded with what the build has found so far."""


def build(workspace: Workspace, job: BuildWork) -> Built:
    """Build a dataset and put it in place in one step, if its checks pass; else the published one stays as it is.

    An execution that comes after another one of the same run has published gives that one's answer.
    """
    stage, dataset = workspace.project.dataset(job["item"]["name"])
    lake, path = workspace.lake(stage), workspace.project.dataset_path(dataset.name)
    with workspace.duckdb() as con:
        published = read_published(con, lake, path)
        if published and published.run_id == job["run_id"]:
            remember(workspace, dataset.name, published)
            return _earlier_answer(workspace, path, published)
        if cancelled := runfiles.cancellation(workspace.lake("bronze"), job["run_id"]):
            return {"cancelled": cancelled}
        refuse_foreign(workspace, dataset.name, published)
        refuse_newer(dataset.name, published, job)
        work = open_build(workspace, con, dataset, job, published)
        gone = lost(work)
        details_path = runfiles.details_path(job["run_id"], dataset.name, secrets.token_hex(4))
        try:
            _publish(work, details_path, gone)
        except Exception as failed:
            # An execution beside this one may have replaced the dataset while this one read it: that explains it all.
            with suppress(Exception):  # the failure counts, not that the lake or DuckDB is gone by now
                published = read_published(con, lake, path)
            if published and published.run_id == job["run_id"]:
                return _earlier_answer(workspace, path, published)
            if not isinstance(failed, _TELLING):
                raise
            runfiles.write_json(workspace.lake("bronze"), details_path, work.details)
            return {"error": failed.record(), "details": details_path}
    lake.tidy()
    return _answer(path, details_path, work.details)


def _earlier_answer(workspace: Workspace, path: str, published: Published) -> Built:
    return _answer(path, published.details, runfiles.read_json(workspace.lake("bronze"), published.details))


def _answer(path: str, details_path: str, details: BuildDetails) -> Built:
    return {"rows": details["rows"], "bytes": details["bytes"], "path": path, "details": details_path}


def _publish(work: Build, details_path: str, gone: Note | None) -> None:
    """Make the next state of the dataset, check it, and put it and what belongs to it in place.

    Args:
        gone: What is remembered of the dataset, if it has been lost.
    """
    state = None
    with work.lake.stage(work.path) as staged, transformed(work) as batch:
        sql = next_state(work, batch)
        mixed = tell_changes(work, batch)
        if sql:
            columns = columns_of(work.con, f"({sql})")
            if work.published and (fewer := lost_columns(work.published.columns, columns)):
                fall_short(work, column_gone(fewer))
            state = Published(
                build=work.number,
                run_id=work.job["run_id"],
                fence=work.job["fence"],
                built_at=work.job["started_at"],
                inputs=work.inputs.versions,
                details=details_path,
                owner=work.workspace.project.pipeline,
                made_with=work.made_with,
                mixed=mixed,
                columns=tuple(columns),
                born=(work.published and work.published.born) or work.job["run_id"],
                born_inputs=work.inputs.born,
                **looked_at(work),
            )
            with work.code.blaming(work.con, work.inputs.views):
                hidden = sensitive(work.dataset)
                write_exactly(work.con, sql, str(staged), write_options(state), hidden=hidden)
        relation = f"read_parquet({literal(str(staged))})" if sql else str(work.previous)
        check(work, relation)
        rows = work.details["rows"] = _count(work, qualified(work.dataset.name))
        _refuse_emptying(work)
        work.details["bytes"] = staged.stat().st_size if sql else 0
        work.details["unchanged"] = sql is None
        if gone:
            fall_short(work, loss(work, gone, rows))
        if sql:
            refuse_overtaken(work.con, work.lake, work.path, fence=work.job["fence"], published=work.published)
            _publish_beside(work)
        runfiles.write_json(work.workspace.lake("bronze"), details_path, work.details)
    if state:
        remember(work.workspace, work.dataset.name, replace(state, rows=rows))


@contextmanager
def transformed(work: Build) -> Iterator[str]:
    """Run the transformation, the deduplication and the quarantine; give a FROM item for the rows that they leave.

    Where it is read more than once, it is written to a scratch file first, which keeps the memory bounded.
    """
    work.code.run(work.con, work.inputs.views, RESULT)
    result = RESULT
    with tempfile.TemporaryDirectory(dir=_spill(work.con)) as folder:
        if work.dataset.splink:
            _deduplicate(work, work.dataset.splink)
            result = SURVIVORS
        several = work.dataset.materialization.incremental
        quarantines = any(check.on_fail == "quarantine" for check in work.dataset.checks)
        if several or (quarantines and result == RESULT):
            scratch = str(Path(folder) / "batch.parquet")
            with work.code.blaming(work.con, work.inputs.views):
                write_exactly(work.con, f"FROM {result}", scratch, hidden=sensitive(work.dataset))
            result = _without_deleted(work, f"read_parquet({literal(scratch)})")
        if quarantines:
            _quarantine(work, result)
            result = GOOD
        yield result


def _without_deleted(work: Build, result: str) -> str:
    """Keep the keys of tombstones apart, before checks and quarantine, for which their NULLs are no values.

    Raises:
        MaterializationRefused: the script has left out the column that tells tombstones from rows.
    """
    how = work.how
    if not work.inputs.deletes or how.strategy not in ("merge", "scd2"):
        return result
    if DELETED not in map(str.lower, columns_of(work.con, result)):
        raise MaterializationRefused(
            f"{work.dataset.name}: an input has deleted rows, but the result has no column {DELETED}",
            remedy=f"Select {DELETED} in the transformation as it comes; to ignore deletes, remove the rows where it "
            f"is true and select false AS {DELETED}.",
        )
    work.con.execute(
        f"CREATE TEMP TABLE {GONE} AS SELECT DISTINCT {identifiers(how.unique_key)} FROM {result} WHERE {DELETED}"
    )
    work.gone = GONE
    return f"(SELECT * EXCLUDE ({DELETED}) FROM {result} WHERE {DELETED} IS NOT TRUE)"


def _deduplicate(work: Build, splink: SplinkConfig) -> None:
    from comboi_core.dedupe.splink_dedupe import deduplicate

    with work.code.blaming(work.con, work.inputs.views):
        done = deduplicate(
            work.con,
            RESULT,
            splink,
            into=SURVIVORS,
            crosswalk=CROSSWALK,
            sensitive=sensitive(work.dataset),
            title=work.dataset.name,
        )
    work.details["duplicates"] = {**done.report.record(), "report": work.beside("report", "html")}
    work.match_quality = done.html
    for doubt in done.doubts:
        fall_short(work, Shortfall("model_doubtful", doubt.message, doubt.remedy))


def next_state(work: Build, batch: str) -> str | None:
    """Return the SELECT for the dataset's next state; None where the published one stays as it is."""
    how, previous = work.how, work.previous
    same_rows = work.inputs.versions and (has_looked(work) if work.code.reads_interval else work.same_inputs)
    if previous and how.strategy == "append" and same_rows:
        return None  # these very rows were appended before
    deleted = work.gone is not None and _count(work, work.gone)
    if previous and not work.details["quarantined"] and not deleted and not _count(work, batch):
        if how.close_missing and not work.dataset.allow_empty:
            raise CheckFailed(
                f"{work.dataset.name}: the result has no rows, which would end every version; nothing was published",
                remedy="Look upstream; if it is meant to be empty, set `allow_empty: true` on the dataset.",
            )
        if not how.time_granularity and not how.close_missing:
            return None
    with work.code.blaming(work.con, work.inputs.views):
        return next_dataset(
            work.con,
            how,
            work.code.moment,
            dataset=work.dataset.name,
            batch=batch,
            published=previous,
            hidden=sensitive(work.dataset),
            gone=work.gone,
        )


def check(work: Build, relation: str) -> None:
    """Run the checks on a FROM item, which the scripts know by the dataset's name.

    Raises:
        CheckFailed: a check with severity `error` failed.
    """
    from comboi_core.quality.checks import run_checks

    work.con.execute(f"{create_view(work.con, work.dataset.name)} FROM {relation}")
    work.code.finish(work.con)
    results = run_checks(
        work.con,
        work.dataset.name,
        work.dataset.checks,
        scripts_folder=work.workspace.project.transformations_folder / "quality",
        now=work.code.moment.started_at,
        previous_rows=work.published.rows if work.published else None,
        relations=work.relations,
        sensitive=sensitive(work.dataset),
    )
    work.details["checks"] += [result.record() for result in results]
    _refuse_failures(work.dataset, results)


def sensitive(dataset: DatasetConfig) -> frozenset[str]:
    """Return the columns whose values no report shows."""
    return frozenset(column.name for column in dataset.columns if column.sensitive)


def _quarantine(work: Build, batch: str) -> None:
    from comboi_core.quality.quarantine import quarantine

    results = quarantine(
        work.con,
        batch,
        work.dataset.checks,
        dataset=work.dataset.name,
        good=GOOD,
        bad=BAD,
        relations=work.relations,
        sensitive=sensitive(work.dataset),
    )
    work.details["checks"] += [result.record() for result in results]
    work.details["quarantined"] = _count(work, BAD)


def _publish_beside(work: Build) -> None:
    """Put in place what belongs to the dataset, before the dataset itself: a build that is killed does it again."""
    if work.dataset.splink:  # so that no merge is invisible
        _copy(work, f"FROM {CROSSWALK}", work.beside("crosswalk"))
        runfiles.write_text(work.lake, work.beside("report", "html"), str(work.match_quality))
    if any(check.on_fail == "quarantine" for check in work.dataset.checks):
        path, number = work.beside("quarantine"), work.number
        bad, kept = BAD, ""
        if work.previous and work.lake.exists(path):
            earlier = f"read_parquet({literal(work.lake.uri(path))})"
            name, hidden = work.dataset.name, sensitive(work.dataset)
            bad, earlier = unite(work.con, batch=BAD, published=earlier, dataset=name, hidden=hidden)
            # Rows of this very number are of a build that was killed before it published.
            kept = f"SELECT * FROM {earlier} AS e WHERE {BUILD} < {number}{_not_seen_again(work, bad, earlier)}"
            kept += " UNION ALL BY NAME "
        sql = f"{kept}SELECT *, {number} AS {BUILD} FROM {bad}"
        _copy(work, sql, path)


def _not_seen_again(work: Build, bad: str, earlier: str) -> str:
    """Return a condition on rows `e` that earlier builds have put into quarantine: this one has no newer state of them.

    Of a dataset with a key, this build's row is the newer state of the row with that key, whether it is good by now or
    fails again. A row without a key is seen again if it is the same in every column.
    """
    from comboi_core.quality.quarantine import REASONS

    how = work.dataset.materialization
    replaced = (how.incremental_key,) if how.strategy == "delete+insert" and not how.time_granularity else ()
    key = [name for name in how.unique_key or replaced if name]
    if not key:
        return ""
    names = identifiers(key)
    gone = f" UNION ALL SELECT {names} FROM {work.gone}" if work.gone else ""
    rows = f"(SELECT {names} FROM {GOOD} UNION ALL SELECT {names} FROM {bad}{gone})"
    same_key = " AND ".join(f"n.{name} = e.{name}" for name in map(identifier, key))
    before = {name.lower() for name in columns_of(work.con, earlier)} - {BUILD, REASONS}
    common = [name for name in columns_of(work.con, bad) if name.lower() in before]
    same_row = " AND ".join(f"n.{name} IS NOT DISTINCT FROM e.{name}" for name in map(identifier, common))
    return (
        f" AND NOT EXISTS (SELECT 1 FROM {rows} AS n WHERE {same_key})"
        f" AND NOT EXISTS (SELECT 1 FROM {bad} AS n WHERE {same_row})"
    )


def _copy(work: Build, sql: str, path: str) -> None:
    with work.lake.stage(path) as staged:
        write_exactly(work.con, sql, str(staged), hidden=sensitive(work.dataset))


def _refuse_failures(dataset: DatasetConfig, results: list[CheckResult]) -> None:
    failed = [check for check in results if not check.passed and check.severity == "error"]
    if failed:
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        raise CheckFailed(f"{dataset.name}: {failed[0].name}: {failed[0].message}{more}; nothing was published")


def _refuse_emptying(work: Build) -> None:
    """An empty result over a full dataset is nearly always a mistake upstream, so it has to be allowed by name."""
    if work.details["rows"] or work.dataset.allow_empty or not work.published or not work.published.rows:
        return
    raise CheckFailed(
        f"{work.dataset.name}: the result has no rows, the published one has {work.published.rows}; "
        "nothing was published",
        remedy="Look upstream; if it is meant to be empty, set `allow_empty: true` on the dataset.",
    )


def _count(work: Build, relation: str) -> int:
    return int(one_row(work.con, f"SELECT count(*) FROM {relation}")[0])


def _spill(con: DuckDBPyConnection) -> str:
    folder = str(one_row(con, "SELECT current_setting('temp_directory')")[0])
    Path(folder).mkdir(parents=True, exist_ok=True)
    return folder
