"""Timer schedules: six-field NCRONTAB (five fields mean second 0), and the `hh:mm:ss` intervals of dedicated plans."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from .errors import AppLoadError

_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAY_NAMES = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, 1)}
_DAYS = {name: number for number, name in enumerate(_DAY_NAMES)}
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("second", 0, 59, {}),
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day", 1, 31, {}),
    ("month", 1, 12, _MONTHS),
    ("day of week", 0, 6, _DAYS),
)
_ITEM = re.compile(r"(?:(\*)|(\w+)(?:-(\w+))?)(?:/(\d+))?", re.ASCII)
_INTERVAL = re.compile(r"(?:(\d{1,4})\.)?(\d{1,2}):(\d{2}):(\d{2})", re.ASCII)
# The longest gap of a schedule that fires at all: a 29 February on one day of the week.
_HORIZON_DAYS = 41 * 366


@dataclass(frozen=True)
class Schedule:
    """When a timer fires. `following` gives the first time after an aware UTC datetime."""

    text: str
    following: Callable[[datetime], datetime]


def parse_schedule(text: str) -> Schedule:
    """Parse an NCRONTAB expression or an interval. Raises AppLoadError that names the faulty field."""
    interval = _INTERVAL.fullmatch(text.strip())
    if interval:
        days, hours, minutes, seconds = (int(part or 0) for part in interval.groups())
        step = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        if not step:
            raise AppLoadError(f"schedule '{text}': the interval is zero")
        return Schedule(text, lambda after: after + step)
    fields = text.split()
    if len(fields) == 5:
        fields = ["0", *fields]
    if len(fields) != 6:
        raise AppLoadError(f"schedule '{text}' needs six fields: second minute hour day month day-of-week")
    allowed = tuple(_field(text, part, *spec) for part, spec in zip(fields, _FIELDS, strict=True))
    schedule = Schedule(text, lambda after: _next(text, allowed, after))
    schedule.following(datetime.now(UTC))
    return schedule


def _field(text: str, part: str, label: str, low: int, high: int, names: dict[str, int]) -> frozenset[int]:
    values: set[int] = set()
    for item in part.split(","):
        found = _ITEM.fullmatch(item)
        if found is None:
            raise AppLoadError(f"schedule '{text}': cannot read '{item}' in the {label} field")
        star, first, last, step = found.groups()
        start = low if star else _value(text, first, label, low, high, names)
        # Like NCrontab: a step without a range runs to the field's end.
        stop = high if star or (step and not last) else _value(text, last or first, label, low, high, names)
        if stop < start or step == "0":
            raise AppLoadError(f"schedule '{text}': '{item}' in the {label} field selects nothing")
        values.update(range(start, stop + 1, int(step or 1)))
    return frozenset(values)


def _value(text: str, word: str, label: str, low: int, high: int, names: dict[str, int]) -> int:
    value = names.get(word.lower()[:3]) if not word.isdigit() else int(word)
    if value is None or not low <= value <= high:
        raise AppLoadError(f"schedule '{text}': '{word}' is not a {label} ({low}-{high})")
    return value


def _next(text: str, allowed: tuple[frozenset[int], ...], after: datetime) -> datetime:
    days, months, weekdays = allowed[3:]
    zone = _zone()
    start = after.astimezone(zone).replace(tzinfo=None, microsecond=0) + timedelta(seconds=1)
    day = start.replace(hour=0, minute=0, second=0)
    for _ in range(_HORIZON_DAYS):
        # Both day fields must fit, as NCrontab has it (Unix cron takes either).
        if day.month in months and day.day in days and (day.weekday() + 1) % 7 in weekdays:
            for moment in _times(day, allowed, max(start, day)):
                # A local time that a clock change repeats may lie before `after`.
                if (fired := moment.replace(tzinfo=zone).astimezone(UTC)) > after:
                    return fired
        day += timedelta(days=1)
    raise AppLoadError(f"schedule '{text}' never fires")


def _times(day: datetime, allowed: tuple[frozenset[int], ...], start: datetime) -> Iterator[datetime]:
    """The allowed times of one day from `start` on."""
    seconds, minutes, hours = (sorted(values) for values in allowed[:3])
    for hour in hours:
        if hour < start.hour:
            continue
        for minute in minutes:
            if (hour, minute) < (start.hour, start.minute):
                continue
            for second in seconds:
                moment = day.replace(hour=hour, minute=minute, second=second)
                if moment >= start:
                    yield moment


def _zone() -> ZoneInfo:
    name = os.environ.get("WEBSITE_TIME_ZONE") or "UTC"
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError) as error:
        raise AppLoadError(f"WEBSITE_TIME_ZONE: there is no time zone '{name}'") from error
