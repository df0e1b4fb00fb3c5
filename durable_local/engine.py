"""Moves work between the store and the pools, and wakes whoever has something to do."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from random import Random
from typing import Any

from .activities import ActivityRunner, Twins
from .clock import Clock
from .entities import EntityRunner
from .episodes import EpisodeRunner, Ran
from .errors import HostStoppedError, UnknownInstanceError
from .events import Event, Kind, encode
from .faults import Faults
from .invoke import Invoker
from .loader import FunctionApp
from .pool import Alarm, KeyedPool, remaining
from .records import ActivityRow, Instance, NewInstance
from .settings import Settings
from .store import Store

log = logging.getLogger("durable_local")

_MAX_COALESCE_MICROS = 1_000_000
_PAUSE_AFTER_ERROR_MICROS = 1_000_000


@dataclass
class Mailbox:
    """Completions an instance waits for. While some are missing and the last replay was long, the next one waits."""

    awaited: int = 0
    arrived: int = 0
    not_before: int = 0
    alarmed: bool = False


class Engine:
    """The running task hub. Construct, `resume`, and in the end `stop`."""

    def __init__(
        self, store: Store, app: FunctionApp, invoker: Invoker, clock: Clock, faults: Faults, settings: Settings
    ) -> None:
        self.store = store
        self.app = app
        self.clock = clock
        self.settings = settings
        self._invoker = invoker
        self._episodes = EpisodeRunner(store, app, invoker, clock, faults, settings.default_version)
        self._activities = ActivityRunner(app, invoker, clock)
        self._entities = EntityRunner(store, app, invoker, clock, settings.max_entity_batch, faults.lost_batch)
        seed = faults.shuffle_seed
        self._twins = Twins(seed or 0) if faults.double_activities else None
        self._alarm = Alarm(clock)
        order = None if seed is None else Random(seed)
        self._orchestrator_pool = self._pool("orchestrator", settings.max_orchestrators, self._run_episode)
        self._activity_pool = self._pool("activity", settings.max_activities, self._run_activity, order)
        self._entity_pool = self._pool("entity", settings.max_entities, self._run_batch)
        self._guard = threading.Lock()
        self._mail: dict[str, Mailbox] = {}
        self._queued: dict[int, ActivityRow] = {}
        self._waiters: defaultdict[str, list[Future[None]]] = defaultdict(list)
        self._abandoned = False

    def _pool(self, kind: str, size: int, handle: Callable[[Any], None], order: Random | None = None) -> KeyedPool:
        return KeyedPool(
            f"durable-{kind}",
            size,
            handle,
            later=lambda wake: self._alarm.at(self.clock.now() + _PAUSE_AFTER_ERROR_MICROS, wake),
            order=order,
        )

    def resume(self) -> None:
        """Take up everything the store holds: activities in flight, entity batches, timers and messages."""
        self._queue_activities(self.store.activities())
        sql = "SELECT DISTINCT instance_id, max(visible_at, ?) FROM inbox"
        for instance_id, due in self.store.rows(sql, (self.clock.now(),)):
            self._wake_at(due, instance_id)
        for (sid,) in self.store.rows("SELECT DISTINCT sid FROM entity_inbox"):
            self._entity_pool.wake(sid)

    def stop(self, grace: float) -> None:
        """Start nothing new, give what runs `grace` seconds, then leave it: the store redelivers it next time.

        A second call does nothing.
        """
        if self._abandoned:
            return
        deadline = time.monotonic() + grace
        pools = (self._orchestrator_pool, self._entity_pool, self._activity_pool)
        for pool in pools:
            pool.close()
        drained = [pool.drain(remaining(deadline)) for pool in pools]
        self._abandoned = True
        if not all(drained):
            log.warning("stopped with functions still running; they are run again at the next start")
            self._invoker.cancel_running()
        self._alarm.close()
        with self._guard:
            waiters = [future for futures in self._waiters.values() for future in futures]
            self._waiters.clear()
        for future in waiters:
            if not future.done():
                future.set_exception(HostStoppedError("the host stopped before the instance ended"))

    def start_instance(self, new: NewInstance) -> Instance | None:
        """Create and wake an instance; returns the live instance of that id if there already is one."""
        existing = self.store.create(new, self.clock.now(), override=self.settings.overrides_running)
        if existing is None:
            self._orchestrator_pool.wake(new.id)
        return existing

    def send(self, instance_id: str, message: Event) -> bool:
        """Deliver an event or a control message; False if the instance is gone or over."""
        kind = Kind(message["EventType"])
        sent = self.store.send(instance_id, kind, encode(message), self.clock.now())
        if sent:
            self._orchestrator_pool.wake(instance_id)
        return sent

    def signal(self, sid: str, body: str) -> None:
        """Deliver an operation to an entity."""
        self.store.signal(sid, body)
        self._entity_pool.wake(sid)

    def wake(self, instance_id: str) -> None:
        """Look into an instance's inbox."""
        self._orchestrator_pool.wake(instance_id)

    def terminal(self, instance_id: str) -> Future[None]:
        """A future that is done once the instance is terminal. Raises UnknownInstanceError."""
        future: Future[None] = Future()
        with self._guard:
            self._waiters[instance_id].append(future)
        instance = self.store.instance(instance_id)
        if instance is None:
            self.forget(instance_id, future)
            raise UnknownInstanceError(f"no instance with id '{instance_id}'")
        if instance.terminal:
            self._notify(instance_id)
        return future

    def forget(self, instance_id: str, future: Future[None]) -> None:
        """Stop waiting."""
        with self._guard:
            futures = self._waiters.get(instance_id, [])
            if future in futures:
                futures.remove(future)
            if not futures:
                self._waiters.pop(instance_id, None)

    def purged(self, instance_ids: list[str]) -> None:
        """Tell those who wait for instances that they are gone."""
        for instance_id in instance_ids:
            self._notify(instance_id)

    def _notify(self, instance_id: str) -> None:
        with self._guard:
            futures = self._waiters.pop(instance_id, [])
        for future in futures:
            future.set_result(None)

    def _wake_at(self, due: int, instance_id: str) -> None:
        self._alarm.at(due, lambda: self._orchestrator_pool.wake(instance_id))

    def _run_episode(self, instance_id: str) -> None:
        began = self.clock.now()
        ran = self._episodes.run(instance_id)
        if ran is None:
            with self._guard:
                self._mail.pop(instance_id, None)
            return
        self._queue_activities(ran.activities)
        for due in ran.timers:
            self._wake_at(due, instance_id)
        for sid in ran.entities:
            self._entity_pool.wake(sid)
        for other in ran.instances:
            self._arrived(other)
        if ran.finished:
            with self._guard:
                self._mail.pop(instance_id, None)
            self._notify(instance_id)
        else:
            self._expect(instance_id, ran, self.clock.now() - began)

    def _expect(self, instance_id: str, ran: Ran, took: int) -> None:
        now = self.clock.now()
        with self._guard:
            # Counted under the guard: a message that came before is counted, a later one finds this mailbox.
            arrived = self.store.count_messages(instance_id, now)
            pause = min(2 * max(0, took), _MAX_COALESCE_MICROS)
            mailbox = Mailbox(awaited=ran.awaited, arrived=arrived, not_before=now + pause)
            self._mail[instance_id] = mailbox
            if arrived:
                self._decide(instance_id, mailbox)

    def _arrived(self, instance_id: str) -> None:
        """A completion is in the inbox: replay now, or a little later together with others still on their way."""
        with self._guard:
            mailbox = self._mail.setdefault(instance_id, Mailbox())
            mailbox.arrived += 1
            self._decide(instance_id, mailbox)

    def _decide(self, instance_id: str, mailbox: Mailbox) -> None:
        if mailbox.arrived >= mailbox.awaited or self.clock.now() >= mailbox.not_before:
            self._orchestrator_pool.wake(instance_id)
        elif not mailbox.alarmed:
            mailbox.alarmed = True
            self._wake_at(mailbox.not_before, instance_id)

    def _queue_activities(self, rows: list[ActivityRow]) -> None:
        for row in rows:
            self._queued[row.id] = row
            for delivery in range(2 if self._twins else 1):
                self._activity_pool.wake((row.id, delivery))

    def _run_activity(self, key: tuple[int, int]) -> None:
        row = self._queued.get(key[0])
        if row is None:
            return
        ran = self._activities.run(row)
        completion = ran if self._twins is None else self._twins.settle(row.id, ran)
        if completion is None or self._abandoned:
            return
        delivered = self.store.complete_activity(row, completion, self.clock.now())
        del self._queued[row.id]
        if delivered:
            self._arrived(row.instance_id)

    def _run_batch(self, sid: str) -> None:
        batched = self._entities.run(sid)
        for instance_id in batched.answered:
            self._arrived(instance_id)
        if batched.retry_at is not None:
            self._alarm.at(batched.retry_at, lambda: self._entity_pool.wake(sid))
        elif batched.more:
            self._entity_pool.wake(sid)
