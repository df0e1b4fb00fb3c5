"""A table's memory: its checkpoint, moved only by compare-and-set.

A commit is accepted for the next sequence and the newest fence, once. Hence a doubled commit changes nothing, and a run
that lost its lease cannot commit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypedDict

from comboi_core.domain.contracts.table import (
    AuditEntry,
    CheckpointRecord,
    Commit,
    Landed,
    OpenRequest,
    ResetRequest,
    RestoreRequest,
    TableAnswer,
)
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
    commits: list[Commit]
    audit: list[AuditEntry]


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


def _checkpoint(state: TableState) -> CheckpointRecord:
    return {
        "sequence": state["sequence"],
        "watermark": state["watermark"],
        "manifest": state["manifest"],
        "reload": state["reload"],
    }


def open_load(state: TableState, request: OpenRequest) -> tuple[TableState, TableAnswer]:
    """Note the fence of the run that is about to load, and return the checkpoint.

    Returns:
        The result is `{"checkpoint": {...}}`, or `{"error": ...}` if a newer run has opened the table already. Where
        this run has committed loads of it before (the host restarted, and it begins anew), `landed` has their `rows`,
        `bytes` and `rows_deleted`.
    """
    if request["fence"] < state["fence"]:
        return state, {"error": LeaseLost("a newer run has taken over this table").record()}
    after: TableState = {**state, "fence": request["fence"]}
    answer: TableAnswer = {"checkpoint": _checkpoint(state)}
    if landed := _landed(state, request.get("run_id")):
        answer["landed"] = landed
    return after, answer


def _landed(state: TableState, run_id: str | None) -> Landed | None:
    commits = [made for made in state["commits"] if made["run_id"] == run_id and made["mode"] != "compaction"]
    if not commits:
        return None
    landed: Landed = {
        "rows": sum(made["rows"] for made in commits),
        "bytes": sum(made["bytes"] for made in commits),
    }
    deleted = sum(made.get("rows_deleted", 0) for made in commits)
    return {**landed, "rows_deleted": deleted} if deleted else landed


def commit(state: TableState, request: Commit) -> tuple[TableState, TableAnswer]:
    """Move the checkpoint to the next load.

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
        erased: AuditEntry = {
            "what": "erasure",
            "at": request["committed_at"],
            "by": request["by"],
            "removed": request["removed"],
        }
        audit = [erased, *audit][:COMMITS_KEPT]
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


def reset(state: TableState, request: ResetRequest) -> tuple[TableState, TableAnswer]:
    """Ask the next load to read the whole table anew; until it has committed, readers see what they see now."""
    entry: AuditEntry = {"what": "reset", "at": request["at"], "by": request["by"], "watermark": state["watermark"]}
    after: TableState = {**state, "reload": True, "audit": [entry, *state["audit"]][:COMMITS_KEPT]}
    return after, {"checkpoint": _checkpoint(after)}


def restore(state: TableState, request: RestoreRequest) -> tuple[TableState, TableAnswer]:
    """Take over a checkpoint that was rebuilt from a manifest, if it is ahead of the one at hand."""
    if request["sequence"] <= state["sequence"]:
        return state, {"checkpoint": _checkpoint(state)}
    entry: AuditEntry = {"what": "restore", "at": request["at"], "by": request["by"], "sequence": request["sequence"]}
    after: TableState = {
        **state,
        "sequence": request["sequence"],
        "watermark": request["watermark"],
        "manifest": request["manifest"],
        "fence": max(state["fence"], request["fence"]),
        "reload": state["reload"] or request.get("reload", False),
        "audit": [entry, *state["audit"]][:COMMITS_KEPT],
    }
    return after, {"checkpoint": _checkpoint(after)}


def get(state: TableState, request: Mapping[str, Any]) -> tuple[TableState, TableAnswer]:
    """Return the checkpoint."""
    return state, {"checkpoint": _checkpoint(state)}


OPERATIONS: dict[str, Callable[[TableState, Any], tuple[TableState, TableAnswer]]] = {
    "open": open_load,
    "commit": commit,
    "reset": reset,
    "restore": restore,
    "get": get,
}
