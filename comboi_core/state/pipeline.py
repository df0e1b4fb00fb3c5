"""The pipeline's memory: who holds the lease, the fence, and the latest runs.

The lease admits one run at a time. The fence is a number that grows with every lease; whatever a run commits carries
it, so a run that lost its lease (its host slept, a successor took over) is refused instead of believed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NotRequired, TypedDict

from comboi_core.domain.errors import LeaseLost, RunEndedUnfinished

HISTORY_LENGTH = 100


class Cancellation(TypedDict):
    """Who asked for the end of a run, and when."""

    at: str
    by: str


class Holder(TypedDict):
    """The run that holds the lease. What it is asked while it holds it goes with the lease."""

    run_id: str
    since: str
    cancelled: NotRequired[Cancellation]


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

    A run that has ended does not get the lease a second time, nor does a second one of the same idempotency key.

    Args:
        request: `run_id`, `trigger`, `stage`, `started_at` (ISO 8601); `keyed`: whether the id ends in the digest
            of an idempotency key.

    Returns:
        The result is `{"granted": True, "fence": n}` or `{"granted": False, "holder": {"run_id", "since"}}`. Where the
        run before could not be recorded, `unrecorded` says when it started: its failure has been told already.
    """
    holder = state["holder"]
    if holder:
        granted = holder["run_id"] == request["run_id"]
        return state, _granted(state) if granted else {"granted": False, "holder": holder}
    run_id, digits = request["run_id"], "-" + request["run_id"].rpartition("-")[2]
    ended = next(
        (
            run
            for run in state["runs"]
            if run["run_id"] == run_id or (request.get("keyed") and run["run_id"].endswith(digits))
        ),
        None,
    )
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
    return after, _granted(after)


def _granted(state: PipelineState) -> Result:
    """Return the answer to the holder, whose summary is the newest one."""
    before = state["runs"][1] if len(state["runs"]) > 1 else {}
    told = {"unrecorded": before["started_at"]} if before.get("unrecorded") else {}
    return {"granted": True, "fence": state["runs"][0]["fence"], **told}


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
    error = dict(RunEndedUnfinished(request["reason"]).record())
    summary = {"status": "failed", "finished_at": request["finished_at"], "error": error}
    return finish(state, {"run_id": request["run_id"], "summary": summary})


def cancel(state: PipelineState, request: dict[str, Any]) -> tuple[PipelineState, Result]:
    """Ask the run that holds the lease to end before its next item. Who asked first is what counts.

    Args:
        request: `run_id`, `at` (ISO 8601), `by`. Nothing happens if another run holds the lease, or none.
    """
    holder = state["holder"]
    if not holder or holder["run_id"] != request["run_id"]:
        return state, {"cancelled": None}
    if "cancelled" not in holder:
        asked: Cancellation = {"at": request["at"], "by": request["by"]}
        holder = {**holder, "cancelled": asked}
        state = {**state, "holder": holder}
    return state, {"cancelled": holder["cancelled"]}


def renew(state: PipelineState, request: dict[str, Any]) -> tuple[PipelineState, Result]:
    """Give the run that holds the lease (`run_id`) a newer fence, for a part of it that begins anew.

    What the part's first execution has left running may still commit under the fence of before; once the second one has
    opened a table under the newer fence, it is refused.

    Returns:
        The result is `{"fence": n}`, or `{"error": ...}` if the run does not hold the lease any more.
    """
    holder = state["holder"]
    if not holder or holder["run_id"] != request["run_id"]:
        return state, {"error": LeaseLost("a newer run has taken over the pipeline").record()}
    after: PipelineState = {**state, "fence": state["fence"] + 1}
    return after, {"fence": after["fence"]}


def raise_fence(state: PipelineState, request: dict[str, Any]) -> tuple[PipelineState, Result]:
    """Let the next lease's fence be above `fence`: the tables know it from before the task hub was lost."""
    after: PipelineState = {**state, "fence": max(state["fence"], request["fence"])}
    return after, {"fence": after["fence"]}


def get(state: PipelineState, request: dict[str, Any]) -> tuple[PipelineState, Result]:
    """Return the state itself."""
    return state, dict(state)


OPERATIONS: dict[str, Callable[[PipelineState, dict[str, Any]], tuple[PipelineState, Result]]] = {
    "begin": begin,
    "finish": finish,
    "release": release,
    "cancel": cancel,
    "renew": renew,
    "raise_fence": raise_fence,
    "get": get,
}
