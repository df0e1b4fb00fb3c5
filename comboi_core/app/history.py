"""The runs that the lake knows: finished ones by their record, others by their plan."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from comboi_core.app import runfiles
from comboi_core.app.record import assemble, summary
from comboi_core.domain.errors import LakeNotFound, RunNotFound
from comboi_core.domain.names import RUN_ID_PATTERN, table_id
from comboi_core.domain.ports import Lake

Record = dict[str, Any]


def run_ids(lake: Lake) -> list[str]:
    """Return the ids of all runs in the lake, newest first; ids of one pipeline sort by time."""
    found = runfiles.run_ids(lake, runfiles.RECORDS) | runfiles.run_ids(lake, runfiles.WORK)
    return sorted(found, reverse=True)


def recorded_run(lake: Lake, run_id: str | None) -> Record:
    """Return a run's record, or the latest one's; one that no host has finished is `unfinished`.

    Raises:
        RunNotFound: there is no such run, or none at all.
        RecordUnreadable: the run's record is not one.
    """
    ids = run_ids(lake)
    if run_id is None and not ids:
        raise RunNotFound("no run has been recorded yet", remedy="Start one with `comboi run`.")
    if run_id is not None and run_id not in ids:
        raise RunNotFound(f"there is no run '{run_id}'")
    chosen = run_id or ids[0]
    try:
        return runfiles.read_record(lake, chosen)
    except LakeNotFound:
        return _unfinished(lake, chosen)


def _unfinished(lake: Lake, run_id: str) -> Record:
    return assemble(lake, {"run_id": run_id}) | {"status": "unfinished"}


def recorded_runs(lake: Lake, limit: int) -> list[Record]:
    """Return the summaries of the latest runs, newest first."""
    return [listed(lake, run_id) for run_id in run_ids(lake)[:limit]]


def listed(lake: Lake, run_id: str) -> Record:
    """Return a run's summary, as the run history has it; with the status `unreadable`, `path` and `error` if it cannot
    be had from the record."""
    try:
        record = runfiles.read_record(lake, run_id)
    except LakeNotFound:
        record = _unfinished(lake, run_id)
    except runfiles.RecordUnreadable as error:
        unknown = dict.fromkeys(("trigger", "stage", "started_at", "fence"))
        told = {"path": error.context["path"], "error": error.record()}
        return {"run_id": run_id, "status": "unreadable", **unknown, **told}
    shown = {key: record.get(key) for key in ("run_id", "status", "trigger", "stage", "started_at", "fence")}
    return shown | (summary(record) if record["status"] != "unfinished" else {})


def ran(lake: Lake, run_id: str, item: str) -> bool:
    """Tell whether a run was to work on a table (`source.table`) or dataset; where its record is unreadable, it may."""
    try:
        record = runfiles.read_record(lake, run_id)
    except LakeNotFound:
        record = assemble(lake, {"run_id": run_id})
    except runfiles.RecordUnreadable:
        return True
    tables = (table_id(table["source"], table["table"]) for table in record.get("tables", ()))
    return item in tables or any(dataset["name"] == item for dataset in record.get("datasets", ()))


def belongs_to(pipeline: str, run_id: str) -> bool:
    """Tell whether a text is the id of a run of the pipeline; several may share a lake and a task hub."""
    if not RUN_ID_PATTERN.match(run_id) or run_id.rsplit("-", 2)[0] != pipeline:
        return False
    try:
        started_at(run_id)
    except ValueError:
        return False
    return True


def started_at(run_id: str) -> datetime:
    """Return the second at which a run was asked for, as its id says.

    Raises:
        ValueError: there is no such second.
    """
    return datetime.strptime(run_id.rsplit("-", 2)[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
