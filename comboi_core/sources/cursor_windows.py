"""Windows over a cursor, as far as they are the same in every dialect of SQL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from comboi_core.domain.load import Window

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


def odd_ends(found: dict[str, str | None], largest: str | None, low: str | None) -> list[str]:
    """Return the warnings of a largest cursor that is in the future, or before what was committed.

    Args:
        found: Has `future` and `backwards`, as true or false.
    """
    said = []
    if found["future"] == "true":
        said.append(f"the largest cursor, {largest}, is in the future; such rows are read when their time has come")
    if found["backwards"] == "true":
        said.append(
            f"the largest cursor, {largest}, is before the committed {low}: was the source restored from a backup? "
            "Rows changed since then are missing; run the table with --full-refresh"
        )
    return said
