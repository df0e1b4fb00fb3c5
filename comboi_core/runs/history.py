"""The runs that the lake knows: finished ones by their record, others by their plan."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge
from itertools import groupby, islice

from comboi_core.app import runfiles
from comboi_core.domain.contracts.pipeline import RunSummary
from comboi_core.domain.contracts.record import RunRecord
from comboi_core.domain.errors import LakeNotFound, RunEndedUnfinished, RunNotFound
from comboi_core.domain.names import pipeline_of, started_at, table_id
from comboi_core.domain.ports import Lake
from comboi_core.runs.record import assemble, summary
from comboi_core.runs.records import RecordUnreadable, find_record, newest_records, read_record


def run_ids(lake: Lake, pipeline: str) -> Iterator[str]:
    """Yield the ids of a pipeline's runs in the lake, newest first; ids of one pipeline sort by time."""
    finished = (run.run_id for run in newest_records(lake, pipeline))
    others = sorted((run for run in runfiles.working_runs(lake) if pipeline_of(run) == pipeline), reverse=True)
    return (run_id for run_id, _ in groupby(merge(finished, others, reverse=True)))


def recorded_run(lake: Lake, pipeline: str, run_id: str | None) -> RunRecord:
    """Return a run's record, or the pipeline's latest one.

    A run that no host has finished is `unfinished`; once a later one has had the lease it is `failed`: no host takes it
    up any more.

    A run that is asked for by its id may be another pipeline's: the record's `pipeline` tells.

    Raises:
        RunNotFound: there is no such run, or none of the pipeline; the message names the pipelines that have some.
        RecordUnreadable: the run's record is not one.
    """
    if run_id is None:
        run_id = next(run_ids(lake, pipeline), None)
        if run_id is None:
            raise RunNotFound(_none_of(lake, pipeline), remedy="Start one with `comboi run`.")
    elif find_record(lake, run_id) is None and run_id not in runfiles.working_runs(lake):
        raise RunNotFound(f"there is no run '{run_id}'")
    try:
        return read_record(lake, run_id)
    except LakeNotFound:
        return _unfinished(lake, run_id)


def _none_of(lake: Lake, pipeline: str) -> str:
    """Say that a pipeline has no run yet, and whose runs there are: it may have had another name."""
    runs = {run.run_id for run in newest_records(lake)} | runfiles.working_runs(lake)
    others = sorted(filter(None, set(map(pipeline_of, runs))))
    only = f"; the lake has runs of {', '.join(others)} only" if others else ""
    return f"no run of the pipeline {pipeline} has been recorded yet{only}"


def _unfinished(lake: Lake, run_id: str) -> RunRecord:
    pipeline = pipeline_of(run_id) or ""
    record = assemble(lake, {"run_id": run_id, "pipeline": pipeline})
    latest = next(newest_records(lake, pipeline), None)
    if latest and started_at(latest.run_id) > started_at(run_id):
        reason = f"the run ended before it was finished; {latest.run_id} has run since"
        return {**record, "status": "failed", "error": RunEndedUnfinished(reason).record()}
    return {**record, "status": "unfinished"}


def recorded_runs(lake: Lake, pipeline: str, limit: int) -> list[RunSummary]:
    """Return the summaries of a pipeline's latest runs, newest first."""
    return [listed(lake, run_id) for run_id in islice(run_ids(lake, pipeline), limit)]


def listed(lake: Lake, run_id: str) -> RunSummary:
    """Return a run's summary, as the run history has it; with the status `unreadable`, `path` and `error` if it cannot
    be had from the record."""
    try:
        record = read_record(lake, run_id)
    except LakeNotFound:
        record = _unfinished(lake, run_id)
    except RecordUnreadable as error:
        head = _listing({"run_id": run_id, "status": "unreadable"})
        return {**head, "path": error.context["path"], "error": error.record()}
    head = _listing(record)
    return head if record["status"] == "unfinished" else {**head, **summary(record)}


def _listing(record: RunRecord) -> RunSummary:
    return {
        "run_id": record["run_id"],
        "status": record["status"],
        "trigger": record.get("trigger"),
        "stage": record.get("stage"),
        "started_at": record.get("started_at"),
        "fence": record.get("fence"),
    }


def ran(lake: Lake, run_id: str, item: str) -> bool:
    """Tell whether a run was to work on a table (`source.table`) or dataset; where its record is unreadable, it may."""
    try:
        record = read_record(lake, run_id)
    except LakeNotFound:
        record = assemble(lake, {"run_id": run_id})
    except RecordUnreadable:
        return True
    tables = (table_id(table["source"], table["table"]) for table in record.get("tables", ()))
    return item in tables or any(dataset["name"] == item for dataset in record.get("datasets", ()))
