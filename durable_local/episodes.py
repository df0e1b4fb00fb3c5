"""One episode of an orchestration: messages in, SDK replay, shim replay, one transaction out."""

from __future__ import annotations

import json
import logging
import uuid
from dataclasses import dataclass, field
from random import Random

from .clock import Clock
from .errors import DurableLocalError, NonDeterminismError, WorkerLostError
from .events import (
    COMPLETIONS,
    CONTROL,
    Kind,
    child_finished,
    encode,
    event,
    with_played,
)
from .faults import Faults
from .invoke import Answer, Invoker
from .loader import FunctionApp
from .past import HistoryCache, Past
from .payload import check_custom_status, check_size, shorten
from .records import TERMINAL, ActivityRow, Instance, Message, NewInstance, Step
from .replay import Outcome, Shim
from .scheduling import Scheduler
from .store import Store

log = logging.getLogger("durable_local")

_MANY_ACTIONS = 50_000
_ENDED = Outcome([], True, 0, 0, None, False, -1)
_CONTEXT = (
    '{"history":[%s],"input":%s,"instanceId":%s,"isReplaying":%s,"parentInstanceId":%s,"upperSchemaVersion":1,'
    '"upperSchemaVersionNew":3,"longRunningTimerIntervalDuration":"3.00:00:00",'
    '"maximumShortTimerDuration":"6.00:00:00","defaultHttpAsyncRequestSleepTimeMillseconds":30000}'
)


@dataclass(frozen=True)
class Ran:
    """What an episode leads to: work to dispatch, whom to wake, and how many completions the instance waits for."""

    activities: list[ActivityRow] = field(default_factory=list)
    instances: list[str] = field(default_factory=list)
    entities: list[str] = field(default_factory=list)
    timers: list[int] = field(default_factory=list)
    awaited: int = 0
    finished: bool = False


class EpisodeRunner:
    """Runs episodes. The caller sees to it that an instance has one at a time."""

    def __init__(
        self,
        store: Store,
        app: FunctionApp,
        invoker: Invoker,
        clock: Clock,
        faults: Faults,
        default_version: str | None,
    ) -> None:
        self._store = store
        self._app = app
        self._invoker = invoker
        self._clock = clock
        self._faults = faults
        self._order = None if faults.shuffle_seed is None else Random(faults.shuffle_seed)
        self._histories = HistoryCache(store)
        self._scheduler = Scheduler(app, default_version)

    def run(self, instance_id: str) -> Ran | None:
        """Process the visible messages of an instance. None if there was nothing to do."""
        now = self._clock.now()
        instance = self._store.instance(instance_id)
        messages = self._store.messages(instance_id, now)
        if instance is None or instance.terminal or not messages:
            return None
        past = self._histories.past(instance)
        mine = (None, instance.execution_id)
        current = [message for message in messages if message.execution_id in mine]
        step = Step(custom_status=instance.custom_status, output=instance.output)
        step.consumed = [message.id for message in messages if message.execution_id not in mine]
        outcome = self._apply(instance, past, step, current, now)
        if not step.consumed:
            return None
        stored = self._store.commit_step(instance, step, now)
        if stored is None:
            # Rewound or replaced meanwhile: the messages are still there for the next round.
            return Ran(instances=[instance_id])
        finished = step.status in TERMINAL
        if finished and instance.parent_id is None:
            log.info("orchestration '%s' (%s): %s", instance.id, instance.name, step.status)
        self._histories.remember(instance.id, past, step, stored.revision)
        wake = [child.id for child in step.children]
        wake += [instance_id] if step.restart is not None else []
        wake += [instance.parent_id] if finished and instance.parent_id is not None else []
        return Ran(
            activities=stored.activities,
            instances=wake,
            entities=list(dict.fromkeys(sid for sid, _ in step.entity_messages)),
            timers=[fire_at for fire_at, _ in step.timers],
            awaited=outcome.open_tasks + outcome.awaited_answers if outcome else 0,
            finished=finished,
        )

    def _apply(self, instance: Instance, past: Past, step: Step, messages: list[Message], now: int) -> Outcome | None:
        """Fill `step`. None if the orchestrator did not run."""
        terminated = next((m for m in messages if m.kind == Kind.EXECUTION_TERMINATED), None)
        if terminated is not None:
            self._terminate(instance, step, terminated, now)
            return None
        controls = [message for message in messages if message.kind in CONTROL]
        suspended = instance.status == "Suspended"
        for message in controls:
            suspended = message.kind == Kind.SUSPENDED
        if suspended:
            self._suspend(past, step, controls, now)
            return None
        if not messages:
            return None
        if controls or instance.status == "Suspended":
            step.output = None
        return self._episode(instance, past, step, messages, now)

    def _terminate(self, instance: Instance, step: Step, message: Message, now: int) -> None:
        reason = json.loads(message.body)["Input"]
        step.consumed.append(message.id)
        step.events += [encode(event(Kind.ORCHESTRATOR_STARTED, now)), message.body]
        self._finish(instance, step, "Terminated", json.dumps(reason), now, failure=reason)

    def _suspend(self, past: Past, step: Step, controls: list[Message], now: int) -> None:
        """Record the suspension; everything else stays in the inbox until the instance is resumed."""
        step.status = "Suspended"
        step.consumed += [message.id for message in controls]
        if not controls:
            return
        step.output = json.dumps(json.loads(controls[-1].body)["Input"])
        if past.events:
            step.events.append(encode(event(Kind.ORCHESTRATOR_STARTED, now)))
            step.events += [message.body for message in controls]
            step.events.append(encode(event(Kind.ORCHESTRATOR_COMPLETED, now)))

    def _episode(self, instance: Instance, past: Past, step: Step, messages: list[Message], now: int) -> Outcome | None:
        first = not past.events
        if first and messages[0].kind != Kind.EXECUTION_STARTED:
            return None
        kept = [message for message in self._ordered(messages) if not (first and message.kind in CONTROL)]
        new_texts = [encode(event(Kind.ORCHESTRATOR_STARTED, now)), *(message.body for message in kept)]
        new_events = [json.loads(text) for text in new_texts]
        step.consumed += [message.id for message in messages]
        step.events = new_texts
        step.status = "Running"
        history = [*past.events, *new_events]
        try:
            answer = self._ask(instance, past, new_texts, first)
            check_custom_status(answer.custom_status)
            step.custom_status = answer.custom_status
            outcome = Shim(instance.id, instance.execution_id, answer.actions).replay(history)
            for work in outcome.pending:
                self._scheduler.add(instance, step, work, now)
            if outcome.settled:
                self._settle(instance, step, answer, outcome, now)
        except NonDeterminismError as error:
            log.error("orchestration '%s' (%s) fails: %s", instance.id, instance.name, error)
            self._drop_work(step, new_texts)
            self._finish_failed(instance, step, str(error), now)
            return _ENDED
        except DurableLocalError as error:
            log.error("orchestration '%s' (%s) fails: %s", instance.id, instance.name, error)
            self._drop_work(step, new_texts)
            self._fail(instance, step, str(error), now)
            return _ENDED
        if step.restart is None and step.status == "Running":
            step.events.append(encode(event(Kind.ORCHESTRATOR_COMPLETED, now)))
        return outcome

    def _ordered(self, messages: list[Message]) -> list[Message]:
        """The messages, with completions in drawn order if that fault is on; events keep their order."""
        if self._order is None:
            return messages
        places = [index for index, message in enumerate(messages) if message.kind in COMPLETIONS]
        drawn = self._order.sample(places, len(places))
        shuffled = list(messages)
        for place, source in zip(places, drawn, strict=True):
            shuffled[place] = messages[source]
        return shuffled

    def _ask(self, instance: Instance, past: Past, new_texts: list[str], first: bool) -> Answer:
        info = self._app.orchestrator(instance.name)
        history = ",".join([*past.texts, *(with_played(text, False) for text in new_texts)])
        context = _CONTEXT % (
            history,
            instance.input or "null",
            json.dumps(instance.id),
            "false" if first else "true",
            json.dumps(instance.parent_id),
        )
        try:
            answer = self._invoker.orchestrator(info, context)
        except WorkerLostError as error:
            # The extension takes the failed call for an orchestrator that asked for nothing and failed.
            return Answer([], False, None, f"One or more errors occurred. ({error})", None)
        if self._faults.replay_twice:
            again = self._invoker.orchestrator(info, context)
            if again.actions != answer.actions:
                raise NonDeterminismError(
                    "Non-Deterministic workflow detected: two replays of one history gave different actions: "
                    f"{_first_difference(answer.actions, again.actions)}"
                )
        if len(answer.actions) > _MANY_ACTIONS:
            log.warning("orchestration '%s' has %d actions; Azure stops at 100000", instance.id, len(answer.actions))
        if answer.broken:
            raise DurableLocalError(answer.error)
        return answer

    def _settle(self, instance: Instance, step: Step, answer: Answer, outcome: Outcome, now: int) -> None:
        if answer.error is not None:
            self._fail(instance, step, answer.error, now, outcome.next_seq)
        elif outcome.continues:
            text = json.dumps(outcome.continue_input)
            check_size(f"the new input of orchestrator '{instance.name}'", text)
            step.carried = [encode(item) for item in outcome.carried]
            step.restart = NewInstance(
                id=instance.id,
                execution_id=uuid.uuid4().hex,
                name=instance.name,
                version=instance.version,
                input=text,
                parent_id=instance.parent_id,
                parent_execution=instance.parent_execution,
                parent_seq=instance.parent_seq,
            )
        elif answer.done:
            check_size(f"the output of orchestrator '{instance.name}'", answer.output)
            self._finish(instance, step, "Completed", answer.output, now, seq=outcome.next_seq)

    def _fail(self, instance: Instance, step: Step, error: str, now: int, seq: int = -1) -> None:
        self._finish_failed(instance, step, f"Orchestrator function '{instance.name}' failed: {error}", now, seq)

    def _finish_failed(self, instance: Instance, step: Step, failure: str, now: int, seq: int = -1) -> None:
        text = shorten(failure)
        self._finish(instance, step, "Failed", json.dumps(text), now, failure=text, seq=seq)

    def _finish(
        self,
        instance: Instance,
        step: Step,
        status: str,
        output: str | None,
        now: int,
        *,
        failure: str | None = None,
        seq: int = -1,
    ) -> None:
        step.status, step.output = status, output
        completed = event(
            Kind.EXECUTION_COMPLETED, now, seq, Result=output, OrchestrationStatus=status, FailureDetails=None
        )
        step.events += [encode(completed), encode(event(Kind.ORCHESTRATOR_COMPLETED, now))]
        if instance.parent_id is not None and instance.parent_seq is not None:
            text = output if failure is None else failure
            step.parent_event = child_finished(now, instance.parent_seq, failed=failure is not None, text=text)

    def _drop_work(self, step: Step, events: list[str]) -> None:
        step.events = list(events)
        step.activities, step.timers, step.children, step.entity_messages = [], [], [], []


def _first_difference(left: list[dict], right: list[dict]) -> str:
    for index, (one, other) in enumerate(zip(left, right, strict=False)):
        if one != other:
            return f"action {index}: {json.dumps(one)[:300]} against {json.dumps(other)[:300]}"
    return f"{len(left)} actions against {len(right)}"
