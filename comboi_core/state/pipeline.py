"""The pipeline's memory: who holds the lease, the fence, and the latest runs.

The lease admits one run at a time. The fence is a number that grows with every lease; whatever a run commits carries
it, so a run that lost its lease (its host slept, a successor took over) is refused instead of believed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypedDict

from comboi_core.domain.contracts.pipeline import (
    BeginRequest,
    CancelAnswer,
    Cancelled,
    CancelRequest,
    FenceAnswer,
    FenceRequest,
    FinishRequest,
    Holder,
    Lease,
    Released,
    ReleaseRequest,
    RunEnding,
    RunOf,
    RunSummary,
)
from comboi_core.domain.errors import LeaseLost, RunEndedUnfinished

HISTORY_LENGTH = 100


class PipelineState(TypedDict):
    """`runs` holds summaries, newest first, HISTORY_LENGTH at most; all runs' records are in the lake."""

    fence: int
    holder: Holder | None
    runs: list[RunSummary]


def initial() -> PipelineState:
    """Return the state of a pipeline that never ran."""
    return {"fence": 0, "holder": None, "runs": []}


def begin(state: PipelineState, request: BeginRequest) -> tuple[PipelineState, Lease]:
    """Take the lease for `run_id`, or say who holds it. Asked again by the holder, the answer is the same.

    A run that has ended does not get the lease a second time, nor does a second one of the same idempotency key.
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
        return state, {"granted": False, "holder": {"run_id": ended["run_id"], "since": str(ended["started_at"])}}
    summary: RunSummary = {
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


def _granted(state: PipelineState) -> Lease:
    """Return the answer to the holder, whose summary is the newest one."""
    newest, *earlier = state["runs"]
    lease: Lease = {"granted": True, "fence": newest["fence"] or 0}
    if earlier and earlier[0].get("unrecorded"):
        lease["unrecorded"] = str(earlier[0]["started_at"])
    return lease


def finish(state: PipelineState, request: FinishRequest) -> tuple[PipelineState, Released]:
    """Note how a run ended, and give its lease back if it still holds it."""
    run_id = request["run_id"]
    holder = state["holder"]
    after: PipelineState = {
        "fence": state["fence"],
        "holder": None if holder and holder["run_id"] == run_id else holder,
        "runs": [{**run, **request["summary"]} if run["run_id"] == run_id else run for run in state["runs"]],
    }
    return after, {"released": holder != after["holder"]}


def release(state: PipelineState, request: ReleaseRequest) -> tuple[PipelineState, Released]:
    """Take the lease from a run whose orchestration ended without finishing it (it was terminated or purged).

    Nothing happens if another run holds the lease by now.
    """
    holder = state["holder"]
    if not holder or holder["run_id"] != request["run_id"]:
        return state, {"released": False}
    error = RunEndedUnfinished(request["reason"]).record()
    summary: RunEnding = {"status": "failed", "finished_at": request["finished_at"], "error": error}
    return finish(state, {"run_id": request["run_id"], "summary": summary})


def cancel(state: PipelineState, request: CancelRequest) -> tuple[PipelineState, CancelAnswer]:
    """Ask the run that holds the lease to end before its next item. Who asked first is what counts.

    Nothing happens if another run holds the lease, or none.
    """
    holder = state["holder"]
    if not holder or holder["run_id"] != request["run_id"]:
        return state, {"cancelled": None}
    if "cancelled" not in holder:
        asked: Cancelled = {"at": request["at"], "by": request["by"]}
        holder = {**holder, "cancelled": asked}
        state = {**state, "holder": holder}
    return state, {"cancelled": holder["cancelled"]}


def renew(state: PipelineState, request: RunOf) -> tuple[PipelineState, FenceAnswer]:
    """Give the run that holds the lease a newer fence, for a part of it that begins anew.

    What the part's first execution has left running may still commit under the fence of before; once the second one has
    opened a table under the newer fence, it is refused.
    """
    holder = state["holder"]
    if not holder or holder["run_id"] != request["run_id"]:
        return state, {"error": LeaseLost("a newer run has taken over the pipeline").record()}
    after: PipelineState = {**state, "fence": state["fence"] + 1}
    return after, {"fence": after["fence"]}


def raise_fence(state: PipelineState, request: FenceRequest) -> tuple[PipelineState, FenceAnswer]:
    """Let the next lease's fence be above `fence`: the tables know it from before the task hub was lost."""
    after: PipelineState = {**state, "fence": max(state["fence"], request["fence"])}
    return after, {"fence": after["fence"]}


def get(state: PipelineState, request: object) -> tuple[PipelineState, PipelineState]:
    """Return the state itself."""
    return state, state


OPERATIONS: dict[str, Callable[[PipelineState, Any], tuple[PipelineState, Mapping[str, Any]]]] = {
    "begin": begin,
    "finish": finish,
    "release": release,
    "cancel": cancel,
    "renew": renew,
    "raise_fence": raise_fence,
    "get": get,
}
