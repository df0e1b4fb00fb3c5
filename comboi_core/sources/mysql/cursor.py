"""The window of a load over an incremental column: asking the server, and what follows from its answers.

The rules stand in `window`.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

from comboi_core.config.tables import TableConfig
from comboi_core.domain.errors import UnsupportedValue
from comboi_core.domain.load import Column, Window
from comboi_core.domain.shortfall import Shortfall
from comboi_core.sources.common import cursor_windows
from comboi_core.sources.mysql import sql, types
from comboi_core.sources.mysql import window as windows
from comboi_core.sources.mysql.catalog import Rows
from comboi_core.sources.mysql.text import identifier

WRITERS_SECONDS = 10.0
"""How long a load over an integer cursor waits for the transactions that are writing."""
SETTLE_SECONDS = 0.05
"""Between clock and list of transactions: a statement notes its start, and is listed a few microseconds later."""
FRESH_SECONDS = 0.15
"""Between two looks at the list of transactions. InnoDB gives the same list again as long as somebody has read it less
than 0.1 s ago (CACHE_MIN_IDLE_TIME_NS in its trx0i_s.cc), so looks that follow each other faster see an old one."""
_LOOKING = threading.Lock()
_looked_at = 0.0
"""When this process last read the list (`time.monotonic`); guarded by `_LOOKING`, since activities run side by side."""

_REPLICA = "the source is a replica, which does not show its primary's transactions"
_ORPHANED = "the source holds prepared transactions, whose start is not known"
_HIDDEN = "the account may not see other sessions (grant it PROCESS)"


@dataclass(frozen=True)
class Outlook:
    """What a load over a cursor is going to read.

    Attributes:
        news: Whether there is anything to read.
        warnings: What the run record has to say of it.
        shortfalls: What readers will not see of the source.
        watermark: What to commit, where that is less than the window's upper bound.
    """

    window: Window
    news: bool
    warnings: tuple[str, ...] = ()
    watermark: str | None = None
    shortfalls: tuple[Shortfall, ...] = ()


def outlook(
    ask: Rows, source: str, column: Column, config: TableConfig, *, low: str | None, required: bool, mariadb: bool,
    sees: bool, place: str,
) -> Outlook:  # fmt: skip
    """Bound the window of an incremental column.

    Args:
        source: The FROM item, called `src`.
        low: The watermark, or None for a load from the beginning.
        required: Whether the column is never NULL.
        sees: Whether the account may see other sessions.

    Raises:
        UnsupportedValue: the column's type cannot be a cursor, or rows without a cursor cannot be landed.
    """
    if types.base_name(column.source_type) not in windows.KINDS:
        raise UnsupportedValue(
            f"{place}: column {column.name} is {column.source_type}, which cannot be a cursor",
            remedy="Use a timestamp, datetime, date or integer column as incremental_column, or mode: full.",
        )
    operand = f"src.{identifier(column.name)}"
    cursor = windows.Cursor(operand, column.source_type, config.effective_mode == "append")
    sight = _look(ask, source, cursor, mariadb=mariadb, sees=sees)
    lag = windows.lag_seconds(cursor, config.lag)
    found = ask(windows.bounds(source, cursor, sight, low, lag))[0]
    warnings = windows.warnings(cursor, sight, found, config.lag)
    shortfalls = cursor_windows.shortfalls(
        column.name, top=found["top"], low=low, behind=found["behind"] == "true", future=int(found["future"] or 0)
    )
    high, moved = found["high"], found["high"] is not None
    if low is not None and found["moved"] != "true":
        high, moved = low, False
    window = Window(column.name, windows.window_type(column.source_type), low, high, lag)
    nulls = not required and _null_cursors(ask, source, operand, config, place)
    news = moved or nulls or (lag > 0 and _any(ask, source, windows.condition(window, operand, nulls=False)))
    watermark = None
    if high is not None and sight.blind and config.lag is None and (held := windows.held_back(cursor, high, low)):
        watermark = ask(held)[0]["watermark"]
    return Outlook(window, news, tuple(warnings), watermark, shortfalls)


def _look(ask: Rows, source: str, cursor: windows.Cursor, *, mariadb: bool, sees: bool) -> windows.Sight:
    first = ask(windows.probe(source, cursor))[0]
    clock, latest = str(first["clock"]), first["latest"]
    if not sees:
        return windows.Sight(clock, latest, blind=_HIDDEN)
    time.sleep(SETTLE_SECONDS)
    open_ones, running = _look_at_transactions(ask, sql.TRANSACTIONS)[0], ask(sql.STATEMENTS)[0]
    blind = _REPLICA if running["replica"] == "1" else _ORPHANED if open_ones["orphaned"] == "1" else None
    age = max(float(found["age"] or 0) for found in (open_ones, running))
    waiting = cursor.kind == "integer" and not _writers_gone(ask, mariadb=mariadb)
    return windows.Sight(clock, latest, age, blind, waiting)


def _writers_gone(ask: Rows, *, mariadb: bool) -> bool:
    """Wait until the transactions and statements that have written by now have ended; False if they go on."""
    text = sql.writers(mariadb=mariadb)
    first = {row["holder"] for row in _look_at_transactions(ask, text)}
    deadline = time.monotonic() + WRITERS_SECONDS
    while first:
        if time.monotonic() > deadline:
            return False
        first &= {row["holder"] for row in _look_at_transactions(ask, text)}
    return True


def _look_at_transactions(ask: Rows, text: str) -> list[dict[str, Any]]:
    """Run a query over the list of transactions when the last look of this process is long enough ago."""
    global _looked_at
    with _LOOKING:
        time.sleep(max(0.0, _looked_at + FRESH_SECONDS - time.monotonic()))
        rows = ask(text)
        _looked_at = time.monotonic()
    return rows


def _null_cursors(ask: Rows, source: str, operand: str, config: TableConfig, place: str) -> bool:
    """Whether rows without a cursor are part of the load."""
    if config.on_null_cursor == "exclude":
        return False
    if config.on_null_cursor == "include" and config.effective_mode == "merge":
        return _any(ask, source, f"{operand} IS NULL")
    missing = int(ask(sql.count(source, f"{operand} IS NULL"))[0]["found"] or 0)
    cursor_windows.refuse_null_cursors(missing, str(config.incremental_column), config, place)
    return False


def _any(ask: Rows, source: str, condition: str) -> bool:
    return ask(sql.any_row(source, condition))[0]["found"] == "true"
