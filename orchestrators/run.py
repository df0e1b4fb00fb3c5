"""A run: lease, plan, waves of lanes, record. A lane: a share of a wave, worked through one item after the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import azure.durable_functions as df

from comboi_core.domain.contracts.run import DatasetItem, ItemOutcome, ItemPage, RetryPolicy
from comboi_core.domain.errors import ComboiError, InternalError
from comboi_core.domain.interval import day_before
from orchestrators.attempts import attempt, shortened
from orchestrators.build import build_one
from orchestrators.disturbed import ask, lead
from orchestrators.load import done_so_far, land_page, named

bp = df.Blueprint()

BOOTSTRAP_RETRY: RetryPolicy = {"attempts": 3, "first_delay": 2, "factor": 3}
"""For the activities around the run itself; the configured policy is known only once the plan is there."""

SHARED = ("run_id", "pipeline", "fence", "started_at", "interval", "full_refresh", "backfill")
"""What of a run's request its lanes and their items need."""

LANES = 40
"""Lanes that one orchestration starts: each adds two to four events to its history, which is replayed at every step."""


@bp.orchestration_trigger(context_name="context")
def run_pipeline(context):
    """Run a pipeline once.

    Input: `run_id`, `pipeline`, `trigger`, `stage` (or None), `select` (list), `full_refresh`, `backfill` (or None),
    `interval` (`start`, `end`; default: the day before), `keyed` (or not): see `state.pipeline.begin`.
    Output: the run's summary, or `{"status": "skipped", "holder": ...}` where another run holds the lease.
    """
    request = context.get_input()
    pipeline = df.EntityId("pipeline", request["pipeline"])
    now = context.current_utc_datetime
    started_at, interval = now.isoformat(), request.get("interval") or day_before(now)
    (lease,) = yield from ask(context, (pipeline, "begin", {**request, "started_at": started_at}))
    if not lease["granted"]:
        context.set_custom_status({"phase": "refused", "holder": lease["holder"]})
        return {"run_id": request["run_id"], "status": "skipped", "holder": lease["holder"]}
    job = {**request, "fence": lease["fence"], "started_at": started_at, "interval": interval}
    job["unrecorded"] = lease.get("unrecorded")
    context.set_custom_status({"phase": "planning", "fence": lease["fence"]})
    error, cancelled = None, None
    try:
        error, cancelled = yield from _work(context, job)
    except ComboiError as failed:
        error = failed.record()
    except Exception as unforeseen:
        error = InternalError(f"the orchestration failed: {shortened(str(unforeseen))}").record()
    finished_at = context.current_utc_datetime.isoformat()
    record = {**job, "finished_at": finished_at, "error": error, "cancelled": cancelled}
    recorded = yield from attempt(context, "record_run", record, BOOTSTRAP_RETRY)
    lost = {"status": "failed", "finished_at": finished_at, "error": error or recorded.get("error"), "unrecorded": True}
    summary = {"run_id": request["run_id"], **recorded.get("summary", lost)}
    yield from ask(context, (pipeline, "finish", {"run_id": request["run_id"], "summary": summary}))
    if summary.get("unrecorded") and not job["unrecorded"]:  # else the run before has told of this outage
        yield from attempt(context, "tell_unrecorded", {**record, "error": summary["error"]}, BOOTSTRAP_RETRY)
    context.set_custom_status({"phase": "finished", "fence": lease["fence"]})
    return summary


def _work(context: df.DurableOrchestrationContext, job: dict[str, Any]):
    """Plan, then run the waves one after the other.

    Returns:
        An error of the run itself, and who cancelled the run: each None as a rule.
    """
    plan = yield from attempt(context, "plan_run", job, BOOTSTRAP_RETRY)
    if "error" in plan:
        return plan["error"], None
    for index, wave in enumerate(plan["waves"]):
        context.set_custom_status(
            {"phase": wave["stage"], "wave": index, "lanes": wave["lanes"], "fence": job["fence"]}
        )
        share = {
            **{key: job[key] for key in SHARED},
            **{key: plan[key] for key in ("plan", "config_hash", "retry")},
            **{"wave": index, "queued_at": context.current_utc_datetime.isoformat()},
        }
        outcome = yield from _side_by_side(context, share, range(wave["lanes"]), wave.get("pages"))
        job["interrupted"] = job.get("interrupted", 0) + outcome["interrupted"]
        if outcome["error"] or outcome["cancelled"]:
            return outcome["error"], outcome["cancelled"]
        if outcome["failed"] and plan["failure_policy"] == "stop":
            break
    return None, None


def _side_by_side(
    context: df.DurableOrchestrationContext, share: dict[str, Any], lanes: range, pages: list[ItemPage] | None
):
    """Work through lanes of a wave at the same time; more than LANES of them are dealt to `run_lanes`.

    Args:
        pages: The lanes' first pages, where the plan has told them.

    Returns:
        What `run_lane` returns, for all of them: the sums of `failed` and `interrupted`, the first `error`, the first
        `cancelled`.
    """
    prefix, calls = f"{share['run_id']}:{share['wave']}", []
    if len(lanes) <= LANES:
        for lane in lanes:
            first: Mapping[str, Any] = pages[lane] if pages else {}
            calls.append(("run_lane", {**share, "lane": lane, "page": 0, "failed": 0, **first}, f"{prefix}:{lane}"))
    else:
        for start in range(lanes.start, lanes.stop, LANES):
            task = {**share, "lanes": [start, min(start + LANES, lanes.stop)]}
            calls.append(("run_lanes", task, f"{prefix}:from-{start}"))
    outcomes = yield from lead(context, share, *calls)
    return {
        "failed": sum(outcome["failed"] for outcome in outcomes),
        "interrupted": share.get("interrupted", 0) + sum(outcome["interrupted"] for outcome in outcomes),
        **{key: next((one[key] for one in outcomes if one[key]), None) for key in ("error", "cancelled")},
    }


@bp.orchestration_trigger(context_name="context")
def run_lanes(context):
    """Work through some lanes of a wave, at the same time.

    Input: what a lane gets, but `lanes`: the first of them and the one after the last.
    Output: as that of `run_lane`, for all of them.
    """
    share = context.get_input()
    return (yield from _side_by_side(context, share, range(*share.pop("lanes")), None))


@bp.orchestration_trigger(context_name="context")
def run_lane(context):
    """Work through a lane's items one after the other, a page at a time, so that the history stays short.

    Input: what is SHARED, `plan`, `config_hash`, `retry`, `wave`, `lane`, `page`, `failed`, `queued_at`; `items` and
    `more` where the plan has told the first page; `again` where the host ended an earlier execution of the lane.
    Output: `failed`, the number of items that failed; `interrupted`, how often the host ended a part of it; `error`:
    what kept the lane itself from its work, or None; `cancelled`: who cancelled the run, if that kept items from being
    worked on, or None.
    """
    lane = context.get_input()
    retry = lane["retry"]
    ending = {"failed": lane["failed"], "interrupted": lane.get("interrupted", 0), "error": None, "cancelled": None}
    planned = {key: lane.pop(key) for key in ("items", "more") if key in lane}
    page = planned if planned and not lane.get("again") else (yield from attempt(context, "list_items", lane, retry))
    if "error" in page:
        return ending | {"error": page["error"]}
    items: list[Any] = [{**item, "queued_at": lane["queued_at"]} for item in page["items"]]
    results: list[ItemOutcome] = []
    work, error, cancelled = land_page if items[0]["kind"] == "table" else _build_page, None, None
    try:
        cancelled = yield from work(context, lane, items, results)
    except ComboiError as failed:
        error = failed.record()
    recorded = yield from attempt(context, "record_items", {**lane, "items": results}, retry)
    error = error or recorded.get("error")
    ending["failed"] += sum(result["status"] == "failed" for result in results)
    ending["interrupted"] = lane.get("interrupted", 0)
    if page["more"] and not cancelled and not error:
        context.continue_as_new({**lane, "page": lane["page"] + 1, "failed": ending["failed"]})
        return None
    return ending | {"error": error, "cancelled": cancelled}


def _build_page(
    context: df.DurableOrchestrationContext,
    lane: dict[str, Any],
    items: list[DatasetItem],
    results: list[ItemOutcome],
):
    """Build datasets one after the other; put each one's outcome into `results`.

    Returns:
        Who cancelled the run, if that kept datasets from being built, or None.
    """
    for item in items:
        outcome = item.get("outcome")
        if outcome is None:
            custom_status = {"item": item["name"], "done": done_so_far(results)}
            outcome = yield from build_one(context, {**lane, "item": item}, custom_status)
        if "cancelled" in outcome:
            return outcome["cancelled"]
        results.append(named(item, outcome))
    return None
