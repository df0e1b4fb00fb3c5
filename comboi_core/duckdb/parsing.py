"""Queries as DuckDB parses them. Nothing is bound, so what a query names need not exist."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from comboi_core.duckdb.rows import one_row

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def parsed(con: DuckDBPyConnection, sql: str) -> dict[str, Any]:
    """Return what `json_serialize_sql` gives for a SELECT: `statements`; for what it cannot parse `error` is true, and
    `error_type` and `error_message` say why.
    """
    found: dict[str, Any] = json.loads(one_row(con, "SELECT json_serialize_sql(?::VARCHAR)", [sql])[0])
    return found
