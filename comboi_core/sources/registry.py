"""Source types and their adapters: adding a source is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from comboi_core.config.sources import AnyTable, SourceConfig
from comboi_core.domain.ports import Source
from comboi_core.sources.azure_sql.table import AzureSqlTable
from comboi_core.sources.files.table import TableOfFiles
from comboi_core.sources.postgres.table import PostgresTable
from comboi_core.sources.sqlite.table import SqliteTable

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

ADAPTERS: dict[str, Callable[..., Source]] = {
    "postgres": PostgresTable,
    "azure_sql": AzureSqlTable,
    "sqlite": SqliteTable,
    "files": TableOfFiles,
}

ONE_STREAM = frozenset({"postgres", "azure_sql"})
"""Sources whose chunks come over one connection each. More than one thread of DuckDB would wait for it, and waiting is
not free: two chunks at a time on two cores took 1.3 times as long, and 1.6 times the CPU, with two threads each."""


def open_source(con: DuckDBPyConnection, source: SourceConfig, table: AnyTable, connection: dict[str, Any]) -> Source:
    """Open one table of a source on a DuckDB connection.

    Args:
        con: As `open_duckdb` gives it; the adapter attaches the source to it until `close`.
        connection: `source.connection` as a dict, its references resolved; for postgres `{"conn_str": ...}`. For
            files in a container `{"container": ...}`, which is open already.

    Raises:
        ComboiError: SourceUnreachable, SourceAuthFailed or SourceObjectMissing; never with a secret in its text.
    """
    return ADAPTERS[source.type](con, source=source.name, table=table, connection=connection)
