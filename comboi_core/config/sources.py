"""The types of sources: adding one is a model and its place in the union."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from comboi_core.config.azure_sql import AzureSqlSource
from comboi_core.config.base import Model, Text
from comboi_core.config.conn_str import entra_problem, uri_problem
from comboi_core.config.files import FilesSource, FilesTable
from comboi_core.config.sqlite import SqliteSource
from comboi_core.config.tables import SourceBase, TableConfig
from comboi_core.config.written import given, is_one_of, where

__all__ = ["AzureSqlSource", "PostgresConnection", "PostgresSource", "SourceConfig", "TableConfig"]


class PostgresConnection(Model):
    """How to reach PostgreSQL; references are allowed in every text.

    Attributes:
        conn_str: A libpq URI or keyword string.
        authentication: `password` (or whatever else `conn_str` says), or `managed_identity` (Entra ID through
            azure-identity: a managed identity in Azure, `az login` on a laptop), where `conn_str` has a user, no
            password, and TLS is required. Default: `password`.
        row_security: Where policies of row-level security would hide rows from the role. `refuse`: the load fails and
            says so. `apply`: what the policies let the role see is landed, as if there were no other rows. Default:
            `refuse`.
        client_id: The client id of a user-assigned managed identity; default: AZURE_CLIENT_ID.
    """

    model_config = ConfigDict(
        json_schema_extra=where(given("client_id"), is_one_of("authentication", "managed_identity"))
    )

    conn_str: str
    authentication: Literal["password", "managed_identity"] | None = None
    client_id: Text | None = None
    row_security: Literal["refuse", "apply"] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> PostgresConnection:
        identity = self.authentication == "managed_identity"
        if self.client_id and not identity:
            raise ValueError("client_id: belongs to authentication: managed_identity")
        # With references it shows only once they have their values: the adapter looks again.
        if "{{" not in self.conn_str:
            problem = uri_problem(self.conn_str) or (entra_problem(self.conn_str) if identity else None)
            if problem:
                raise ValueError(problem)
        return self


class PostgresSource(SourceBase):
    """A PostgreSQL database."""

    type: Literal["postgres"]
    connection: PostgresConnection

    @model_validator(mode="after")
    def _cursors(self) -> PostgresSource:
        for table in self.tables:
            if table.cursor == "rowversion":
                raise ValueError(f"table {table.name}: cursor: rowversion is SQL Server's; PostgreSQL has xmin")
            if table.cursor_zone:
                raise ValueError(f"table {table.name}: cursor_zone: is not for PostgreSQL; use `lag:`")
            if table.cursor and table.query is not None:
                raise ValueError(f"table {table.name}: cursor: xmin needs table:, a query's rows have no version")
        return self


AnyTable = TableConfig | FilesTable
"""A table of any source."""

SourceConfig = Annotated[PostgresSource | AzureSqlSource | SqliteSource | FilesSource, Field(discriminator="type")]
"""Any source."""
