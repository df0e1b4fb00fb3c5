"""When the timer starts the next run: NCRONTAB as Azure Functions reads it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from typing_extensions import TypedDict

from comboi_core.domain.contracts.fields import Moment

_FIELDS = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
"""Second, minute, hour, day, month, day of the week with Sunday as 0: the smallest and the largest value."""
_MONTHS = {"jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6}
_MONTHS |= {"jul": 7, "aug": 8, "sep": 9, "oct": 10, "nov": 11, "dec": 12}
_DAYS = {"sun": 0, "mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6}
_ITEM = re.compile(r"(?:(\*)|(\w+)(?:-(\w+))?)(?:/(\d+))?")
_DAYS_AHEAD = 366 * 8
"""Far enough for a 29 February, also over a century's leap year that is none."""

_OFF = {"true", "1"}


class Timer(TypedDict):
    """The timer's schedule as it is set, and its next slot; both None where it is off."""

    schedule: str | None
    next: Moment | None


def timer(environment: Mapping[str, str] = os.environ, *, now: datetime | None = None) -> Timer:
    """Return the timer's schedule and its next slot, in UTC.

    Both are None where there is no schedule or the timer is switched off; `next` also where the setting is an interval,
    whose slots count from the host's start, or cannot be read: the host that serves the timer tells what is wrong.
    """
    text = environment.get("COMBOI_TIMER_SCHEDULE", "").strip()
    if not text or environment.get("AzureWebJobs.scheduled_run.Disabled", "").lower() in _OFF:
        return {"schedule": None, "next": None}
    try:
        slot = next_slot(text, now or datetime.now(UTC), ZoneInfo(environment.get("WEBSITE_TIME_ZONE") or "UTC"))
    except (ValueError, KeyError, OSError):  # the last two: no such time zone, or a folder's name
        slot = None
    return {"schedule": text, "next": slot.isoformat() if slot else None}


def next_slot(schedule: str, after: datetime, zone: ZoneInfo) -> datetime | None:
    """Return the first slot after an instant, in UTC, or None if there is none within eight years.

    Args:
        schedule: Six fields, or five, to which second 0 is added.
        zone: The clock that the fields are read on; slots that a clock change skips come right after it.

    Raises:
        ValueError: the schedule is none.
    """
    fields = schedule.split()
    fields = ["0", *fields] if len(fields) == 5 else fields
    if len(fields) != len(_FIELDS):
        raise ValueError(f"'{schedule}' has {len(fields)} fields; expected six")
    seconds, minutes, hours, days, months, weekdays = (
        _values(field, *limits) for field, limits in zip(fields, _FIELDS, strict=True)
    )
    start = after.astimezone(zone).replace(tzinfo=None, microsecond=0) + timedelta(seconds=1)
    midnight = start.replace(hour=0, minute=0, second=0)
    for day in (midnight + timedelta(days=ahead) for ahead in range(_DAYS_AHEAD)):
        if day.month not in months or day.day not in days or day.isoweekday() % 7 not in weekdays:
            continue
        for hour in sorted(hours):
            if day + timedelta(hours=hour + 1) <= start:
                continue
            for minute in sorted(minutes):
                for second in sorted(seconds):
                    local = day.replace(hour=hour, minute=minute, second=second)
                    moment = local.replace(tzinfo=zone).astimezone(UTC)
                    if local >= start and moment > after:  # an hour that clocks repeat has its slots once
                        return moment
    return None


def _values(field: str, low: int, high: int) -> frozenset[int]:
    names = {12: _MONTHS, 6: _DAYS}.get(high, {})
    values: set[int] = set()
    for item in field.lower().split(","):
        match = _ITEM.fullmatch(item)
        if match is None:
            raise ValueError(f"'{item}' is not a value, a range or a step")
        star, first, last, step = match.groups()
        start = low if star else _value(first, names)
        # A step without a range runs to the field's end.
        stop = high if star or (step and not last) else _value(last or first, names)
        start, stop = min(start, stop), max(start, stop)  # NCrontab turns a range round: 22-6 is 6-22
        if start < low or stop > high:
            raise ValueError(f"'{item}' is not from {low} to {high}")
        values.update(range(start, stop + 1, int(step or 0) or 1))  # and step 0 is step 1
    return frozenset(values)


def _value(word: str, names: Mapping[str, int]) -> int:
    return names[word[:3]] if word[:3] in names else int(word)
