"""The window of a load from PostgreSQL: how far it may read without leaving a late commit behind.

A transaction's rows carry cursors from when it began (`now()`) or later, and appear when it commits. So nothing may be
read past the start of the oldest transaction in progress: what it commits would be below the watermark, and lost. The
order of the steps makes this hold for transactions that begin meanwhile:

1. the server's clock, and the largest cursor (`probe`);
2. a moment later the transactions in progress, so that one that had begun before step 1 is either listed, or has
   committed and is visible from now on;
3. the upper bound (`bounds`), in a snapshot of its own.

What each kind of cursor gets:

- timestamp with time zone: the bound is strictly below the clock of step 1 and the oldest transaction's start.
- timestamp without time zone: its zone is not known, so the largest cursor stands for the clock; the bound is as far
  below it as the oldest transaction is old. Cursors have to be of one time zone without daylight saving; if they
  are not, set `lag` to cover the difference.
- date: a day gets rows until it ends. Merges read the last two days again (`lag`); appends stop before the current day.
- integers (sequences): a row's number is drawn after its table is locked, so it is enough to wait for the
  transactions that hold such a lock in step 2; if they do not end in time, nothing new is read, and the load says for
  whom it waits. Rows below their first number could be read, but that is not known: their rows are invisible, locks
  and snapshots name transactions and no values, and another transaction that got its id earlier may have drawn larger
  numbers. Transactions that begin later are not waited for.

Where the transactions cannot be seen (privilege, replica, prepared transactions), `lag` (default 5 minutes) applies:
merges commit a watermark that far behind, so that the next load reads that much again; appends stay that far behind.
Cursors that clients write with clocks of their own want a `lag` as well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from comboi_core.domain.load import Window
from comboi_core.domain.shortfall import Shortfall
from comboi_core.domain.sql import literal
from comboi_core.sources.common import cursor_windows
from comboi_core.sources.common.cursor_windows import DAY, DEFAULT_LAG
from comboi_core.sources.postgres.types import INTEGERS, base_name, modifiers

SETTLE_SECONDS = 0.05
"""Between clock and list of transactions: a session notes its start, and is listed a few microseconds later."""

CursorKind = Literal["instant", "local", "date", "integer"]
KINDS: dict[str, CursorKind] = {
    "timestamp with time zone": "instant",
    "timestamp without time zone": "local",
    "date": "date",
    **dict.fromkeys(sorted(INTEGERS), "integer"),
}

# Cursors that are not from the future, wherever on earth the clock is; the far future is not a watermark. A minute
# more, since transactions go on beginning after a load has read the clock.
_PRESENT = {
    "instant": "{cursor} <= {clock} + interval '1 minute'",
    "local": "{cursor} <= {clock} AT TIME ZONE 'UTC' + interval '14 hours'",
    "date": "{cursor} <= ({clock} AT TIME ZONE 'UTC' + interval '14 hours')::date",
    "integer": "true",
}


@dataclass(frozen=True)
class Cursor(cursor_windows.Cursor):
    """The cursor of one table in PostgreSQL."""

    @property
    def kind(self) -> CursorKind:
        """How the cursor moves; KeyError if a column of this type cannot be one."""
        return KINDS[base_name(self.type)]

    @property
    def step(self) -> float:
        """The smallest difference between two cursors, in seconds; rounding moves one by half of it."""
        precision = modifiers(self.type)
        return 10.0 ** -(precision[0] if precision else 6)


@dataclass(frozen=True)
class Writer:
    """A transaction that has written and goes on, as far as the server shows it."""

    pid: str | None
    application: str | None
    since: str | None

    def __str__(self) -> str:
        name = self.application or ("a prepared transaction" if self.pid is None else "a session without a name")
        told = [*([f"pid {self.pid}"] if self.pid else []), *([f"open since {self.since}"] if self.since else [])]
        return f"{name} ({', '.join(told)})" if told else name


@dataclass(frozen=True)
class Sight:
    """What the server showed of the transactions in progress.

    Attributes:
        clock: The server's clock when the load was planned.
        latest: The largest cursor then, or None.
        oldest: The start of the oldest transaction that may still write, or None.
        blind: Why some of them may be invisible, or None.
        writers: The transactions that still hold a lock on the table after the wait (integers only).
    """

    clock: str
    latest: str | None
    oldest: str | None = None
    blind: str | None = None
    writers: tuple[Writer, ...] = ()


def settle_seconds(cursor: Cursor) -> float:
    """Return how long to wait between clock and transactions.

    A local timestamp without microseconds needs the time until no new transaction can carry the largest one again.
    """
    return SETTLE_SECONDS if cursor.kind != "local" or cursor.step < 1e-5 else SETTLE_SECONDS + 1.5 * cursor.step


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
    kind = base_name(cursor.type)
    lagged = f"{literal(high)}::{kind} - interval '{DEFAULT_LAG:.6f} seconds'"
    return f"SELECT greatest({lagged}, {literal(low)}::{kind})::text AS watermark"


def probe(source: str, cursor: Cursor) -> str:
    """Give `clock` and `latest`."""
    if cursor.kind == "instant":
        return "SELECT clock_timestamp()::text AS clock, NULL::text AS latest"
    present = _PRESENT[cursor.kind].format(cursor=cursor.operand, clock="now()")
    latest = f"SELECT max({cursor.operand}) FROM {source} WHERE {present}"
    return f"SELECT ({latest})::text AS latest, clock_timestamp()::text AS clock"


def _cap(cursor: Cursor, sight: Sight) -> str:
    clock = f"{literal(sight.clock)}::timestamptz"
    oldest = f"{literal(sight.oldest)}::timestamptz"
    latest = f"{literal(sight.latest)}::{base_name(cursor.type)}"
    behind = DEFAULT_LAG if cursor.appends and sight.blind else 0.0
    if cursor.kind == "instant":
        return f"least({clock}, {oldest}) - interval '{cursor.step + behind:.6f} seconds'"
    if cursor.kind == "local":
        age = f"CASE WHEN {oldest} < {clock} THEN {clock} - {oldest} + interval '{cursor.step:.6f} seconds' END"
        return f"{latest} - coalesce({age}, interval '0') - interval '{behind:.6f} seconds'"
    if cursor.kind == "date":
        days = f"greatest(coalesce(floor(extract(epoch FROM {clock} - {oldest}) / {DAY:.0f}), 0), 0)::int"
        if not cursor.appends:
            return f"{latest} - {days}"
        # The day has not yet begun to end anywhere before it has begun at UTC-12.
        return f"least({latest}, ({clock} AT TIME ZONE 'UTC' - interval '12 hours')::date - 1 - {days} * 2)"
    return "NULL::int8" if sight.writers else latest


def bounds(source: str, cursor: Cursor, sight: Sight, low: str | None, lag: float) -> str:
    """Give `high`, `top` (the largest cursor of all), `moved`, `behind` (the watermark, by more than the lag), `later`
    (rows are left for another run), `age` (of the oldest transaction, in seconds) and `future`: how many rows have a
    cursor from the future, which are counted only where there is one."""
    floor = f"{literal(low)}::{base_name(cursor.type)}"
    present = _PRESENT[cursor.kind].format(cursor="{cursor}", clock=f"{literal(sight.clock)}::timestamptz")
    of_all, of_each = present.format(cursor="top"), present.format(cursor=cursor.operand)
    age = f"extract(epoch FROM {literal(sight.clock)}::timestamptz - {literal(sight.oldest)}::timestamptz)"
    return f"""
        SELECT high::text AS high, top::text AS top, (high > {floor})::text AS moved,
            (top < {_lowered(floor, cursor.kind, lag)})::text AS behind, (high IS NULL OR top > high)::text AS later,
            ({age})::text AS age,
            CASE WHEN NOT ({of_all}) THEN (SELECT count(*) FROM {source} WHERE NOT ({of_each})) END::text AS future
        FROM (
            SELECT (SELECT max({cursor.operand}) FROM {source} WHERE {cursor.operand} <= {_cap(cursor, sight)}) AS high,
                (SELECT max({cursor.operand}) FROM {source}) AS top
        ) AS found"""


def condition(window: Window, operand: str, *, nulls: bool) -> str:
    """Return the WHERE of a window: `(low - lag, high]`, and the rows without a cursor where they are included."""
    kind, lag = base_name(window.cursor_type), window.lag_seconds

    def value(text: str) -> str:
        return f"{literal(text)}::{kind}"

    def lowered(low: str) -> str:
        return _lowered(value(low), KINDS.get(kind, "integer"), lag)

    return cursor_windows.condition(window, operand, value=value, lowered=lowered, nulls=nulls)


def _lowered(value: str, kind: CursorKind, lag: float) -> str:
    """Return the SQL of a cursor less a lag."""
    if not lag:
        return value
    if kind == "date":
        return f"({value} - {math.ceil(lag / DAY)})"
    return f"({value} - interval '{lag:.6f} seconds')"


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
    if found["later"] == "true" and float(found["age"] or 0) > DEFAULT_LAG:
        said.append(f"a transaction open since {sight.oldest} holds the load back; later rows wait until it ends")
    return said


def kept_waiting(sight: Sight) -> tuple[Shortfall, ...]:
    """Return that rows wait for transactions that go on writing: what number they began with is not known before they
    end, since nobody else sees their rows, and a number tells nothing of when it was drawn."""
    if not sight.writers:
        return ()
    return (
        Shortfall(
            "open_writer",
            f"new rows wait for transactions that go on writing to the table: {'; '.join(map(str, sight.writers))}",
            "Nothing, if they end before the next run. If one is open at each run, shorten the transactions, or use "
            "`cursor: xmin` or a timestamp: those land what was written before the oldest transaction began.",
        ),
    )
