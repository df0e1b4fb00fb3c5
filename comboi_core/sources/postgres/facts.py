"""What PostgreSQL says beside its rows: how large tables are, their declared keys, the server's version and clock."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from comboi_core.config.source_type import Rows, Server
from comboi_core.domain.sql import literal
from comboi_core.sources.postgres.config import PostgresSource
from comboi_core.sources.postgres.session import PostgresSession
from comboi_core.sources.postgres.sql import planner_rows
from comboi_core.sources.postgres.text import relation

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

OLDEST = 130_000
"""Version 13: pg_snapshot_xmin, by which loads see what is still being written."""


def sizes(con: DuckDBPyConnection, source: PostgresSource, connection: dict[str, Any]) -> dict[str, int]:
    """Return the rows of each table as the planner knows them: table name -> rows; queries are left out.

    Raises:
        ComboiError: what the server says, if it cannot be asked.
    """
    relations = {table.name: table.table for table in source.tables if table.table is not None}
    if not relations:
        return {}
    session = PostgresSession(con, connection, source.name)
    try:
        return {str(row["name"]): int(row["rows"] or 0) for row in session.rows(planner_rows(relations))}
    finally:
        session.close()


def server(con: DuckDBPyConnection, connection: dict[str, Any], place: str) -> Server:
    """Return what the server says of itself.

    Args:
        place: What errors name.

    Raises:
        ComboiError: what the server says, if it cannot be asked.
    """
    session = PostgresSession(con, connection, place)
    try:
        before = datetime.now(UTC).timestamp()
        (row,) = session.rows(
            "SELECT current_setting('server_version') AS version, current_setting('server_version_num') AS number, "
            "extract(epoch FROM clock_timestamp())::text AS now, "
            "(pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'))::text AS sees"
        )
        after = datetime.now(UTC).timestamp()
    finally:
        session.close()
    old = int(row["number"] or 0) < OLDEST
    blind = "the role does not see how long other transactions are open, so the tables' lag applies"
    return Server(
        product=f"PostgreSQL {row['version']}",
        now=float(row["now"] or 0),
        asked=(before, after),
        too_old="comboi needs PostgreSQL 13 or newer." if old else "",
        remarks=() if row["sees"] == "true" else (f"{blind} (GRANT pg_read_all_stats)",),
    )


def declared_key(rows: Rows, table: str) -> tuple[str, ...]:
    """Return the columns of a table's primary key in its order; empty if it has none."""
    found = rows(f"""
        SELECT a.attname::text AS name, k.place::int AS place FROM pg_index i
        CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
        WHERE i.indrelid = to_regclass({literal(relation(table))}) AND i.indisprimary AND k.place <= i.indnkeyatts""")
    return tuple(row["name"] for row in sorted(found, key=lambda row: row["place"]))
