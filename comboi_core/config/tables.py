"""Tables to land, and what all sources of them have in common."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from comboi_core.config.base import Model, Name, Seconds, Text
from comboi_core.domain.load import Mode
from comboi_core.domain.names import RESERVED_SOURCES


class BaseTable(Model):
    """What a table of any source may say."""

    name: Name
    columns: tuple[Text, ...] | None = None
    primary_key: tuple[Text, ...] = ()
    mode: Mode | None = None
    lag: Seconds | None = Field(default=None, ge=0)
    schema_policy: Literal["evolve", "freeze"] = "evolve"
    parallel_chunks: int = Field(default=2, ge=1, le=16)


class TableConfig(BaseTable):
    """One table to land from a database: a `table:` of the source or the result of a `query:`."""

    table: Text | None = None
    query: Text | None = None
    incremental_column: Text | None = None
    on_null_cursor: Literal["include", "exclude", "fail"] = "include"
    chunk_rows: int = Field(default=2_000_000, ge=1)

    @model_validator(mode="after")
    def _consistent(self) -> TableConfig:
        if (self.table is None) == (self.query is None):
            raise ValueError("give exactly one of table: and query:")
        if self.mode in ("append", "merge") and not self.incremental_column:
            raise ValueError(f"mode: {self.mode} needs incremental_column:")
        if self.mode == "merge" and not self.primary_key:
            raise ValueError("mode: merge needs primary_key:")
        if self.mode == "append" and self.lag:
            raise ValueError("mode: append cannot have a lag: the rows read again would be doubled; use mode: merge")
        return self

    @property
    def effective_mode(self) -> Mode:
        """The mode: as given; else merge with key and cursor, append with a cursor only, full without."""
        if self.mode:
            return self.mode
        if not self.incremental_column:
            return "full"
        return "merge" if self.primary_key else "append"


class SourceBase(Model):
    """A source of tables: a name and tables whose names are unique within it."""

    name: Name
    max_parallel: int = Field(default=4, ge=1, le=64)
    tables: tuple[TableConfig, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names(self) -> SourceBase:
        if self.name in RESERVED_SOURCES:
            raise ValueError(f"the name '{self.name}' is reserved; choose another one")
        names = [table.name for table in self.tables]
        double = next((name for name in names if names.count(name) > 1), None)
        if double:
            raise ValueError(f"two tables are called '{double}'; names are unique within a source")
        return self
