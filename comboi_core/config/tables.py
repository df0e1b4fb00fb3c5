"""Tables to land, and what all sources of them have in common."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from comboi_core.config.base import Bytes, Model, Name, Seconds, Text
from comboi_core.domain.load import Mode
from comboi_core.domain.names import RESERVED_SOURCES

Mask = Literal["hash", "redact", "partial", "drop"]


class BaseTable(Model):
    """What a table of any source may say.

    Attributes:
        columns: What to land; the key and the cursor always come along.
        mask: What lands of personal values, by column; keys may be hashed, nothing else.
        freshness: The table is stale when its last good load began longer ago than this; None: it never is.
    """

    name: Name
    columns: tuple[Text, ...] | None = None
    primary_key: tuple[Text, ...] = ()
    mode: Mode | None = None
    lag: Seconds | None = Field(default=None, ge=0)
    schema_policy: Literal["evolve", "freeze", "discard_columns"] = "evolve"
    parallel_chunks: int = Field(default=2, ge=1, le=16)
    mask: dict[str, Mask] = Field(default_factory=dict)
    freshness: Seconds | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _masks(self) -> BaseTable:
        wrong = next((name for name in self.primary_key if self.mask.get(name, "hash") != "hash"), None)
        if wrong:
            raise ValueError(f"mask: {wrong} is part of the primary key, which can only be hashed: rows would be lost")
        if self.cursor_name in self.mask:
            raise ValueError(f"mask: {self.cursor_name} is the cursor, whose values the checkpoint holds")
        return self

    @property
    def cursor_name(self) -> str | None:
        """What the watermark is of, where the configuration names it."""
        return None


class TableConfig(BaseTable):
    """One table to land from a database: a `table:` of the source or the result of a `query:`.

    Attributes:
        where: A condition in the source's SQL; only rows that meet it are read. A row that meets it later only, below
            the watermark, is not seen: after a change of the condition, run the table with --full-refresh.
        cursor: The source's own row version in place of an incremental column.
        chunk_rows: A load is cut into chunks of about so many rows at most, where the table can be cut.
        chunk_bytes: And of about so many bytes at most, by the source's own size of the table.
    """

    table: Text | None = None
    query: Text | None = None
    where: Text | None = None
    incremental_column: Text | None = None
    cursor: Literal["xmin", "rowversion"] | None = None
    on_null_cursor: Literal["include", "exclude", "fail"] = "include"
    chunk_rows: int = Field(default=2_000_000, ge=1)
    chunk_bytes: Bytes = Field(default=256 * 2**20, ge=1)

    @model_validator(mode="after")
    def _consistent(self) -> TableConfig:
        if (self.table is None) == (self.query is None):
            raise ValueError("give exactly one of table: and query:")
        if self.incremental_column and self.cursor:
            raise ValueError("give one of incremental_column: and cursor:")
        if self.mode in ("append", "merge") and not self.cursor_name:
            raise ValueError(f"mode: {self.mode} needs incremental_column: or cursor:")
        if self.effective_mode == "merge" and not self.primary_key:
            raise ValueError("mode: merge needs primary_key:")
        if self.cursor and self.effective_mode == "append":
            raise ValueError(f"cursor: {self.cursor} reads rows again now and then: it needs mode: merge, primary_key:")
        if self.cursor and self.lag:
            raise ValueError(f"cursor: {self.cursor} leaves no gap for a lag to cover; leave lag: out")
        if self.mode == "append" and self.lag:
            raise ValueError("mode: append cannot have a lag: the rows read again would be doubled; use mode: merge")
        return self

    @property
    def cursor_name(self) -> str | None:
        """What the watermark is of: the incremental column's name, or `xmin` or `rowversion`; None without cursor."""
        return self.incremental_column or self.cursor

    @property
    def effective_mode(self) -> Mode:
        """The mode: as given; else merge with key and cursor, append with a cursor only, full without."""
        if self.mode:
            return self.mode
        if not self.cursor_name:
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
