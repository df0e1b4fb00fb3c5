"""The window of a load from Azure SQL: how far it may read without leaving a late commit behind.

What each kind of cursor gets:

- rowversion: the upper bound is below MIN_ACTIVE_ROWVERSION(), the lowest version that a transaction in progress has
  drawn. All rows up to there are committed, and no row can get there any more. No clock, no `lag`: the cursor to use.
- datetimeoffset: the bound is the largest cursor before the server's clock and before the start of the oldest
  transaction that has written.
- datetime2, datetime, smalldatetime with `cursor_zone:`: as those, by the clock of that zone (`zones`).
- datetime2, datetime, smalldatetime without it: their time zone is not known, so the largest cursor stands for the
  clock; the bound is as far below it as the oldest writing transaction is old.
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
from datetime import UTC, timedelta

from comboi_core.domain.load import Window
from comboi_core.sources.azure_sql.cursor import Cursor, lowest, moment
from comboi_core.sources.azure_sql.sight import Sight
from comboi_core.sources.azure_sql.sql import Relation
from comboi_core.sources.azure_sql.values import printed, value
from comboi_core.sources.common import cursor_windows, zones
from comboi_core.sources.common.cursor_windows import DAY

_CLOCKS = ("instant", "local", "date")
_HALF_DAY = DAY / 2


def present(cursor: Cursor, utc: str) -> str:
    """Return the condition of cursors that are not from the future wherever on earth the clock is."""
    if cursor.kind not in ("local", "date"):
        return f"{cursor.operand} IS NOT NULL"
    ahead = f"DATEADD(hour, 14, {value('datetime2(7)', utc)})"
    return f"{cursor.operand} <= CONVERT({cursor.type}, {ahead})"


def settled(cursor: Cursor, sight: Sight, lag: float) -> str:
    """Return the condition of cursors that a clocked load may read: no row can come among them any more."""
    return f"{cursor.operand} <= {_ends(cursor, sight, lag)[0]}"


def probe(
    relation: Relation, cursor: Cursor, readable: str, utc: str, low: str | None, back: float, *, nulls: bool
) -> str:
    """Give, in one pass over what the load may read: `latest` (the largest readable cursor) and `largest` (of all),
    `fresh` (how many rows are readable and above the watermark less the lag), `future` (how many are more than a day
    ahead) and `missing` (how many have no cursor; 0 if they are not asked for).

    Of a first load everything is looked at; else what is at the watermark less the lag, or above it.

    Args:
        readable: The condition of `present` or `settled`.
        back: What `lowered_by` says.
        nulls: Whether rows without a cursor are asked for.
    """
    column, kind = cursor.operand, cursor.type
    floor = None if low is None else value(kind, lowest(cursor.type, low, back))
    fresh = readable if floor is None else f"{readable} AND {column} > {floor}"
    ahead = f"{column} > {_tomorrow(cursor, utc)}" if cursor.kind in _CLOCKS else "1 = 0"
    where = "1 = 1" if floor is None else f"{column} >= {floor}"
    if floor is not None and nulls:
        where += f" OR {column} IS NULL"
    return relation.select(
        f"{printed(kind, f'MAX(CASE WHEN {readable} THEN {column} END)')} AS latest, "
        f"{printed(kind, f'MAX({column})')} AS largest, "
        f"CONVERT(varchar(20), COUNT_BIG(CASE WHEN {fresh} THEN 1 END)) AS fresh, "
        f"CONVERT(varchar(20), COUNT_BIG(CASE WHEN {ahead} THEN 1 END)) AS future, "
        f"CONVERT(varchar(20), COUNT_BIG(*) - COUNT_BIG({column})) AS missing",
        where,
    )


def top(relation: Relation, cursor: Cursor) -> str:
    """Give `largest`, the largest cursor of all; where row versions are the cursor, any, which takes no pass."""
    if cursor.kind == "version":
        return relation.select(f"TOP (1) {printed(cursor.type, cursor.operand)} AS largest")
    return relation.select(f"{printed(cursor.type, f'MAX({cursor.operand})')} AS largest")


def bounds(
    cursor: Cursor, sight: Sight, found: dict[str, str | None], low: str | None, *, lag: float, back: float
) -> str:
    """Give `high` (the upper bound; NULL if nothing new may be read), and as true or false: `ahead` (the bound is above
    the watermark), `backwards` (the source is behind what was committed) and `later` (rows are left for another run).

    No row is looked at.

    Args:
        found: The row of `probe`, `largest` being that of all rows.
        back: What `lowered_by` says.
    """
    upper = _clocked(cursor, sight, found["latest"], lag) if cursor.clocked else _upper(cursor, sight, found, lag)
    upper = upper or f"CONVERT({cursor.type}, NULL)"
    floor, largest = value(cursor.type, low), value(cursor.type, found["largest"])
    bottom = "NULL" if low is None else value(cursor.type, lowest(cursor.type, low, back))
    tests = {
        "ahead": f"high_value > {floor}",
        "backwards": f"high_value < {floor}" if cursor.kind == "version" else f"{largest} < {bottom}",
        "later": f"high_value IS NULL OR {largest} > high_value",
    }
    flags = ", ".join(f"CASE WHEN {test} THEN 'true' ELSE 'false' END AS {name}" for name, test in tests.items())
    return f"SELECT {printed(cursor.type, 'high_value')} AS high, {flags} FROM (SELECT {upper} AS high_value) AS found"


def _tomorrow(cursor: Cursor, utc: str) -> str:
    """More than a day ahead of every clock on earth."""
    return f"CONVERT({cursor.type}, DATEADD(hour, 38, {value('datetime2(7)', utc)}))"


def condition(window: Window, operand: str, *, nulls: bool) -> str:
    """Return the WHERE of a window: `(low - lag, high]`, and the rows without a cursor where they are included."""
    kind, lag = window.cursor_type, window.lag_seconds
    return cursor_windows.condition(
        window,
        operand,
        value=lambda text: value(kind, text),
        lowered=lambda low: value(kind, lowest(kind, low, lag)),
        nulls=nulls,
    )


def _clocked(cursor: Cursor, sight: Sight, latest: str | None, lag: float) -> str:
    """The upper bound where the server's clock is that of the cursor: the largest one that is settled."""
    if cursor.kind == "version":
        return f"CONVERT(binary(8), CONVERT(bigint, {value('timestamp', sight.active)}) - 1)"
    largest = value(cursor.type, latest)
    if not lag or cursor.appends:
        return largest
    return f"CASE WHEN {largest} < {_ends(cursor, sight, lag)[1]} THEN {_shifted(largest, lag)} ELSE {largest} END"


def _ends(cursor: Cursor, sight: Sight, lag: float) -> tuple[str, str]:
    """Up to where no row can come any more; and below what a largest cursor is so old that none comes close to it."""
    if cursor.kind == "version":
        return _clocked(cursor, sight, None, lag), ""
    step = cursor.step
    back, long_ago = max(lag if cursor.appends else 0.0, sight.age) + step, 2 * lag + sight.age + step
    if cursor.zone is None:
        clock = value("datetimeoffset(7)", sight.clock)
        return f"CONVERT({cursor.type}, {_shifted(clock, -back)})", _shifted(clock, -long_ago)
    utc = moment(sight.utc).replace(tzinfo=UTC)
    end = zones.earliest(utc - timedelta(seconds=back), cursor.zone)
    old = min(zones.earliest(utc - timedelta(seconds=long_ago), cursor.zone), end - timedelta(seconds=lag))
    first, second = (value("datetime2(7)", f"{at:%Y-%m-%d %H:%M:%S.%f}") for at in (end, old))
    return f"CONVERT({cursor.type}, {first})", f"CONVERT({cursor.type}, {second})"


def _upper(cursor: Cursor, sight: Sight, found: dict[str, str | None], lag: float) -> str | None:
    """The upper bound of all others; None if nothing new may be read."""
    kind, step = cursor.kind, cursor.step
    if found["latest"] is None or sight.waiting:
        return None
    latest = value(cursor.type, found["latest"])
    if kind == "integer":
        return latest
    # In every time zone it is later than this, so nothing is expected close to a largest cursor before it any more.
    utc = value("datetime2(7)", sight.utc)
    settled = f"CONVERT({cursor.type}, {_shifted(utc, -_HALF_DAY - 2 * lag - sight.age - step)})"
    if kind == "date":
        days = int(sight.age / DAY)
        later, held = (f"DATEADD(day, {count}, {latest})" for count in (round(lag / DAY), -days))
        if cursor.appends:
            later, held = latest, f"DATEADD(day, {-1 - 2 * days}, CONVERT(date, {_shifted(utc, -_HALF_DAY)}))"
            settled = held
    else:
        back = max(lag if cursor.appends else 0.0, sight.age)
        later = latest if cursor.appends else _shifted(latest, lag)
        held = f"CONVERT({cursor.type}, {_shifted(latest, -back - step)})" if back else latest
    return f"CASE WHEN {latest} < {settled} THEN {later} ELSE {held} END"


def _shifted(moment: str, seconds: float) -> str:
    """Shift by whole seconds and milliseconds, rounded away from the moment; DATEADD counts in 32 bits."""
    whole = math.trunc(seconds)
    rest = math.ceil(abs(seconds - whole) * 1000 - 1e-6) * (1 if seconds > 0 else -1)
    shifted = f"DATEADD(second, {whole}, {moment})" if whole else moment
    return f"DATEADD(millisecond, {rest}, {shifted})" if rest else shifted
