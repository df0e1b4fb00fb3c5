"""Timer schedules: six-field NCRONTAB (five fields mean second 0), and the intervals of dedicated plans."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from .errors import AppLoadError
from .timespan import parse_timespan

_MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("second", 0, 59, ()),
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of week", 0, 6, _DAYS),
)
_ITEM = re.compile(r"(?:(\*)|(\w+)(?:-(\w+))?)(?:/(\d+))?", re.ASCII)
# The longest gap of a schedule that fires at all: a 29 February on one day of the week.
_HORIZON_DAYS = 41 * 366


@dataclass(frozen=True)
class Schedule:
    """When a timer fires: `following` gives the first time after an aware UTC datetime.

    NCRONTAB has no `interval`. `turned` are its ranges that NCrontab takes the other way round.
    """

    text: str
    following: Callable[[datetime], datetime]
    interval: timedelta | None = None
    turned: tuple[str, ...] = ()

    def is_frequent(self, now: datetime) -> bool:
        """Whether it fires more than once in the minute after `now`: the host keeps no record of such a timer."""
        if self.interval is not None:
            return self.interval < timedelta(minutes=1)
        return self.following(self.following(now)) < now + timedelta(minutes=1)


def parse_schedule(text: str) -> Schedule:
    """Parse an NCRONTAB expression or an interval. Raises AppLoadError that names the faulty field."""
    fields = text.split()
    if len(fields) == 5:
        fields = ["0", *fields]
    if len(fields) != 6:
        return _interval(text)
    allowed = tuple(_field(text, part, *spec) for part, spec in zip(fields, _FIELDS, strict=True))
    schedule = Schedule(text, lambda after: _next(text, allowed, after), turned=_turned(fields))
    schedule.following(datetime.now(UTC))
    return schedule


def _interval(text: str) -> Schedule:
    step = parse_timespan(text)
    if step is None:
        raise AppLoadError(
            f"schedule '{text}' needs six fields (second minute hour day month day-of-week), or has to be an interval: "
            "hh:mm:ss for less than a day, else d.hh:mm:ss"
        )
    if step <= timedelta(0):
        raise AppLoadError(f"schedule '{text}': the interval has to be more than zero")
    try:
        datetime.now(UTC) + step
    except OverflowError:
        raise AppLoadError(f"schedule '{text}' never fires: the interval ends after the year 9999") from None
    return Schedule(text, lambda after: after + step, step)


def _field(text: str, part: str, label: str, low: int, high: int, names: tuple[str, ...]) -> frozenset[int]:
    values: set[int] = set()
    for item in part.split(","):
        found = _ITEM.fullmatch(item)
        if found is None:
            raise AppLoadError(f"schedule '{text}': cannot read '{item}' in the {label} field")
        star, first, last, step = found.groups()
        start = low if star else _value(text, first, label, low, high, names)
        # Like NCrontab: a step without a range runs to the field's end, and step 0 is step 1.
        stop = high if star or (step and not last) else _value(text, last or first, label, low, high, names)
        start, stop = min(start, stop), max(start, stop)
        values.update(range(start, stop + 1, max(1, int(step or 1))))
    return frozenset(values)


def _value(text: str, word: str, label: str, low: int, high: int, names: tuple[str, ...]) -> int:
    """A number, or the beginning of a name: the first name that begins so counts."""
    if word.isdigit():
        value = int(word)
    else:
        value = next((low + at for at, name in enumerate(names) if name.startswith(word.lower())), -1)
    if not low <= value <= high:
        raise AppLoadError(f"schedule '{text}': '{word}' is not a {label} ({low}-{high})")
    return value


def _turned(fields: Sequence[str]) -> tuple[str, ...]:
    """Ranges that are written from the higher to the lower value: NCrontab turns them round, so 22-6 is 6-22."""
    turned = []
    for part, (label, low, high, names) in zip(fields, _FIELDS, strict=True):
        for item in part.split(","):
            found = _ITEM.fullmatch(item)
            if found and found.group(3):
                first, last = (_value(item, found.group(at), label, low, high, names) for at in (2, 3))
                turned += [item] if first > last else []
    return tuple(turned)


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
