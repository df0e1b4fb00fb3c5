"""The shim replay: what the extension does with the SDK's action list.

The SDK answers every episode with all actions since the start of the execution. DTFx re-runs a shim over the history in
which that list plays the part of user code; this module is that shim. It numbers the actions in the order in which it
invokes them, checks the numbers against the history, and reports what is new.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from .clock import parse_time
from .errors import NonDeterminismError
from .events import Event, Kind
from .nodes import Group, Leaf, Node, Retry

HTTP_ACTIVITY = "BuiltIn::HttpActivity"

log = logging.getLogger("durable_local")

_LONGEST_RETRY_MS = 6 * 86_400_000
_warned: set[str] = set()
_REQUEST_NAMESPACE = uuid.UUID("2f0d8a4e-5b0c-4f5e-9d31-6d1f0f3a7c55")
_CREATED_BY = {
    Kind.TASK_SCHEDULED: "activity",
    Kind.CHILD_CREATED: "child",
    Kind.TIMER_CREATED: "timer",
    Kind.EVENT_SENT: "message",
}
_FINISHED_BY = {
    Kind.TASK_COMPLETED: ("activity", "TaskScheduledId", False),
    Kind.TASK_FAILED: ("activity", "TaskScheduledId", True),
    Kind.CHILD_COMPLETED: ("child", "TaskScheduledId", False),
    Kind.CHILD_FAILED: ("child", "TaskScheduledId", True),
    Kind.TIMER_FIRED: ("timer", "TimerId", False),
}


_TASKS = {
    "activity": "an activity task",
    "child": "a sub-orchestration task",
    "timer": "a timer task",
    "message": "a send event task",
}
_CHANGED = "Was a change made to the orchestrator code after this instance had already started running?"


def _past(item: Event, kind: str) -> str:
    """How DurableTask.Core words what a history holds, so that programs which look for its words find them."""
    name, version = item.get("Name") or "", item.get("Version") or ""
    details = {
        "activity": f" and name '{name}' (version '{version}')",
        "child": f" and name '{name}' (version '{version}', instance ID '{item.get('InstanceId')}')",
        "message": f", type 'EventSent' name '{name}', instance ID '{item.get('InstanceId')}'",
        "timer": "",
    }
    return (
        "Non-Deterministic workflow detected: A previous execution of this orchestration scheduled "
        f"{_TASKS[kind]} with sequence ID {item['EventId']}{details[kind]}"
    )


@dataclass(frozen=True, slots=True)
class Scheduled:
    """One piece of work with its sequence number. `kind` is activity, child, timer or message (to an entity)."""

    seq: int
    kind: str
    name: str = ""
    input: str | None = None
    target: str = ""
    version: str | None = None
    fire_at: int = 0
    retry_of: int | None = None
    last_retry: bool = False
    request_id: str = ""
    signal: bool = False


@dataclass(frozen=True)
class Outcome:
    """Where the replay stands: new work, whether the list is walked to its end, and what is unfinished.

    `carried` are the external events that came after `continue_as_new`: they belong to the next generation.
    """

    pending: list[Scheduled]
    walked: bool
    open_tasks: int
    awaited_answers: int
    continue_input: str | None
    continues: bool
    next_seq: int
    carried: tuple[Event, ...] = ()

    @property
    def settled(self) -> bool:
        """True when the execution may finish: all actions invoked and no task, child or timer open."""
        return self.walked and not self.open_tasks


class Shim:
    """Walks one action list over one history. Use `replay` once per object."""

    def __init__(self, instance_id: str, execution_id: str, actions: list[dict[str, Any]]) -> None:
        self._instance_id = instance_id
        self._execution_id = execution_id
        self._actions = actions
        self._index = 0
        self._current: Node | None = None
        self._walked = False
        self._seq = 0
        self._now = 0
        self._pending: dict[int, Scheduled] = {}
        self._open: dict[int, Leaf] = {}
        self._waiting: defaultdict[str, list[Leaf]] = defaultdict(list)
        self._buffered: defaultdict[str, deque[Event]] = defaultdict(deque)
        self._answers: set[str] = set()
        self._carried: list[Event] = []
        self._continues = False
        self._continue_input: str | None = None
        self._invokers: dict[int, Callable[[dict[str, Any]], Node]] = {
            0: self._activity,
            1: lambda action: self._retry(action, self._activity),
            2: self._child,
            3: lambda action: self._retry(action, self._child),
            4: self._continue_as_new,
            5: self._timer_action,
            6: lambda action: self._wait(action["externalEventName"], Leaf("event")),
            7: self._call_entity,
            8: self._http,
            9: self._signal_entity,
            11: lambda action: self._compound(action, wait_for_all=False),
            12: lambda action: self._compound(action, wait_for_all=True),
        }

    def replay(self, history: Iterable[Event]) -> Outcome:
        """Process the whole history. Raises NonDeterminismError where it contradicts the actions."""
        for item in history:
            self._process(item)
        return Outcome(
            pending=list(self._pending.values()),
            walked=self._walked,
            open_tasks=len(self._open),
            awaited_answers=len(self._answers),
            continue_input=self._continue_input,
            continues=self._continues,
            next_seq=self._seq,
            carried=tuple(self._carried),
        )

    def _process(self, item: Event) -> None:
        kind = item["EventType"]
        if kind in _FINISHED_BY:
            self._finish(item, *_FINISHED_BY[kind])
        elif kind in _CREATED_BY:
            self._confirm(item, _CREATED_BY[kind])
        elif kind == Kind.EVENT_RAISED:
            self._raise(item)
        elif kind == Kind.ORCHESTRATOR_STARTED:
            self._now = parse_time(item["Timestamp"])
        elif kind == Kind.EXECUTION_STARTED:
            self._walk()

    def _walk(self) -> None:
        while self._current is None or self._current.done:
            if self._index == len(self._actions):
                self._walked = True
                return
            action = self._actions[self._index]
            self._index += 1
            self._current = self._invoke(action)

    def _invoke(self, action: dict[str, Any]) -> Node:
        invoker = self._invokers.get(action["actionType"])
        if invoker is None:
            raise NonDeterminismError(f"action type {action['actionType']} is not known to this host")
        return invoker(action)

    def _confirm(self, item: Event, kind: str) -> None:
        seq = item["EventId"]
        found = self._pending.pop(seq, None)
        if found is None:
            raise NonDeterminismError(
                f"{_past(item, kind)}, but the current replay execution hasn't (yet?) scheduled this task. {_CHANGED}"
            )
        recorded = (item.get("Name") or "").lower()
        if found.kind != kind or (kind != "message" and found.name.lower() != recorded):
            raise NonDeterminismError(
                f"{_past(item, kind)}, but the current orchestration replay instead scheduled {_TASKS[found.kind]} "
                f"named '{found.name}' with this sequence number. {_CHANGED}"
            )

    def _finish(self, item: Event, kind: str, key: str, failed: bool) -> None:
        leaf = self._open.get(item[key])
        if leaf is None or leaf.kind != kind:
            return
        del self._open[leaf.seq]
        leaf.settle(failed)
        self._walk()

    def _raise(self, item: Event) -> None:
        name = item["Name"]
        if self._continues and name not in self._answers:
            self._carried.append(item)
        elif self._waiting[name]:
            self._answers.discard(name)
            self._waiting[name].pop().settle()
            self._walk()
        else:
            self._buffered[name].append(item)

    def _next_seq(self) -> int:
        seq, self._seq = self._seq, self._seq + 1
        return seq

    def _schedule(self, work: Scheduled, *, is_open: bool = True) -> Leaf:
        leaf = Leaf(work.kind, work.seq, done=not is_open)
        self._pending[work.seq] = work
        if is_open:
            self._open[work.seq] = leaf
        return leaf

    def _activity(self, action: dict[str, Any]) -> Leaf:
        seq = self._next_seq()
        return self._schedule(Scheduled(seq, "activity", action["functionName"], action.get("input")))

    def _http(self, action: dict[str, Any]) -> Leaf:
        seq = self._next_seq()
        return self._schedule(Scheduled(seq, "activity", HTTP_ACTIVITY, json.dumps(action["httpRequest"])))

    def _child(self, action: dict[str, Any]) -> Leaf:
        seq = self._next_seq()
        target = action.get("instanceId") or f"{self._execution_id}:{seq}"
        return self._schedule(
            Scheduled(seq, "child", action["functionName"], action.get("input"), target, action.get("version"))
        )

    def _retry(self, action: dict[str, Any], attempt: Callable[[dict[str, Any]], Leaf]) -> Retry:
        options, name = action["retryOptions"], action["functionName"]
        if int(options["firstRetryIntervalInMilliseconds"]) > _LONGEST_RETRY_MS and name not in _warned:
            _warned.add(name)
            log.warning("'%s' is retried after more than six days: in Azure Storage such a retry never comes", name)
        return Retry(lambda: attempt(action), self._retry_timer, options)

    def _retry_timer(self, delay: int, *, retry_of: int, last_retry: bool) -> Leaf:
        seq, fire_at = self._next_seq(), self._now + delay
        return self._schedule(Scheduled(seq, "timer", fire_at=fire_at, retry_of=retry_of, last_retry=last_retry))

    def _timer_action(self, action: dict[str, Any]) -> Leaf:
        # A cancelled timer keeps its number and still fires later; nobody waits for it.
        work = Scheduled(self._next_seq(), "timer", fire_at=parse_time(action["fireAt"]))
        return self._schedule(work, is_open=not action.get("isCanceled"))

    def _wait(self, name: str, leaf: Leaf) -> Leaf:
        if self._buffered[name]:
            self._buffered[name].popleft()
            leaf.done = True
        else:
            self._waiting[name].append(leaf)
        return leaf

    def _call_entity(self, action: dict[str, Any]) -> Leaf:
        seq = self._next_seq()
        # The same on every replay, since the SDK looks the answer up by it.
        request_id = str(uuid.uuid5(_REQUEST_NAMESPACE, f"{self._instance_id}\n{self._execution_id}\n{seq}"))
        self._send(seq, action, request_id=request_id, signal=False)
        leaf = self._wait(request_id, Leaf("answer", seq))
        if not leaf.done:
            self._answers.add(request_id)
        return leaf

    def _signal_entity(self, action: dict[str, Any]) -> Leaf:
        return self._send(self._next_seq(), action, request_id="", signal=True)

    def _send(self, seq: int, action: dict[str, Any], *, request_id: str, signal: bool) -> Leaf:
        work = Scheduled(
            seq,
            "message",
            action["operation"],
            action.get("input"),
            target=action["instanceId"],
            request_id=request_id,
            signal=signal,
        )
        return self._schedule(work, is_open=False)

    def _continue_as_new(self, action: dict[str, Any]) -> Leaf:
        self._continues = True
        self._continue_input = action.get("input")
        return Leaf("continue", done=True)

    def _compound(self, action: dict[str, Any], *, wait_for_all: bool) -> Group:
        return Group([self._invoke(child) for child in action["compoundActions"]], wait_for_all=wait_for_all)
