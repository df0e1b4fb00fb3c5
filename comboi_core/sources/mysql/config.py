"""MySQL and MariaDB as a source."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field, model_validator

from comboi_core.config.base import Model, Text
from comboi_core.config.tables import DatabaseSource
from comboi_core.config.written import given, is_one_of, where

_VERIFYING = ("verify_ca", "verify_identity")


class MysqlConnection(Model):
    """How to reach MySQL or MariaDB; references are allowed in every text.

    Attributes:
        host: Host name or address of the server.
        port: Its port.
        database: The database (schema) that tables without one are looked up in.
        user: The account.
        password: Its password.
        tls: `verify_identity`: encrypted, with a certificate that the CA has signed for this host. `verify_ca`: the
            same for any host. `required`: encrypted, to whatever server answers. `preferred`: encrypted where the
            server can. `disabled`: in clear. Default: `required`.
        tls_ca: The file with the certificates of the CA, in PEM, which a `tls` that verifies needs.
        zero_dates: What becomes of dates that no calendar has, `0000-00-00` and such as `2024-00-10`. `refuse`: the
            load fails and names column and value. `null`: they land as NULL. Default: `refuse`.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [
                where(is_one_of("tls", *_VERIFYING), given("tls_ca")),
                where(given("tls_ca"), is_one_of("tls", *_VERIFYING)),
            ]
        }
    )

    host: Text
    port: int = Field(default=3306, ge=1, le=65353)
    database: Text
    user: Text
    password: Text
    tls: Literal["verify_identity", "verify_ca", "required", "preferred", "disabled"] | None = None
    tls_ca: Text | None = None
    zero_dates: Literal["refuse", "null"] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> MysqlConnection:
        verifies = self.tls in _VERIFYING
        if verifies and not self.tls_ca:
            raise ValueError(f"tls: {self.tls} needs tls_ca:, the file with the CA's certificates")
        if self.tls_ca and not verifies:
            raise ValueError("tls_ca: belongs to tls: verify_identity or verify_ca; nothing else looks at it")
        return self


class MysqlSource(DatabaseSource):
    """A database of MySQL or MariaDB."""

    type: Literal["mysql"]
    connection: MysqlConnection

    @model_validator(mode="after")
    def _cursors(self) -> MysqlSource:
        for table in self.tables:
            if table.cursor:
                raise ValueError(
                    f"table {table.name}: MySQL shows no version of a row, so there is no cursor: {table.cursor}; use "
                    "incremental_column: with a column that every change moves on"
                )
            if table.cursor_zone:
                raise ValueError(f"table {table.name}: cursor_zone: is not for MySQL; use `lag:`")
        return self
