"""Windows over a cursor, as far as they are the same in every dialect of SQL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from comboi_core.config.tables import TableConfig
from comboi_core.domain.errors import UnsupportedValue
from comboi_core.domain.load import Window
from comboi_core.domain.shortfall import Shortfall

DEFAULT_LAG = 300.0
DAY = 86400.0


@dataclass(frozen=True)
class Cursor:
    """The cursor of one table.

    Attributes:
        operand: The quoted column.
        type: Its type in the source, e.g. `datetime2(7)`.
        appends: Whether the table only appends, so that nothing may be read twice.
    """

    operand: str
    type: str
    appends: bool


def condition(
    window: Window, operand: str, *, value: Callable[[str], str], lowered: Callable[[str], str], nulls: bool
) -> str:
    """Return the WHERE of a window: `(low - lag, high]`, and the rows without a cursor where they are included.

    Args:
        value: Returns the SQL of a cursor's value.
        lowered: Returns the SQL of a value less the window's lag.
    """
    tests = []
    if window.high is not None:
        tests.append(f"{operand} <= {value(window.high)}")
        if window.low is not None:
            tests.append(f"{operand} > {lowered(window.low)}")
    inside = " AND ".join(tests) or "1 = 0"
    return f"({inside} OR {operand} IS NULL)" if nulls else f"({inside})"


def caught_by_lag(blind: str, lag: float, *, appends: bool) -> str:
    """Return the warning that transactions may be invisible, and how late their rows may come without being lost."""
    how = f"reads stay {lag:.0f} s behind" if appends else f"{lag:.0f} s are read again"
    return f"rows committed late are caught by lag only ({how}): {blind}"


def late_warnings(cursor: Cursor, blind: str | None, lag: float, *, integer: bool, configured: bool) -> list[str]:
    """Return the warnings about rows that are committed late, where transactions cannot be seen.

    Args:
        blind: Why they cannot be seen; None where they can.
        lag: The lag of the load, in seconds.
        integer: Whether the cursor is an integer, which no lag can be taken from.
        configured: Whether the table has a `lag:`.
    """
    warnings = []
    if blind and integer:
        warnings.append(f"rows committed late may be missed: {blind}")
    elif blind:
        warnings.append(caught_by_lag(blind, lag or DEFAULT_LAG, appends=cursor.appends))
    if integer and configured:
        warnings.append("lag has no meaning for an integer cursor and is ignored")
    return warnings


def refuse_null_cursors(missing: int, cursor: str, config: TableConfig, place: str) -> None:
    """Refuse a load where rows without a cursor can neither be landed once nor be left out.

    Args:
        missing: How many rows have NULL in the cursor.
        cursor: The column, for people.
        place: `source.table`.

    Raises:
        UnsupportedValue: there are such rows, and `on_null_cursor` or the mode does not allow them.
    """
    if not missing or (config.on_null_cursor == "include" and config.effective_mode == "merge"):
        return
    failed = config.on_null_cursor == "fail"
    why = "on_null_cursor is fail" if failed else "mode append would land them again with each load"
    raise UnsupportedValue(
        f"{place}: {missing} rows have NULL in the cursor {cursor}, and {why}",
        remedy="Fill the column, set `on_null_cursor: exclude`, or use mode: merge with a primary key.",
        column=cursor,
        rows=missing,
    )


def shortfalls(
    cursor: str, *, top: str | None, low: str | None, behind: bool, future: int = 0
) -> tuple[Shortfall, ...]:
    """Return what the ends of a window keep from readers: `future_cursor`, `source_empty`, `source_behind`.

    Each load that meets one tells it again, also a full refresh, which reads no row from the future either.

    Args:
        cursor: The cursor column, for people.
        top: The source's largest cursor of all, or None if it has no row with a cursor.
        low: The committed watermark; None for a first load and for a full refresh.
        behind: Whether the source is before the watermark by more than its lag.
        future: How many rows have a cursor that no clock on earth has reached. Count them in the query that asks for
            `top`, and only where `top` is in the future, so that it costs nothing where it is not.
    """
    found = []
    if future:
        rows = "1 row" if future == 1 else f"{future:,} rows"
        found.append(
            Shortfall(
                "future_cursor",
                f"{rows} with {cursor} in the future, up to {top}: not read before that time",
                f"Correct {cursor} at the source, or use another cursor or `mode: full`; --full-refresh does not read "
                "such rows either.",
                future,
            )
        )
    if low is not None and top is None:
        found.append(
            Shortfall(
                "source_empty",
                f"the source has no row with {cursor} any more, but was loaded up to {low}: readers go on seeing "
                "the rows that were landed",
                "Look whether it was emptied, or a policy, a right or `where:` hides its rows; if they are meant to be "
                "gone, run the table with --full-refresh.",
            )
        )
    elif low is not None and behind:
        found.append(
            Shortfall(
                "source_behind",
                f"the largest {cursor}, {top}, is before the committed {low}: rows changed since the source went back "
                "are not read",
                "If it was restored from a backup or filled anew, run the table with --full-refresh.",
            )
        )
    return tuple(found)
