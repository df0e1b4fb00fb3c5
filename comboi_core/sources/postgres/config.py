"""PostgreSQL as a source."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, StringConstraints, model_validator

from comboi_core.config.base import Model, Text
from comboi_core.config.tables import DatabaseSource
from comboi_core.config.written import given, is_one_of, where
from comboi_core.sources.postgres.conn_str import entra_problem, uri_problem


class PostgresConnection(Model):
    """How to connect to PostgreSQL. Every text may contain references.

    Attributes:
        conn_str: libpq's connection string, as a URI or as keywords:
            `postgresql://USER:{{env:PASSWORD}}@HOST:5432/DATABASE?sslmode=require`.
        authentication: `password`: sign in with what `conn_str` says. `managed_identity`: sign in with Entra ID (a
            managed identity in Azure, `az login` on a laptop); `conn_str` then names a user and no password, and TLS is
            required. Default: `password`.
        row_security: What to do if row-level security hides rows from the role. `refuse`: the load fails and says so.
            `apply`: land only the rows that the role may see. Default: `refuse`.
        client_id: The client id of a user-assigned managed identity. Default: the environment variable AZURE_CLIENT_ID.
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
            raise ValueError(
                "client_id: works only with authentication: managed_identity; add that, or remove client_id:"
            )
        # A text with references can be checked only when their values are known; the adapter checks it then.
        if "{{" not in self.conn_str:
            problem = uri_problem(self.conn_str) or (entra_problem(self.conn_str) if identity else None)
            if problem:
                raise ValueError(problem)
        return self


_FOLLOWS = {"type": "object"} | is_one_of("cursor", "changes")


class ChangeFeed(Model):
    """The change feed of a PostgreSQL database. `comboi changes setup` makes publication and slot.

    Attributes:
        publication: The name of the publication, which says what of which tables the feed tells.
        slot: The name of the logical replication slot. Each pipeline needs one of its own.
        on_lost_feed: What to do if changes are lost, because the slot was invalidated or dropped. `reload`: the tables
            are read as a whole. `fail`: the loads fail. Default: `reload`.
    """

    publication: Annotated[str, StringConstraints(pattern="^[a-z_][a-z0-9_]{0,62}$")]
    slot: Annotated[str, StringConstraints(pattern="^[a-z0-9_]{1,63}$")]
    on_lost_feed: Literal["reload", "fail"] = "reload"


class PostgresSource(DatabaseSource):
    """A PostgreSQL database.

    Attributes:
        changes: The change feed, for tables with `cursor: changes`.
    """

    model_config = ConfigDict(
        json_schema_extra=where(
            {"required": ["tables"], "properties": {"tables": {"type": "array", "contains": _FOLLOWS}}},
            given("changes"),
        )
    )

    type: Literal["postgres"]
    connection: PostgresConnection
    changes: ChangeFeed | None = None

    @model_validator(mode="after")
    def _cursors(self) -> PostgresSource:
        for table in self.tables:
            if table.cursor == "rowversion":
                raise ValueError(
                    f"table {table.name}: cursor: rowversion is for SQL Server; for PostgreSQL write cursor: xmin"
                )
            if table.cursor_zone:
                raise ValueError(f"table {table.name}: cursor_zone: is only for SQL Server; for PostgreSQL use lag:")
            if table.cursor == "xmin" and table.query is not None:
                raise ValueError(
                    f"table {table.name}: cursor: xmin needs table:, because the rows of a query: have no xmin"
                )
            if table.cursor == "changes" and table.query is not None:
                raise ValueError(f"table {table.name}: cursor: changes needs table:, because a query: has no changes")
            if table.cursor == "changes" and self.changes is None:
                raise ValueError(
                    f"table {table.name}: cursor: changes needs changes: of the source, with publication: and slot:"
                )
        return self
