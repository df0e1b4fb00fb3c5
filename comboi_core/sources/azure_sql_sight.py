"""Looking at the server before a load: its clock, the largest cursor, and what still writes, in this order.

A transaction that had written before the first step is listed in the last one, or has committed and is visible.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from comboi_core.domain.errors import SourceObjectMissing, SourceQueryFailed
from comboi_core.sources import azure_sql_sql as sql
from comboi_core.sources import azure_sql_window as windows

WRITERS_SECONDS = 10.0
"""How long a load over an integer cursor waits for the transactions that have written to the database."""
SETTLE_SECONDS = 0.05
"""Between the largest cursor and the list of transactions: one is listed when its first row is written."""
HIDDEN = "the login does not see other transactions (grant it VIEW DATABASE STATE)"
REPLICA = "the source is a replica, which does not show its primary's transactions"

Rows = Callable[[str], list[dict[str, str | None]]]
"""Runs a SELECT; raises the typed errors."""


def look(rows: Rows, relation: sql.Relation, cursor: windows.Cursor, *, replica: bool) -> windows.Sight:
    """Return what the server shows; for an integer cursor, after its writers have ended or the wait was too long.

    Args:
        replica: Whether the database is a readable copy of another one.
    """
    server = rows(sql.SERVER)[0]
    latest = rows(windows.largest(relation, cursor, str(server["utc"])))[0]["latest"]
    time.sleep(SETTLE_SECONDS)
    blind, ages = (REPLICA, {}) if replica else _writers(rows)
    return windows.Sight(
        clock=str(server["clock"]),
        utc=str(server["utc"]),
        active=str(server["active"]),
        latest=latest,
        age=max(ages.values(), default=0.0),
        blind=blind,
        waiting=cursor.kind == "integer" and not _gone(rows, set(ages)),
    )


def _writers(rows: Rows) -> tuple[str | None, dict[str, float]]:
    """Why the list may be empty, and the ages in seconds of the transactions that have written, by number."""
    try:
        found = rows(sql.WRITERS)
    except (SourceObjectMissing, SourceQueryFailed):
        return HIDDEN, {}
    return None, {str(row["holder"]): max(0, int(row["age"] or 0)) / 1000 for row in found}


def _gone(rows: Rows, writers: set[str]) -> bool:
    """Wait until these transactions have ended; False if they go on."""
    deadline = time.monotonic() + WRITERS_SECONDS
    while writers:
        if time.monotonic() > deadline:
            return False
        time.sleep(SETTLE_SECONDS)
        writers &= _writers(rows)[1].keys()
    return True
