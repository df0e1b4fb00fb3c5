"""History events: their numbers, and the JSON objects that the SDK reads.

Events are kept as JSON text without `IsPlayed`, which belongs to an episode and not to the event; `with_played` splices
it in.
"""

from __future__ import annotations

import json
from enum import IntEnum
from typing import Any

from .clock import to_history

Event = dict[str, Any]


class Kind(IntEnum):
    """Event numbers of the extension."""

    EXECUTION_STARTED = 0
    EXECUTION_COMPLETED = 1
    EXECUTION_TERMINATED = 3
    TASK_SCHEDULED = 4
    TASK_COMPLETED = 5
    TASK_FAILED = 6
    CHILD_CREATED = 7
    CHILD_COMPLETED = 8
    CHILD_FAILED = 9
    TIMER_CREATED = 10
    TIMER_FIRED = 11
    ORCHESTRATOR_STARTED = 12
    ORCHESTRATOR_COMPLETED = 13
    EVENT_SENT = 14
    EVENT_RAISED = 15
    GENERIC = 17
    SUSPENDED = 19
    RESUMED = 20


CONTROL = frozenset({Kind.EXECUTION_TERMINATED, Kind.SUSPENDED, Kind.RESUMED})
COMPLETIONS = frozenset({Kind.TASK_COMPLETED, Kind.TASK_FAILED, Kind.CHILD_COMPLETED, Kind.CHILD_FAILED})
NEVER_PLAYED = frozenset({Kind.ORCHESTRATOR_STARTED, Kind.ORCHESTRATOR_COMPLETED})


def encode(event: Event) -> str:
    """The JSON text of an event."""
    return json.dumps(event, separators=(",", ":"))


def with_played(text: str, played: bool) -> str:
    """The text of an event with its `IsPlayed` key."""
    return f'{text[:-1]},"IsPlayed":{"true" if played else "false"}}}'


def event(kind: Kind, at: int, event_id: int = -1, **fields: Any) -> Event:
    """An event of `kind` stamped `at` (microseconds)."""
    return {"EventType": int(kind), "EventId": event_id, "Timestamp": to_history(at), **fields}


def execution_started(
    at: int,
    *,
    instance_id: str,
    execution_id: str,
    name: str,
    version: str | None,
    input_text: str | None,
    parent: Event | None = None,
) -> Event:
    """The event that begins an execution; `input_text` is JSON, as ExecutionStarted.Input carries it."""
    return event(
        Kind.EXECUTION_STARTED,
        at,
        Name=name,
        Version=version,
        Input=input_text,
        Tags=None,
        OrchestrationInstance={"InstanceId": instance_id, "ExecutionId": execution_id},
        ParentInstance=parent,
    )


def task_completed(at: int, seq: int, result: str) -> Event:
    """An activity's success; `result` is JSON text."""
    return event(Kind.TASK_COMPLETED, at, TaskScheduledId=seq, Result=result)


def task_failed(at: int, seq: int, *, name: str, exception: str, worker_text: str) -> Event:
    """An activity's failure, worded as the extension words it."""
    reason = f"Activity function '{name}' failed: {exception}"
    details = {"ClassName": "System.Exception", "Message": worker_text, "Data": None, "InnerException": None}
    return event(
        Kind.TASK_FAILED, at, TaskScheduledId=seq, Reason=reason, Details=json.dumps(details), FailureDetails=None
    )


def child_finished(at: int, seq: int, *, failed: bool, text: str | None) -> Event:
    """A sub-orchestration's end as its parent sees it; `text` is the result's JSON, or the plain failure text."""
    if failed:
        return event(Kind.CHILD_FAILED, at, TaskScheduledId=seq, Reason=text, Details="", FailureDetails=None)
    return event(Kind.CHILD_COMPLETED, at, TaskScheduledId=seq, Result=text)


def timer_fired(fire_at: int, seq: int) -> Event:
    """A timer's message, stamped with the time it was due."""
    return event(Kind.TIMER_FIRED, fire_at, TimerId=seq, FireAt=to_history(fire_at))


def event_raised(at: int, name: str, input_text: str | None) -> Event:
    """An external event, or an entity's answer when `name` is the request id."""
    return event(Kind.EVENT_RAISED, at, Name=name, Input=input_text)


def control(kind: Kind, at: int, reason: str) -> Event:
    """Terminate, suspend or resume, with the reason as raw text."""
    return event(kind, at, Input=reason)
