"""Intervals as .NET's `TimeSpan.TryParse` reads them, which is how timers take what is not NCRONTAB."""

from __future__ import annotations

import re
from datetime import timedelta

_SECONDS = r"(?P<seconds>\d{1,2})(?:\.(?P<fraction>\d{1,7}))?"
_FORMS = (
    # Seven days, not seven hours.
    re.compile(r"(?P<days>\d{1,8})", re.ASCII),
    re.compile(r"(?:(?P<days>\d{1,8})\.)?(?P<hours>\d{1,2}):(?P<minutes>\d{1,2})", re.ASCII),
    re.compile(rf"(?:(?P<days>\d{{1,8}})\.)?(?P<hours>\d{{1,2}}):(?P<minutes>\d{{1,2}}):{_SECONDS}", re.ASCII),
    # Where the first of three numbers is no hour of a day, it counts days: `24:00:00` is 24 days.
    re.compile(r"(?P<days>\d{1,8}):(?P<hours>\d{1,2}):(?P<minutes>\d{1,2})", re.ASCII),
    re.compile(rf"(?P<days>\d{{1,8}}):(?P<hours>\d{{1,2}}):(?P<minutes>\d{{1,2}}):{_SECONDS}", re.ASCII),
)
_LONGEST = timedelta(days=10675199)


def parse_timespan(text: str) -> timedelta | None:
    """The interval, to the microsecond, or None: the text is none, or it is longer than .NET can hold."""
    body = text.strip()
    negative = body.startswith("-")
    for form in _FORMS:
        found = form.fullmatch(body[1:] if negative else body)
        step = None if found is None else _interval(found.groupdict())
        if step is not None:
            return -step if negative else step
    return None


def _interval(parts: dict[str, str | None]) -> timedelta | None:
    days, hours, minutes, seconds = (int(parts.get(name) or 0) for name in ("days", "hours", "minutes", "seconds"))
    if hours > 23 or minutes > 59 or seconds > 59:
        return None
    ticks = int((parts.get("fraction") or "").ljust(7, "0"))
    step = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds, microseconds=ticks // 10)
    return step if step <= _LONGEST else None
