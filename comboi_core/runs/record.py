"""The run record: what a run did, as one JSON file in the lake, also when it failed."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from comboi_core.app import runfiles
from comboi_core.app.workspace import Workspace
from comboi_core.domain.errors import ComboiError, HostFailed
from comboi_core.domain.folders import sweep
from comboi_core.domain.names import pipeline_of, started_at
from comboi_core.domain.ports import Lake
from comboi_core.landing.landing import sweep_landed
from comboi_core.runs.notifying import after_run
from comboi_core.runs.records import find_record, record_path
from comboi_core.telemetry.logs import LOGGER, work_context
from comboi_core.telemetry.runs import items

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
    "shortfalls",
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
    """Keep the outcomes of a lane's page of items in the lake, after the sweep of those tables that were `landed`.

    Args:
        page: `run_id`, `wave`, `lane`, `page`, `items` (their outcomes).
    """
    sweep_landed(workspace, [item for item in page["items"] if item.pop("landed", False)])
    path = runfiles.items_path(page["run_id"], page["wave"], page["lane"], page["page"])
    runfiles.write_json(workspace.lake("bronze"), path, page["items"])
    for item in page["items"]:
        if error := item.get("error"):
            extra = work_context({**page, "item": item}) | {"code": error["code"]}
            log.error("%s failed: %s", item["name"], error["message"], extra=extra)
    return {"path": path}


def record_run(workspace: Workspace, request: Payload) -> Payload:
    """Write the run's record from what its lanes recorded; return its `summary`, for the run history.

    Args:
        request: `run_id`, `pipeline`, `trigger`, `fence`, `started_at`, `finished_at`, `error` (of the run itself, or
            None), `cancelled` (who did and when, or None), `stage`, `select`, `full_refresh`, `unrecorded` (when the
            run before started, if that one could not be recorded; else None), `interrupted` (how many parts of it the
            host has ended, where it has), `in_place_of` (the run that the host has ended, which this one repeats).
    """
    lake = workspace.lake("bronze")
    record = assemble(lake, request)
    record["finished_at"] = request["finished_at"]
    record["seconds"] = _seconds(request["started_at"], request["finished_at"])
    record["status"] = _status(record, request.get("error"))
    runfiles.write_json(lake, record_path(request["run_id"]), record)
    _log_failure(record)
    if record.get("interrupted"):
        log.warning("%s", record["interrupted"]["message"], extra={"run_id": record["run_id"], "code": HostFailed.code})
    for name, shortfall in told_shortfalls(record):
        told = f"{name}: {shortfall['message']}"
        log.warning("%s", told, extra={"run_id": request["run_id"], "item": name, "code": shortfall["code"]})
    after_run(workspace, record, unrecorded=request.get("unrecorded"))
    sweep(workspace.project.pipeline_file.engine.temp_directory)
    try:
        _tidy(workspace, request["run_id"], datetime.fromisoformat(request["finished_at"]))
    except ComboiError as error:  # the next run tidies up; this one has its record, whatever becomes of the lake now
        log.warning("%s", error.message, extra={"run_id": request["run_id"], "code": error.code})
    return {"summary": summary(record)}


def _interruption(parts: int, in_place_of: str | None) -> str:
    hit = f"run {in_place_of} was on; this run was started in its place" if in_place_of else "the run was on"
    again = f"; {parts} part{'s' * (parts > 1)} of it began again" if parts else ""
    return f"the Functions host restarted, or lost its Python worker, while {hit}{again}, and no row is lost or doubled"


def _tidy(workspace: Workspace, current: str, now: datetime) -> None:
    """Delete the working files of earlier runs that have their record; the current run's may still be asked for.

    So are those of the pipeline's runs that ended without one (they were killed or terminated), once the task hub has
    forgotten them, too: until then they are all that tells of such a run.
    """
    lake = workspace.lake("bronze")
    forgotten = now - timedelta(seconds=workspace.project.pipeline_file.history.keep)

    def over(run_id: str) -> bool:
        lost = pipeline_of(run_id) == workspace.project.pipeline and started_at(run_id) < forgotten
        return lost or find_record(lake, run_id) is not None

    runfiles.delete_work(lake, {run_id for run_id in runfiles.working_runs(lake) - {current} if over(run_id)})


def _log_failure(record: Payload) -> None:
    if record["status"] not in ("failed", "partial"):
        return
    error = record["error"] or {}
    extra = {"run_id": record["run_id"], "pipeline": record["pipeline"]}
    extra |= {"code": error["code"]} if error else {}
    said = "the run failed" if record["status"] == "failed" else "the run failed in part"
    log.error("%s", ": ".join(filter(None, (said, error.get("message")))), extra=extra)


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
    planned: list[Payload] = []
    unstarted: dict[str, Payload] = {}
    for index, step in enumerate(plan["waves"]):
        items = [item for lane in step["lanes"] for item in lane]
        planned += items
        unstarted |= {item["name"]: {"status": "queued" if index <= wave else "pending"} for item in items}
    outcomes = unstarted | outcomes
    record = {
        key: run.get(key) for key in ("run_id", "pipeline", "trigger", "fence", "started_at", "error", "cancelled")
    }
    record |= {key: run.get(key) for key in ("stage", "select", "full_refresh", "interval", "backfill")}
    if run.get("interrupted") or run.get("in_place_of"):
        parts = run.get("interrupted", 0)
        record["interrupted"] = {"parts": parts, "message": _interruption(parts, run.get("in_place_of"))}
    record |= {
        "lake": lake.describe(),
        "config_hash": plan.get("config_hash"),
        "failure_policy": plan.get("failure_policy"),
    }
    record["tables"] = [_table(item, outcomes[item["name"]]) for item in planned if item["kind"] == "table"]
    record["datasets"] = [_dataset(lake, item, outcomes[item["name"]]) for item in planned if item["kind"] == "dataset"]
    record["shortfalls"] = len(list(told_shortfalls(record)))
    return record


def told_shortfalls(record: Mapping[str, Any]) -> Iterator[tuple[str, Payload]]:
    """Yield the name of each table and dataset of a record with each of its shortfalls."""
    for _, name, _, item in items(record):
        for shortfall in item.get("shortfalls") or ():
            yield name, shortfall


def _table(item: Payload, outcome: Payload) -> Payload:
    named = {"source": item["source"], "table": item["table"]}
    return named | {key: outcome[key] for key in TABLE_FIELDS if key in outcome}


def _dataset(lake: Lake, item: Payload, outcome: Payload) -> Payload:
    named = {"stage": item["stage"], "name": item["name"]}
    details = runfiles.read_json(lake, outcome["details"]) if outcome.get("details") else {}
    return named | {key: outcome[key] for key in DATASET_FIELDS if key in outcome} | details


def _status(record: Payload, error: Payload | None) -> str:
    """Settle a finished run's status; items that never started are `skipped`."""
    found = [*record["tables"], *record["datasets"]]
    cancelled = record["cancelled"]
    reason = f"the run was cancelled by {cancelled['by']}" if cancelled else "the run stopped before it"
    for item in found:
        if item["status"] == "pending":
            item |= {"status": "skipped", "reason": reason}
    if error:
        return "failed"
    if cancelled:
        return "cancelled"
    if all(item["status"] == "succeeded" for item in found):
        return "succeeded"
    isolated = record["failure_policy"] == "isolate"
    return "partial" if isolated and any(item["status"] == "succeeded" for item in found) else "failed"


def summary(record: Payload) -> Payload:
    """Return a record's summary: counts, rows and the first error; its size does not grow with the tables."""
    parts = {kind: record.get(kind) or [] for kind in ("tables", "datasets")}
    failed = next((item for kind in parts.values() for item in kind if item["status"] == "failed"), None)
    error = record.get("error") or (failed and failed.get("error"))
    return {
        **{key: record[key] for key in ("status", "finished_at", "seconds") if key in record},
        "rows": sum(table.get("rows") or 0 for table in parts["tables"]),
        "counts": {kind: _counts(found) for kind, found in parts.items()},
        **({"shortfalls": record["shortfalls"]} if record.get("shortfalls") else {}),
        **({"error": error} if error else {}),
    }


def _counts(items: list[Payload]) -> dict[str, int]:
    statuses = [item["status"] for item in items]
    return {status: statuses.count(status) for status in sorted(set(statuses))}


def _seconds(start: str, end: str) -> float:
    return round((datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds(), 3)
