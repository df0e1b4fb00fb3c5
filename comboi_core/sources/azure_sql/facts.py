"""What Azure SQL says beside its rows: the server's version and clock, declared keys, texts it calls equal."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from comboi_core.config.source_type import Rows, Server
from comboi_core.domain.equal_texts import LETTERS, Texts
from comboi_core.domain.errors import ComboiError
from comboi_core.domain.load import Column
from comboi_core.sources.azure_sql import sql, types
from comboi_core.sources.azure_sql.catalog import indexes
from comboi_core.sources.azure_sql.conn_str import parse
from comboi_core.sources.azure_sql.session import AzureSqlSession
from comboi_core.sources.azure_sql.sight import unseen

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_PORT = "1433"


def address(connection: Mapping[str, Any]) -> dict[str, str]:
    """Return the server and the database that a connection leads to; neither who signs in, nor how.

    Raises:
        ConfigError: the connection string cannot be read.
    """
    given = parse(connection["dsn"], "dsn") if connection.get("dsn") else {}
    server = str(connection.get("server") or given.get("Server", "")).lower().removeprefix("tcp:")
    host, _, port = server.partition(",")
    database = str(connection.get("database") or given.get("Database", ""))
    return {"server": f"{host.strip()}:{port.strip() or _PORT}", "database": database}


def texts(column: Column) -> Texts:
    """Return how the server compares the values of a column that lands as text.

    It ignores blanks at the end of a text, of whatever type; what else it does follows from collations.
    """
    name, given = types.base_name(column.source_type), types.modifiers(column.source_type)
    if name in ("char", "nchar"):
        return Texts("padded", given[0] if given else None)
    return Texts("padded") if name in ("varchar", "nvarchar", "text", "ntext") else LETTERS


def probe(con: DuckDBPyConnection, connection: dict[str, Any], place: str) -> Server:
    """Return what the server says of itself.

    Args:
        place: What errors name.

    Raises:
        ComboiError: what the server says, if it cannot be asked.
    """
    session = AzureSqlSession(con, connection, place)
    try:
        before = datetime.now(UTC).timestamp()
        row = session.rows(sql.SERVER)[0]
        after = datetime.now(UTC).timestamp()
        version = "of a version that it does not show"
        with suppress(ComboiError):
            (shown,) = session.rows("SELECT CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128)) AS version")
            version = str(shown["version"])
    finally:
        session.close()
    now = datetime.fromisoformat(str(row["utc"])).replace(tzinfo=UTC).timestamp()
    return Server(product=f"SQL Server {version}", now=now, asked=(before, after), remarks=tuple(unseen(row)))


def declared_key(rows: Rows, table: str) -> tuple[str, ...]:
    """Return the columns of the first unique index whose columns are never NULL: the primary key's, if there is one."""
    found = indexes(rows, rows(sql.find_table(table))[0]["oid"])
    return next((index.columns for index in found if index.distinct), ())
