"""A run: lease, plan, waves of lanes, record. A lane: a share of a wave, worked through one item after the other."""

from __future__ import annotations

from typing import Any

import azure.durable_functions as df

from comboi_core.domain.errors import InternalError
from comboi_core.domain.interval import day_before
from orchestrators.attempts import MESSAGE_LENGTH, attempt, cancellation

bp = df.Blueprint()

BOOTSTRAP_RETRY = {"attempts": 3, "first_delay": 2, "factor": 3}
"""For the activities around the run itself; the configured policy is known only once the plan is there."""

SHARED = ("run_id", "pipeline", "fence", "started_at", "interval", "full_refresh", "backfill")
"""What of a run's request its lanes and their items need."""

SHOWN = ("name", "status", "rows", "bytes", "queued_at", "started_at", "finished_at", "seconds", "attempts")
"""What a lane's custom status says of an item that is done, until the page is recorded."""

LANES = 40
"""Lanes that one orchestration starts: each adds two to four events to its history, which is replayed at every step."""

ITEM_ORCHESTRATORS = {"table": "load_table", "dataset": "build_dataset"}


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
    lease = yield context.call_entity(pipeline, "begin", {**request, "started_at": started_at})
    if not lease["granted"]:
        context.set_custom_status({"phase": "refused", "holder": lease["holder"]})
        return {"run_id": request["run_id"], "status": "skipped", "holder": lease["holder"]}
    job = {**request, "fence": lease["fence"], "started_at": started_at, "interval": interval}
    job["unrecorded"] = lease.get("unrecorded")
    context.set_custom_status({"phase": "planning", "fence": lease["fence"]})
    error, cancelled = None, None
    try:
        error, cancelled = yield from _work(context, job)
    except Exception as unforeseen:
        error = InternalError(f"the orchestration failed: {str(unforeseen)[:MESSAGE_LENGTH]}").record()
    finished_at = context.current_utc_datetime.isoformat()
    record = {**job, "finished_at": finished_at, "error": error, "cancelled": cancelled}
    recorded = yield from attempt(context, "record_run", record, BOOTSTRAP_RETRY)
    lost = {"status": "failed", "finished_at": finished_at, "error": error or recorded.get("error"), "unrecorded": True}
    summary = {"run_id": request["run_id"], **recorded.get("summary", lost)}
    yield context.call_entity(pipeline, "finish", {"run_id": request["run_id"], "summary": summary})
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
        outcome = yield from _side_by_side(context, share, range(wave["lanes"]))
        if outcome["error"] or outcome["cancelled"]:
            return outcome["error"], outcome["cancelled"]
        if outcome["failed"] and plan["failure_policy"] == "stop":
            break
    return None, None


def _side_by_side(context: df.DurableOrchestrationContext, share: dict[str, Any], lanes: range):
    """Work through lanes of a wave at the same time; more than LANES of them are dealt to `run_lanes`.

    Returns:
        What `run_lane` returns, for all of them: the sum of `failed`, the first `error`, the first `cancelled`.
    """
    place, tasks = f"{share['run_id']}:{share['wave']}", []
    if len(lanes) <= LANES:
        for lane in lanes:
            task = {**share, "lane": lane, "page": 0, "failed": 0}
            tasks.append(context.call_sub_orchestrator("run_lane", task, f"{place}:{lane}"))
    else:
        for first in range(lanes.start, lanes.stop, LANES):
            task = {**share, "lanes": [first, min(first + LANES, lanes.stop)]}
            tasks.append(context.call_sub_orchestrator("run_lanes", task, f"{place}:from-{first}"))
    outcomes = yield context.task_all(tasks)
    return {
        "failed": sum(outcome["failed"] for outcome in outcomes),
        **{key: next((one[key] for one in outcomes if one[key]), None) for key in ("error", "cancelled")},
    }


@bp.orchestration_trigger(context_name="context")
def run_lanes(context):
    """Work through some lanes of a wave, at the same time.

    Input: what a lane gets, but `lanes`: the first of them and the one after the last.
    Output: as that of `run_lane`, for all of them.
    """
    share = context.get_input()
    return (yield from _side_by_side(context, share, range(*share.pop("lanes"))))


@bp.orchestration_trigger(context_name="context")
def run_lane(context):
    """Work through a lane's items one after the other, a page at a time, so that the history stays short.

    Before each item the lane asks the pipeline whether the run has been cancelled. The question goes to the entity, as
    an external event would be lost when the history starts anew, and terminating would cut off what is in flight.

    Input: what is SHARED, `plan`, `config_hash`, `retry`, `wave`, `lane`, `page`, `failed`, `queued_at`.
    Output: `failed`, the number of items that failed; `error`: what kept the lane itself from its work, or None;
    `cancelled`: who cancelled the run, if that kept items from being worked on, or None.
    """
    lane = context.get_input()
    retry = lane["retry"]
    page = yield from attempt(context, "list_items", lane, retry)
    if "error" in page:
        return {"failed": lane["failed"], "error": page["error"], "cancelled": None}
    results, cancelled = [], None
    for item in page["items"]:
        cancelled = yield from cancellation(context, lane)
        if cancelled:
            break
        done = [{key: result[key] for key in SHOWN if key in result} for result in results]
        context.set_custom_status({"item": item["name"], "done": done})
        outcome = item.get("outcome")
        if outcome is None:
            orchestrator = ITEM_ORCHESTRATORS[item["kind"]]
            try:
                outcome = yield context.call_sub_orchestrator(
                    orchestrator, {**lane, "item": item}, f"{context.instance_id}:{item['name']}"
                )
            except Exception as unforeseen:
                outcome = {"status": "failed", "error": InternalError(str(unforeseen)[:MESSAGE_LENGTH]).record()}
        named = {key: item[key] for key in ("kind", "stage", "name")}
        cancelled = outcome.pop("cancelled", None)
        results.append({**named, "queued_at": lane["queued_at"], **outcome})
        if cancelled:
            break
    recorded = yield from attempt(context, "record_items", {**lane, "items": results}, retry)
    failed = lane["failed"] + sum(result["status"] == "failed" for result in results)
    if page["more"] and not cancelled and "error" not in recorded:
        context.continue_as_new({**lane, "page": lane["page"] + 1, "failed": failed})
        return None
    return {"failed": failed, "error": recorded.get("error"), "cancelled": cancelled}
