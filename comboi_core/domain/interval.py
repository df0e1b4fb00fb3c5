"""The interval of a run, half-open and in UTC, for transformations that build by interval."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from typing_extensions import TypedDict


class Interval(TypedDict):
    """`[start, end)`, both ISO 8601 in UTC."""

    start: str
    end: str


def day_before(started_at: datetime) -> Interval:
    """Return the whole day before a moment. It is the default interval of a run, as in Bruin."""
    midnight = started_at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return _interval(midnight - timedelta(days=1), midnight)


def parse(start: str, end: str) -> Interval:
    """Return an interval from dates or times as people write them. Without a zone they are in UTC.

    Raises:
        ValueError: one of them is not a date or time, or the end is not after the start.
    """
    low, high = _moment(start), _moment(end)
    if low >= high:
        raise ValueError(f"the end {end} is not after the start {start}")
    return _interval(low, high)


def merged(intervals: Iterable[Sequence[str]]) -> tuple[tuple[str, str], ...]:
    """Return intervals `(start, end)` in order. Intervals that overlap or touch become one."""
    spans: list[tuple[str, str]] = []
    for start, end in sorted(map(tuple, intervals)):
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return tuple(spans)


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"'{text}' is not a date or time; write for example 2026-11-01 or 2026-11-01T06:00:00Z"
        ) from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _interval(start: datetime, end: datetime) -> Interval:
    return {"start": start.isoformat(), "end": end.isoformat()}


def seconds_between(start: str, end: str) -> float:
    """Return the seconds between two moments (ISO 8601), to the millisecond."""
    return round((datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds(), 3)
