"""Turns what the shim found to be new into events, queue rows and messages of a step."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

from .clock import to_history
from .events import Kind, encode, event, timer_fired
from .loader import FunctionApp
from .payload import check_size
from .records import Instance, NewInstance, Step
from .replay import HTTP_ACTIVITY, Scheduled


class Scheduler:
    """Adds scheduled work to steps. Raises UnknownFunctionError and PayloadTooLargeError."""

    def __init__(self, app: FunctionApp, default_version: str | None) -> None:
        self._app = app
        self._default_version = default_version
        self._adders: dict[str, Callable[[Instance, Step, Scheduled, int], None]] = {
            "activity": self._activity,
            "child": self._child,
            "timer": self._timer,
            "message": self._message,
        }

    def add(self, instance: Instance, step: Step, work: Scheduled, now: int) -> None:
        """Add one piece of work of `instance` to `step`."""
        self._adders[work.kind](instance, step, work, now)

    def _activity(self, instance: Instance, step: Step, work: Scheduled, now: int) -> None:
        if work.name != HTTP_ACTIVITY:
            self._app.activity(work.name)
        check_size(f"the input of activity '{work.name}'", work.input)
        text = json.dumps([work.input])
        step.activities.append((work.seq, work.name, work.input))
        step.events.append(encode(event(Kind.TASK_SCHEDULED, now, work.seq, Name=work.name, Version="", Input=text)))

    def _child(self, instance: Instance, step: Step, work: Scheduled, now: int) -> None:
        self._app.orchestrator(work.name)
        check_size(f"the input of orchestrator '{work.name}'", work.input)
        text = json.dumps(work.input)
        child = NewInstance(
            id=work.target,
            execution_id=uuid.uuid4().hex,
            name=work.name,
            version=work.version or self._default_version,
            input=text,
            parent_id=instance.id,
            parent_execution=instance.execution_id,
            parent_seq=work.seq,
            parent_name=instance.name,
        )
        created = event(
            Kind.CHILD_CREATED, now, work.seq, Name=work.name, Version=child.version, InstanceId=work.target, Input=text
        )
        step.children.append(child)
        step.events.append(encode(created))

    def _timer(self, instance: Instance, step: Step, work: Scheduled, now: int) -> None:
        # The two extra keys let `rewind` tell the timer after a last failed attempt from the others.
        extra = {} if work.retry_of is None else {"RetryOf": work.retry_of, "LastRetry": work.last_retry}
        created = event(Kind.TIMER_CREATED, now, work.seq, FireAt=to_history(work.fire_at), **extra)
        step.events.append(encode(created))
        step.timers.append((work.fire_at, encode(timer_fired(work.fire_at, work.seq))))

    def _message(self, instance: Instance, step: Step, work: Scheduled, now: int) -> None:
        check_size(f"the input of entity operation '{work.name}'", work.input)
        body: dict[str, Any] = {"op": work.name, "input": json.dumps(work.input)}
        if work.signal:
            body["signal"] = True
        else:
            body |= {"id": work.request_id, "parent": instance.id, "parentExecution": instance.execution_id}
        text = json.dumps(body)
        sent = event(Kind.EVENT_SENT, now, work.seq, InstanceId=work.target, Name="op", Input=text)
        step.events.append(encode(sent))
        step.entity_messages.append((work.target, text))
