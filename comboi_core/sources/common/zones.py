"""Cursors without an offset, written by the clock of a known time zone (`cursor_zone:`): one rule for every source.

A zone's clock that goes back shows an hour twice. As long as that hour is not over, rows may still come that carry any
time of it. So a load reads no further than the earliest time that the clock shows now or will ever show again: during
the first pass of a repeated hour that is the hour's beginning, else simply the clock. No row is lost and none is read
twice; once a year the rows of one hour wait for its end. The rules are those of the IANA database.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_REACH = 26
"""Hours: no clock has gone back by more."""
_HOUR = timedelta(hours=1)


def earliest(moment: datetime, zone: str) -> datetime:
    """Return the earliest time that a zone's clock shows at a moment or after it.

    Args:
        moment: With an offset.
        zone: Its IANA name.

    Returns:
        A time without an offset.
    """
    clock = ZoneInfo(zone)
    shown = [_local(moment, clock)]
    start = moment.astimezone(UTC).replace(microsecond=0)
    for _ in range(_REACH):
        end = start + _HOUR
        if _local(end, clock) - _local(start, clock) < _HOUR:
            shown.append(_local(_change(start, end, clock), clock))
        start = end
    return min(shown)


def repeats(moment: datetime, zone: str) -> bool:
    """Return whether a zone's clock will show again what it shows at a moment, or an earlier time."""
    return earliest(moment, zone) < _local(moment, ZoneInfo(zone))


def lag_before(low: datetime, lag: float, zone: str) -> float:
    """Return by how many seconds a watermark has to be lowered so that all rows of the last `lag` seconds are read.

    More than `lag` where the clock was put forward meanwhile.
    """
    try:
        since = low.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) - timedelta(seconds=lag)
        return max(lag, (low - earliest(since, zone)).total_seconds())
    except OverflowError:  # the first and last days that there are
        return lag


def _local(moment: datetime, clock: ZoneInfo) -> datetime:
    return moment.astimezone(clock).replace(tzinfo=None, fold=0)


def _change(start: datetime, end: datetime, clock: ZoneInfo) -> datetime:
    """The first second after a change of the clock, which is between two moments."""
    before = start.astimezone(clock).utcoffset()
    while end - start > timedelta(seconds=1):
        middle = start + timedelta(seconds=int((end - start).total_seconds()) // 2)
        start, end = (middle, end) if middle.astimezone(clock).utcoffset() == before else (start, middle)
    return end
