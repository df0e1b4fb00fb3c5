"""What comboi knows of PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from comboi_core.config.source_type import NewTable, Rows, Server, SourceType
from comboi_core.config.tables import TableConfig
from comboi_core.domain.equal_texts import Texts
from comboi_core.domain.load import Column
from comboi_core.domain.ports import Source
from comboi_core.sources.postgres.config import PostgresSource
from comboi_core.sources.postgres.sample import EXAMPLES, SAMPLE

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def _open(con: DuckDBPyConnection, *, source: str, table: TableConfig, connection: dict[str, Any]) -> Source:
    from comboi_core.sources.postgres.table import PostgresTable

    return PostgresTable(con, source=source, table=table, connection=connection)


def _sizes(con: DuckDBPyConnection, source: PostgresSource, connection: dict[str, Any]) -> dict[str, int]:
    from comboi_core.sources.postgres.facts import sizes

    return sizes(con, source, connection)


def _texts(column: Column) -> Texts:
    from comboi_core.sources.postgres.equality import texts

    return texts(column)


def _address(connection: Mapping[str, Any]) -> dict[str, str]:
    from comboi_core.sources.postgres.address import address

    return address(connection["conn_str"])


def _probe(con: DuckDBPyConnection, connection: dict[str, Any], place: str) -> Server:
    from comboi_core.sources.postgres.facts import server

    return server(con, connection, place)


def _key(rows: Rows, table: str) -> tuple[str, ...]:
    from comboi_core.sources.postgres.facts import declared_key

    return declared_key(rows, table)


SOURCE_TYPE = SourceType(
    name="postgres",
    model=PostgresSource,
    open=_open,
    one_stream=True,
    sizes=_sizes,
    texts=_texts,
    address=_address,
    probe=_probe,
    sample=SAMPLE,
    new_table=NewTable(key=_key, without_cursor="cursor: xmin  # finds every change by PostgreSQL's own row version"),
    examples=EXAMPLES,
)
