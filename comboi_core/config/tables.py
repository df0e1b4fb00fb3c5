"""Tables to land, and what all sources of them have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from comboi_core.config.base import MAY_BE_EMPTY, NO_LIST, Bytes, Model, Name, Seconds, SomeSeconds, Text
from comboi_core.config.written import at_most_one, exactly_one, given, is_one_of, where
from comboi_core.config.zones import Zone
from comboi_core.domain.load import Mode
from comboi_core.domain.names import RESERVED_SOURCES
from comboi_core.domain.origin import plain_sql

Mask = Literal["hash", "redact", "partial", "drop"]


def listed(values: Mapping[str, object]) -> str:
    """Return names with their values as one text, in alphabetical order."""
    return ", ".join(f"{name}: {values[name]}" for name in sorted(values))


class BaseTable(Model):
    """What a table of any source may say.

    Attributes:
        name: The table's name in the lake, as inputs name it; unique within its source.
        columns: What to land; the key and the cursor always come along. Default: every column.
        primary_key: Columns that tell rows apart; with them a changed row takes the place of the one that was landed.
        on_null_key: What happens to rows with NULL in a column of the key. `keep`: each stays a row of its own, and the
            run tells a shortfall. `fail`: the load fails, and nothing of it is committed.
        mode: `full`: each load is the whole table. `append`: new rows are added to the landed ones. `merge`: readers
            see the latest row per key. Default: `merge` with a key and a cursor, `append` with a cursor only, else
            `full`.
        lag: How far below the watermark a merge reads again, and an append stays behind, for rows that are committed
            late. Default: none where the source shows which transactions are open, else `5m` (two days for dates).
        schema_policy: When columns change at the source. `evolve`: new ones appear, missing ones are NULL, types widen
            safely. `freeze`: a difference fails the load. `discard_columns`: new ones are not landed.
        parallel_chunks: How many chunks of one load are read at the same time.
        mask: What lands of personal values, by column: `hash` (equal values stay equal), `redact` (that there was one),
            `partial` (the first and the last character), `drop` (nothing). A key can only be hashed.
        on_change: When what the table is made from changes (server, database, path, `table`, `query`, `where`,
            `columns`, `mask`, the masks' salt), the landed rows are of something else. `refuse`: the load fails and
            says what has changed. `warn`: the landed rows stay, the run says so, and the change counts as accepted once
            a load is committed. `reload`: the whole table is read again. A table of mode `full` is replaced by each
            load: there it is only told.
        freshness: The table is stale when its last good load began longer ago than this; default: it never is.
    """

    name: Name
    columns: tuple[Text, ...] | None = None
    primary_key: tuple[Text, ...] = ()
    on_null_key: Literal["keep", "fail"] = "keep"
    mode: Mode | None = None
    lag: Seconds | None = Field(default=None, ge=0)
    schema_policy: Literal["evolve", "freeze", "discard_columns"] = "evolve"
    parallel_chunks: int = Field(default=2, ge=1, le=16)
    mask: dict[str, Mask] = Field(default_factory=dict)
    on_change: Literal["warn", "refuse", "reload"] = "refuse"
    freshness: SomeSeconds | None = None

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

    @property
    def made_from(self) -> dict[str, str]:
        """What decides which rows and values are read: key of the configuration -> its text."""
        found = {"columns": ", ".join(sorted(self.columns or ())), "mask": listed(self.mask)}
        return {name: text for name, text in found.items() if text}

    @property
    def effective_mode(self) -> Mode:
        """The mode: as given; else merge with key and cursor, append with a cursor only, full without."""
        if self.mode:
            return self.mode
        if not self.cursor_name:
            return "full"
        return "merge" if self.primary_key else "append"


class TableConfig(BaseTable):
    """One table to land from a database: a `table:` of the source or the result of a `query:`.

    Attributes:
        table: The table or view as the source names it: `public.orders`.
        query: A SELECT in the source's SQL, in place of `table`.
        where: A condition in the source's SQL; only rows that meet it are read. A row that meets it later only, below
            the watermark, is not seen: after a change of the condition, run the table with --full-refresh.
        incremental_column: A column that every change of a row moves on; only rows above the watermark are read.
        cursor_zone: The time zone whose clock writes an incremental column without an offset (`datetime`, `datetime2`,
            `smalldatetime` of SQL Server), by its IANA name: `Europe/Berlin`. The server's clock in that zone then ends
            a load, and an hour that the clock repeats is read when it is over. Default: not known; the largest value
            stands for the clock, and `lag` has to cover an hour that is repeated.
        cursor: The source's own row version in place of an incremental column: `xmin` for PostgreSQL, `rowversion` for
            SQL Server and Azure SQL.
        on_null_cursor: What happens to rows whose incremental column is NULL: `include` (each load reads them),
            `exclude`, or `fail`.
        chunk_rows: A load is cut into chunks of about so many rows at most, where the table can be cut.
        chunk_bytes: And of about so many bytes at most, by the source's own size of the table.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [
                exactly_one("table", "query"),
                at_most_one("incremental_column", "cursor"),
                where(is_one_of("mode", "append", "merge"), {"anyOf": [given("incremental_column"), given("cursor")]}),
                where(is_one_of("mode", "merge"), given("primary_key", [])),
                where(given("cursor_zone"), given("incremental_column")),
                where(given("cursor"), {"anyOf": [is_one_of("mode", "full"), given("primary_key", [])]}),
            ]
        }
    )

    table: Text | None = None
    query: Text | None = None
    where: Text | None = None
    incremental_column: Text | None = None
    cursor_zone: Zone | None = None
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
        if self.cursor_zone and not self.incremental_column:
            raise ValueError("cursor_zone: belongs to incremental_column:")
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
    def made_from(self) -> dict[str, str]:
        """See BaseTable. Comments and blanks in SQL do not count."""
        sql = {"query": plain_sql(self.query or ""), "where": plain_sql(self.where or "")}
        found = {"table": self.table, **sql}
        return super().made_from | {name: text for name, text in found.items() if text}


class SourceBase(Model):
    """A source of tables: a name and tables whose names are unique within it.

    Attributes:
        name: The source's name, unique in the pipeline; the lake's folders and inputs use it.
        type: What kind of source it is.
        connection: How it is reached.
        max_parallel: How many of its tables are read at the same time.
        tables: What to land.
    """

    name: Name = Field(json_schema_extra={"not": {"enum": [*sorted(RESERVED_SOURCES)]}})
    max_parallel: int = Field(default=4, ge=1, le=64)
    tables: Annotated[tuple[TableConfig, ...], MAY_BE_EMPTY, Field(json_schema_extra=NO_LIST)]

    @model_validator(mode="after")
    def _names(self) -> SourceBase:
        if self.name in RESERVED_SOURCES:
            raise ValueError(f"the name '{self.name}' is reserved; choose another one")
        names = [table.name for table in self.tables]
        double = next((name for name in names if names.count(name) > 1), None)
        if double:
            raise ValueError(f"two tables are called '{double}'; names are unique within a source")
        return self
