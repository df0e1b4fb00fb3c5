"""How large a source's tables are: one question per source, so that work is dealt evenly; correctness needs none."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from comboi_core.config.sources import SourceConfig, TableConfig

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def table_sizes(con: DuckDBPyConnection, source: SourceConfig, connection: dict[str, str]) -> dict[str, int]:
    """Return the rows that a source of a type in SIZED expects in each table: table name -> rows.

    Raises:
        ComboiError: what the source says, if it cannot be asked.
    """
    return _SIZES[source.type](con, source, connection)


def _postgres(con: DuckDBPyConnection, source: SourceConfig, connection: dict[str, str]) -> dict[str, int]:
    from comboi_core.sources.postgres.session import PostgresSession
    from comboi_core.sources.postgres.sql import planner_rows

    tables = (table for table in source.tables if isinstance(table, TableConfig))
    relations = {table.name: table.table for table in tables if table.table is not None}
    if not relations:
        return {}
    session = PostgresSession(con, connection, source.name)
    try:
        return {str(row["name"]): int(row["rows"] or 0) for row in session.rows(planner_rows(relations))}
    finally:
        session.close()


_SIZES: dict[str, Callable[..., dict[str, int]]] = {"postgres": _postgres}
SIZED = frozenset(_SIZES)
"""The types of sources that can be asked."""
