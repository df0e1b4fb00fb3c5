"""Bounded daemon threads that process keys, one run per key at a time, and an alarm that calls back at a given time."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import partial
from random import Random
from typing import Any

from .clock import Clock

log = logging.getLogger("durable_local")

# A sleeping laptop stops the monotonic clock: look at the wall clock at least this often.
_LONGEST_NAP = 30.0


class KeyedPool:
    """Runs `handle(key)` for woken keys on up to `size` threads.

    A key never runs twice at once; a wake during its run makes it run again. Order is first come first served, or drawn
    from `order` if given. `later` gets the function that wakes a key again after `handle` raised, which it should call
    after a pause. Threads start when needed and are daemons: user code that hangs cannot hold up the exit.
    """

    def __init__(
        self,
        name: str,
        size: int,
        handle: Callable[[Any], None],
        later: Callable[[Callable[[], None]], None],
        order: Random | None = None,
    ) -> None:
        self._name = name
        self._later = later
        self._size = size
        self._handle = handle
        self._order = order
        self._condition = threading.Condition()
        # Ordered: taking the oldest key of a plain dict gets slower with each key taken before.
        self._queue: OrderedDict[Hashable, None] = OrderedDict()
        self._running: set[Hashable] = set()
        self._again: set[Hashable] = set()
        self._idle = 0
        self._threads = 0
        self._closed = False

    def wake(self, key: Hashable) -> None:
        """Have `key` processed soon."""
        with self._condition:
            if self._closed:
                return
            if key in self._running:
                self._again.add(key)
                return
            self._queue[key] = None
            if self._idle == 0 and self._threads < self._size:
                self._threads += 1
                threading.Thread(target=self._work, name=f"{self._name}-{self._threads}", daemon=True).start()
            self._condition.notify()

    def close(self) -> None:
        """Start nothing any more; what runs goes on."""
        with self._condition:
            self._closed = True
            self._queue.clear()
            self._condition.notify_all()

    def drain(self, timeout: float) -> bool:
        """Wait for what runs; False if something still does after `timeout` seconds."""
        with self._condition:
            return self._condition.wait_for(lambda: not self._running, timeout)

    def _work(self) -> None:
        while (key := self._next()) is not None:
            try:
                self._handle(key)
            except Exception:
                log.exception("internal error while processing %s %r; it is tried again", self._name, key)
                self._later(partial(self.wake, key))
            finally:
                self._finished(key)

    def _next(self) -> Hashable | None:
        with self._condition:
            self._idle += 1
            self._condition.wait_for(lambda: self._queue or self._closed)
            self._idle -= 1
            if self._closed:
                return None
            key = self._take()
            self._running.add(key)
            return key

    def _take(self) -> Hashable:
        if self._order is None:
            return self._queue.popitem(last=False)[0]
        key = self._order.choice(list(self._queue))
        del self._queue[key]
        return key

    def _finished(self, key: Hashable) -> None:
        with self._condition:
            self._running.discard(key)
            if key in self._again:
                self._again.discard(key)
                if not self._closed:
                    self._queue[key] = None
            self._condition.notify_all() if self._closed else self._condition.notify()


class Alarm:
    """One thread that calls functions when the clock reaches their time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._condition = threading.Condition()
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._closed = False
        self._forget_clock = clock.on_jump(self._look_again)
        self._thread = threading.Thread(target=self._work, name="durable-alarm", daemon=True)
        self._thread.start()

    def at(self, when: int, callback: Callable[[], None]) -> None:
        """Call `callback` once the clock shows `when` (microseconds) or later."""
        with self._condition:
            heapq.heappush(self._heap, (when, next(self._order), callback))
            if self._heap[0][0] == when:
                self._condition.notify()

    def close(self) -> None:
        with self._condition:
            self._closed = True
            self._condition.notify()
        self._forget_clock()
        self._thread.join(timeout=5)

    def _look_again(self) -> None:
        with self._condition:
            self._condition.notify()

    def _work(self) -> None:
        while True:
            with self._condition:
                if self._closed:
                    return
                due = self._heap[0][0] - self._clock.now() if self._heap else None
                if due is None or due > 0:
                    self._condition.wait(_LONGEST_NAP if due is None else min(_LONGEST_NAP, due / 1e6))
                    continue
                callback = heapq.heappop(self._heap)[2]
            try:
                callback()
            except Exception:
                log.exception("internal error in a timer's callback")


def remaining(deadline: float) -> float:
    """Seconds until `deadline` of the monotonic clock, never negative."""
    return max(0.0, deadline - time.monotonic())
