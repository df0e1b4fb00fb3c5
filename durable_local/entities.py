"""Entity batches: the SDK runs the operations, the host keeps the state, answers callers and retries poison."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from typing import Any

from .clock import Clock
from .errors import DurableLocalError, UnknownFunctionError, WorkerLostError
from .events import Event, event_raised
from .invoke import Invoker
from .loader import FunctionApp
from .payload import check_size, shorten
from .store import Store
from .worker import LostBatch

log = logging.getLogger("durable_local")

_MAX_ATTEMPTS = 5
_FIRST_BACKOFF_MICROS = 100_000

Operations = list[tuple[int, dict[str, Any]]]


def scheduler_id(name: str, key: str) -> str:
    """`@name@key` with the name in lower case; keys keep their case."""
    return f"@{name.lower()}@{key}"


def split_scheduler_id(sid: str) -> tuple[str, str]:
    """Name and key of a scheduler id."""
    name, _, key = sid[1:].partition("@")
    return name, key


@dataclass(frozen=True)
class Batched:
    """After a batch: instances that got answers, whether more operations wait, and when to try again after poison."""

    answered: list[str] = field(default_factory=list)
    more: bool = False
    retry_at: int | None = None


class EntityRunner:
    """Runs one batch at a time for an entity; the caller sees to it that an entity has one batch at a time."""

    def __init__(
        self,
        store: Store,
        app: FunctionApp,
        invoker: Invoker,
        clock: Clock,
        batch_size: int,
        lost_batch: LostBatch = "fail",
    ) -> None:
        self._store = store
        self._app = app
        self._invoker = invoker
        self._clock = clock
        self._batch_size = batch_size
        self._lost_batch = lost_batch
        self._failures: dict[str, int] = {}

    def run(self, sid: str) -> Batched:
        """Process the oldest operations of the entity."""
        operations = self._store.entity_batch(sid, self._batch_size)
        if not operations:
            return Batched()
        exists, state = self._store.entity_state(sid)
        try:
            answer = self._invoke(sid, exists, state, operations)
        except UnknownFunctionError as error:
            return self._give_up(sid, operations, str(error))
        except WorkerLostError as error:
            return self._lost(sid, operations, str(error))
        except Exception as error:
            return self._poison(sid, operations, error)
        self._failures.pop(sid, None)
        replies = self._replies(operations, answer["results"])
        new_state = (bool(answer["entityExists"]), answer["entityState"])
        return self._commit(sid, operations, new_state, replies)

    def _invoke(self, sid: str, exists: bool, state: str | None, operations: Operations) -> dict[str, Any]:
        name, key = split_scheduler_id(sid)
        info = self._app.entity(name)
        batch = [
            {"name": body["op"], "input": body.get("input"), "isSignal": bool(body.get("signal"))}
            for _, body in operations
        ]
        request = {"self": {"name": name, "key": key}, "exists": exists, "state": state, "batch": batch}
        answer = self._invoker.entity(info, json.dumps(request))
        check_size(f"the state of entity '{sid}'", answer["entityState"])
        for (_, body), result in zip(operations, answer["results"], strict=True):
            check_size(f"the result of operation '{body['op']}' of entity '{name}'", result["result"])
        return answer

    def _replies(self, operations: Operations, results: list[dict[str, Any]]) -> list[Event]:
        return [
            self._reply(body, result["result"], result["isError"])
            for (_, body), result in zip(operations, results, strict=True)
            if not body.get("signal")
        ]

    def _reply(self, body: dict[str, Any], result: str, is_error: bool) -> Event:
        answer = {"result": result, "exceptionType": "Error"} if is_error else {"result": result}
        raised = event_raised(self._clock.now(), body["id"], json.dumps(answer))
        return {**raised, "instance": body["parent"], "execution": body["parentExecution"]}

    def _poison(self, sid: str, operations: Operations, error: Exception) -> Batched:
        """An exception out of the wrapper: try again with growing pauses, then answer with the error and go on."""
        failures = self._failures[sid] = self._failures.get(sid, 0) + 1
        text = f"{type(error).__name__}: {error}"
        if failures < _MAX_ATTEMPTS and not isinstance(error, DurableLocalError):
            log.warning("batch of entity '%s' failed, attempt %d of %d: %s", sid, failures, _MAX_ATTEMPTS, text)
            return Batched(retry_at=self._clock.now() + _FIRST_BACKOFF_MICROS * 2 ** (failures - 1))
        return self._give_up(sid, operations, text)

    def _lost(self, sid: str, operations: Operations, text: str) -> Batched:
        """The worker died under the batch: the state stays as it was, and `lost_batch` says what callers see."""
        if self._lost_batch == "fail":
            return self._give_up(sid, operations, text)
        if self._lost_batch == "repeat":
            return Batched(retry_at=self._clock.now() + _FIRST_BACKOFF_MICROS)
        log.error("entity '%s' loses %d operation(s) without an answer: %s", sid, len(operations), text)
        return self._commit(sid, operations, None, [])

    def _give_up(self, sid: str, operations: Operations, text: str) -> Batched:
        self._failures.pop(sid, None)
        log.error("entity '%s' drops %d operation(s): %s", sid, len(operations), text)
        result = json.dumps(shorten(text))
        replies = [self._reply(body, result, True) for _, body in operations if not body.get("signal")]
        return self._commit(sid, operations, None, replies)

    def _commit(
        self, sid: str, operations: Operations, state: tuple[bool, str | None] | None, replies: list[Event]
    ) -> Batched:
        rows = [row for row, _ in operations]
        answered = self._store.commit_batch(sid, rows, state, replies, self._clock.now())
        return Batched(answered=answered, more=bool(self._store.entity_batch(sid, 1)))
