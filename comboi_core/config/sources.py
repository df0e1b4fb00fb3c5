"""The types of sources: adding one is a model and its place in the union."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from comboi_core.config.azure_sql import AzureSqlSource
from comboi_core.config.base import Model
from comboi_core.config.tables import SourceBase, TableConfig

__all__ = ["AzureSqlSource", "PostgresConnection", "PostgresSource", "SourceConfig", "TableConfig"]


class PostgresConnection(Model):
    """How to reach PostgreSQL: a libpq URI or keyword string, references allowed."""

    conn_str: str


class PostgresSource(SourceBase):
    """A PostgreSQL database."""

    type: Literal["postgres"]
    connection: PostgresConnection


SourceConfig = Annotated[PostgresSource | AzureSqlSource, Field(discriminator="type")]
"""Any source."""
