"""Building a dataset: transform, deduplicate, check what would be published, publish."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from comboi_core.app import runfiles
from comboi_core.app.workspace import Workspace
from comboi_core.config.datasets import DatasetConfig, Input
from comboi_core.domain.errors import CheckFailed, LakeNotFound
from comboi_core.domain.names import table_id
from comboi_core.domain.sql import identifier, literal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from comboi_core.quality.checks import CheckResult

RESULT, SURVIVORS, CROSSWALK = "_comboi_result", "_comboi_survivors", "_comboi_crosswalk"

Payload = dict[str, Any]


def build(workspace: Workspace, job: Payload) -> Payload:
    """Build a dataset and put it in place in one step, if its checks pass; else the published one stays as it is.

    Args:
        job: `run_id`, `item` (`name`, `stage`), `manifests` (`source.table` -> the committed manifest's path, or None).

    Returns:
        `rows`, `bytes`, `path`, `details` (path of the checks' results and the deduplication report), and `error` if a
        check failed.
    """
    stage, dataset = workspace.project.dataset(job["item"]["name"])
    details: Payload = {"checks": [], "duplicates": None}
    try:
        with workspace.duckdb() as con:
            inputs, rows_read = _create_inputs(workspace, con, dataset, job["manifests"])
            details["rows_read"] = rows_read
            published = _publish(workspace, con, dataset, inputs, details)
    except CheckFailed as failed:
        published = {"error": failed.record()}
    lake = workspace.lake("bronze")
    path = runfiles.details_path(job["run_id"], dataset.name, secrets.token_hex(4))
    runfiles.write_json(lake, path, details)
    return {**published, "details": path}


def _create_inputs(
    workspace: Workspace, con: DuckDBPyConnection, dataset: DatasetConfig, manifests: Mapping[str, str | None]
) -> tuple[dict[str, str], int]:
    """Create a view per input, named as its alias; return alias -> quoted name, and how many rows lie behind them."""
    rows_read = 0
    for item in dataset.inputs:
        if item.dataset is not None:
            sql, rows = _dataset_input(workspace, con, dataset, item.dataset)
        else:
            sql, rows = _bronze_input(workspace, con, dataset, item, manifests)
        con.execute(f"CREATE VIEW {identifier(item.alias)} AS {sql}")
        rows_read += rows
    return {item.alias: identifier(item.alias) for item in dataset.inputs}, rows_read


def _dataset_input(workspace: Workspace, con: DuckDBPyConnection, dataset: DatasetConfig, name: str) -> tuple[str, int]:
    stage, _ = workspace.project.dataset(name)
    lake, path = workspace.lake(stage), workspace.project.dataset_path(name)
    if not lake.exists(path):
        raise LakeNotFound(f"{dataset.name}: its input '{name}' has not been published yet")
    lake.attach(con)
    sql = f"SELECT * FROM read_parquet({literal(lake.uri(path))})"
    return sql, con.execute(f"SELECT count(*) FROM ({sql})").fetchone()[0]


def _bronze_input(
    workspace: Workspace,
    con: DuckDBPyConnection,
    dataset: DatasetConfig,
    item: Input,
    manifests: Mapping[str, str | None],
) -> tuple[str, int]:
    from comboi_core.lake.bronze import read_manifest, view_sql

    name = table_id(str(item.source), str(item.table))
    path = manifests.get(name)
    if path is None:
        raise LakeNotFound(f"{dataset.name}: its input '{name}' has not been landed yet")
    lake = workspace.lake("bronze")
    lake.attach(con)
    manifest = read_manifest(lake, path)
    return view_sql(lake, manifest, item.view), sum(file.rows for file in manifest.files)


def _publish(
    workspace: Workspace, con: DuckDBPyConnection, dataset: DatasetConfig, inputs: dict[str, str], details: Payload
) -> Payload:
    from comboi_core.quality.checks import run_checks
    from comboi_core.transforms.scripts import find_script, run_script, user_errors

    folder = workspace.project.transformations_folder
    script = find_script(folder, dataset.script_name)
    stage, _ = workspace.project.dataset(dataset.name)
    lake, path = workspace.lake(stage), workspace.project.dataset_path(dataset.name)
    with user_errors(script, con, inputs):
        run_script(con, script, inputs, into=RESULT)
    result = RESULT
    if dataset.splink:
        with user_errors(script, con, inputs):
            details["duplicates"] = _deduplicate(con, dataset)
        result = SURVIVORS
    with lake.stage(path) as staged:
        with user_errors(script, con, inputs):
            con.execute(f"COPY (FROM {result}) TO {literal(str(staged))} (FORMAT parquet, COMPRESSION zstd)")
        con.execute(f"CREATE VIEW {identifier(dataset.name)} AS SELECT * FROM read_parquet({literal(str(staged))})")
        results = run_checks(con, dataset.name, dataset.checks, scripts_folder=folder / "quality")
        details["checks"] = [asdict(check) for check in results]
        rows = con.execute(f"SELECT count(*) FROM {identifier(dataset.name)}").fetchone()[0]
        _refuse_failures(dataset, results)
        _refuse_emptying(workspace, con, dataset, rows)
        if dataset.splink:
            _publish_crosswalk(con, lake, path)
        size = staged.stat().st_size
    lake.tidy()
    return {"rows": rows, "bytes": size, "path": path}


def _deduplicate(con: DuckDBPyConnection, dataset: DatasetConfig) -> Payload:
    from comboi_core.dedupe.splink_dedupe import deduplicate

    return asdict(deduplicate(con, RESULT, dataset.splink, into=SURVIVORS, crosswalk=CROSSWALK))


def _publish_crosswalk(con: DuckDBPyConnection, lake: Any, path: str) -> None:
    """Put the crosswalk (record -> cluster) beside the dataset, so that no merge is invisible."""
    with lake.stage(path.removesuffix(".parquet") + ".crosswalk.parquet") as staged:
        con.execute(f"COPY (FROM {CROSSWALK}) TO {literal(str(staged))} (FORMAT parquet, COMPRESSION zstd)")


def _refuse_failures(dataset: DatasetConfig, results: list[CheckResult]) -> None:
    failed = [check for check in results if not check.passed and check.severity == "error"]
    if failed:
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        raise CheckFailed(f"{dataset.name}: {failed[0].name}: {failed[0].message}{more}; nothing was published")


def _refuse_emptying(workspace: Workspace, con: DuckDBPyConnection, dataset: DatasetConfig, rows: int) -> None:
    """An empty result over a full dataset is nearly always a mistake upstream, so it has to be allowed by name."""
    stage, _ = workspace.project.dataset(dataset.name)
    lake, path = workspace.lake(stage), workspace.project.dataset_path(dataset.name)
    if rows or dataset.allow_empty or not lake.exists(path):
        return
    before = con.execute(f"SELECT count(*) FROM read_parquet({literal(lake.uri(path))})").fetchone()[0]
    if before:
        raise CheckFailed(
            f"{dataset.name}: the result has no rows, the published one has {before}; nothing was published",
            remedy="Look upstream; if it is meant to be empty, set `allow_empty: true` on the dataset.",
        )
