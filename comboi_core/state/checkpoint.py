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
    """`sequence`, `watermark` and `manifest` are the checkpoint; `commits` and `audit` are newest first.

    `reload` asks the next load to read the whole table and to replace what readers see.
    """

    sequence: int
    watermark: str | None
    manifest: str | None
    fence: int
    reload: bool
    commits: list[dict[str, Any]]
    audit: list[dict[str, Any]]


Result = dict[str, Any]


def initial() -> TableState:
    """Return the state of a table that was never loaded."""
    return {
        "sequence": 0,
        "watermark": None,
        "manifest": None,
        "fence": 0,
        "reload": False,
        "commits": [],
        "audit": [],
    }


def _checkpoint(state: TableState) -> dict[str, Any]:
    return {
        "sequence": state["sequence"],
        "watermark": state["watermark"],
        "manifest": state["manifest"],
        "reload": state["reload"],
    }


def open_load(state: TableState, request: dict[str, Any]) -> tuple[TableState, Result]:
    """Note the fence of the run that is about to load, and return the checkpoint.

    Args:
        request: `fence`; `run_id`, if what the run has committed before is asked for.

    Returns:
        The result is `{"checkpoint": {...}}`, or `{"error": ...}` if a newer run has opened the table already. Where
        this run has committed loads of it before (the host restarted, and it begins anew), `landed` has their `rows`
        and `bytes`.
    """
    if request["fence"] < state["fence"]:
        return state, {"error": LeaseLost("a newer run has taken over this table").record()}
    after = TableState(**(state | {"fence": request["fence"]}))  # type: ignore[typeddict-item]
    return after, {"checkpoint": _checkpoint(state), **_landed(state, request.get("run_id"))}


def _landed(state: TableState, run_id: str | None) -> Result:
    commits = [made for made in state["commits"] if made["run_id"] == run_id and made["mode"] != "compaction"]
    if not commits:
        return {}
    return {"landed": {key: sum(made[key] for made in commits) for key in ("rows", "bytes")}}


def commit(state: TableState, request: dict[str, Any]) -> tuple[TableState, Result]:
    """Move the checkpoint to the next load.

    Args:
        request: `sequence`, `fence`, `run_id`, `watermark`, `manifest`, `rows`, `bytes`, `mode`, `committed_at`, and
            `reloaded` if the load read the whole table as `reload` asked; for an erasure `by` and `removed`, which
            the audit keeps.

    Returns:
        The result is `{"checkpoint": {...}}`, also for a commit that was made before; else `{"error": ...}`.
    """
    if any(made["manifest"] == request["manifest"] for made in state["commits"]):
        return state, {"checkpoint": _checkpoint(state)}
    if request["fence"] < state["fence"]:
        return state, {"error": LeaseLost("a newer run has taken over this table").record()}
    if request["sequence"] != state["sequence"] + 1:
        message = f"load {request['sequence']} cannot follow load {state['sequence']}"
        return state, {"error": CommitConflict(message).record()}
    audit = state["audit"]
    if request["mode"] == "erasure":
        entry = {"what": "erasure", "at": request["committed_at"], "by": request["by"], "removed": request["removed"]}
        audit = [entry, *audit][:COMMITS_KEPT]
    after: TableState = {
        "sequence": request["sequence"],
        "watermark": request["watermark"],
        "manifest": request["manifest"],
        "fence": request["fence"],
        "reload": state["reload"] and not request.get("reloaded", False),
        "commits": [request, *state["commits"]][:COMMITS_KEPT],
        "audit": audit,
    }
    return after, {"checkpoint": _checkpoint(after)}


def reset(state: TableState, request: dict[str, Any]) -> tuple[TableState, Result]:
    """Ask the next load to read the whole table anew; until it has committed, readers see what they see now.

    Args:
        request: `at` (ISO 8601) and `by`, for the audit.
    """
    entry = {"what": "reset", "at": request["at"], "by": request["by"], "watermark": state["watermark"]}
    after = TableState(**(state | {"reload": True, "audit": [entry, *state["audit"]][:COMMITS_KEPT]}))
    return after, {"checkpoint": _checkpoint(after)}


def restore(state: TableState, request: dict[str, Any]) -> tuple[TableState, Result]:
    """Take over a checkpoint that was rebuilt from a manifest, if it is ahead of the one at hand.

    Args:
        request: `sequence`, `fence`, `watermark`, `manifest`, `at`, `by`; `reload` if the next load has to read the
            whole table, since the lake has no load of it that is complete.
    """
    if request["sequence"] <= state["sequence"]:
        return state, {"checkpoint": _checkpoint(state)}
    entry = {"what": "restore", "at": request["at"], "by": request["by"], "sequence": request["sequence"]}
    found = {key: request[key] for key in ("sequence", "watermark", "manifest")}
    found["reload"] = state["reload"] or request.get("reload", False)
    fence = max(state["fence"], request["fence"])
    after = TableState(**(state | found | {"fence": fence, "audit": [entry, *state["audit"]][:COMMITS_KEPT]}))  # type: ignore[typeddict-item]
    return after, {"checkpoint": _checkpoint(after)}


def get(state: TableState, request: dict[str, Any]) -> tuple[TableState, Result]:
    """Return the checkpoint."""
    return state, {"checkpoint": _checkpoint(state)}


OPERATIONS: dict[str, Callable[[TableState, dict[str, Any]], tuple[TableState, Result]]] = {
    "open": open_load,
    "commit": commit,
    "reset": reset,
    "restore": restore,
    "get": get,
}
