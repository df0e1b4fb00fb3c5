"""The run record: what a run did, as one JSON file in the lake, also when it failed."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import cast

from comboi_core.app import runfiles
from comboi_core.app.workspace import Workspace
from comboi_core.domain.contracts.pipeline import RunEnding
from comboi_core.domain.contracts.record import (
    DatasetRecord,
    ItemRecord,
    LoadFigures,
    RunRecord,
    TableRecord,
)
from comboi_core.domain.contracts.run import DatasetItem, ItemsKept, Outcome, RecordItems, RecordRun, RunRecorded
from comboi_core.domain.contracts.table import TableItem
from comboi_core.domain.errors import ComboiError, HostFailed
from comboi_core.domain.folders import sweep
from comboi_core.domain.interval import seconds_between
from comboi_core.domain.names import pipeline_of, started_at
from comboi_core.domain.ports import Lake
from comboi_core.domain.shortfall import ShortfallRecord
from comboi_core.landing.feed import let_go_on
from comboi_core.landing.landing import sweep_landed
from comboi_core.runs.notifying import after_run
from comboi_core.runs.records import begun_record, find_record, record_path
from comboi_core.telemetry.logs import LOGGER, work_context
from comboi_core.telemetry.runs import items

log = logging.getLogger(f"{LOGGER}.record")

TABLE_FIELDS = frozenset(ItemRecord.__annotations__ | LoadFigures.__annotations__)
DATASET_FIELDS = frozenset({*ItemRecord.__annotations__, "rows", "bytes", "path"})
"""What of an outcome the record shows."""


def record_items(workspace: Workspace, page: RecordItems) -> ItemsKept:
    """Keep the outcomes of a lane's page of items in the lake, after the sweep of those tables that were `landed`."""
    sweep_landed(workspace, [item for item in page["items"] if item.pop("landed", False)])
    path = runfiles.items_path(page["run_id"], page["wave"], page["lane"], page["page"])
    runfiles.write_json(workspace.lake("bronze"), path, page["items"])
    for item in page["items"]:
        if error := item.get("error"):
            extra = work_context({**page, "item": item}) | {"code": error["code"]}
            log.error("%s failed: %s", item["name"], error["message"], extra=extra)
    return {"path": path}


def record_run(workspace: Workspace, request: RecordRun) -> RunRecorded:
    """Write the run's record from what its lanes recorded; return its summary, for the run history."""
    lake = workspace.lake("bronze")
    record = assemble(lake, request)
    record["finished_at"] = request["finished_at"]
    record["seconds"] = seconds_between(str(request["started_at"]), request["finished_at"])
    record["status"] = _settled(record)
    runfiles.write_json(lake, record_path(request["run_id"]), record)
    for error in let_go_on(workspace, record["tables"]):
        log.warning("%s", error.message, extra={"run_id": request["run_id"], "code": error.code})
    _log_failure(record)
    if record.get("interrupted"):
        log.warning("%s", record["interrupted"]["message"], extra={"run_id": record["run_id"], "code": HostFailed.code})
    for name, shortfall in shortfalls_of(record):
        text = f"{name}: {shortfall['message']}"
        log.warning("%s", text, extra={"run_id": request["run_id"], "item": name, "code": shortfall["code"]})
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


def _log_failure(record: RunRecord) -> None:
    if record["status"] not in ("failed", "partial"):
        return
    text = "the run failed" if record["status"] == "failed" else "the run failed in part"
    extra = {"run_id": record["run_id"], "pipeline": record["pipeline"]}
    if error := record["error"]:
        text, extra = f"{text}: {error['message']}", extra | {"code": error["code"]}
    log.error("%s", text, extra=extra)


def assemble(lake: Lake, run: RecordRun, live: Mapping[str, Outcome] | None = None, wave: int = -1) -> RunRecord:
    """Return the record of a run as far as it has come.

    Planned items that have no outcome yet are `queued` where they wait for a lane, and `pending` in later waves.

    Args:
        live: What is known of items beyond what the lanes recorded, by the item's name.
        wave: The wave that is on.
    """
    plan = runfiles.any_plan(lake, run["run_id"])
    outcomes: dict[str, Outcome] = {
        **(live or {}),
        **{item["name"]: item for item in runfiles.finished_items(lake, run["run_id"])},
    }
    tables: list[TableRecord] = []
    datasets: list[DatasetRecord] = []
    for index, step in enumerate(plan["waves"] if plan else ()):
        unstarted: Outcome = {"status": "queued" if index <= wave else "pending"}
        for item in (item for lane in step["lanes"] for item in lane):
            outcome = outcomes.get(item["name"], unstarted)
            if item["kind"] == "table":
                tables.append(_table(item, outcome))
            else:
                datasets.append(_dataset(lake, item, outcome))
    record = begun_record(run)
    record["lake"] = lake.describe()
    record["config_hash"] = plan["config_hash"] if plan else None
    record["failure_policy"] = plan["failure_policy"] if plan else None
    record["tables"], record["datasets"] = tables, datasets
    parts, in_place_of = run.get("interrupted", 0), run.get("in_place_of")
    if parts or in_place_of:
        record["interrupted"] = {"parts": parts, "message": _interruption(parts, in_place_of)}
    record["shortfalls"] = len(list(shortfalls_of(record)))
    return record


def shortfalls_of(record: RunRecord) -> Iterator[tuple[str, ShortfallRecord]]:
    """Yield the name of each table and dataset of a record with each of its shortfalls."""
    for _, name, _, item in items(record):
        for shortfall in item.get("shortfalls") or ():
            yield name, shortfall


def _table(item: TableItem, outcome: Outcome) -> TableRecord:
    fields = {key: value for key, value in outcome.items() if key in TABLE_FIELDS}
    return cast(TableRecord, {"source": item["source"], "table": item["table"], **fields})


def _dataset(lake: Lake, item: DatasetItem, outcome: Outcome) -> DatasetRecord:
    fields = {key: value for key, value in outcome.items() if key in DATASET_FIELDS}
    details = runfiles.read_json(lake, outcome["details"]) if outcome.get("details") else {}
    return cast(DatasetRecord, {"stage": item["stage"], "name": item["name"], **fields, **details})


def _settled(record: RunRecord) -> str:
    """Return a finished run's status; items that never started become `skipped`."""
    cancelled = record["cancelled"]
    reason = f"the run was cancelled by {cancelled['by']}" if cancelled else "the run stopped before it"
    states = []
    for item in (*record["tables"], *record["datasets"]):
        if item["status"] == "pending":
            item["status"], item["reason"] = "skipped", reason
        states.append(item["status"])
    if record["error"]:
        return "failed"
    if cancelled:
        return "cancelled"
    if all(status == "succeeded" for status in states):
        return "succeeded"
    return "partial" if record["failure_policy"] == "isolate" and "succeeded" in states else "failed"


def summary(record: RunRecord) -> RunEnding:
    """Return a record's summary: counts, rows and the first error; its size does not grow with the tables."""
    tables, datasets = record.get("tables") or [], record.get("datasets") or []
    ending: RunEnding = {"status": record["status"]}
    if "finished_at" in record:
        ending["finished_at"] = record["finished_at"]
    if "seconds" in record:
        ending["seconds"] = record["seconds"]
    ending["rows"] = sum(table.get("rows") or 0 for table in tables)
    ending["counts"] = {"tables": _counts(tables), "datasets": _counts(datasets)}
    if record.get("shortfalls"):
        ending["shortfalls"] = record["shortfalls"]
    failed = (item.get("error") for item in (*tables, *datasets) if item["status"] == "failed")
    if error := record.get("error") or next(failed, None):
        ending["error"] = error
    return ending


def _counts(items: Sequence[ItemRecord]) -> dict[str, int]:
    return dict(sorted(Counter(item["status"] for item in items).items()))
