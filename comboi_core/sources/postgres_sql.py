"""Every SQL text that PostgreSQL gets, apart from the types' expressions (`postgres_types`) and the window's
(`postgres_window`).

Results are text, named by us: the scanner then has no type of its own to guess.
"""

from __future__ import annotations

from comboi_core.domain.sql import identifier, literal

# Sessions that never write rows of users, and comboi's own, which are read-only.
_HARMLESS = "('autovacuum worker', 'autovacuum launcher', 'walsender', 'parallel worker')"


def parts(name: str) -> tuple[str, ...]:
    """Split `schema.table`; a part in double quotes may hold dots and doubled quotes.

    Raises:
        ValueError: the name has an empty part, an open quote or more than two parts.
    """
    found, rest = [], name.strip()
    while True:
        if rest.startswith('"'):
            end = 1
            while (end := rest.find('"', end)) >= 0 and rest[end : end + 2] == '""':
                end += 2
            if end < 0:
                raise ValueError("a quote is left open")
            found.append(rest[1:end].replace('""', '"'))
            rest = rest[end + 1 :]
        else:
            part, dot, tail = rest.partition(".")
            found.append(part)
            rest = dot + tail
        if not rest:
            break
        if not rest.startswith("."):
            raise ValueError("a closing quote is followed by something else than a dot")
        rest = rest[1:]
    if not all(found) or len(found) > 2:
        raise ValueError("write a table as table or schema.table")
    return tuple(found)


def relation(name: str) -> str:
    """Return a table's name with each part quoted."""
    return ".".join(identifier(part) for part in parts(name))


def subquery(query: str) -> str:
    """Return a configured query as a FROM item; a comment at its end does not swallow the bracket."""
    return f"({query.strip().rstrip(';').rstrip()}\n)"


def find_table(name: str) -> str:
    """Give `oid, kind, rows` of a table, or no row; `rows` is the planner's count, negative when unknown."""
    return f"""
        SELECT c.oid::text AS oid, c.relkind::text AS kind, (
            SELECT CASE WHEN bool_or(reltuples < 0) THEN -1 ELSE sum(reltuples)::int8 END
            FROM pg_class WHERE relkind NOT IN ('p', 'v') AND oid IN ({_family("c.oid")})
        )::text AS rows
        FROM pg_class c WHERE c.oid = to_regclass({literal(relation(name))})"""


def _family(oid: str) -> str:
    """Give a table's oid and those of its partitions and heirs."""
    return f"""
        WITH RECURSIVE family AS (
            SELECT {oid} AS member UNION SELECT inhrelid FROM pg_inherits JOIN family ON inhparent = member
        ) SELECT member FROM family"""


def table_columns(oid: str) -> str:
    """Give `name, type, required` of a table's columns in their order; of a domain, the type that it is over."""
    return f"""
        WITH RECURSIVE typed AS (
            SELECT a.attnum, a.attname, a.attnotnull, a.atttypid AS type, a.atttypmod AS modifier
            FROM pg_attribute a WHERE a.attrelid = {literal(oid)}::oid AND a.attnum > 0 AND NOT a.attisdropped
            UNION ALL
            SELECT attnum, attname, attnotnull OR t.typnotnull, t.typbasetype, t.typtypmod
            FROM typed JOIN pg_type t ON t.oid = typed.type WHERE t.typtype = 'd'
        )
        SELECT attname::text AS name, format_type(type, modifier) AS type, attnotnull::text AS required
        FROM typed JOIN pg_type t ON t.oid = typed.type WHERE t.typtype <> 'd' ORDER BY attnum"""


def query_columns(query: str, names: tuple[str, ...]) -> str:
    """Give one row per column of a query: `name, type`, the type without its modifiers, a domain's base type."""
    wanted = ", ".join(
        f"({index}, {literal(name)}, pg_typeof(q.{identifier(name)}))" for index, name in enumerate(names)
    )
    return f"""
        WITH RECURSIVE typed AS (
            SELECT v.position, v.name, v.type::oid AS type
            FROM (SELECT 1) one LEFT JOIN (SELECT * FROM {subquery(query)} AS s LIMIT 0) AS q ON true,
                LATERAL (VALUES {wanted}) AS v (position, name, type)
            UNION ALL
            SELECT position, name, t.typbasetype FROM typed JOIN pg_type t ON t.oid = typed.type WHERE t.typtype = 'd'
        )
        SELECT name, format_type(type, NULL) AS type, 'false' AS required
        FROM typed JOIN pg_type t ON t.oid = typed.type WHERE t.typtype <> 'd' ORDER BY position"""


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
    """Give `holder`, one row per transaction that has written to a table (or, for a query, to any) and goes on."""
    scope = "l.relation >= 16384"
    if oid:
        scope = f"l.relation IN ({_family(f'{literal(oid)}::oid')})"
    return f"""
        SELECT DISTINCT l.virtualtransaction AS holder FROM pg_locks l
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


def key_bounds(source: str, key: str, condition: str) -> str:
    """Give `low, high` of an integer key."""
    return f"SELECT min({key})::text AS low, max({key})::text AS high FROM {source} WHERE {condition}"


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
