"""The window of a load over an incremental column: asking the server, and what follows from its answers.

The rules stand in `window`.
"""

from __future__ import annotations

from dataclasses import dataclass

from comboi_core.config.tables import TableConfig
from comboi_core.domain.errors import UnsupportedValue
from comboi_core.domain.load import Column, Window
from comboi_core.domain.shortfall import Shortfall
from comboi_core.sources.common import cursor_windows
from comboi_core.sources.mysql import sight as sights
from comboi_core.sources.mysql import sql, types
from comboi_core.sources.mysql import window as windows
from comboi_core.sources.mysql.catalog import Rows
from comboi_core.sources.mysql.text import identifier


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
    transaction: sights.Transaction, sees: bool, place: str,
) -> Outlook:  # fmt: skip
    """Bound the window of an incremental column.

    Args:
        source: The FROM item, called `src`.
        low: The watermark, or None for a load from the beginning.
        required: Whether the column is never NULL.
        transaction: Opens one for a block, on the connection that asks.
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
    sight = sights.look(ask, source, cursor, transaction=transaction, mariadb=mariadb, sees=sees)
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
