"""Every SQL text that PostgreSQL gets, apart from the types' expressions (`types`) and the window's
(`window`).

Results are text, named by us: the scanner then has no type of its own to guess.
"""

from __future__ import annotations

from collections.abc import Mapping

from comboi_core.domain.sql import identifier, literal
from comboi_core.sources.postgres.relations import FIRST_OID, policies
from comboi_core.sources.postgres.text import relation

# Sessions that never write rows of users, and comboi's own, which are read-only.
_HARMLESS = "('autovacuum worker', 'autovacuum launcher', 'walsender', 'parallel worker')"


def planner_rows(tables: Mapping[str, str]) -> str:
    """Give `name, rows` for tables (name -> relation) as the planner knows them, but for those that are not there."""
    values = ", ".join(f"({literal(name)}, {literal(relation(table))})" for name, table in tables.items())
    return f"""
        SELECT t.name AS name, greatest(c.reltuples, 0)::bigint::text AS rows
        FROM (VALUES {values}) AS t (name, relation) JOIN pg_class AS c ON c.oid = to_regclass(t.relation)"""


def find_table(name: str) -> str:
    """Give `oid, kind, filtered, policies, rows, size` of a table, or no row, with its partitions and heirs.

    `filtered` tells whether policies of row-level security hide rows of it from the role, `policies` which. `rows` is
    the planner's count, negative when unknown; `size` is in bytes, what is stored out of line included.
    """
    return f"""
        SELECT c.oid::text AS oid, c.relkind::text AS kind, row_security_active(c.oid)::text AS filtered,
            {policies("c.oid")} AS policies, (
            SELECT CASE WHEN bool_or(reltuples < 0) THEN -1 ELSE sum(reltuples)::int8 END
            FROM pg_class WHERE relkind NOT IN ('p', 'v') AND oid IN ({_family("c.oid")})
        )::text AS rows, (
            SELECT sum(pg_table_size(member)) FROM ({_family("c.oid")}) AS members
        )::text AS size
        FROM pg_class c WHERE c.oid = to_regclass({literal(relation(name))})"""


def _family(oid: str) -> str:
    """Give a table's oid and those of its partitions and heirs."""
    return f"""
        WITH RECURSIVE family AS (
            SELECT {oid} AS member UNION SELECT inhrelid FROM pg_inherits JOIN family ON inhparent = member
        ) SELECT member FROM family"""


def table_columns(name: str, given: str) -> str:
    """Give `name, type, required` of a table's columns in their order; of a domain, the type that it is over.

    Args:
        given: What else each row gives, scalar expressions with their names.
    """
    return f"""
        WITH RECURSIVE typed AS (
            SELECT a.attnum, a.attname, a.attnotnull, a.atttypid AS type, a.atttypmod AS modifier
            FROM pg_attribute a
            WHERE a.attrelid = to_regclass({literal(relation(name))}) AND a.attnum > 0 AND NOT a.attisdropped
            UNION ALL
            SELECT attnum, attname, attnotnull OR t.typnotnull, t.typbasetype, t.typtypmod
            FROM typed JOIN pg_type t ON t.oid = typed.type WHERE t.typtype = 'd'
        )
        SELECT attname::text AS name, format_type(type, modifier) AS type, attnotnull::text AS required, {given}
        FROM typed JOIN pg_type t ON t.oid = typed.type WHERE t.typtype <> 'd' ORDER BY attnum"""


def query_columns(query: str, names: tuple[str, ...], given: str) -> str:
    """Give one row per column of a query: `name, type`, the type without its modifiers, a domain's base type.

    Args:
        query: As `postgres_text.subquery` gives it.
        given: What else each row gives, scalar expressions with their names.
    """
    wanted = ", ".join(
        f"({index}, {literal(name)}, pg_typeof(q.{identifier(name)}))" for index, name in enumerate(names)
    )
    return f"""
        WITH RECURSIVE typed AS (
            SELECT v.position, v.name, v.type::oid AS type
            FROM (SELECT 1) one LEFT JOIN (SELECT * FROM {query} AS s LIMIT 0) AS q ON true,
                LATERAL (VALUES {wanted}) AS v (position, name, type)
            UNION ALL
            SELECT position, name, t.typbasetype FROM typed JOIN pg_type t ON t.oid = typed.type WHERE t.typtype = 'd'
        )
        SELECT name, format_type(type, NULL) AS type, 'false' AS required, {given}
        FROM typed JOIN pg_type t ON t.oid = typed.type WHERE t.typtype <> 'd' ORDER BY position"""


def unsettled(settings: Mapping[str, str]) -> str:
    """Return a scalar subquery that gives the settings which the session has otherwise, or NULL."""
    values = ", ".join(f"({literal(name)}, {literal(value)})" for name, value in settings.items())
    return f"""(
        SELECT string_agg(name || ' is ' || coalesce(current_setting(name, true), 'not known'), ', ')
        FROM (VALUES {values}) AS wanted (name, value)
        WHERE replace(current_setting(name, true), ' ', '') IS DISTINCT FROM value
    )"""


STATE = "SELECT pg_current_snapshot()::text AS state"
"""Give `state`, by which transactions the snapshot goes: two of the same text show the same rows."""

SERVER = """
    SELECT pg_is_in_recovery()::text AS replica,
        (SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database())::text AS prepared"""

TRANSACTIONS = f"""
    SELECT min(coalesce(xact_start, CASE WHEN state = 'active' THEN query_start END))::text AS oldest,
        (count(*) FILTER (WHERE backend_type IS NULL OR state = 'disabled'))::text AS hidden
    FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND datname = current_database()
      AND coalesce(backend_type, '') NOT IN {_HARMLESS}
      AND NOT (application_name = 'comboi' AND usename = session_user AND backend_xid IS NULL)"""
"""Give `oldest`, the start of the oldest transaction that may still write to this database, or NULL; and how many
sessions the role may not look into."""


def writers(oid: str | None) -> str:
    """Give one row per transaction that has written to a table (or, for a query, to any) and goes on: `holder`, `pid`
    (NULL if it is prepared), and `application` and `since` as far as the role may see them."""
    scope = f"l.relation >= {FIRST_OID}"
    if oid:
        scope = f"l.relation IN ({_family(f'{literal(oid)}::oid')})"
    return f"""
        SELECT DISTINCT l.virtualtransaction AS holder, l.pid::text AS pid, a.application_name AS application,
            a.xact_start::text AS since
        FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
        WHERE l.locktype = 'relation' AND l.granted AND {scope}
          AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND l.mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
          AND l.pid IS DISTINCT FROM pg_backend_pid()"""


def null_cursors(source: str, cursor: str) -> str:
    """Give `found`, the number of rows without a cursor."""
    return f"SELECT count(*)::text AS found FROM {source} WHERE {cursor} IS NULL"


def any_row(source: str, condition: str) -> str:
    """Give `found`, true if a row meets the condition."""
    return f"SELECT EXISTS (SELECT 1 FROM {source} WHERE {condition})::text AS found"


def count(source: str, condition: str) -> str:
    """Give `found`, the number of rows that meet the condition."""
    return f"SELECT count(*)::text AS found FROM {source} WHERE {condition}"


def probe(source: str, condition: str) -> str:
    """Give no row, but the error that a condition raises when it is understood."""
    return f"SELECT 1 AS one FROM {source} WHERE {condition} LIMIT 0"


def cuts(source: str, key: str, condition: str, pieces: int) -> str:
    """Give `place, cut`: keys, in order and all different, that cut the rows into about equal pieces."""
    fractions = ", ".join(f"{piece / pieces:.6f}" for piece in range(1, pieces))
    return f"""
        SELECT (row_number() OVER (ORDER BY cut))::text AS place, cut::text AS cut FROM (
            SELECT DISTINCT unnest(percentile_disc(ARRAY[{fractions}]) WITHIN GROUP (ORDER BY {key})) AS cut
            FROM {source} WHERE {condition}
        ) AS found WHERE cut IS NOT NULL"""


def sample(source: str, percent: float) -> str:
    """Return a FROM item for some of a table's pages, the same ones each time."""
    return f"{source} TABLESAMPLE SYSTEM ({percent:.6f}) REPEATABLE (1)"


def sequence_cache(oid: str, column: str) -> str:
    """Give `cache`, how many numbers at once a session takes from the sequence that fills a column."""
    return f"""
        SELECT s.seqcache::text AS cache FROM pg_attribute a
        JOIN pg_depend d ON d.refobjid = a.attrelid AND d.refobjsubid = a.attnum
            AND d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
        JOIN pg_sequence s ON s.seqrelid = d.objid
        WHERE a.attrelid = {literal(oid)}::oid AND a.attname = {literal(column)}"""


def unversioned(oid: str) -> str:
    """Give `name`, one row per part of a table whose rows carry no transaction id: views, foreign tables and such."""
    return f"""
        SELECT c.oid::regclass::text AS name FROM pg_class c LEFT JOIN pg_am m ON m.oid = c.relam
        WHERE c.oid IN ({_family(f"{literal(oid)}::oid")})
          AND NOT (c.relkind = 'p' OR (c.relkind IN ('r', 'm') AND m.amname = 'heap'))"""


def unique_key(oid: str, key: tuple[str, ...]) -> str:
    """Give `found`, true if a unique index over NOT NULL columns of the key guarantees each key to be there once.

    Partitions and heirs share no index with their parent, unless it is a partitioned table's own.
    """
    return f"""
        SELECT (EXISTS (
            SELECT 1 FROM pg_index i
            WHERE i.indrelid = {literal(oid)}::oid AND i.indisunique AND i.indisvalid AND i.indimmediate
              AND i.indpred IS NULL AND i.indexprs IS NULL
              AND NOT EXISTS (
                SELECT 1 FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
                JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
                WHERE k.place <= i.indnkeyatts AND NOT (a.attnotnull AND a.attname IN ({", ".join(map(literal, key))}))
              )
        ) AND NOT EXISTS (
            SELECT 1 FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhparent
            WHERE h.inhparent = {literal(oid)}::oid AND c.relkind <> 'p'
        ))::text AS found"""


def rows(columns: str, source: str, condition: str) -> str:
    """Give the rows of a chunk."""
    return f"SELECT {columns} FROM {source} WHERE {condition}"
