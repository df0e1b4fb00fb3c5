"""The pipeline's memory: who holds the lease, the fence, and the latest runs.

The lease admits one run at a time. The fence is a number that grows with every lease; whatever a run commits carries
it, so a run that lost its lease (its host slept, a successor took over) is refused instead of believed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypedDict

HISTORY_LENGTH = 100


class Holder(TypedDict):
    """The run that holds the lease."""

    run_id: str
    since: str


class PipelineState(TypedDict):
    """`runs` holds summaries, newest first, HISTORY_LENGTH at most; all runs' records are in the lake."""

    fence: int
    holder: Holder | None
    runs: list[dict[str, Any]]


Result = dict[str, Any]


def initial() -> PipelineState:
    """Return the state of a pipeline that never ran."""
    return {"fence": 0, "holder": None, "runs": []}


def begin(state: PipelineState, request: dict[str, Any]) -> tuple[PipelineState, Result]:
    """Take the lease for `run_id`, or say who holds it. Asked again by the holder, the answer is the same.

    A run that has ended does not get the lease a second time.

    Args:
        request: `run_id`, `trigger`, `stage`, `started_at` (ISO 8601).

    Returns:
        The result is `{"granted": True, "fence": n}` or `{"granted": False, "holder": {"run_id", "since"}}`.
    """
    holder = state["holder"]
    if holder:
        granted = holder["run_id"] == request["run_id"]
        return state, {"granted": True, "fence": state["fence"]} if granted else {"granted": False, "holder": holder}
    ended = next((run for run in state["runs"] if run["run_id"] == request["run_id"]), None)
    if ended:  # its orchestration was started again under the same id, or the request came late a second time
        return state, {"granted": False, "holder": {"run_id": ended["run_id"], "since": ended["started_at"]}}
    summary = {
        "run_id": request["run_id"],
        "status": "running",
        "trigger": request.get("trigger"),
        "stage": request.get("stage"),
        "started_at": request["started_at"],
        "fence": state["fence"] + 1,
    }
    after: PipelineState = {
        "fence": state["fence"] + 1,
        "holder": {"run_id": request["run_id"], "since": request["started_at"]},
        "runs": [summary, *state["runs"]][:HISTORY_LENGTH],
    }
    return after, {"granted": True, "fence": after["fence"]}


def finish(state: PipelineState, request: dict[str, Any]) -> tuple[PipelineState, Result]:
    """Note how a run ended, and give its lease back if it still holds it.

    Args:
        request: `run_id` and `summary`, the fields to put over the run's summary.
    """
    run_id = request["run_id"]
    holder = state["holder"]
    after: PipelineState = {
        "fence": state["fence"],
        "holder": None if holder and holder["run_id"] == run_id else holder,
        "runs": [run | request["summary"] if run["run_id"] == run_id else run for run in state["runs"]],
    }
    return after, {"released": holder != after["holder"]}


def release(state: PipelineState, request: dict[str, Any]) -> tuple[PipelineState, Result]:
    """Take the lease from a run whose orchestration ended without finishing it (it was terminated or purged).

    Args:
        request: `run_id`, `finished_at`, `reason`. Nothing happens if another run holds the lease by now.
    """
    holder = state["holder"]
    if not holder or holder["run_id"] != request["run_id"]:
        return state, {"released": False}
    error = {
        "code": "run_ended_unfinished",
        "message": request["reason"],
        "remedy": "Start a new run: it carries on from the last committed loads.",
        "transient": False,
    }
    summary = {"status": "failed", "finished_at": request["finished_at"], "error": error}
    return finish(state, {"run_id": request["run_id"], "summary": summary})


def raise_fence(state: PipelineState, request: dict[str, Any]) -> tuple[PipelineState, Result]:
    """Let the next lease's fence be above `fence`: the tables know it from before the task hub was lost."""
    after = PipelineState(**(state | {"fence": max(state["fence"], request["fence"])}))  # type: ignore[typeddict-item]
    return after, {"fence": after["fence"]}


def get(state: PipelineState, request: dict[str, Any]) -> tuple[PipelineState, Result]:
    """Return the state itself."""
    return state, dict(state)


OPERATIONS: dict[str, Callable[[PipelineState, dict[str, Any]], tuple[PipelineState, Result]]] = {
    "begin": begin,
    "finish": finish,
    "release": release,
    "raise_fence": raise_fence,
    "get": get,
}
