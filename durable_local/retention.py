"""Retention: orchestrations that ended long enough ago are deleted with their histories, so that the store stays small.

It works beside the host's other work, in transactions of a few instances, so that nothing waits long for the store.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from datetime import timedelta

from .clock import Clock
from .queries import purge_ended
from .store import Store

log = logging.getLogger("durable_local")

BATCH = 20
"""Instances that one transaction deletes."""
PAUSE = 0.02
"""Seconds between two transactions, in which others get the store."""
INTERVAL = 3600.0
"""Seconds between two looks."""


class Retention:
    """A thread that deletes what ended more than `keep` ago: when the host starts, and every hour from then on.

    A host that is up for a shorter time than that deletes as much as it gets to; the next one goes on.
    """

    def __init__(self, store: Store, clock: Clock, keep: timedelta) -> None:
        self._store = store
        self._clock = clock
        self._keep = keep // timedelta(microseconds=1)
        self._stopped = threading.Event()
        self._look = threading.Event()
        self._forget_clock = clock.on_jump(self._look.set)
        self._thread = threading.Thread(target=self._work, name="durable-retention", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after the transaction that is on."""
        self._stopped.set()
        self._look.set()
        self._forget_clock()
        self._thread.join()

    def _work(self) -> None:
        while not self._stopped.is_set():
            self._look.clear()
            try:
                self._delete()
            except sqlite3.Error as error:  # a full disk, for instance: the next look tries again
                log.warning("instances that ended cannot be deleted: %s", error)
            if not self._stopped.is_set():
                self._look.wait(INTERVAL)

    def _delete(self) -> None:
        before = self._clock.now() - self._keep
        while purge_ended(self._store, before, BATCH):
            if self._stopped.wait(PAUSE):
                return
        self._store.give_back()
