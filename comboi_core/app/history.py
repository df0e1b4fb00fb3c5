"""The runs that the lake knows: finished ones by their record, others by their plan."""

from __future__ import annotations

from typing import Any

from comboi_core.app import runfiles
from comboi_core.app.record import assemble, summary
from comboi_core.domain.errors import LakeNotFound, RunNotFound
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
    """
    ids = run_ids(lake)
    if run_id is None and not ids:
        raise RunNotFound("no run has been recorded yet", remedy="Start one with `comboi run`.")
    if run_id is not None and run_id not in ids:
        raise RunNotFound(f"there is no run '{run_id}'")
    chosen = run_id or ids[0]
    try:
        return runfiles.read_json(lake, runfiles.record_path(chosen))
    except LakeNotFound:
        return assemble(lake, {"run_id": chosen}) | {"status": "unfinished"}


def recorded_runs(lake: Lake, limit: int) -> list[Record]:
    """Return the summaries of the latest runs, newest first."""
    found = []
    for run_id in run_ids(lake)[:limit]:
        record = recorded_run(lake, run_id)
        shown = {key: record.get(key) for key in ("run_id", "status", "trigger", "started_at")}
        found.append(shown | (summary(record) if record["status"] != "unfinished" else {}))
    return found
