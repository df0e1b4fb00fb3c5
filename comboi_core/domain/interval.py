"""The interval of a run: what a windowed transformation looks at, half-open and in UTC."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from typing_extensions import TypedDict


class Interval(TypedDict):
    """`[start, end)`, both ISO 8601 in UTC."""

    start: str
    end: str


def day_before(started_at: datetime) -> Interval:
    """Return the whole day before a moment: what a run looks at where nothing else was asked for, as in Bruin."""
    midnight = started_at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return _interval(midnight - timedelta(days=1), midnight)


def parse(start: str, end: str) -> Interval:
    """Return an interval from dates or moments as people write them; without a zone they are in UTC.

    Raises:
        ValueError: one of them is neither, or the end is not after the start.
    """
    low, high = _moment(start), _moment(end)
    if low >= high:
        raise ValueError(f"{end} is not after {start}")
    return _interval(low, high)


def merged(intervals: Iterable[Sequence[str]]) -> tuple[tuple[str, str], ...]:
    """Return intervals `(start, end)` in their order, those that overlap or touch made into one."""
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
        raise ValueError(f"'{text}' is no date or moment such as 2026-11-01 or 2026-11-01T06:00:00Z") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _interval(start: datetime, end: datetime) -> Interval:
    return {"start": start.isoformat(), "end": end.isoformat()}


def seconds_between(start: str, end: str) -> float:
    """Return the seconds between two moments (ISO 8601), to the millisecond."""
    return round((datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds(), 3)
