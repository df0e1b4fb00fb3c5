"""Calling an activity: transient errors are tried again, with backoff through durable timers."""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta
from typing import Any

import azure.durable_functions as df

from comboi_core.domain.errors import ActivityLost

MESSAGE_LENGTH = 500


def attempt(
    context: df.DurableOrchestrationContext, activity: str, payload: dict[str, Any], retry: dict[str, Any]
) -> Generator[Any, Any, dict[str, Any]]:
    """Call an activity until it succeeds, fails for good, or the attempts are used up; use with `yield from`.

    Activities return errors as data: `task_all` would throw away the siblings of a raised one. One that raised all the
    same was lost with its host, which is transient.

    Args:
        retry: `attempts` (at most so many), `first_delay` (seconds), `factor` (between delays).

    Returns:
        The activity's result, with `attempts` and, after failures, `retried`: the errors of the earlier attempts.
    """
    delay, earlier = float(retry["first_delay"]), []
    for number in range(1, retry["attempts"] + 1):
        try:
            result = yield context.call_activity(activity, payload)
        except Exception as lost:
            result = {"error": ActivityLost(f"{activity}: {str(lost)[:MESSAGE_LENGTH]}").record()}
        error = result.get("error")
        if error is None or not error["transient"] or number == retry["attempts"]:
            break
        earlier.append({"code": error["code"], "message": error["message"][:MESSAGE_LENGTH]})
        context.set_custom_status({"phase": activity, "attempt": number + 1, "error": earlier[-1]})
        yield context.create_timer(context.current_utc_datetime + timedelta(seconds=delay))
        delay *= retry["factor"]
    return {**result, "attempts": number, **({"retried": earlier} if earlier else {})}


def seconds_between(start: Any, end: Any) -> float:
    """Return the seconds between two instants of the orchestration's own clock."""
    return round((end - start).total_seconds(), 3)
