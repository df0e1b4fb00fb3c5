"""Windows over `xmin`, the transaction that wrote a row's present version: no column of the table is needed.

A load reads the rows whose transaction is above the watermark and at most `high`, which is one less than the oldest
transaction in progress (`pg_snapshot_xmin`). Whatever is at most `high` has ended, so nothing is committed late; this
holds on replicas and with prepared transactions as well, and nobody's clock counts.

Watermarks are 64-bit transaction ids. A row shows the lower 32 bits only; its full id is taken to be the largest one
with these bits that has been given out, which is exact for 2^32 transactions. An older row (it is frozen by then) may
pass for a younger one and be read once more, which a merge does not mind; none is missed.

What cannot be seen: deleted rows (as with any cursor), and a partition that was filled before it was attached
(`since` tells that): run the table with --full-refresh then. There is no index over `xmin`: each load reads
the whole table at the source.
"""

from __future__ import annotations

from comboi_core.domain.errors import SourceRewound, UnsupportedValue
from comboi_core.domain.load import Window
from comboi_core.domain.shortfall import Shortfall
from comboi_core.domain.sql import literal
from comboi_core.sources.common.cursor_windows import DEFAULT_LAG
from comboi_core.sources.postgres import sql
from comboi_core.sources.postgres.cursor import Ask, Outlook

CURSOR = "xmin"
CURSOR_TYPE = "xid8"
NEXT_ID = "(SELECT pg_snapshot_xmax(pg_current_snapshot())::text::int8)"

_HORIZON = """
    SELECT (pg_snapshot_xmin(pg_current_snapshot())::text::int8 - 1)::text AS high,
        pg_snapshot_xmax(pg_current_snapshot())::text AS next,
        (SELECT extract(epoch FROM clock_timestamp() - min(xact_start)) FROM pg_stat_activity
            WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid())::text AS age"""

_EMPTY = Shortfall(
    "source_empty",
    "the source has no row any more: readers go on seeing the rows that were landed",
    "Look whether it was emptied, or `where:` hides its rows; if they are meant to be gone, run the table with "
    "--full-refresh.",
)


def full_id(bits: str, next_id: str) -> str:
    """Return the SQL for the largest 64-bit transaction id below `next_id` with these lower 32 bits.

    Args:
        bits: An expression for a number from 0 to 2^32 - 1.
        next_id: An expression for the id that the next transaction gets.
    """
    return f"({next_id} - 1 - (({next_id} - 1 - {bits}) & 4294967295))"


def condition(window: Window) -> str:
    """Return the WHERE of a window.

    A load from the beginning takes every row as it is, also those above `high`, which the next one reads once more.
    """
    if window.low is None:
        return "true"
    written = full_id("src.xmin::text::int8", NEXT_ID)
    return f"({written} > {literal(window.low)}::int8 AND {written} <= {literal(window.high)}::int8)"


def refuse_unversioned(ask: Ask, oid: str, place: str) -> None:
    """Raise UnsupportedValue where rows of a table carry no transaction id."""
    without = ask(sql.unversioned(oid))
    if without:
        raise UnsupportedValue(
            f"{place}: cursor: xmin needs an ordinary table, and {without[0]['name']} is none",
            remedy="Read the table that is behind it, or use an incremental_column.",
        )


def outlook(ask: Ask, source: str, *, low: str | None, place: str) -> Outlook:
    """Bound the window.

    Args:
        source: The FROM item, called `src`, with its `xmin`.
        low: The watermark, or None for a load from the beginning.

    Raises:
        SourceRewound: the server's transactions are behind the watermark.
    """
    found = ask(_HORIZON)[0]
    high = str(found["high"])
    window = Window(CURSOR, CURSOR_TYPE, low, high)
    if low is None:
        return Outlook(window, True)
    if int(str(found["next"])) <= int(low):
        raise SourceRewound(
            f"{place}: the server's next transaction is {found['next']}, the watermark is {low}: it is another server, "
            "or it was restored from a backup"
        )
    if int(high) <= int(low):
        return Outlook(Window(CURSOR, CURSOR_TYPE, low, low), False, warnings=_held_back(found["age"]))
    rows = int(ask(sql.count(source, condition(window)))[0]["found"] or 0)
    empty = not rows and ask(sql.any_row(source, "true"))[0]["found"] != "true"
    return Outlook(window, rows > 0, rows, _held_back(found["age"]), shortfalls=(_EMPTY,) if empty else ())


def _held_back(age: str | None) -> tuple[str, ...]:
    if float(age or 0) <= DEFAULT_LAG:
        return ()
    said = f"a transaction that writes has been open for {float(age or 0):.0f} s; rows written since wait until it ends"
    return (said,)
