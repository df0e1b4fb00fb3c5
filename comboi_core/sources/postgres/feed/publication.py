"""The publication of a source: which statements make it, and make it complete."""

from __future__ import annotations

from collections.abc import Mapping

from comboi_core.domain.sql import identifier, literal
from comboi_core.sources.postgres.feed.checks import Target
from comboi_core.sources.postgres.feed.slot import Ask
from comboi_core.sources.postgres.text import relation


def member(one: Target, key: tuple[str, ...]) -> str:
    """Return a table as a member of a publication: with the columns of key and replica identity alone, unless the
    replica identity is the whole row."""
    columns = tuple(dict.fromkeys((*key, *one.identity)))
    listed = "" if one.full else f" ({', '.join(map(identifier, columns))})"
    return f"TABLE {relation(one.name)}{listed}"


def statements(ask: Ask, name: str, tables: Mapping[str, tuple[Target, tuple[str, ...]]]) -> list[str]:
    """Return the statements that make a publication of tables, or give an existing one what it lacks.

    A publication that is there is given the tables anew: its members that are none of these stay as they are.

    Args:
        tables: Name in the configuration -> the table, its key. They have no `table_problems`.
    """
    members = ", ".join(member(one, key) for one, key in tables.values())
    options = "publish = 'insert, update, delete, truncate', publish_via_partition_root = true"
    if not exists(ask, name):
        return [f"CREATE PUBLICATION {identifier(name)} FOR {members} WITH ({options})"]
    present = {row["oid"] for row in ask(_MEMBERS.format(name=literal(name)))}
    gone = ", ".join(f"TABLE {relation(one.name)}" for one, _ in tables.values() if one.oid in present)
    drop = [f"ALTER PUBLICATION {identifier(name)} DROP {gone}"] if gone else []
    return [
        f"ALTER PUBLICATION {identifier(name)} SET ({options})",
        *drop,
        f"ALTER PUBLICATION {identifier(name)} ADD {members}",
    ]


_MEMBERS = """
    SELECT r.prrelid::text AS oid FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
    WHERE p.pubname = {name}"""


def exists(ask: Ask, name: str) -> bool:
    """Tell whether there is a publication of a name."""
    return bool(ask(f"SELECT 1::text AS one FROM pg_publication WHERE pubname = {literal(name)}"))


def drop(name: str) -> str:
    """Drop a publication."""
    return f"DROP PUBLICATION {identifier(name)}"
