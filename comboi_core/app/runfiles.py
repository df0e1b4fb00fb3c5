"""A run's files in the bronze lake: the record, and while it is on, what its activities leave for each other."""

from __future__ import annotations

import json
from typing import Any

from comboi_core.app.codec import encode_json
from comboi_core.app.record_shape import misshapen
from comboi_core.domain.errors import ComboiError
from comboi_core.domain.ports import Lake

RECORDS, WORK = "runs", "work"


class RecordUnreadable(ComboiError):
    """A run's record is not one: cut off, not JSON, or something else; the message names the file."""

    code = "record_unreadable"
    remedy = (
        "Restore the file from an earlier version or a backup of the lake, or delete it: that loses what the run has "
        "told, but nothing that it landed."
    )


def record_path(run_id: str) -> str:
    """Return the path of the finished run's record."""
    return f"{RECORDS}/{run_id}.json"


def plan_path(run_id: str, attempt: str) -> str:
    """Return the path of the frozen plan; the execution whose result history kept is the one that is followed."""
    return f"{WORK}/{run_id}/plan/{attempt}.json"


def any_plan(lake: Lake, run_id: str) -> Any:
    """Return a plan of the run, for showing: doubled executions differ in how they deal the work only. None without."""
    found = lake.list(f"{WORK}/{run_id}/plan")
    return read_json(lake, found[0]) if found else None


def load_plan_path(run_id: str, item: str, attempt: str) -> str:
    """Return the path of a table's load plan; `attempt` is unique per execution, so a doubled one cannot mix plans."""
    return f"{WORK}/{run_id}/loads/{item}-{attempt}.json"


def files_path(run_id: str, item: str, lane: int, page: int) -> str:
    """Return the path of a page of files that a lane has extracted."""
    return f"{WORK}/{run_id}/files/{item}-{lane:03d}-{page:04d}.json"


def details_path(run_id: str, item: str, attempt: str) -> str:
    """Return the path of a dataset's checks and their failing rows."""
    return f"{WORK}/{run_id}/details/{item}-{attempt}.json"


def items_folder(run_id: str) -> str:
    """Return the folder of the pages of finished items."""
    return f"{WORK}/{run_id}/items"


def items_path(run_id: str, wave: int, lane: int, page: int) -> str:
    """Return the path of one page of finished items."""
    return f"{items_folder(run_id)}/{wave:03d}-{lane:03d}-{page:04d}.json"


def read_json(lake: Lake, path: str) -> Any:
    """Return a file's JSON."""
    return json.loads(lake.read(path))


def read_record(lake: Lake, run_id: str) -> dict[str, Any]:
    """Return the record of a finished run.

    Raises:
        LakeNotFound: it has none.
        RecordUnreadable: the file is no record of this run; the context's `path` names it.
    """
    path = record_path(run_id)
    try:
        record = read_json(lake, path)
        wrong = misshapen(record, run_id)
    except (ValueError, RecursionError) as error:
        wrong = f"it is no JSON ({str(error)[:100]})"
    if wrong:
        raise RecordUnreadable(f"{path} in the lake {lake.describe()} cannot be read: {wrong}", path=path)
    return record


def write_json(lake: Lake, path: str, value: Any) -> None:
    """Put JSON in place; equal values give equal bytes, so a doubled execution changes nothing."""
    lake.write(path, encode_json(value))


def finished_items(lake: Lake, run_id: str) -> list[dict[str, Any]]:
    """Return the outcomes that the lanes have recorded so far, in the order of the plan."""
    return [item for path in lake.list(items_folder(run_id)) for item in read_json(lake, path)]


def run_ids(lake: Lake, folder: str) -> set[str]:
    """Return the ids of the runs that have a record (`RECORDS`) or working files (`WORK`)."""
    return {path.split("/")[1].removesuffix(".json") for path in lake.list(folder)}


def tidy(lake: Lake, current: str) -> None:
    """Delete the working files of earlier runs that have their record; the current run's may still be asked for."""
    recorded = run_ids(lake, RECORDS)
    lake.delete(path for path in lake.list(WORK) if (run := path.split("/")[1]) != current and run in recorded)
