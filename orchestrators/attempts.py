"""Calling activities: transient errors are tried again, with backoff through durable timers."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from datetime import datetime, timedelta
from typing import Any

import azure.durable_functions as df

from comboi_core.domain.contracts.record import Failure, Retried
from comboi_core.domain.contracts.run import RetryPolicy
from comboi_core.domain.errors import ActivityLost
from orchestrators.disturbed import PAUSES, of_host

MESSAGE_LENGTH = 500


def shortened(text: str) -> str:
    """Return a text as short as histories keep it. Its end tells the redactor that half a secret may stand there."""
    return text if len(text) <= MESSAGE_LENGTH else f"{text[: MESSAGE_LENGTH - 3]}..."


def attempt(
    context: df.DurableOrchestrationContext,
    activity: str,
    payload: Mapping[str, Any],
    retry: RetryPolicy,
    custom_status: Mapping[str, Any] | None = None,
) -> Generator[Any, Any, dict[str, Any]]:
    """Call an activity until it succeeds, fails for good, or the attempts are used up; use with `yield from`.

    Activities return errors as data: `task_all` would throw away the siblings of a raised one. One that raised all the
    same was lost with its host, which is transient; some more attempts make up for those that the host took.

    Args:
        custom_status: What the custom status says beside the attempt while the activity is tried again.

    Returns:
        The activity's result, with `attempts` and, after failures, `retried`: a list of Retried.
    """
    delay, taken = float(retry["first_delay"]), 0
    earlier: list[Retried] = []
    while True:
        started_at, number = context.current_utc_datetime.isoformat(), len(earlier) + 1
        by_host = False
        try:
            result = yield context.call_activity(activity, {**payload, "attempt": number})
        except Exception as lost:
            result = {"error": ActivityLost(f"{activity}: {shortened(str(lost))}").record()}
            by_host = of_host(lost) and taken < len(PAUSES)
        error = result.get("error")
        if error is None or not error["transient"] or (number - taken == retry["attempts"] and not by_host):
            return {**result, "attempts": number, **({"retried": earlier} if earlier else {})}
        failure: Failure = {"code": error["code"], "message": shortened(error["message"])}
        failed_at = context.current_utc_datetime.isoformat()
        earlier.append({**failure, "activity": activity, "started_at": started_at, "failed_at": failed_at})
        context.set_custom_status({"phase": activity, **(custom_status or {}), "attempt": number + 1, "error": failure})
        pause = PAUSES[taken] if by_host else delay
        yield context.create_timer(context.current_utc_datetime + timedelta(seconds=pause))
        if by_host:
            taken += 1
        else:
            delay *= retry["factor"]


def took(start: datetime, end: datetime) -> dict[str, Any]:
    """Return `started_at`, `finished_at` and `seconds` between two instants of the orchestration's own clock."""
    seconds = round((end - start).total_seconds(), 3)
    return {"started_at": start.isoformat(), "finished_at": end.isoformat(), "seconds": seconds}
