"""What a run would do, without doing it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from comboi_core.app.bronze import plan_load
from comboi_core.app.planning import plan_waves
from comboi_core.app.workspace import Workspace
from comboi_core.domain.errors import ComboiError
from comboi_core.telemetry.redaction import redactor

Payload = dict[str, Any]


def preview(workspace: Workspace, request: Payload, checkpoints: Mapping[str, Payload]) -> Payload:
    """Return what a run would read and build: windows, chunks, estimated rows, schema differences, warnings.

    Args:
        request: `stage`, `select`, `full_refresh`.
        checkpoints: `source.table` -> the table's checkpoint, for every table.

    Returns:
        `tables`, in the order of the plan, each with its window or its error; `datasets`: names in the order of waves.
    """
    planned = plan_waves(workspace.project, request["stage"], request["select"])
    items = [item for wave in planned for lane in wave["lanes"] for item in lane]
    tables = [
        _table(workspace, item, checkpoints[item["name"]], request["full_refresh"])
        for item in items
        if item["kind"] == "table"
    ]
    datasets = [{"stage": item["stage"], "name": item["name"]} for item in items if item["kind"] == "dataset"]
    return {"pipeline": workspace.project.pipeline, "tables": tables, "datasets": datasets}


def _table(workspace: Workspace, item: Payload, known: Payload, full_refresh: bool) -> Payload:
    named = {"source": item["source"], "table": item["table"]}
    try:
        load = plan_load(workspace, item, known, full_refresh)
    except ComboiError as error:
        return {**named, "error": redactor.value(error.record())}
    return {
        **named,
        "mode": load.mode,
        "replaces": load.replaces,
        "unchanged": load.unchanged,
        "window": asdict(load.window) if load.window else None,
        "chunks": len(load.chunks),
        "estimated_rows": load.estimated_rows,
        "schema_changes": list(load.schema_changes),
        "warnings": list(load.warnings),
    }
