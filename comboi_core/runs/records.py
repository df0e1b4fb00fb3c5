"""The records of finished runs: a file each in the bronze lake, in a folder for each day.

A question about the latest runs opens the latest days only, so it costs the same after years of runs. An earlier comboi
wrote all records into one folder; they are found as well.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from typing import Any, NamedTuple

from comboi_core.app import runfiles
from comboi_core.domain.errors import ComboiError, LakeNotFound
from comboi_core.domain.names import pipeline_of, started_at
from comboi_core.domain.ports import Lake
from comboi_core.domain.redaction import redactor
from comboi_core.runs.record_shape import misshapen

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


def read_record(lake: Lake, run_id: str) -> dict[str, Any]:
    """Return the record of a finished run, and as its `path` where it lies in the lake.

    Raises:
        LakeNotFound: it has none.
        RecordUnreadable: the file is no record of this run; the context's `path` names it.
    """
    path = record_path(run_id)
    record: dict[str, Any]
    try:
        try:
            record = runfiles.read_json(lake, path)
        except LakeNotFound:
            path = _former_path(run_id)
            record = runfiles.read_json(lake, path)
        wrong = misshapen(record, run_id)
    except (ValueError, RecursionError) as error:
        wrong = f"it is no JSON ({redactor.cut(str(error), 100)})"
    if wrong:
        raise RecordUnreadable(f"{path} in the lake {lake.describe()} cannot be read: {wrong}", path=path)
    return record | {"path": path}


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
        found = {_run_id(path): path for path in sorted(paths, reverse=True)}
        runs = [run for run in found if (of := pipeline_of(run)) and pipeline in (None, of)]
        yield from (Recorded(run, found[run]) for run in sorted(runs, key=_by_time, reverse=True))


def _former_path(run_id: str) -> str:
    """Where an earlier comboi wrote the record."""
    return f"{RECORDS}/{run_id}.json"


def _run_id(path: str) -> str:
    return path.rsplit("/", 1)[-1].removesuffix(".json")


def _by_time(run_id: str) -> list[str]:
    """What sorts the runs of several pipelines by time."""
    return run_id.rsplit("-", 2)[1:]
