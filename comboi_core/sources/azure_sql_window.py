"""The window of a load from Azure SQL: how far it may read without leaving a late commit behind.

What each kind of cursor gets:

- rowversion: the upper bound is below MIN_ACTIVE_ROWVERSION(), the lowest version that a transaction in progress has
  drawn. All rows up to there are committed, and no row can get there any more. No clock, no `lag`: the cursor to use.
- datetimeoffset: the bound is the largest cursor before the server's clock and before the start of the oldest
  transaction that has written.
- datetime2, datetime, smalldatetime: their time zone is not known, so the largest cursor stands for the clock; the
  bound is as far below it as the oldest writing transaction is old.
- date: as those, in days; appends stop before the current day.
- integers (identities, sequences): the largest one, after the transactions that had written by then have ended; if they
  do not end in time, nothing new is read.

Merges read `lag` below the watermark again (default 5 minutes, 2 days for dates), appends stay that far behind. That
covers what the list of transactions cannot show: a statement that took its clock long before it wrote its first row,
clients with clocks of their own, and everything where the login lacks VIEW DATABASE STATE. Once the largest cursor is
so old that nothing is expected close to it any more, the bound goes `lag` beyond it: reading the same rows again ends.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from comboi_core.domain.load import Window
from comboi_core.sources import cursor_windows
from comboi_core.sources.azure_sql_sql import Relation
from comboi_core.sources.azure_sql_types import INTEGERS, base_name, modifiers
from comboi_core.sources.azure_sql_values import printed, value
from comboi_core.sources.cursor_windows import DAY, DEFAULT_LAG

HALF_DAY = DAY / 2

CursorKind = Literal["version", "instant", "local", "date", "integer"]
KINDS: dict[str, CursorKind] = {
    "timestamp": "version",
    "datetimeoffset": "instant",
    "datetime2": "local",
    "datetime": "local",
    "smalldatetime": "local",
    "date": "date",
    **dict.fromkeys(sorted(INTEGERS), "integer"),
}
_FIRST = {"datetime": "1753-01-01", "smalldatetime": "1900-01-01"}
_STEPS = {"datetime": 0.00334, "smalldatetime": 60.0}


@dataclass(frozen=True)
class Cursor(cursor_windows.Cursor):
    """The cursor of one table in SQL Server."""

    @property
    def kind(self) -> CursorKind:
        """How the cursor moves; KeyError if a column of this type cannot be one."""
        return KINDS[base_name(self.type)]


@dataclass(frozen=True)
class Sight:
    """What the server showed when the load was planned.

    Attributes:
        clock: Its clock, with the offset.
        utc: Its clock in UTC.
        active: The lowest row version that a transaction in progress has drawn, or the next one.
        latest: The largest cursor that is not from the future, or None.
        age: Seconds since the oldest transaction that has written began; 0 if there is none.
        blind: Why transactions may be invisible, or None.
        waiting: Whether one that had written goes on after the wait (integers only).
    """

    clock: str
    utc: str
    active: str
    latest: str | None = None
    age: float = 0.0
    blind: str | None = None
    waiting: bool = False


def lag_seconds(cursor: Cursor, configured: float | None) -> float:
    """Return how far below the watermark a merge reads again, or how far behind an append stays."""
    if cursor.kind in ("version", "integer"):
        return 0.0
    lag = DEFAULT_LAG if configured is None else configured
    if cursor.kind == "date":
        return 0.0 if cursor.appends else max(math.ceil(lag / DAY) * DAY, 2 * DAY)
    return lag


def largest(relation: Relation, cursor: Cursor, utc: str) -> str:
    """Give `latest`, the largest cursor that is not from the future wherever on earth the clock is."""
    present = "1 = 1"
    if cursor.kind in ("local", "date"):
        ahead = f"DATEADD(hour, 14, {value('datetime2(7)', utc)})"
        present = f"{cursor.operand} <= CONVERT({cursor.type}, {ahead})"
    return relation.select(f"{printed(cursor.type, f'MAX({cursor.operand})')} AS latest", present)


def bounds(relation: Relation, cursor: Cursor, sight: Sight, low: str | None, lag: float) -> str:
    """Give `high` (the upper bound; NULL if nothing new may be read), `largest` (the largest cursor of all), and as
    true or false: `ahead` (the bound is above the watermark), `backwards` (the source is behind what was committed),
    `later` (rows are left for another run) and `future` (the largest cursor is more than a day ahead)."""
    upper = _instant(relation, cursor, sight, lag) if cursor.kind == "instant" else _upper(cursor, sight, lag)
    upper = upper or f"CONVERT({cursor.type}, NULL)"
    floor = value(cursor.type, low)
    lowest = floor if cursor.kind == "integer" or cursor.appends else _lowered(cursor.type, low, lag)
    tests = {
        "ahead": f"high_value > {floor}",
        "backwards": f"high_value < {floor}" if cursor.kind == "version" else f"top_value < {lowest}",
        "later": "high_value IS NULL OR top_value > high_value",
        "future": "1 = 0",
    }
    if cursor.kind in ("instant", "local", "date"):
        tomorrow = f"DATEADD(hour, 38, {value('datetime2(7)', sight.utc)})"
        tests["future"] = f"top_value > CONVERT({cursor.type}, {tomorrow})"
    flags = ", ".join(f"CASE WHEN {test} THEN 'true' ELSE 'false' END AS {name}" for name, test in tests.items())
    ends = f"{printed(cursor.type, 'high_value')} AS high, {printed(cursor.type, 'top_value')} AS largest"
    return f"""
        {relation.ctes}SELECT {ends}, {flags}
        FROM (SELECT {upper} AS high_value, MAX({cursor.operand}) AS top_value FROM {relation.item}) AS found"""


def condition(window: Window, operand: str, *, nulls: bool) -> str:
    """Return the WHERE of a window: `(low - lag, high]`, and the rows without a cursor where they are included."""
    kind = window.cursor_type
    return cursor_windows.condition(
        window,
        operand,
        value=lambda text: value(kind, text),
        lowered=lambda low: _lowered(kind, low, window.lag_seconds),
        nulls=nulls,
    )


def warnings(
    cursor: Cursor, sight: Sight, found: dict[str, str | None], low: str | None, configured: float | None
) -> list[str]:
    """Return what the run record has to say of a window.

    Args:
        found: The row of `bounds`.
    """
    said = []
    lag = lag_seconds(cursor, configured)
    if sight.blind and cursor.kind == "integer":
        said.append(f"rows committed late may be missed: {sight.blind}; a rowversion column as cursor misses none")
    elif sight.blind and cursor.kind != "version":
        said.append(cursor_windows.caught_by_lag(sight.blind, lag, appends=cursor.appends))
    if cursor.kind in ("integer", "version") and configured:
        said.append(f"lag has no meaning for a cursor of type {cursor.type} and is ignored")
    if sight.waiting:
        said.append("a transaction goes on writing to the database; new rows are left for the next run")
    if found["later"] == "true" and sight.age > DEFAULT_LAG:
        said.append(
            f"a transaction that has been writing for {sight.age:.0f} s holds back the rows after {found['high']}"
        )
    return said + cursor_windows.odd_ends(found, found["largest"], low)


def _instant(relation: Relation, cursor: Cursor, sight: Sight, lag: float) -> str:
    """The upper bound of instants: the largest one before the clock and the oldest writer."""
    clock, step = value("datetimeoffset(7)", sight.clock), _step(cursor.type)
    cap = _shifted(clock, -max(lag if cursor.appends else 0.0, sight.age) - step)
    largest = f"MAX({cursor.operand})"
    bound = largest
    if lag and not cursor.appends:
        settled = _shifted(clock, -2 * lag - sight.age - step)
        bound = f"CASE WHEN {largest} < {settled} THEN {_shifted(largest, lag)} ELSE {largest} END"
    return f"(SELECT {bound} FROM {relation.item} WHERE {cursor.operand} <= CONVERT({cursor.type}, {cap}))"


def _upper(cursor: Cursor, sight: Sight, lag: float) -> str | None:
    """The upper bound of all others; None if nothing new may be read."""
    kind, step = cursor.kind, _step(cursor.type)
    if kind == "version":
        return f"CONVERT(binary(8), CONVERT(bigint, {value('timestamp', sight.active)}) - 1)"
    if sight.latest is None or sight.waiting:
        return None
    latest = value(cursor.type, sight.latest)
    if kind == "integer":
        return latest
    # In every time zone it is later than this, so nothing is expected close to a largest cursor before it any more.
    utc = value("datetime2(7)", sight.utc)
    settled = f"CONVERT({cursor.type}, {_shifted(utc, -HALF_DAY - 2 * lag - sight.age - step)})"
    if kind == "date":
        days = int(sight.age / DAY)
        later, held = (f"DATEADD(day, {count}, {latest})" for count in (round(lag / DAY), -days))
        if cursor.appends:
            later, held = latest, f"DATEADD(day, {-1 - 2 * days}, CONVERT(date, {_shifted(utc, -HALF_DAY)}))"
            settled = held
    else:
        back = max(lag if cursor.appends else 0.0, sight.age)
        later = latest if cursor.appends else _shifted(latest, lag)
        held = f"CONVERT({cursor.type}, {_shifted(latest, -back - step)})" if back else latest
    return f"CASE WHEN {latest} < {settled} THEN {later} ELSE {held} END"


def _lowered(source_type: str, text: str | None, lag: float) -> str:
    low = value(source_type, text)
    if not lag:
        return low
    # Nothing is before the type's first value, and to ask for it is an error.
    first = value(source_type, _FIRST.get(base_name(source_type), "0001-01-01"))
    if KINDS[base_name(source_type)] == "date":
        days = math.ceil(lag / DAY)
        return f"CASE WHEN {low} > DATEADD(day, {days}, {first}) THEN DATEADD(day, {-days}, {low}) ELSE {first} END"
    return f"CASE WHEN {low} > {_shifted(first, lag)} THEN {_shifted(low, -lag)} ELSE {first} END"


def _shifted(moment: str, seconds: float) -> str:
    """Shift by whole seconds and milliseconds, rounded away from the moment; DATEADD counts in 32 bits."""
    whole = math.trunc(seconds)
    rest = math.ceil(abs(seconds - whole) * 1000 - 1e-6) * (1 if seconds > 0 else -1)
    shifted = f"DATEADD(second, {whole}, {moment})" if whole else moment
    return f"DATEADD(millisecond, {rest}, {shifted})" if rest else shifted


def _step(source_type: str) -> float:
    """The smallest difference between two cursors, in seconds; rounding moves one by half of it."""
    scale = modifiers(source_type)
    return _STEPS.get(base_name(source_type), max(10.0 ** -(scale[0] if scale else 7), 0.001))
