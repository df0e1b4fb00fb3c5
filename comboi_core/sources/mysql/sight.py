"""What the server shows of what is going on: which transactions and statements may still commit rows.

The order of the looks makes that none is missed: first the statements, which are shown as they are, then InnoDB's list
of transactions. A statement that may write is running at the first look, or has ended before it: then its transaction
has written and is on the list, or has committed and is visible from now on.

InnoDB's list is a copy, which a look renews only if nobody has read it for 0.1 s (CACHE_MIN_IDLE_TIME_NS in its
trx0i_s.cc). If others read it all the time, everybody sees an old one. So it is believed only once it shows a change
that we have made after the first look: a transaction of our own (`_renewed`).
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from comboi_core.sources.mysql import sql
from comboi_core.sources.mysql import window as windows
from comboi_core.sources.mysql.catalog import Rows

WRITERS_SECONDS = 10.0
"""How long a load over an integer cursor waits for the statements and transactions that are writing."""
SETTLE_SECONDS = 0.05
"""Between clock and looks: a statement notes its start, and is listed a few microseconds later."""
STALE_SECONDS = 5.0
"""How long a look waits for a list that is new enough."""
_IDLE_SECONDS = 0.12
"""Nobody may have read the list for this long, or it is not renewed."""
_LOOKING = threading.Lock()
"""One activity of this process waits for a new list at a time, or they would keep it old for each other."""

_REPLICA = "the source is a replica, which does not show its primary's transactions"
_ORPHANED = "the source holds prepared transactions, whose start is not known"
_HIDDEN = "the account may not see other sessions (grant it PROCESS)"
_STALE = "something else reads information_schema.INNODB_TRX all the time, which keeps that list old"

Transaction = Callable[[], AbstractContextManager[None]]
"""Opens a transaction for a block, on the connection that asks."""


def look(
    ask: Rows, source: str, cursor: windows.Cursor, *, transaction: Transaction, mariadb: bool, sees: bool
) -> windows.Sight:
    """Read the clock, then look at what may still write.

    Args:
        source: The FROM item, called `src`.
        sees: Whether the account may see other sessions.
    """
    first = ask(windows.probe(source, cursor))[0]
    clock, latest = str(first["clock"]), first["latest"]
    if not sees:
        return windows.Sight(clock, latest, blind=_HIDDEN)
    time.sleep(SETTLE_SECONDS)
    waits, deadline = cursor.kind == "integer", time.monotonic() + WRITERS_SECONDS
    # What a statement has written by its end is on the list that is asked for afterwards.
    ended = not waits or _gone(ask, sql.running(mariadb=mariadb), deadline)
    running = ask(sql.STATEMENTS)[0]
    age = float(running["age"] or 0)
    if not _renewed(ask, transaction):
        return windows.Sight(clock, latest, age, _STALE, waiting=not ended)
    open_ones = ask(sql.TRANSACTIONS)[0]
    blind = _REPLICA if running["replica"] == "1" else _ORPHANED if open_ones["orphaned"] == "1" else None
    waiting = waits and not (ended and _gone(ask, sql.WRITERS, deadline))
    return windows.Sight(clock, latest, max(age, float(open_ones["age"] or 0)), blind, waiting)


def _renewed(ask: Rows, transaction: Transaction) -> bool:
    """Wait until InnoDB's list is newer than this call; False if it stays old.

    It is once it shows the transaction that we open. Where it shows one from the start, which our connection has
    ended, it is once it shows none. Lists never go back, so those who ask later see this one or a newer one.
    """
    with _LOOKING:
        shown = _shows_us(ask)
        pause, deadline = _IDLE_SECONDS, time.monotonic() + STALE_SECONDS
        with nullcontext() if shown else transaction():
            while time.monotonic() < deadline:
                # Other processes may wait as well: they read less and less often, and not in step.
                time.sleep(pause * random.uniform(1, 2))
                pause *= 1.5
                if _shows_us(ask) != shown:
                    return True
    return False


def _shows_us(ask: Rows) -> bool:
    return ask(sql.LISTED)[0]["listed"] != "0"


def _gone(ask: Rows, text: str, deadline: float) -> bool:
    """Wait until those whom a query calls `holder` by now have ended; False if they go on."""
    first = {row["holder"] for row in ask(text)}
    while first:
        if time.monotonic() > deadline:
            return False
        time.sleep(_IDLE_SECONDS * random.uniform(1, 3))
        first &= {row["holder"] for row in ask(text)}
    return True
