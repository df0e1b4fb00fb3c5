"""Dates and times to 100 ns, years 1 to 9999: what T-SQL holds and Python's datetime does not.

A moment is a count of 100 ns ticks since 0001-01-01, and an offset in minutes where there is one.
"""

from __future__ import annotations

import re
from datetime import date

SECOND = 10_000_000
DAY = 86_400 * SECOND
_TEXT = re.compile(
    r"(?:(\d{4})-(\d\d)-(\d\d))?[ T]?(?:(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,7}))?)?)?\s*(Z|[+-]\d\d:\d\d)?"
)
_UNITS = {"day": DAY, "hour": 3600 * SECOND, "minute": 60 * SECOND, "second": SECOND, "millisecond": SECOND // 1000}
_LAST = 3_652_059 * DAY
_RANGES = {"datetime": (639_905 * DAY, _LAST), "smalldatetime": (693_595 * DAY, 759_131 * DAY)}
"""Ranges start at 1753-01-01 and 1900-01-01; smalldatetime ends after 2079-06-06 (2079-06-07, minute 0)."""


class Unreadable(Exception):
    """A text that is no moment, or one outside its type."""


def parse(text: str) -> tuple[int, int]:
    """Return ticks in local time and the offset in minutes (0 without one)."""
    match = _TEXT.fullmatch(text.strip())
    if not match:
        raise Unreadable(text)
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    try:
        days = date(int(year), int(month), int(day)).toordinal() - 1 if year else 693_595
    except ValueError:
        raise Unreadable(text) from None
    ticks = ((int(hour or 0) * 60 + int(minute or 0)) * 60 + int(second or 0)) * SECOND
    ticks += int((fraction or "0").ljust(7, "0"))
    offset = 0
    if zone and zone != "Z":
        offset = (int(zone[1:3]) * 60 + int(zone[4:])) * (-1 if zone[0] == "-" else 1)
    return days * DAY + ticks, offset


def shifted(ticks: int, unit: str, count: int) -> int:
    """Return a moment some units later; OverflowError outside years 1 to 9999."""
    later = ticks + _UNITS[unit] * count
    if not 0 <= later < _LAST:
        raise OverflowError
    return later


def rounded(ticks: int, base: str, scale: int) -> int:
    """Return a moment as a type holds it."""
    if base == "date":
        return ticks - ticks % DAY
    if base == "datetime":
        days, inside = divmod(ticks, DAY)
        thirds = (inside * 300 + SECOND // 2) // SECOND
        # SQL Server prints a 300th of a second in milliseconds that end in 0, 3 or 7.
        ticks = days * DAY + thirds // 300 * SECOND + round(thirds % 300 * 1000 / 300) * (SECOND // 1000)
    else:
        unit = 60 * SECOND if base == "smalldatetime" else 10 ** (7 - scale)
        ticks = (ticks + unit // 2) // unit * unit
    if base == "time":
        return ticks % DAY
    first, last = _RANGES.get(base, (0, _LAST))
    if not first <= ticks < last:
        raise Unreadable("out of range")
    return ticks


def written(ticks: int, base: str, scale: int, offset: int | None = None) -> str:
    """Return a moment as CONVERT with style 121 prints it."""
    days, inside = divmod(ticks, DAY)
    day = date.fromordinal(days + 1).isoformat() if base != "time" else ""
    seconds, fraction = divmod(inside, SECOND)
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    if scale:
        clock += f".{fraction:07}"[: scale + 1]
    text = day if base == "date" else f"{day} {clock}".strip()
    if offset is None:
        return text
    return f"{text} {'-' if offset < 0 else '+'}{abs(offset) // 60:02}:{abs(offset) % 60:02}"
