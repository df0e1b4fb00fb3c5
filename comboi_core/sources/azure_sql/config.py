"""Azure SQL and SQL Server as a source."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, model_validator

from comboi_core.config.base import Model, SomeSeconds, Text
from comboi_core.config.tables import DatabaseSource
from comboi_core.config.written import at_most_one, given, is_one_of, together, where


def _as_written(value: Any) -> Any:
    # YAML reads a bare yes or no as true or false.
    return {True: "yes", False: "no"}.get(value, value) if isinstance(value, bool) else value


_WITH_ENTRA = {
    "anyOf": [is_one_of("authentication", "managed_identity"), {"not": {"anyOf": [given("dsn"), given("user")]}}]
}


class AzureSqlConnection(Model):
    """How to connect to the database. Every text may contain references.

    Attributes:
        server: The host name, with the port after a comma if it is not 1433: `HOST` or `HOST,14330`.
        database: The database's name.
        user: The SQL login. With `dsn`, it replaces the login in the connection string.
        password: The login's password, as it is. Unlike in `dsn`, no character needs braces.
        authentication: `sql`: sign in with `user` and `password`. `managed_identity`: sign in with Entra ID (a managed
            identity in Azure, `az login` on a laptop). Default: `sql` if there is a user or a `dsn`, otherwise
            `managed_identity`.
        client_id: The client id of a user-assigned managed identity. Default: the environment variable AZURE_CLIENT_ID.
        encrypt: `yes`: the connection uses TLS. `strict`: TDS 8, which uses TLS from the first byte. `no`: only for
            tests; data is sent unencrypted, and Entra ID is not possible. Default: `yes`, or what `dsn` says.
        trust_server_certificate: `true`: do not verify the server's certificate, for servers with a self-signed one.
            Default: `false`.
        dsn: A connection string as the Azure portal shows it (ODBC, ADO.NET or JDBC), in place of `server` and
            `database`.
        read_timeout: How long to wait for the server's next answer. After that the load fails and is tried again.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [
                {"anyOf": [given("dsn"), {"allOf": [given("server"), given("database")]}]},
                at_most_one("dsn", "server"),
                at_most_one("dsn", "database"),
                together("user", "password"),
                where(is_one_of("authentication", "managed_identity"), {"not": given("user")}),
                where(is_one_of("authentication", "sql"), {"anyOf": [given("user"), given("dsn")]}),
                where(given("client_id"), {"not": {"anyOf": [given("user"), is_one_of("authentication", "sql")]}}),
                where(_WITH_ENTRA, {"not": is_one_of("encrypt", "no", False)}),
            ]
        }
    )

    server: Text | None = None
    database: Text | None = None
    user: Text | None = None
    password: Text | None = None
    authentication: Literal["sql", "managed_identity"] | None = None
    client_id: Text | None = None
    encrypt: Annotated[
        Literal["yes", "no", "strict"] | None,
        BeforeValidator(_as_written, json_schema_input_type=Literal["yes", "no", "strict", True, False] | None),
    ] = None
    trust_server_certificate: bool | None = None
    dsn: Text | None = None
    read_timeout: SomeSeconds = 1800.0

    @model_validator(mode="after")
    def _consistent(self) -> AzureSqlConnection:
        if self.dsn is None and not (self.server and self.database):
            raise ValueError("give server: and database:, or dsn:")
        if self.dsn is not None and (self.server or self.database):
            raise ValueError("give server: and database:, or dsn:, not both")
        if (self.user is None) != (self.password is None):
            raise ValueError("give both user: and password:, or neither")
        if self.authentication == "managed_identity" and self.user:
            raise ValueError("authentication: managed_identity takes no user: and no password:; remove them")
        if self.authentication == "sql" and not (self.user or self.dsn):
            raise ValueError("authentication: sql needs user: and password:")
        if self.client_id and (self.user or self.authentication == "sql"):
            raise ValueError(
                "client_id: works only with authentication: managed_identity; remove user:, password: or client_id:"
            )
        entra = self.authentication == "managed_identity" or (self.dsn is None and not self.user)
        if entra and self.encrypt == "no":
            raise ValueError("encrypt: no would send the access token unencrypted; remove encrypt: no")
        return self


class AzureSqlSource(DatabaseSource):
    """A database of Azure SQL, a managed instance or SQL Server."""

    type: Literal["azure_sql"]
    connection: AzureSqlConnection

    @model_validator(mode="after")
    def _cursors(self) -> AzureSqlSource:
        wrong = next((table for table in self.tables if table.cursor not in (None, "rowversion")), None)
        if wrong:
            raise ValueError(
                f"table {wrong.name}: cursor: {wrong.cursor} is for PostgreSQL; for Azure SQL write cursor: rowversion"
            )
        return self
