"""A table's memory: its checkpoint, moved only by compare-and-set.

A commit is accepted for the next sequence and the newest fence, once. Hence a doubled commit changes nothing, and a run
that lost its lease cannot commit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypedDict

from comboi_core.domain.errors import CommitConflict, LeaseLost

COMMITS_KEPT = 20


class TableState(TypedDict):
    """`sequence`, `watermark` and `manifest` are the checkpoint; `commits` are the latest ones, newest first."""

    sequence: int
    watermark: str | None
    manifest: str | None
    fence: int
    commits: list[dict[str, Any]]


Result = dict[str, Any]


def initial() -> TableState:
    """Return the state of a table that was never loaded."""
    return {"sequence": 0, "watermark": None, "manifest": None, "fence": 0, "commits": []}


def _checkpoint(state: TableState) -> dict[str, Any]:
    return {"sequence": state["sequence"], "watermark": state["watermark"], "manifest": state["manifest"]}


def open_load(state: TableState, request: dict[str, Any]) -> tuple[TableState, Result]:
    """Note the fence of the run that is about to load, and return the checkpoint.

    Args:
        request: `fence`.

    Returns:
        The result is `{"checkpoint": {...}}`, or `{"error": ...}` if a newer run has opened the table already.
    """
    if request["fence"] < state["fence"]:
        return state, {"error": LeaseLost("a newer run has taken over this table").record()}
    after = TableState(**(state | {"fence": request["fence"]}))  # type: ignore[typeddict-item]
    return after, {"checkpoint": _checkpoint(state)}


def commit(state: TableState, request: dict[str, Any]) -> tuple[TableState, Result]:
    """Move the checkpoint to the next load.

    Args:
        request: `sequence`, `fence`, `run_id`, `watermark`, `manifest`, `rows`, `bytes`, `mode`, `committed_at`.

    Returns:
        The result is `{"checkpoint": {...}}`, also for a commit that was made before; else `{"error": ...}`.
    """
    last = state["commits"][0] if state["commits"] else None
    if last and last["sequence"] == request["sequence"] and last["manifest"] == request["manifest"]:
        return state, {"checkpoint": _checkpoint(state)}
    if request["fence"] < state["fence"]:
        return state, {"error": LeaseLost("a newer run has taken over this table").record()}
    if request["sequence"] != state["sequence"] + 1:
        message = f"load {request['sequence']} cannot follow load {state['sequence']}"
        return state, {"error": CommitConflict(message).record()}
    after: TableState = {
        "sequence": request["sequence"],
        "watermark": request["watermark"],
        "manifest": request["manifest"],
        "fence": request["fence"],
        "commits": [request, *state["commits"]][:COMMITS_KEPT],
    }
    return after, {"checkpoint": _checkpoint(after)}


def get(state: TableState, request: dict[str, Any]) -> tuple[TableState, Result]:
    """Return the checkpoint."""
    return state, {"checkpoint": _checkpoint(state)}


OPERATIONS: dict[str, Callable[[TableState, dict[str, Any]], tuple[TableState, Result]]] = {
    "open": open_load,
    "commit": commit,
    "get": get,
}
