"""The window of a load over an incremental column: asking the server, and what follows from its answers.

The rules stand in `window`; windows over `xmin` in `xmin`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from comboi_core.config.tables import TableConfig
from comboi_core.domain.errors import UnsupportedValue
from comboi_core.domain.load import Column, Window
from comboi_core.domain.shortfall import Shortfall
from comboi_core.domain.sql import identifier
from comboi_core.sources.common import cursor_windows
from comboi_core.sources.postgres import sql, types
from comboi_core.sources.postgres import window as windows

WRITERS_SECONDS = 10.0
"""How long a load over an integer cursor waits for the transactions that are writing to the table."""

Ask = Callable[[str], list[dict[str, str | None]]]
"""Runs a SELECT whose results are text."""

_BLIND = (
    ("replica", "false", "the source is a replica, which does not show its primary's transactions"),
    ("prepared", "0", "the source holds prepared transactions, whose start is not known"),
    ("foreign", "false", "rows come through foreign tables, whose server's transactions are not shown"),
    ("hidden", "0", "the role may not see other sessions (grant it pg_read_all_stats)"),
)


@dataclass(frozen=True)
class Outlook:
    """What a load over a cursor is going to read.

    Attributes:
        news: Whether there is anything to read.
        rows: The number of rows in the window, where it was counted.
        warnings: What the run record has to say of it.
        shortfalls: What readers will not see of the source.
        watermark: What to commit, where that is less than the window's upper bound.
    """

    window: Window
    news: bool
    rows: int | None = None
    warnings: tuple[str, ...] = ()
    watermark: str | None = None
    shortfalls: tuple[Shortfall, ...] = ()


def outlook(
    ask: Ask, source: str, oid: str | None, column: Column, config: TableConfig, *, low: str | None, required: bool,
    foreign: bool, place: str,
) -> Outlook:  # fmt: skip
    """Bound the window of an incremental column.

    Args:
        source: The FROM item, called `src`.
        oid: The table's, or None for a query.
        low: The watermark, or None for a load from the beginning.
        required: Whether the column is never NULL.
        foreign: Whether rows come from another server through foreign tables.

    Raises:
        UnsupportedValue: the column's type cannot be a cursor, or rows without a cursor cannot be landed.
    """
    if types.base_name(column.source_type) not in windows.KINDS:
        raise UnsupportedValue(
            f"{place}: column {column.name} is {column.source_type}, which cannot be a cursor",
            remedy="Use a timestamp, date or integer column as incremental_column, or mode: full.",
        )
    operand = f"src.{identifier(column.name)}"
    cursor = windows.Cursor(operand, column.source_type, config.effective_mode == "append")
    sight = _look(ask, source, cursor, oid, foreign=foreign)
    lag = windows.lag_seconds(cursor, config.lag)
    found = ask(windows.bounds(source, cursor, sight, low, lag))[0]
    warnings = windows.warnings(cursor, sight, found, config.lag)
    shortfalls = cursor_windows.shortfalls(
        column.name, top=found["top"], low=low, behind=found["behind"] == "true", future=int(found["future"] or 0)
    )
    if found["top"] != low:
        shortfalls += windows.kept_waiting(sight)
    if cursor.kind == "integer" and oid:
        warnings += _cached(ask, oid, column.name)
    high, moved = found["high"], found["high"] is not None
    if low is not None and found["moved"] != "true":
        high, moved = low, False
    window = Window(column.name, column.source_type, low, high, lag)
    nulls = not required and _null_cursors(ask, source, operand, config, place)
    news = moved or nulls or (lag > 0 and _any(ask, source, windows.condition(window, operand, nulls=False)))
    watermark = None
    if high is not None and sight.blind and config.lag is None and (held := windows.held_back(cursor, high, low)):
        watermark = ask(held)[0]["watermark"]
    return Outlook(window, news, warnings=tuple(warnings), watermark=watermark, shortfalls=shortfalls)


def _look(ask: Ask, source: str, cursor: windows.Cursor, oid: str | None, *, foreign: bool) -> windows.Sight:
    first = ask(windows.probe(source, cursor))[0]
    time.sleep(windows.settle_seconds(cursor))
    seen = ask(sql.SERVER)[0] | ask(sql.TRANSACTIONS)[0] | {"foreign": str(foreign).lower()}
    blind = next((why for name, fine, why in _BLIND if seen[name] != fine), None)
    writers = _lasting_writers(ask, oid) if cursor.kind == "integer" else ()
    return windows.Sight(str(first["clock"]), first["latest"], seen["oldest"], blind, writers)


def _lasting_writers(ask: Ask, oid: str | None) -> tuple[windows.Writer, ...]:
    """Wait until the transactions that have written to the table by now have ended; return those that go on."""
    text = sql.writers(oid)
    left = {row["holder"]: row for row in ask(text)}
    deadline = time.monotonic() + WRITERS_SECONDS
    while left and time.monotonic() <= deadline:
        time.sleep(0.05)
        still = {row["holder"] for row in ask(text)}
        left = {holder: row for holder, row in left.items() if holder in still}
    return tuple(windows.Writer(row["pid"], row["application"], row["since"]) for row in left.values())


def _cached(ask: Ask, oid: str, column: str) -> list[str]:
    """A session that takes numbers in advance may commit a small one long after another session's larger ones."""
    return [
        f"the sequence of {column} hands out {row['cache']} numbers at once to a session, so rows may come below the "
        "watermark and be missed; set it to CACHE 1, or use cursor: xmin"
        for row in ask(sql.sequence_cache(oid, column))
        if row["cache"] != "1"
    ]


def _null_cursors(ask: Ask, source: str, operand: str, config: TableConfig, place: str) -> bool:
    """Whether rows without a cursor are part of the load."""
    if config.on_null_cursor == "exclude":
        return False
    if config.on_null_cursor == "include" and config.effective_mode == "merge":
        return _any(ask, source, f"{operand} IS NULL")
    missing = int(ask(sql.count(source, f"{operand} IS NULL"))[0]["found"] or 0)
    cursor_windows.refuse_null_cursors(missing, str(config.incremental_column), config, place)
    return False


def _any(ask: Ask, source: str, condition: str) -> bool:
    return ask(sql.any_row(source, condition))[0]["found"] == "true"
