"""SQLite as a source."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from comboi_core.config.base import Model, Text
from comboi_core.config.tables import DatabaseSource


class SqliteConnection(Model):
    """Where the database is.

    Attributes:
        path: The database file. A relative path starts at the project's folder.
    """

    path: Text


class SqliteSource(DatabaseSource):
    """A SQLite database."""

    type: Literal["sqlite"]
    connection: SqliteConnection

    @model_validator(mode="after")
    def _cursors(self) -> SqliteSource:
        wrong = next((table for table in self.tables if table.cursor), None)
        if wrong:
            raise ValueError(f"table {wrong.name}: SQLite has no cursor: {wrong.cursor}; use incremental_column:")
        zoned = next((table for table in self.tables if table.cursor_zone), None)
        if zoned:
            raise ValueError(f"table {zoned.name}: cursor_zone: is only for SQL Server; for SQLite use lag:")
        return self
