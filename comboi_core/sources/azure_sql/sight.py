"""Looking at the server before a load: its clock, the largest cursor, and what still writes, in this order.

A transaction that had written before the first step is listed in the last one, or has committed and is visible.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from comboi_core.domain.errors import SourceObjectMissing, SourceQueryFailed
from comboi_core.sources.azure_sql import sql
from comboi_core.sources.azure_sql.cursor import Cursor

WRITERS_SECONDS = 10.0
"""How long a load over an integer cursor waits for the transactions that have written to the database."""
SETTLE_SECONDS = 0.05
"""Between the largest cursor and the list of transactions: one is listed when its first row is written."""
_DATABASES = ("5", "12")
"""Of SERVERPROPERTY('EngineEdition'): Azure SQL Database, SQL database in Fabric."""
_SMALL = ("BASIC", "S0", "S1", "ELASTICPOOL")
REFUSED = "the server does not let the login see other transactions (grant it VIEW SERVER STATE or VIEW DATABASE STATE)"
REPLICA = "the source is a replica, which does not show its primary's transactions"

Rows = Callable[[str], list[dict[str, str | None]]]
"""Runs a SELECT; raises the typed errors."""


@dataclass(frozen=True)
class Sight:
    """What the server showed when the load was planned.

    Attributes:
        clock: Its clock, with the offset.
        utc: Its clock in UTC.
        active: The lowest row version that a transaction in progress has drawn, or the next one.
        age: Seconds since the oldest transaction that has written began; 0 if there is none.
        blind: Why transactions may be invisible, or None.
        waiting: Whether one that had written goes on after the wait (integers only).
    """

    clock: str
    utc: str
    active: str
    age: float = 0.0
    blind: str | None = None
    waiting: bool = False


def hidden(server: dict[str, str | None]) -> str | None:
    """Return why the login does not see other transactions, with what to grant, or None if it does.

    Microsoft's page of sys.dm_tran_database_transactions, "Permissions": SQL Server and Managed Instance want VIEW
    SERVER STATE, from 2022 on VIEW SERVER PERFORMANCE STATE, which that one implies; Azure SQL Database wants VIEW
    DATABASE STATE, on Basic, S0, S1 and in elastic pools the server role ##MS_ServerStateReader##, which does
    everywhere.

    Args:
        server: The row of `sql.SERVER`.
    """
    told = "the login does not see other transactions (grant it {})"
    if server["state_reader"] == "1":
        return None
    if server["edition"] not in _DATABASES:
        seen = "1" in (server["server_state"], server["server_performance"])
        return None if seen else told.format("VIEW SERVER STATE, from 2022 on VIEW SERVER PERFORMANCE STATE")
    if str(server["objective"]).upper() in _SMALL:
        return told.format(f"the server role ##MS_ServerStateReader##, which {server['objective']} asks for")
    return None if server["database_state"] == "1" else told.format("VIEW DATABASE STATE")


def unseen(server: dict[str, str | None]) -> tuple[str, ...]:
    """Return what the login does not see of the server, each with what comes of it and what to grant.

    Args:
        server: The row of `sql.SERVER`.
    """
    told = []
    replica = server["updateability"] == "READ_ONLY"
    if blind := REPLICA if replica else hidden(server):
        told.append(f"{blind}, so the tables' `lag` applies, and an integer cursor may miss rows")
    if server["definition"] != "1":
        told.append(
            "the login need not see policies that hide rows, nor what views read: grant it VIEW DEFINITION (from 2022 "
            "on VIEW SECURITY DEFINITION shows policies too), so that hidden rows and emptied tables are told"
        )
    return tuple(told)


def look(rows: Rows, server: dict[str, str | None], cursor: Cursor, *, replica: bool) -> Sight:
    """Return what the server shows; for an integer cursor, after its writers have ended or the wait was too long.

    Args:
        server: The row of `sql.SERVER`, from before the largest cursor was looked at.
        replica: Whether the database is a readable copy of another one.
    """
    time.sleep(SETTLE_SECONDS)
    blind: str | None = REPLICA
    ages: dict[str, float] = {}
    if not replica:  # what a login without the right sees all the same is better than nothing
        refused, ages = _writers(rows)
        blind = hidden(server) or refused
    return Sight(
        clock=str(server["clock"]),
        utc=str(server["utc"]),
        active=str(server["active"]),
        age=max(ages.values(), default=0.0),
        blind=blind,
        waiting=cursor.kind == "integer" and not _gone(rows, set(ages)),
    )


def _writers(rows: Rows) -> tuple[str | None, dict[str, float]]:
    """Why the list may be empty, and the ages in seconds of the transactions that have written, by number."""
    try:
        found = rows(sql.WRITERS)
    except (SourceObjectMissing, SourceQueryFailed):
        return REFUSED, {}
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
