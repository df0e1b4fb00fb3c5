"""What the activities of a run leave for each other, in the bronze lake; and how files of JSON are read and written."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from comboi_core.app.codec import encode_json
from comboi_core.domain.contracts.pipeline import Cancelled
from comboi_core.domain.contracts.run import FrozenPlan, ItemOutcome
from comboi_core.domain.errors import LakeNotFound
from comboi_core.domain.ports import Lake
from comboi_core.domain.redaction import redactor

WORK = "work"
FEEDS = "_feeds"
"""The folder of what is known of change feeds from run to run. No source can have this name."""


def plan_path(run_id: str, attempt: str) -> str:
    """Return the path of the frozen plan; the execution whose result history kept is the one that is followed."""
    return f"{WORK}/{run_id}/plan/{attempt}.json"


def any_plan(lake: Lake, run_id: str) -> FrozenPlan | None:
    """Return a plan of the run, for showing: doubled executions differ in how they deal the work only. None without."""
    plan: FrozenPlan | None = None
    for path in lake.list(f"{WORK}/{run_id}/plan")[:1]:
        plan = read_json(lake, path)
    return plan


def load_plan_path(run_id: str, item: str, attempt: str) -> str:
    """Return the path of a table's load plan; `attempt` is unique per execution, so a doubled one cannot mix plans."""
    return f"{WORK}/{run_id}/loads/{item}-{attempt}.json"


def files_path(run_id: str, item: str, lane: int, page: int, attempt: str) -> str:
    """Return the path of a page of files that a lane has extracted; `attempt` is unique per execution."""
    return f"{WORK}/{run_id}/files/{item}-{lane:03d}-{page:04d}-{attempt}.json"


def folding_path(run_id: str, item: str, attempt: str) -> str:
    """Return the path of how far a table's folding has come; `attempt` is unique per execution."""
    return f"{WORK}/{run_id}/folds/{item}-{attempt}.json"


def feed_path(run_id: str, source: str) -> str:
    """Return the path of what a source's change feed tells a run."""
    return f"{WORK}/{run_id}/feed/{source}.json"


def feed_keys_path(run_id: str, source: str, table: str, part: int, attempt: str) -> str:
    """Return the path of a part of the keys that changed; `attempt` is unique per execution."""
    return f"{WORK}/{run_id}/feed/{source}.{table}-{part:05d}-{attempt}.parquet"


def feed_positions_path(source: str) -> str:
    """Return the path of how far the tables that follow a source's change feed are known to be complete."""
    return f"{FEEDS}/{source}.json"


def cancellation_path(run_id: str) -> str:
    """Return the path of the file that asks a run's activities to begin nothing further."""
    return f"{WORK}/{run_id}/cancelled.json"


def cancellation(lake: Lake, run_id: str) -> Cancelled | None:
    """Return who cancelled the run and when; None as a rule."""
    try:
        cancelled: Cancelled = read_json(lake, cancellation_path(run_id))
        return cancelled
    except LakeNotFound:
        return None


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


def write_json(lake: Lake, path: str, value: Any) -> None:
    """Put JSON for people in place, without secrets: it may hold texts of user code, and rows.

    Equal values give equal bytes, so a doubled execution changes nothing.
    """
    lake.write(path, encode_json(redactor.value(value)))


def write_text(lake: Lake, path: str, text: str) -> None:
    """Put a page for people in place, without secrets."""
    lake.write(path, redactor.text(text).encode())


def write_work(lake: Lake, path: str, value: Any) -> None:
    """Put in place what later activities work with, as it is: paths, cursors, keys. None of it is for people."""
    lake.write(path, encode_json(value))


def write_keys(lake: Lake, path: str, keys: bytes) -> None:
    """Put a file of changed keys in place, as it is. It is for the activities that read the keys' rows."""
    lake.write(path, keys)


def finished_items(lake: Lake, run_id: str) -> list[ItemOutcome]:
    """Return the outcomes that the lanes have recorded so far, in the order of the plan."""
    return [item for path in lake.list(items_folder(run_id)) for item in read_json(lake, path)]


def working_runs(lake: Lake) -> set[str]:
    """Return the ids of the runs that have working files."""
    return {path.split("/")[1] for path in lake.list(WORK)}


def delete_work(lake: Lake, runs: Collection[str]) -> None:
    """Delete the working files of runs."""
    lake.delete(path for path in lake.list(WORK) if path.split("/")[1] in runs)
