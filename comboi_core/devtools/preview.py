"""Shows what a run would do, without running it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from comboi_core.app.workspace import Workspace
from comboi_core.building.scripts import made_with
from comboi_core.domain.contracts.preview import DatasetPreview, Preview, TablePreview
from comboi_core.domain.contracts.run import RunRequest
from comboi_core.domain.contracts.table import CheckpointRecord, TableName
from comboi_core.domain.errors import ComboiError
from comboi_core.domain.origin import changed_parts, told
from comboi_core.domain.redaction import redactor
from comboi_core.landing.landing import plan_load
from comboi_core.runs.planning import plan_waves

MOST_LANES = 8
"""Lanes that are planned side by side; each has a DuckDB of its own."""


def preview(workspace: Workspace, request: RunRequest, checkpoints: Mapping[str, CheckpointRecord]) -> Preview:
    """Return what a run would read and build: windows, chunks, estimated rows, schema differences, warnings.

    Args:
        checkpoints: `source.table` -> the table's checkpoint, for every table.
    """
    planned = plan_waves(workspace.project, request["stage"], request["select"])
    items = [item for wave in planned for lane in wave["lanes"] for item in lane]
    lanes = [[item for item in lane if item["kind"] == "table"] for wave in planned for lane in wave["lanes"]]
    tables = _tables(workspace, [lane for lane in lanes if lane], checkpoints, request["full_refresh"])
    planned_datasets = [item for item in items if item["kind"] == "dataset"]
    changed = {} if request["full_refresh"] else _changed(workspace, [item["name"] for item in planned_datasets])
    datasets: list[DatasetPreview] = [
        {"stage": item["stage"], "name": item["name"], "warnings": changed.get(item["name"], [])}
        for item in planned_datasets
    ]
    return {"pipeline": workspace.project.pipeline, "tables": tables, "datasets": datasets}


def _tables(
    workspace: Workspace,
    lanes: Sequence[Sequence[TableName]],
    checkpoints: Mapping[str, CheckpointRecord],
    full_refresh: bool,
) -> list[TablePreview]:
    """Plan the tables lane by lane, some lanes side by side: a plan mostly waits for the source.

    A run works through the same lanes, so a source has no more to do at a time than it has in a run.
    """

    def planned(lane: Sequence[TableName]) -> list[TablePreview]:
        return [_table(workspace, item, checkpoints[item["name"]], full_refresh) for item in lane]

    with ThreadPoolExecutor(max(1, min(MOST_LANES, len(lanes)))) as pool:
        return [table for lane in pool.map(planned, lanes) for table in lane]


def _changed(workspace: Workspace, names: list[str]) -> dict[str, list[str]]:
    """Return the changes of datasets that keep rows of earlier builds. Only for those the lake is read."""
    from comboi_core.lake.published import read_published

    grow = [name for name in names if workspace.project.dataset(name)[1].materialization.incremental]
    if not grow:
        return {}
    found = {}
    with workspace.duckdb() as con:
        for name in grow:
            stage, dataset = workspace.project.dataset(name)
            try:
                published = read_published(con, workspace.lake(stage), workspace.project.dataset_path(name))
                now = made_with(workspace.project, dataset)
            except ComboiError as error:
                found[name] = [redactor.text(error.message)]
                continue
            parts = changed_parts(published.made_with, now) if published else ()
            if published and parts:
                text = f"{told(published.made_with, now, parts)}; its {published.rows:,} rows were built before that"
                found[name] = [f"{text} (`on_change: {dataset.on_change}`)"]
    return found


def _table(workspace: Workspace, item: TableName, known: CheckpointRecord, full_refresh: bool) -> TablePreview:
    named: TablePreview = {"source": item["source"], "table": item["table"]}
    try:
        load = plan_load(workspace, item, known, full_refresh)
    except ComboiError as error:
        return {**named, "error": redactor.value(error.record())}
    return {
        **named,
        "mode": load.mode,
        "replaces": load.replaces,
        "unchanged": load.unchanged,
        "window": load.window.record() if load.window else None,
        "chunks": len(load.chunks),
        "estimated_rows": load.estimated_rows,
        "schema_changes": list(load.schema_changes),
        "warnings": list(load.warnings),
        "shortfalls": [shortfall.record() for shortfall in load.shortfalls],
    }
