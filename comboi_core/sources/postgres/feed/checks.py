"""What has to be so for a table to be followed by a change feed, and what to do where it is not.

Everything is looked at before anything is made: a publication whose columns lack the replica identity is made without a
word, and from then on the application's own UPDATE and DELETE fail.
"""

from __future__ import annotations

from dataclasses import dataclass

from comboi_core.domain.errors import ConfigError
from comboi_core.domain.sql import literal
from comboi_core.sources.postgres.feed.slot import Ask
from comboi_core.sources.postgres.text import relation

OLDEST = 150_000
"""Version 15: publications with lists of columns."""
_ORDINARY, _PARTITIONED = "r", "p"
_KINDS = {"v": "a view", "m": "a materialized view", "f": "a foreign table", "S": "a sequence", "c": "a type"}
_FULL, _NOTHING = "f", "n"


@dataclass(frozen=True)
class Problem:
    """Something that keeps a feed from being used.

    Attributes:
        message: What is wrong.
        remedy: What to do.
    """

    message: str
    remedy: str


@dataclass(frozen=True)
class Target:
    """A table as a feed sees it.

    Attributes:
        oid: Its id; empty if there is none of that name.
        kind: PostgreSQL's letter.
        identity: The columns of its replica identity; empty if it has none.
        full: Whether its replica identity is the whole row.
        required: Its columns that are never NULL.
    """

    name: str
    oid: str = ""
    kind: str = ""
    persistence: str = "p"
    identity: tuple[str, ...] = ()
    full: bool = False
    required: frozenset[str] = frozenset()
    children: bool = False


def server_problems(ask: Ask) -> list[Problem]:
    """Return what keeps the server or the role from a feed."""
    (row,) = ask("""
        SELECT current_setting('wal_level') AS level, current_setting('server_version_num') AS version,
            current_user::text AS role, (rolreplication OR rolsuper)::text AS may
        FROM pg_roles WHERE rolname = current_user""")
    found = []
    if int(row["version"] or 0) < OLDEST:
        found.append(Problem("the server is older than PostgreSQL 15", "Use cursor: xmin, or a newer server."))
    if row["level"] != "logical":
        found.append(
            Problem(
                f"wal_level is {row['level']}",
                "Set wal_level = logical and restart the server (Azure: the server parameter wal_level).",
            )
        )
    if row["may"] != "true":
        role = '"' + str(row["role"]).replace('"', '""') + '"'
        found.append(Problem(f"the role {row['role']} may not read slots", f"ALTER ROLE {role} REPLICATION;"))
    return found


def target(ask: Ask, table: str) -> Target:
    """Return a table as a feed sees it."""
    found = ask(f"""
        SELECT c.oid::text AS oid, c.relkind::text AS kind, c.relpersistence::text AS persistence,
            c.relreplident::text AS identity, a.attname::text AS name, a.attnotnull::text AS required,
            (i.indexrelid IS NOT NULL)::text AS identifies,
            (c.relkind = 'r' AND EXISTS (SELECT 1 FROM pg_inherits h WHERE h.inhparent = c.oid))::text AS children
        FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_index i ON i.indrelid = c.oid AND a.attnum = ANY (i.indkey::int2[]) AND (
            (c.relreplident = 'i' AND i.indisreplident) OR (c.relreplident = 'd' AND i.indisprimary))
        WHERE c.oid = to_regclass({literal(relation(table))}) ORDER BY a.attnum""")
    if not found:
        return Target(table)
    head = found[0]
    return Target(
        table,
        str(head["oid"]),
        str(head["kind"]),
        str(head["persistence"]),
        tuple(str(row["name"]) for row in found if row["identifies"] == "true"),
        head["identity"] == _FULL,
        frozenset(str(row["name"]) for row in found if row["required"] == "true"),
        head["children"] == "true",
    )


def table_problems(one: Target, key: tuple[str, ...]) -> list[Problem]:
    """Return what keeps a table from being followed, whatever the publication says."""
    if not one.oid:
        return [Problem(f"the source has no table {one.name}", "Correct `table:`, or grant USAGE on its schema.")]
    other = "Use incremental_column: or cursor: xmin for this table"
    if one.kind not in (_ORDINARY, _PARTITIONED):
        return [Problem(f"{one.name} is {_KINDS.get(one.kind, 'no table')}, which has no changes", f"{other}.")]
    if one.persistence != "p":
        return [Problem(f"{one.name} is unlogged or temporary, so the log lacks its changes", f"{other}.")]
    if one.children:
        return [Problem(f"{one.name} has tables that inherit from it", f"{other}, or follow each of them.")]
    found = []
    names = ", ".join(key)
    if not one.full and not one.identity:
        found.append(
            Problem(
                f"{one.name} has no replica identity, so the log does not say which row is deleted",
                "Add a primary key to the table, or choose a unique index on NOT NULL columns with "
                f"ALTER TABLE {one.name} REPLICA IDENTITY USING INDEX ....",
            )
        )
    elif not one.full and not set(key) <= set(one.identity):
        found.append(
            Problem(
                f"primary_key: [{names}] is not part of the replica identity of {one.name} "
                f"({', '.join(one.identity)}), so the log does not say which row is deleted",
                "Write the columns of the replica identity into primary_key:.",
            )
        )
    optional = [name for name in key if name not in one.required]
    if optional:
        found.append(
            Problem(
                f"{', '.join(optional)} of {one.name} may be NULL, and a row without a key cannot be followed",
                f"ALTER TABLE {one.name} ALTER COLUMN {optional[0]} SET NOT NULL, or use another key.",
            )
        )
    return found


def publication_problems(
    ask: Ask, publication: str, tables: dict[str, tuple[Target, tuple[str, ...]]]
) -> list[Problem]:
    """Return what keeps a publication from telling all changes of tables.

    Args:
        tables: Name in the configuration -> the table, its key.
    """
    setup = "Run `comboi changes setup`, or give the administrator what `comboi changes setup --print` shows."
    found = ask(f"""
        SELECT (pubinsert AND pubupdate AND pubdelete AND pubtruncate)::text AS all_kinds, pubviaroot::text AS via_root
        FROM pg_publication WHERE pubname = {literal(publication)}""")
    if not found:
        return [Problem(f"there is no publication {publication}", setup)]
    problems = []
    if found[0]["all_kinds"] != "true":
        problems.append(
            Problem(
                f"the publication {publication} leaves out some kinds of changes",
                f"ALTER PUBLICATION {publication} SET (publish = 'insert, update, delete, truncate');",
            )
        )
    published = {
        row["oid"]: row
        for row in ask(f"""
            SELECT c.oid::text AS oid, to_json(p.attnames)::text AS names, p.rowfilter::text AS filter
            FROM pg_publication_tables p JOIN pg_namespace n ON n.nspname = p.schemaname
            JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = p.tablename
            WHERE p.pubname = {literal(publication)}""")
    }
    for one, key in tables.values():
        problems += _of_published(publication, one, key, published.get(one.oid), setup)
    return problems


def _of_published(
    publication: str, one: Target, key: tuple[str, ...], row: dict[str, str | None] | None, setup: str
) -> list[Problem]:
    import json

    if row is None:
        via = " with publish_via_partition_root" if one.kind == _PARTITIONED else ""
        return [Problem(f"the publication {publication} does not have {one.name}{via}", setup)]
    if row["filter"]:
        return [Problem(f"the publication {publication} has a WHERE for {one.name}, which hides changes", setup)]
    names = set(json.loads(row["names"] or "[]"))
    wanted = {*key, *one.identity}
    missing = sorted(wanted - names)
    if missing:
        return [
            Problem(
                f"the publication {publication} lacks {', '.join(missing)} of {one.name}; the application's own "
                "UPDATE and DELETE of the table may fail",
                setup,
            )
        ]
    return []


def refuse(place: str, problems: list[Problem]) -> None:
    """Raise ConfigError that names the first problem and how many more there are."""
    if not problems:
        return
    first, more = problems[0], len(problems) - 1
    raise ConfigError(
        f"{place}: {first.message}{f' (and {more} more: `comboi changes status`)' if more else ''}",
        remedy=first.remedy,
    )
