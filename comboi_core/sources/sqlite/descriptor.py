"""What comboi knows of SQLite."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from comboi_core.config.source_type import NewTable, Rows, SourceType
from comboi_core.config.tables import TableConfig
from comboi_core.domain.load import Column
from comboi_core.domain.ports import Source
from comboi_core.sources.sqlite.config import SqliteSource
from comboi_core.sources.sqlite.sample import EXAMPLES, SAMPLE

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_TIME_NAME = re.compile(r"(at|on|date|time|ts|stamp|modified|updated|changed)$", re.IGNORECASE)
"""How columns with times are called."""


def _open(con: DuckDBPyConnection, *, source: str, table: TableConfig, connection: dict[str, Any]) -> Source:
    from comboi_core.sources.sqlite.table import SqliteTable

    return SqliteTable(con, source=source, table=table, connection=connection)


def _address(connection: Mapping[str, Any]) -> dict[str, str]:
    return {"path": connection["path"]}


def _key(rows: Rows, table: str) -> tuple[str, ...]:
    from comboi_core.sources.sqlite.sql import table_columns

    keyed = [row for row in rows(table_columns(table)) if int(row["key"])]
    return tuple(row["name"] for row in sorted(keyed, key=lambda row: int(row["key"])))


def _is_time(column: Column) -> bool:
    """SQLite has no type for times; the declared type tells, or the column's name."""
    declared = re.search("date|time", column.source_type, re.IGNORECASE)
    return column.type in ("VARCHAR", "BIGINT") and bool(declared or _TIME_NAME.search(column.name))


SOURCE_TYPE = SourceType(
    name="sqlite",
    model=SqliteSource,
    open=_open,
    address=_address,
    sample=SAMPLE,
    new_table=NewTable(key=_key, is_time=_is_time),
    examples=EXAMPLES,
)
