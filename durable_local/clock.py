"""Time as the host sees it: integer microseconds since 1970, UTC, from a clock that tests can move."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970; a naive datetime is taken as UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The aware UTC datetime of a count of microseconds."""
    return _EPOCH + timedelta(microseconds=micros)


def to_history(micros: int) -> str:
    """ISO 8601 with seven digits and Z, as .NET writes history timestamps."""
    return from_micros(micros).strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"


def to_status(micros: int) -> str:
    """ISO 8601 with whole seconds and Z, as status payloads carry it."""
    return from_micros(micros).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> int:
    """Microseconds of an ISO 8601 text; digits beyond microseconds are cut, a missing zone is UTC."""
    return to_micros(datetime.fromisoformat(text))


class Clock:
    """The wall clock. A subclass that can jump calls its listeners so that sleepers look again."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[], object]] = []

    def now(self) -> int:
        """Microseconds since 1970."""
        return time.time_ns() // 1000

    def on_jump(self, listener: Callable[[], object]) -> Callable[[], None]:
        """Have `listener` called after each jump; returns the function that takes it off again."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)


class TravelClock(Clock):
    """The wall clock plus an offset which `advance` moves: durable timers fire without waiting."""

    def __init__(self) -> None:
        super().__init__()
        self._offset = 0
        self._guard = threading.Lock()

    def now(self) -> int:
        return super().now() + self._offset

    def advance(self, by: timedelta) -> None:
        """Move time forward by `by` and wake whatever became due."""
        with self._guard:
            self._offset += by // _MICROSECOND
        for listener in list(self._listeners):
            listener()
