"""The types of sources: adding one is a model and its place in the union."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from comboi_core.config.azure_sql import AzureSqlSource
from comboi_core.config.base import Model
from comboi_core.config.files import FilesSource
from comboi_core.config.sqlite import SqliteSource
from comboi_core.config.tables import SourceBase, TableConfig

__all__ = ["AzureSqlSource", "PostgresConnection", "PostgresSource", "SourceConfig", "TableConfig"]


class PostgresConnection(Model):
    """How to reach PostgreSQL: a libpq URI or keyword string, references allowed."""

    conn_str: str


class PostgresSource(SourceBase):
    """A PostgreSQL database."""

    type: Literal["postgres"]
    connection: PostgresConnection

    @model_validator(mode="after")
    def _cursors(self) -> PostgresSource:
        for table in self.tables:
            if table.cursor == "rowversion":
                raise ValueError(f"table {table.name}: cursor: rowversion is SQL Server's; PostgreSQL has xmin")
            if table.cursor and table.query is not None:
                raise ValueError(f"table {table.name}: cursor: xmin needs table:, a query's rows have no version")
        return self


SourceConfig = Annotated[PostgresSource | AzureSqlSource | SqliteSource | FilesSource, Field(discriminator="type")]
"""Any source."""
