"""The run record: what a run did, as one JSON file in the lake, also when it failed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from comboi_core.app import runfiles
from comboi_core.app.notifying import after_run
from comboi_core.app.workspace import Workspace
from comboi_core.domain.errors import ComboiError
from comboi_core.domain.ports import Lake
from comboi_core.telemetry.logs import LOGGER
from comboi_core.telemetry.redaction import redactor

log = logging.getLogger(f"{LOGGER}.record")

Payload = dict[str, Any]

TABLE_FIELDS = (
    "status",
    "mode",
    "sequence",
    "rows",
    "bytes",
    "files",
    "window",
    "watermark",
    "attempts",
    "retried",
    "queued_at",
    "started_at",
    "finished_at",
    "seconds",
    "schema_changes",
    "warnings",
    "reason",
    "progress",
    "error",
)
DATASET_FIELDS = (
    "status",
    "rows",
    "bytes",
    "path",
    "attempts",
    "retried",
    "queued_at",
    "started_at",
    "finished_at",
    "seconds",
    "reason",
    "progress",
    "error",
)


def record_items(workspace: Workspace, page: Payload) -> Payload:
    """Keep the outcomes of a lane's page of items in the lake.

    Args:
        page: `run_id`, `wave`, `lane`, `page`, `items` (their outcomes).
    """
    path = runfiles.items_path(page["run_id"], page["wave"], page["lane"], page["page"])
    runfiles.write_json(workspace.lake("bronze"), path, page["items"])
    return {"path": path}


def record_run(workspace: Workspace, request: Payload) -> Payload:
    """Write the run's record from what its lanes recorded; return its `summary`, for the run history.

    Args:
        request: `run_id`, `pipeline`, `trigger`, `fence`, `started_at`, `finished_at`, `error` (of the run itself, or
            None), `cancelled` (who did and when, or None), `stage`, `select`, `full_refresh`, `unrecorded` (when the
            run before started, if that one could not be recorded; else None).
    """
    lake = workspace.lake("bronze")
    record = assemble(lake, request)
    record["finished_at"] = request["finished_at"]
    record["seconds"] = _seconds(request["started_at"], request["finished_at"])
    record["status"] = _status(record, request.get("error"))
    runfiles.write_json(lake, runfiles.record_path(request["run_id"]), record)
    after_run(workspace, record, unrecorded=request.get("unrecorded"))
    try:
        runfiles.tidy(lake, request["run_id"])
    except ComboiError as error:  # the next run tidies up; this one has its record, whatever becomes of the lake now
        log.warning("%s", redactor.text(error.message), extra={"run_id": request["run_id"], "code": error.code})
    return {"summary": summary(record)}


def assemble(lake: Lake, run: Payload, live: Mapping[str, Payload] | None = None, wave: int = -1) -> Payload:
    """Return the record of a run as far as it has come.

    Planned items that have no outcome yet are `queued` where they wait for a lane, and `pending` in later waves.

    Args:
        run: `run_id` and the fields of the start request.
        live: What is known of items beyond what the lanes recorded: name -> fields, `status` among them.
        wave: The wave that is on.
    """
    plan = runfiles.any_plan(lake, run["run_id"]) or {"waves": []}
    outcomes = dict(live or {}) | {item["name"]: item for item in runfiles.finished_items(lake, run["run_id"])}
    planned, unstarted = [], {}
    for index, step in enumerate(plan["waves"]):
        items = [item for lane in step["lanes"] for item in lane]
        planned += items
        unstarted |= {item["name"]: {"status": "queued" if index <= wave else "pending"} for item in items}
    outcomes = unstarted | outcomes
    record = {
        key: run.get(key) for key in ("run_id", "pipeline", "trigger", "fence", "started_at", "error", "cancelled")
    }
    record |= {key: run.get(key) for key in ("stage", "select", "full_refresh", "interval", "backfill")}
    record |= {
        "lake": lake.describe(),
        "config_hash": plan.get("config_hash"),
        "failure_policy": plan.get("failure_policy"),
    }
    record["tables"] = [_table(item, outcomes[item["name"]]) for item in planned if item["kind"] == "table"]
    record["datasets"] = [_dataset(lake, item, outcomes[item["name"]]) for item in planned if item["kind"] == "dataset"]
    return record


def _table(item: Payload, outcome: Payload) -> Payload:
    named = {"source": item["source"], "table": item["table"]}
    return named | {key: outcome[key] for key in TABLE_FIELDS if key in outcome}


def _dataset(lake: Lake, item: Payload, outcome: Payload) -> Payload:
    named = {"stage": item["stage"], "name": item["name"]}
    details = runfiles.read_json(lake, outcome["details"]) if outcome.get("details") else {}
    return named | {key: outcome[key] for key in DATASET_FIELDS if key in outcome} | details


def _status(record: Payload, error: Payload | None) -> str:
    """Settle a finished run's status; items that never started are `skipped`."""
    items = [*record["tables"], *record["datasets"]]
    cancelled = record["cancelled"]
    reason = f"the run was cancelled by {cancelled['by']}" if cancelled else "the run stopped before it"
    for item in items:
        if item["status"] == "pending":
            item |= {"status": "skipped", "reason": reason}
    if error:
        return "failed"
    if cancelled:
        return "cancelled"
    if all(item["status"] == "succeeded" for item in items):
        return "succeeded"
    isolated = record["failure_policy"] == "isolate"
    return "partial" if isolated and any(item["status"] == "succeeded" for item in items) else "failed"


def summary(record: Payload) -> Payload:
    """Return a record's summary: counts, rows and the first error; its size does not grow with the tables."""
    items = {kind: record.get(kind) or [] for kind in ("tables", "datasets")}
    failed = next((item for kind in items.values() for item in kind if item["status"] == "failed"), None)
    error = record.get("error") or (failed and failed.get("error"))
    return {
        **{key: record[key] for key in ("status", "finished_at", "seconds") if key in record},
        "rows": sum(table.get("rows") or 0 for table in items["tables"]),
        "counts": {kind: _counts(found) for kind, found in items.items()},
        **({"error": error} if error else {}),
    }


def _counts(items: list[Payload]) -> dict[str, int]:
    statuses = [item["status"] for item in items]
    return {status: statuses.count(status) for status in sorted(set(statuses))}


def _seconds(start: str, end: str) -> float:
    return round((datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds(), 3)
