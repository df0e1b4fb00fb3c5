"""Application Insights: a bounded queue and one thread that posts what is in it; a run never waits for it.

Envelopes and transport are opencensus-ext-azure's. Its exporters are not used: each has a thread and a queue of its
own, keeps files in a temporary folder, and takes a broken connection for a refusal.
"""

from __future__ import annotations

import atexit
import logging
import queue
import threading
import time
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Literal

from comboi_core.telemetry.envelopes import envelope
from comboi_core.telemetry.identity import NO_ROLE, Bearer, wanted_identity
from comboi_core.telemetry.signals import Signal

log = logging.getLogger("comboi.telemetry")

CAPACITY = 4_000
"""Signals that wait at most; what comes on top of them is dropped, and counted."""
BATCH = 100
INTERVAL = 2.0
"""Seconds in which signals are gathered into one request."""
TIMEOUT = 5.0
"""Seconds for one request."""
DELAYS = (1.0, 4.0)
"""Seconds between the attempts for one batch."""
FLUSH = 3.0
"""Seconds that the end of the process waits for what is left."""

Outcome = Literal["sent", "retry", "refused"]


class Insights:
    """One Application Insights resource.

    Args:
        connection_string: As the portal shows it. One that is none is logged, once, and nothing is sent.
    """

    def __init__(self, connection_string: str) -> None:
        self._connection_string = connection_string
        self._queue: queue.Queue[Signal] = queue.Queue(CAPACITY)
        self._hurry = threading.Event()
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        self._dropped = 0
        self._down = False

    def send(self, signals: Iterable[Signal]) -> None:
        """Have signals sent soon; returns at once and never raises."""
        for signal in signals:
            try:
                self._queue.put_nowait(signal)
            except queue.Full:
                with self._guard:
                    self._dropped += 1
        self._start()

    def flush(self, seconds: float) -> bool:
        """Wait until everything is sent or given up; False if `seconds` were not enough."""
        self._hurry.set()
        with self._queue.all_tasks_done:
            done = self._queue.all_tasks_done.wait_for(lambda: not self._queue.unfinished_tasks, seconds)
        self._hurry.clear()
        return done

    def _start(self) -> None:
        with self._guard:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="comboi-telemetry", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        try:
            transport = open_transport(self._connection_string)
        except ValueError as unusable:
            log.warning("telemetry is off: %s", unusable)
            transport = None
        while True:
            batch = [self._queue.get()]
            self._hurry.wait(INTERVAL)
            while len(batch) < BATCH and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            if transport:
                self._deliver(transport, batch)
            for _ in batch:
                self._queue.task_done()

    def _deliver(self, transport: Any, batch: list[Signal]) -> None:
        try:
            outcome = transport.post(batch)
            for delay in DELAYS:
                if outcome != "retry":
                    break
                self._hurry.wait(delay)
                outcome = transport.post(batch)
        except Exception as unforeseen:  # whatever it is, the run has nothing to do with it
            log.warning("telemetry: %s", type(unforeseen).__name__)
            outcome = "refused"
        self._account(outcome, len(batch), transport.trouble if outcome != "sent" else "")

    def _account(self, outcome: Outcome, count: int, trouble: str) -> None:
        """Say once that the endpoint is down, and once that it is up again."""
        failed = outcome != "sent"
        with self._guard:
            before, self._down = self._down, failed
            self._dropped += count if failed else 0
            dropped = self._dropped
            if not failed:
                self._dropped = 0
        if failed and not before:
            why = f"{outcome}: {trouble}" if trouble else outcome
            log.warning("telemetry cannot be delivered (%s); runs go on without it", why)
        elif dropped and not failed:
            log.warning("telemetry is delivered again; %d signals were dropped meanwhile", dropped)


def open_transport(connection_string: str) -> Any:
    """Return what posts batches of signals to the endpoint of a connection string.

    Its `post(signals)` returns `sent`, `retry` (not now) or `refused`, after TIMEOUT seconds per request at most, and
    the time that a token takes where `identity.VARIABLE` asks for tokens. Its `trouble` says what is wrong with the
    identity, as far as that is known.

    Raises:
        ValueError: the connection string is none, or `identity.VARIABLE` is not understood; the message holds neither.
    """
    from opencensus.ext.azure.common import Options, utils
    from opencensus.ext.azure.common import transport as opencensus
    from opencensus.ext.azure.common.transport import TransportMixin, TransportStatusCode

    logging.getLogger("opencensus").setLevel(logging.CRITICAL)  # what matters of it is in `_account`

    identity = wanted_identity()

    class Transport(TransportMixin):  # type: ignore[misc]  # opencensus has no types
        def __init__(self) -> None:
            self.options = Options(connection_string=connection_string, timeout=TIMEOUT)
            utils.validate_instrumentation_key(self.options.instrumentation_key)
            self.options.credential = Bearer(self.options, identity) if identity else None
            self.trouble = ""
            self.storage = None
            self._consecutive_redirects = 0

        def _check_stats_collection(self) -> bool:
            """Only so does the transport tell a broken connection from a refusal; the counts stay in the process."""
            return True

        def post(self, signals: list[Signal]) -> Outcome:
            envelopes = [envelope(signal, self.options.instrumentation_key) for signal in signals]
            before = refusals()
            status = self._transmit(envelopes)
            if self.options.credential:
                self.trouble = self.options.credential.trouble or (NO_ROLE if refusals() > before else "")
            if status == TransportStatusCode.SUCCESS:
                return "sent"
            return "retry" if status == TransportStatusCode.RETRY else "refused"

    def refusals() -> int:
        with opencensus._requests_lock:
            retried = opencensus._requests_map.get("retry") or {}
            return sum(retried.get(status, 0) for status in (401, 403))

    try:
        return Transport()
    except ValueError as unusable:
        told = str(unusable).rstrip(".")
    raise ValueError(f"the connection string of Application Insights cannot be used: {told}")


@lru_cache(maxsize=8)
def insights_of(connection_string: str) -> Insights:
    """Return the process's one queue for a connection string; what is left in it is sent when the process ends."""
    insights = Insights(connection_string)
    _OPEN.append(insights)
    return insights


_OPEN: list[Insights] = []


@atexit.register
def flush_all(seconds: float = FLUSH) -> None:
    """Send what is left, of all resources together within `seconds`."""
    deadline = time.monotonic() + seconds
    for insights in _OPEN:
        insights.flush(max(0.0, deadline - time.monotonic()))
