"""Calling an activity: transient errors are tried again, with backoff through durable timers."""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any

import azure.durable_functions as df

from comboi_core.domain.errors import ActivityLost

MESSAGE_LENGTH = 500


def attempt(
    context: df.DurableOrchestrationContext,
    activity: str,
    payload: dict[str, Any],
    retry: dict[str, Any],
    shown: dict[str, Any] | None = None,
) -> Generator[Any, Any, dict[str, Any]]:
    """Call an activity until it succeeds, fails for good, or the attempts are used up; use with `yield from`.

    Activities return errors as data: `task_all` would throw away the siblings of a raised one. One that raised all the
    same was lost with its host, which is transient.

    Args:
        retry: `attempts` (at most so many), `first_delay` (seconds), `factor` (between delays).
        shown: What the custom status says beside the attempt while the activity is tried again.

    Returns:
        The activity's result, with `attempts` and, after failures, `retried`: the earlier attempts' `code`, `message`,
        `activity`, `started_at` and `failed_at`.
    """
    delay, earlier = float(retry["first_delay"]), []
    for number in range(1, retry["attempts"] + 1):
        started_at = context.current_utc_datetime.isoformat()
        try:
            result = yield context.call_activity(activity, {**payload, "attempt": number})
        except Exception as lost:
            result = {"error": ActivityLost(f"{activity}: {str(lost)[:MESSAGE_LENGTH]}").record()}
        error = result.get("error")
        if error is None or not error["transient"] or number == retry["attempts"]:
            break
        failure = {"code": error["code"], "message": error["message"][:MESSAGE_LENGTH]}
        times = {"started_at": started_at, "failed_at": context.current_utc_datetime.isoformat()}
        earlier.append({**failure, "activity": activity, **times})
        context.set_custom_status({"phase": activity, **(shown or {}), "attempt": number + 1, "error": failure})
        yield context.create_timer(context.current_utc_datetime + timedelta(seconds=delay))
        delay *= retry["factor"]
    return {**result, "attempts": number, **({"retried": earlier} if earlier else {})}


def cancellation(context: df.DurableOrchestrationContext, job: dict[str, Any]) -> Generator[Any, Any, Any]:
    """Ask the pipeline whether the run (`pipeline`, `run_id`) has been cancelled; use with `yield from`.

    Returns:
        Who did and when, or None.
    """
    pipeline = df.EntityId("pipeline", job["pipeline"])
    answer = yield context.call_entity(pipeline, "cancelled", {"run_id": job["run_id"]})
    return answer["cancelled"]


def took(start: datetime, end: datetime) -> dict[str, Any]:
    """Return `started_at`, `finished_at` and `seconds` between two instants of the orchestration's own clock."""
    seconds = round((end - start).total_seconds(), 3)
    return {"started_at": start.isoformat(), "finished_at": end.isoformat(), "seconds": seconds}
