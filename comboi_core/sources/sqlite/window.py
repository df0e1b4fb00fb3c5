"""The window of a SQLite cursor: up to where a load reads, and what that keeps from readers.

SQLite has one writer at a time, so that rows with integer keys appear in their order. Times are written by clients,
before they wait for their turn, and often in whole seconds: merges read `lag` (default 5 minutes) again, appends stay 5
minutes behind the clock. Times are taken for UTC, as SQLite's own CURRENT_TIMESTAMP is; those of a zone behind UTC want
a larger `lag` and no `mode: append`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from comboi_core.config.tables import TableConfig
from comboi_core.domain.errors import UnsupportedValue
from comboi_core.domain.load import Column, Window
from comboi_core.domain.redaction import redactor
from comboi_core.domain.shortfall import Shortfall
from comboi_core.domain.sql import identifier
from comboi_core.sources.common import cursor_windows
from comboi_core.sources.common.cursor_windows import DEFAULT_LAG
from comboi_core.sources.sqlite import sql
from comboi_core.sources.sqlite.session import Ask

_AHEAD = 14 * 3600.0
"""A local time may be so far ahead of UTC; what is later is from the future, and no watermark."""
_DATE = len("YYYY-MM-DD")
_DAY_OVER = 1.5 * 86400.0
"""A day without a time of day is over everywhere on earth so long after it began at UTC."""


@dataclass(frozen=True)
class Outlook:
    """What a load over a cursor will find.

    Attributes:
        news: Whether there is something to read: rows above the watermark, rows within the lag, rows without a cursor.
    """

    window: Window
    news: bool
    warnings: tuple[str, ...] = ()
    shortfalls: tuple[Shortfall, ...] = ()


@dataclass(frozen=True)
class _Top:
    """The largest cursor; `future` is the number of rows that no clock on earth has reached."""

    value: str | None
    future: int = 0


def outlook(
    rows: Ask, source: str, columns: tuple[Column, ...], config: TableConfig, *, low: str | None, place: str
) -> Outlook:
    """Return the window of the next load.

    Args:
        source: The FROM item, called `src`.
        low: The committed watermark; None for a first load and for a full refresh.

    Raises:
        UnsupportedValue: the column cannot be a cursor, its times are written in several ways, or rows have none and
            may not.
    """
    name = str(config.incremental_column)
    kind = next(column.type for column in columns if column.name == name)
    if kind not in ("BIGINT", "VARCHAR"):
        raise UnsupportedValue(
            f"{place}: column {name} is {kind}, which cannot be a cursor",
            remedy="Use an integer column, or one that holds times as text (YYYY-MM-DD HH:MM:SS).",
        )
    appends, timed = config.effective_mode == "append", kind == "VARCHAR"
    lag = 0.0 if appends or not timed else DEFAULT_LAG if config.lag is None else config.lag
    top = _top(rows, source, name, kind, place)
    if timed and low is not None and not lag:
        _refuse_unsorted(rows, source, name, low, place)
    cap = _cap(rows, top.value, appends=appends) if timed and top.value is not None else None
    high = rows(sql.bound(source, name, cap))[0]["high"]
    moved = high is not None and (low is None or _above(high, low, kind))
    window = Window(name, kind, low, high if low is None or moved else low, lag)
    nulls = _null_cursors(rows, source, window, config, place)
    again = bool(window.lag_seconds) and low is not None and not moved and _any(rows, source, window)
    return Outlook(
        window,
        moved or nulls or again,
        ("lag has no meaning for an integer cursor and is ignored",) if config.lag and not timed else (),
        cursor_windows.shortfalls(
            name,
            top=top.value,
            low=low,
            behind=top.value is not None and rows(sql.behind(window, top.value))[0]["behind"] == "1",
            future=top.future,
        ),
    )


def _top(rows: Ask, source: str, name: str, kind: str, place: str) -> _Top:
    """The largest cursor, all of them being of one nature."""
    found = rows(sql.ends(source, name))[0]
    top, nature = found["top"], "integer" if kind == "BIGINT" else "text"
    if top is None:
        return _Top(None)
    if {found["first"], found["last"]} != {nature} or (nature == "text" and found["stamped"] != "1"):
        shown = redactor.cut(top, 60)
        raise UnsupportedValue(
            f"{place}: the cursor {name} holds {shown!r} ({found['first']}, {found['last']}): it "
            "needs integers only, or times as text only (YYYY-MM-DD HH:MM:SS)",
            remedy="Correct the rows, use another column, or mode: full.",
            column=name,
        )
    tomorrow = rows(sql.moment(top, _AHEAD))[0]["at"] if nature == "text" else None
    if tomorrow is None or top <= tomorrow:
        return _Top(top)
    return _Top(top, int(rows(sql.count(source, sql.later(name, tomorrow)))[0]["found"] or 0))


def _cap(rows: Ask, top: str, *, appends: bool) -> str | None:
    """The time up to which rows are read, written as the largest one is."""
    behind = DEFAULT_LAG if len(top) > _DATE else _DAY_OVER
    return rows(sql.moment(top, -behind if appends else _AHEAD))[0]["at"]


def _any(rows: Ask, source: str, window: Window) -> bool:
    return rows(sql.count(source, sql.in_window(window, nulls=False)))[0]["found"] != "0"


def _refuse_unsorted(rows: Ask, source: str, name: str, low: str, place: str) -> None:
    found = int(rows(sql.count(source, sql.unsorted(name, low)))[0]["found"] or 0)
    if found:
        raise UnsupportedValue(
            f"{place}: {found} times in the cursor {name} are later than the committed {low}, but sort "
            "before it: they are written in another way, and would be missed",
            remedy="Write all times alike (YYYY-MM-DD HH:MM:SS), use mode: merge with a lag, or mode: full.",
            column=name,
            rows=found,
        )


def _null_cursors(rows: Ask, source: str, window: Window, config: TableConfig, place: str) -> bool:
    """Whether rows without a cursor are part of the load."""
    if config.on_null_cursor == "exclude":
        return False
    missing = int(rows(sql.count(source, f"src.{identifier(window.cursor)} IS NULL"))[0]["found"] or 0)
    cursor_windows.refuse_null_cursors(missing, window.cursor, config, place)
    return missing > 0


def _above(one: str, other: str, kind: str) -> bool:
    """Compare two cursors as SQLite does; a text among integers is above them all, and fails when it is read."""
    if kind == "BIGINT" and whole(one) and whole(other):
        return int(one) > int(other)
    return one > other


def whole(text: str) -> bool:
    """Tell whether a value is a whole number."""
    return re.fullmatch(r"-?\d+", text) is not None
