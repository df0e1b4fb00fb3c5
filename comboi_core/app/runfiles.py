"""Where a run keeps its files in the bronze lake: plan, loads, items, details, record."""

from __future__ import annotations

import json
from typing import Any

from comboi_core.app.codec import encode_json
from comboi_core.domain.ports import Lake

FOLDER = "runs"


def record_path(run_id: str) -> str:
    """Return the path of the finished run's record."""
    return f"{FOLDER}/{run_id}.json"


def plan_path(run_id: str) -> str:
    """Return the path of the frozen plan."""
    return f"{FOLDER}/{run_id}/plan.json"


def load_plan_path(run_id: str, item: str, attempt: str) -> str:
    """Return the path of a table's load plan; `attempt` is unique per execution, so a doubled one cannot mix plans."""
    return f"{FOLDER}/{run_id}/loads/{item}-{attempt}.json"


def files_path(run_id: str, item: str, lane: int, page: int) -> str:
    """Return the path of a page of files that a lane has extracted."""
    return f"{FOLDER}/{run_id}/files/{item}-{lane:03d}-{page:04d}.json"


def details_path(run_id: str, item: str, attempt: str) -> str:
    """Return the path of a dataset's checks and their failing rows."""
    return f"{FOLDER}/{run_id}/details/{item}-{attempt}.json"


def items_folder(run_id: str) -> str:
    """Return the folder of the pages of finished items."""
    return f"{FOLDER}/{run_id}/items"


def items_path(run_id: str, wave: int, lane: int, page: int) -> str:
    """Return the path of one page of finished items."""
    return f"{items_folder(run_id)}/{wave:03d}-{lane:03d}-{page:04d}.json"


def read_json(lake: Lake, path: str) -> Any:
    """Return a file's JSON."""
    return json.loads(lake.read(path))


def write_json(lake: Lake, path: str, value: Any) -> None:
    """Put JSON in place; equal values give equal bytes, so a doubled execution changes nothing."""
    lake.write(path, encode_json(value))


def finished_items(lake: Lake, run_id: str) -> list[dict[str, Any]]:
    """Return the outcomes that the lanes have recorded so far, in the order of the plan."""
    return [item for path in lake.list(items_folder(run_id)) for item in read_json(lake, path)]
