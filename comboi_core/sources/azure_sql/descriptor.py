"""What comboi knows of Azure SQL and SQL Server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from comboi_core.config.source_type import NewTable, Rows, Server, SourceType
from comboi_core.config.tables import TableConfig
from comboi_core.domain.equal_texts import Texts
from comboi_core.domain.load import Column
from comboi_core.domain.ports import Source
from comboi_core.sources.azure_sql.config import AzureSqlSource
from comboi_core.sources.azure_sql.sample import EXAMPLES, SAMPLE

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def _open(con: DuckDBPyConnection, *, source: str, table: TableConfig, connection: dict[str, Any]) -> Source:
    from comboi_core.sources.azure_sql.table import AzureSqlTable

    return AzureSqlTable(con, source=source, table=table, connection=connection)


def _texts(column: Column) -> Texts:
    from comboi_core.sources.azure_sql.facts import texts

    return texts(column)


def _address(connection: Mapping[str, Any]) -> dict[str, str]:
    from comboi_core.sources.azure_sql.facts import address

    return address(connection)


def _probe(con: DuckDBPyConnection, connection: dict[str, Any], place: str) -> Server:
    from comboi_core.sources.azure_sql.facts import probe

    return probe(con, connection, place)


def _key(rows: Rows, table: str) -> tuple[str, ...]:
    from comboi_core.sources.azure_sql.facts import declared_key

    return declared_key(rows, table)


def _row_version(columns: Sequence[Column]) -> tuple[str, str] | None:
    """The server calls the type of a rowversion `timestamp`; a table has one such column at most."""
    return next((("rowversion", column.name) for column in columns if column.source_type == "timestamp"), None)


SOURCE_TYPE = SourceType(
    name="azure_sql",
    model=AzureSqlSource,
    open=_open,
    one_stream=True,
    texts=_texts,
    address=_address,
    probe=_probe,
    sample=SAMPLE,
    new_table=NewTable(key=_key, row_version=_row_version),
    examples=EXAMPLES,
)
