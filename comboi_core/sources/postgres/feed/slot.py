"""The logical slot of a source, and the SQL about it.

The slot is only ever peeked at: `get` would consume changes that no load has committed yet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from comboi_core.domain.sql import identifier, literal
from comboi_core.sources.postgres.feed.snapshot import CURRENT

Ask = Callable[[str], list[dict[str, str | None]]]
"""Runs a SELECT whose results are text."""

PLUGIN = "pgoutput"
MUCH = 16 * 2**30
"""Bytes of log that a server without a limit may keep for a slot until it is told."""
ENDANGERED = (
    "Let the pipeline run: the server forgets what all tables have landed. A table that fails, or is never selected, "
    "holds the slot back."
)
_NOW = "CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END"
"""What is flushed is what a slot gives; what is written and not flushed comes with the next question."""
PIN = f"SELECT ({_NOW})::text AS high, {CURRENT} AS seen"
SEEN = f"SELECT {CURRENT} AS seen"


@dataclass(frozen=True)
class Slot:
    """A slot as the server describes it.

    Attributes:
        since: The position from which it gives changes; None where it is lost.
        lost: Why the server keeps its changes no longer, or empty.
        unfit: Why it cannot be read for this purpose, or empty.
        holder: The process that reads it at the moment, or None.
        retained: Bytes of log that the server keeps for it.
        left: Bytes of log that may still be written until it is lost, or None without a limit.
    """

    since: str | None
    lost: str = ""
    unfit: str = ""
    holder: str | None = None
    retained: int = 0
    left: int | None = None

    @property
    def told(self) -> str:
        """What the server keeps for it, in words."""
        if self.left is None:
            limit = "without a limit (max_slot_wal_keep_size)"
        else:
            limit = f"and the slot is lost after {self.left / 2**20:,.0f} MB more"
        return f"the server keeps {self.retained / 2**20:,.1f} MB of its log, {limit}"

    @property
    def endangered(self) -> bool:
        """Whether it is nearer to being lost than to its beginning, or keeps so much that a disk may fill."""
        return self.retained > (MUCH if self.left is None else self.left)


def find(ask: Ask, name: str) -> Slot | None:
    """Return the slot, or None if there is none of that name in the cluster."""
    # Columns that older servers lack are asked for as JSON.
    found = ask(f"""
        SELECT s.plugin::text AS plugin, s.slot_type AS type, s.confirmed_flush_lsn::text AS since,
            s.active_pid::text AS holder, s.wal_status AS status, s.safe_wal_size::text AS left_bytes,
            to_jsonb(s) ->> 'invalidation_reason' AS reason, to_jsonb(s) ->> 'two_phase' AS two_phase,
            s.database::text AS database, current_database()::text AS here, s.temporary::text AS temporary,
            pg_wal_lsn_diff({_NOW}, s.restart_lsn)::bigint::text AS retained
        FROM pg_replication_slots s WHERE s.slot_name = {literal(name)}""")
    if not found:
        return None
    (row,) = found
    unfit = ""
    if row["type"] != "logical" or row["plugin"] != PLUGIN:
        unfit = f"it is a {row['type']} slot" + (f" of the plugin {row['plugin']}" if row["plugin"] else "")
    elif row["database"] != row["here"]:
        unfit = f"it belongs to the database {row['database']}"
    elif row["temporary"] == "true":
        unfit = "it is temporary"
    elif row["two_phase"] == "true":
        unfit = "it sends prepared transactions before they commit (two_phase)"
    lost = ""
    if row["status"] == "lost" or row["reason"]:
        lost = f"the server has invalidated it ({row['reason'] or 'wal_removed'})"
    left = None if row["left_bytes"] is None else int(row["left_bytes"])
    return Slot(row["since"], lost, unfit, row["holder"], max(int(row["retained"] or 0), 0), left)


def create(name: str) -> str:
    """Give `since` of a new slot; waits until each transaction that has written by now has ended."""
    return f"SELECT lsn::text AS since FROM pg_create_logical_replication_slot({literal(name)}, '{PLUGIN}')"


def drop(name: str) -> str:
    """Drop a slot."""
    return f"SELECT pg_drop_replication_slot({literal(name)})::text AS done"


def peek(slot: str, publication: str, high: str) -> str:
    """Give `data`, the messages up to a position without those that say nothing of keys; consumes nothing."""
    options = {"proto_version": "1", "publication_names": identifier(publication)}
    given = ", ".join(f"{literal(key)}, {literal(value)}" for key, value in options.items())
    return f"""
        SELECT data FROM pg_logical_slot_peek_binary_changes({literal(slot)}, {literal(high)}, NULL, {given})
        WHERE get_byte(data, 0) NOT IN (67, 79, 89, 77)"""


def advance(slot: str, position: str) -> str:
    """Let the server forget the log up to a position; does nothing to a slot that is there already."""
    return f"""
        SELECT end_lsn::text AS since FROM pg_replication_slots s,
            LATERAL pg_replication_slot_advance(s.slot_name, {literal(position)}) AS moved
        WHERE s.slot_name = {literal(slot)} AND s.confirmed_flush_lsn < {literal(position)}"""
