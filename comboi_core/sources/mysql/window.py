"""How the window of a load is bounded, so that no row is lost however late it is committed.

NOW() is the time at which a statement began, and a row appears when its transaction commits. So nothing may be read
past the start of the oldest transaction that has written, or of the oldest statement that may be about to: what they
commit would be below the watermark, and lost. The order of the steps makes this hold for those that begin meanwhile:

1. the server's clock, and the largest cursor (`probe`);
2. a moment later the statements and then the transactions in progress (`sight`): one that had begun before step 1 is
   listed, or has committed and is visible from now on;
3. the upper bound (`bounds`).

What each kind of cursor gets:

- timestamp, an instant: the bound is strictly below the clock of step 1 less the age of the oldest transaction.
- datetime, a time without a zone: its zone is not known, so the largest cursor stands for the clock. Cursors have to be
  of one time zone without daylight saving; if they are not, set `lag` to cover the difference.
- date: a day gets rows until it ends. Merges read the last two days again (`lag`); appends stop before the current day.
- integers (AUTO_INCREMENT): a row's number is drawn before its transaction commits, so it is enough to wait for those
  that may have written in step 2; if they do not end in time, nothing new is read.

Where the transactions cannot be seen (without the right PROCESS, on a replica, on an old list), `lag` (default 5
minutes) applies: merges commit a watermark that far behind, so that the next load reads that much again; appends stay
that far behind. Cursors that clients write with clocks of their own want a `lag` as well.
"""

from __future__ import annotations

import math
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from comboi_core.domain.errors import UnsupportedValue
from comboi_core.domain.load import Window
from comboi_core.sources.common import cursor_windows
from comboi_core.sources.common.cursor_windows import DAY, DEFAULT_LAG
from comboi_core.sources.mysql.types import INTEGERS, base_name, modifiers, printed

CursorKind = Literal["instant", "local", "date", "integer"]
KINDS: dict[str, CursorKind] = {
    "timestamp": "instant",
    "datetime": "local",
    "date": "date",
    **dict.fromkeys(sorted(INTEGERS), "integer"),
}

# Cursors that are not from the future, wherever on earth the clock is; the far future is not a watermark. A minute
# more, since statements go on beginning after a load has read the clock.
_PRESENT = {
    "instant": "{cursor} <= {clock} + INTERVAL 1 MINUTE",
    "local": "{cursor} <= {clock} + INTERVAL 14 HOUR",
    "date": "{cursor} <= DATE({clock} + INTERVAL 14 HOUR)",
    "integer": "1 = 1",
}
_FIRST = {
    "date": "DATE'0001-01-01'",
    "local": "TIMESTAMP'0001-01-01 00:00:00'",
    "instant": "TIMESTAMP'1970-01-01 00:00:01'",
}
_WRITE = "Write a number, a day (YYYY-MM-DD) or a time (YYYY-MM-DD HH:MM:SS), as the cursor has it."
_NUMBER = re.compile(r"-?\d+")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?")


@dataclass(frozen=True)
class Cursor(cursor_windows.Cursor):
    """The cursor of one table in MySQL."""

    @property
    def kind(self) -> CursorKind:
        """How the cursor moves; KeyError if a column of this type cannot be one."""
        return KINDS[base_name(self.type)]

    @property
    def step(self) -> float:
        """The smallest difference between two cursors, in seconds; rounding moves one by half of it."""
        return 10.0 ** -next(iter(modifiers(self.type)), 0)


@dataclass(frozen=True)
class Sight:
    """What the server showed of what is going on.

    Attributes:
        clock: The server's clock in UTC when the load was planned.
        latest: The largest cursor then, or None.
        age: For how many seconds the oldest transaction or statement that may still write has been open; 0 if none.
        blind: Why some of them may be invisible, or None.
        waiting: Whether one that had written goes on after the wait (integers only).
    """

    clock: str
    latest: str | None
    age: float = 0.0
    blind: str | None = None
    waiting: bool = False


def window_type(source_type: str) -> str:
    """Return a cursor's type as a window names it: SQL Server calls its row versions `timestamp`, without digits."""
    return "timestamp(0)" if source_type == "timestamp" else source_type


def value(source_type: str, text: str) -> str:
    """Return the SQL of a cursor or key as the server has printed it, or as somebody has written it for a backfill.

    Raises:
        UnsupportedValue: it is none of this type.
    """
    base = base_name(source_type)
    if base == "date" and _DAY.fullmatch(text):
        return f"DATE'{text}'"
    if base in ("datetime", "timestamp"):
        return f"TIMESTAMP'{text if _MOMENT.fullmatch(text) else _printed(text, source_type)}'"
    if base in INTEGERS and _NUMBER.fullmatch(text):
        return text
    raise UnsupportedValue(f"{text!r} is no value of the type {source_type}", remedy=_WRITE)


def _printed(text: str, source_type: str) -> str:
    """Return a moment as the server prints it. One with an offset is an instant, which only a `timestamp` is."""
    with suppress(ValueError):
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            return moment.isoformat(" ")
        if base_name(source_type) == "timestamp":
            return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ")
    raise UnsupportedValue(f"{text!r} is no value of the type {source_type}", remedy=_WRITE)


def lag_seconds(cursor: Cursor, configured: float | None) -> float:
    """Return how far below the watermark a merge reads again; 0 for appends, which stay behind instead."""
    if cursor.appends or cursor.kind == "integer":
        return 0.0
    if cursor.kind == "date":
        return max(configured or 0.0, 2 * DAY)
    return configured or 0.0


def held_back(cursor: Cursor, high: str, low: str | None) -> str | None:
    """Give `watermark` for a merge that cannot see all transactions: the default lag below `high`, not below `low`.

    The next load may well see all of them again, and then knows nothing of one that was open now and has committed
    since: so the watermark itself stays behind. None for cursors that have no such lag.
    """
    if cursor.appends or cursor.kind not in ("instant", "local"):
        return None
    lagged = _lowered(value(cursor.type, high), cursor.kind, DEFAULT_LAG)
    found = f"GREATEST({lagged}, {value(cursor.type, low)})" if low is not None else lagged
    return f"SELECT {_as_text(cursor, found)} AS watermark"


def probe(source: str, cursor: Cursor) -> str:
    """Give `clock` and `latest`."""
    if cursor.kind == "instant":
        return "SELECT CAST(UTC_TIMESTAMP(6) AS CHAR) AS clock, NULL AS latest"
    present = _PRESENT[cursor.kind].format(cursor=cursor.operand, clock="UTC_TIMESTAMP(6)")
    latest = f"SELECT MAX({cursor.operand}) FROM {source} WHERE {present}"
    return f"SELECT {printed(cursor.type, f'({latest})')} AS latest, CAST(UTC_TIMESTAMP(6) AS CHAR) AS clock"


def _cap(cursor: Cursor, sight: Sight) -> str:
    clock = f"TIMESTAMP'{sight.clock}'"
    if cursor.kind == "instant":
        behind = sight.age + cursor.step + (DEFAULT_LAG if cursor.appends and sight.blind else 0.0)
        return f"{clock} - INTERVAL {behind:.6f} SECOND"
    if sight.latest is None or (cursor.kind == "integer" and sight.waiting):
        return "NULL"
    latest = value(cursor.type, sight.latest)
    if cursor.kind == "local":
        behind = (sight.age + cursor.step if sight.age else 0.0) + (
            DEFAULT_LAG if cursor.appends and sight.blind else 0
        )
        return f"{latest} - INTERVAL {behind:.6f} SECOND"
    if cursor.kind == "date":
        days = math.floor(sight.age / DAY)
        if not cursor.appends:
            return f"{latest} - INTERVAL {days} DAY"
        # The day has not yet begun to end anywhere before it has begun at UTC-12.
        return f"LEAST({latest}, DATE({clock} - INTERVAL 12 HOUR) - INTERVAL {1 + days * 2} DAY)"
    return latest


def bounds(source: str, cursor: Cursor, sight: Sight, low: str | None, lag: float) -> str:
    """Give `high`, `top` (the largest cursor of all), `moved`, `behind` (the watermark, by more than the lag), `later`
    (rows are left for another run) and `future`: how many rows have a cursor from the future, which are counted only
    where there is one."""
    floor = value(cursor.type, low) if low is not None else "NULL"
    clock = f"TIMESTAMP'{sight.clock}'"
    of_all = _PRESENT[cursor.kind].format(cursor="top", clock=clock)
    of_each = _PRESENT[cursor.kind].format(cursor=cursor.operand, clock=clock)
    behind = f"top < {_lowered(floor, cursor.kind, lag)}" if low is not None else "NULL"
    return f"""SELECT {_as_text(cursor, "high")} AS high, {_as_text(cursor, "top")} AS top,
            IF(high > {floor}, 'true', 'false') AS moved, IF({behind}, 'true', 'false') AS behind,
            IF(high IS NULL OR top > high, 'true', 'false') AS later,
            CASE WHEN NOT ({of_all}) THEN (
                SELECT CAST(COUNT(*) AS CHAR) FROM {source} WHERE NOT ({of_each})
            ) END AS future
        FROM (
            SELECT (SELECT MAX({cursor.operand}) FROM {source} WHERE {cursor.operand} <= {_cap(cursor, sight)}) AS high,
                (SELECT MAX({cursor.operand}) FROM {source}) AS top
        ) AS found"""


def condition(window: Window, operand: str, *, nulls: bool) -> str:
    """Return the WHERE of a window: `(low - lag, high]`, and the rows without a cursor where they are included."""
    kind, lag = KINDS[base_name(window.cursor_type)], window.lag_seconds
    return cursor_windows.condition(
        window,
        operand,
        value=lambda text: value(window.cursor_type, text),
        lowered=lambda low: _lowered(value(window.cursor_type, low), kind, lag),
        nulls=nulls,
    )


def _as_text(cursor: Cursor, operand: str) -> str:
    """As the column prints it: what is worked out may have other digits after the point."""
    if cursor.kind in ("instant", "local"):
        digits = next(iter(modifiers(cursor.type)), 0)
        return f"CAST(CAST({operand} AS DATETIME({digits})) AS CHAR)"
    return printed(cursor.type, operand)


def _lowered(value: str, kind: CursorKind, lag: float) -> str:
    """Return the SQL of a cursor less a lag, which does not go below the first moment of its type."""
    if not lag:
        return value
    by = f"{math.ceil(lag / DAY)} DAY" if kind == "date" else f"{lag:.6f} SECOND"
    return f"COALESCE({value} - INTERVAL {by}, {_FIRST[kind]})"


def warnings(cursor: Cursor, sight: Sight, found: dict[str, str | None], configured: float | None) -> list[str]:
    """Return what the run record has to say of a window.

    Args:
        found: The row of `bounds`.
    """
    said = cursor_windows.late_warnings(
        *(cursor, sight.blind, lag_seconds(cursor, configured)),
        integer=cursor.kind == "integer",
        configured=bool(configured),
    )
    if sight.waiting:
        said.append("a transaction goes on writing to the database; new rows are left for the next run")
    if found["later"] == "true" and sight.age > DEFAULT_LAG:
        said.append(
            f"a transaction that writes, open for {sight.age:.0f} s, holds the load back; later rows wait for it"
        )
    return said
