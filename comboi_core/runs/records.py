"""The records of finished runs: a file each in the bronze lake, in a folder for each day.

A question about the latest runs opens the latest days only, so it costs the same after years of runs. An earlier comboi
wrote all records into one folder; they are found as well.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime
from functools import cache
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from comboi_core.app import runfiles
from comboi_core.domain.contracts.record import RunHead, RunRecord
from comboi_core.domain.errors import ComboiError, LakeNotFound
from comboi_core.domain.names import pipeline_of, started_at
from comboi_core.domain.ports import Lake
from comboi_core.domain.redaction import redactor

RECORDS = "runs"
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


class RecordUnreadable(ComboiError):
    """A run's record is not one: cut off, not JSON, or something else; the message names the file."""

    code = "record_unreadable"
    remedy = (
        "Restore the file from an earlier version or a backup of the lake, or delete it: that loses what the run has "
        "told, but nothing that it landed."
    )


class Recorded(NamedTuple):
    """A run that has a record, and the record's path."""

    run_id: str
    path: str


def record_path(run_id: str) -> str:
    """Return the path of a finished run's record, e.g. `runs/2026-11-23/sales-20261123T060000Z-7f3a91.json`.

    Raises:
        ValueError: this is no run's id.
    """
    return f"{RECORDS}/{started_at(run_id).date()}/{run_id}.json"


def find_record(lake: Lake, run_id: str) -> str | None:
    """Return the path of a run's record; None if there is none, or if this is no run's id."""
    if pipeline_of(run_id) is None:
        return None
    return next((path for path in (record_path(run_id), _former_path(run_id)) if lake.exists(path)), None)


def read_record(lake: Lake, run_id: str) -> RunRecord:
    """Return the record of a finished run, and as its `path` where it lies in the lake.

    The file may have been cut off, edited, or written by something else, so it is checked. Further fields are welcome:
    a newer comboi may write them.

    Raises:
        LakeNotFound: it has none.
        RecordUnreadable: the file is no record of this run; the context's `path` names it.
    """
    path = record_path(run_id)
    try:
        try:
            record: RunRecord = runfiles.read_json(lake, path)
        except LakeNotFound:
            path = _former_path(run_id)
            record = runfiles.read_json(lake, path)
        wrong = _misshapen(record, run_id)
    except (ValueError, RecursionError) as error:
        wrong = f"it is no JSON ({redactor.cut(str(error), 100)})"
    if wrong:
        raise RecordUnreadable(f"{path} in the lake {lake.describe()} cannot be read: {wrong}", path=path)
    return {**record, "path": path}


def _misshapen(record: RunRecord, run_id: str) -> str | None:
    """Return what is wrong with a record, without showing its values; None if it can be read."""
    try:
        _adapter().validate_python(record, strict=True)
    except ValidationError as invalid:
        first = invalid.errors(include_input=False, include_url=False)[0]
        field = ".".join(map(str, first["loc"]))
        return f"{field}: {first['msg']}" if field else "it is no record of a run"
    if (text := record.get("started_at")) is not None:
        try:
            datetime.fromisoformat(text)
        except ValueError:
            return "started_at: it is no moment"
    return None if record["run_id"] == run_id else "it is the record of another run"


@cache
def _adapter() -> TypeAdapter[RunRecord]:
    return TypeAdapter(RunRecord)  # takes 25 ms to make


def begun_record(run: RunHead) -> RunRecord:
    """Return the record of a run of which nothing is known but what it was asked for."""
    return {
        "run_id": run["run_id"],
        "status": "running",
        "pipeline": run.get("pipeline", ""),
        "trigger": run.get("trigger"),
        "fence": run.get("fence"),
        "started_at": run.get("started_at"),
        "error": run.get("error"),
        "cancelled": run.get("cancelled"),
        "stage": run.get("stage"),
        "select": run.get("select"),
        "full_refresh": run.get("full_refresh"),
        "interval": run.get("interval"),
        "backfill": run.get("backfill"),
        "tables": [],
        "datasets": [],
    }


def newest_records(
    lake: Lake, pipeline: str | None = None, *, first: date | None = None, last: date | None = None
) -> Iterator[Recorded]:
    """Yield the runs that have a record, newest first. Days are listed one by one, as the caller asks for more.

    Args:
        pipeline: Only this pipeline's: several may share a lake.
        first, last: Only runs that were asked for from this day (UTC) on, until this day.
    """
    below = lake.entries(RECORDS)
    days = {name for name in below.folders if _DAY.fullmatch(name)}
    former = defaultdict(list)
    for path in below.files:
        if pipeline_of(_run_id(path)):
            former[str(started_at(_run_id(path)).date())].append(path)
    for day in sorted({*days, *former}, reverse=True):
        if (first and day < str(first)) or (last and day > str(last)):
            continue
        paths = {*former[day], *(lake.list(f"{RECORDS}/{day}") if day in days else ())}
        path_of = {_run_id(path): path for path in sorted(paths, reverse=True)}
        runs = [run for run in path_of if (owner := pipeline_of(run)) and pipeline in (None, owner)]
        yield from (Recorded(run, path_of[run]) for run in sorted(runs, key=_by_time, reverse=True))


def _former_path(run_id: str) -> str:
    """Where an earlier comboi wrote the record."""
    return f"{RECORDS}/{run_id}.json"


def _run_id(path: str) -> str:
    return path.rsplit("/", 1)[-1].removesuffix(".json")


def _by_time(run_id: str) -> list[str]:
    """What sorts the runs of several pipelines by time."""
    return run_id.rsplit("-", 2)[1:]
