"""What comboi knows of MySQL and MariaDB."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from comboi_core.config.source_type import NewTable, Rows, Server, SourceType
from comboi_core.config.tables import TableConfig
from comboi_core.domain.equal_texts import Texts
from comboi_core.domain.load import Column
from comboi_core.domain.ports import Source
from comboi_core.sources.mysql.config import MysqlSource
from comboi_core.sources.mysql.sample import EXAMPLES, SAMPLE

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def _open(con: DuckDBPyConnection, *, source: str, table: TableConfig, connection: dict[str, Any]) -> Source:
    from comboi_core.sources.mysql.table import MysqlTable

    return MysqlTable(con, source=source, table=table, connection=connection)


def _sizes(con: DuckDBPyConnection, source: MysqlSource, connection: dict[str, Any]) -> dict[str, int]:
    from comboi_core.sources.mysql.facts import sizes

    return sizes(con, source, connection)


def _texts(column: Column) -> Texts:
    from comboi_core.sources.mysql.facts import texts

    return texts(column)


def _address(connection: Mapping[str, Any]) -> dict[str, str]:
    return {"server": f"{connection['host'].lower()}:{connection['port']}", "database": connection["database"]}


def _probe(con: DuckDBPyConnection, connection: dict[str, Any], place: str) -> Server:
    from comboi_core.sources.mysql.facts import server

    return server(con, connection, place)


def _key(rows: Rows, table: str) -> tuple[str, ...]:
    from comboi_core.sources.mysql.sql import declared_key

    return tuple(str(row["name"]) for row in sorted(rows(declared_key(table)), key=lambda row: int(row["place"])))


SOURCE_TYPE = SourceType(
    name="mysql",
    model=MysqlSource,
    open=_open,
    one_stream=True,
    sizes=_sizes,
    texts=_texts,
    address=_address,
    probe=_probe,
    sample=SAMPLE,
    new_table=NewTable(key=_key),
    examples=EXAMPLES,
)
