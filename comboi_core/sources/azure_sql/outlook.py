"""What a load over a cursor will read from Azure SQL: its window, how many rows, and what there is to tell.

The table is looked at once, over what is new; see `window` for the rules and `sight` for the order.
"""

from __future__ import annotations

from dataclasses import dataclass

from comboi_core.config.tables import TableConfig
from comboi_core.domain.errors import UnsupportedValue
from comboi_core.domain.load import Column, Window
from comboi_core.domain.shortfall import Shortfall
from comboi_core.sources.azure_sql import sql
from comboi_core.sources.azure_sql import window as windows
from comboi_core.sources.azure_sql.cursor import KINDS, Cursor, lag_seconds, lowered_by
from comboi_core.sources.azure_sql.remarks import of_window, warnings
from comboi_core.sources.azure_sql.sight import REPLICA, Rows, look
from comboi_core.sources.azure_sql.text import identifier
from comboi_core.sources.azure_sql.types import base_name
from comboi_core.sources.common import cursor_windows


@dataclass(frozen=True)
class Outlook:
    """What a load over a cursor is planned with.

    Attributes:
        window: Its upper bound is not below the watermark.
        rows: How many rows it holds, or a few more.
        news: Whether there is anything to read.
    """

    window: Window
    rows: int
    news: bool
    warnings: tuple[str, ...]
    shortfalls: tuple[Shortfall, ...]


def outlook(
    rows: Rows,
    relation: sql.Relation,
    column: Column,
    config: TableConfig,
    *,
    low: str | None,
    required: bool,
    place: str,
) -> Outlook:
    """Look at the server and the table, and return what a load is planned with.

    Args:
        column: The cursor.
        low: The committed watermark, or None for a load of everything.
        required: Whether the cursor is never NULL.
        place: What errors name: `source.table`.

    Raises:
        UnsupportedValue: the column cannot be a cursor, here or at all, or is NULL where that is not allowed.
    """
    server = rows(sql.SERVER)[0]
    replica = server["updateability"] == "READ_ONLY"
    cursor = _cursor(column, config, place, replica=replica)
    lag, utc = lag_seconds(cursor, config.lag), str(server["utc"])
    back = lowered_by(cursor, low, lag)
    nulls = not required and config.on_null_cursor != "exclude"

    def probed(readable: str) -> dict[str, str | None]:
        return rows(windows.probe(relation, cursor, readable, utc, low, back, nulls=nulls))[0]

    if cursor.clocked:
        sight = look(rows, server, cursor, replica=replica)
        found = probed(windows.settled(cursor, sight, lag))
    else:
        found = probed(windows.present(cursor, utc))
        sight = look(rows, server, cursor, replica=replica)
    missing = int(found["missing"] or 0) if nulls else 0
    cursor_windows.refuse_null_cursors(missing, column.name, config, place)
    if found["largest"] is None and low is not None:
        found |= (rows(windows.top(relation, cursor)) or [{"largest": None}])[0]
    found |= rows(windows.bounds(cursor, sight, found, low, lag=lag, back=back))[0]
    high = low if low is not None and found["ahead"] != "true" else found["high"]
    window = Window(str(config.cursor_name), column.source_type, low, high, back)
    fresh = int(found["fresh"] or 0)
    news = fresh > 0
    if news and found["later"] == "true":  # of the readable rows some may wait
        news = bool(rows(sql.any_row(relation, windows.condition(window, cursor.operand, nulls=False))))
    return Outlook(
        window,
        fresh,
        news or missing > 0,
        warnings(cursor, column.name, sight, found, low, config),
        of_window(cursor, column.name, sight, found, low, lag),
    )


def _cursor(column: Column, config: TableConfig, place: str, *, replica: bool) -> Cursor:
    kind = column.source_type
    if base_name(kind) not in KINDS:
        raise UnsupportedValue(
            f"{place}: column {column.name} is {kind}, which cannot be a cursor",
            remedy="Use a rowversion, date, time or integer column as incremental_column, or mode: full.",
        )
    zone = config.cursor_zone if KINDS[base_name(kind)] == "local" else None
    cursor = Cursor(f"src.{identifier(column.name)}", kind, config.effective_mode == "append", zone)
    if replica and cursor.kind == "version":
        raise UnsupportedValue(
            f"{place}: row versions have no safe upper bound here: {REPLICA}",
            remedy="Connect to the primary (without ApplicationIntent=ReadOnly), or use another cursor with a lag.",
        )
    return cursor
