"""Tables to land, and the keys that all sources share."""

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
    """The keys that tables of all sources share.

    Attributes:
        name: The table's name in the lake. Inputs of datasets use it. Unique within the source.
        columns: The columns to land. The primary key and the cursor are always landed too. Default: all columns.
        primary_key: The columns that identify a row. With a primary key, a changed row replaces the row that was landed
            before.
        on_null_key: What to do with rows that have NULL in a column of the primary key. `keep`: land each as a separate
            row; the run reports a shortfall. `fail`: the load fails and commits nothing.
        mode: `full`: each load reads the whole table and replaces it. `append`: each load adds new rows. `merge`: each
            load adds new and changed rows, and readers see the latest row per key. Default: `merge` with a primary key
            and a cursor, `append` with only a cursor, otherwise `full`.
        lag: Catches rows that are committed late. `merge` reads this far below the watermark again, `append` stays this
            far behind the newest rows. Default: none if the source shows which transactions are open, otherwise `5m`
            (two days for dates).
        schema_policy: What to do when the source's columns change. `evolve`: new columns are added, missing ones become
            NULL, types widen if no value is lost. `freeze`: the load fails. `discard_columns`: new columns are not
            landed.
        parallel_chunks: How many chunks of one load are read at the same time.
        mask: Masks personal values, by column: `hash` (equal values stay equal), `redact` (only shows that there was a
            value), `partial` (first and last character), `drop` (the column is not landed). A primary key can only be
            hashed. Example: `{email: hash}`.
        on_change: What to do when a setting changes that decides what is landed: server, database, path, `table`,
            `query`, `where`, `columns`, `mask` or the masking salt. `refuse`: the load fails and says what changed.
            `warn`: the landed rows stay and the run warns; the next commit accepts the change. `reload`: the whole
            table is read again. With mode `full` each load replaces the table, so comboi only warns.
        freshness: The table is stale if its last successful load began longer ago than this, e.g. `26h`. Default: it is
            never stale.
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
            raise ValueError(
                f"mask: {wrong} is part of the primary key and can only be masked with hash; another mask would "
                "make keys equal"
            )
        if self.cursor_name in self.mask:
            raise ValueError(
                f"mask: {self.cursor_name} is the cursor and cannot be masked, because the checkpoint stores its values"
            )
        return self

    @property
    def cursor_name(self) -> str | None:
        """The name of the column or row version that the watermark is a value of, if the configuration gives one."""
        return None

    @property
    def cursor_column(self) -> str | None:
        """The column that the watermark is of; None without cursor, and where the cursor is no column of the table."""
        return None

    @property
    def follows_feed(self) -> bool:
        """Whether a change feed of the source tells what changed."""
        return False

    @property
    def made_from(self) -> dict[str, str]:
        """The settings that decide which rows and values are read: key of the configuration -> its text."""
        found = {"columns": ", ".join(sorted(self.columns or ())), "mask": listed(self.mask)}
        return {name: text for name, text in found.items() if text}

    @property
    def effective_mode(self) -> Mode:
        """The given mode. Without one: merge with key and cursor, append with only a cursor, otherwise full."""
        if self.mode:
            return self.mode
        if not self.cursor_name:
            return "full"
        return "merge" if self.primary_key else "append"


class TableConfig(BaseTable):
    """One table to land from a database: a `table` of the source, or the result of a `query`.

    Attributes:
        table: The table or view in the source, e.g. `public.orders`.
        query: A SELECT in the source's SQL, in place of `table`.
        where: A condition in the source's SQL; only rows that meet it are read. An old row that meets it later is not
            read again. After you change the condition, run the table with `--full-refresh`.
        incremental_column: A column that grows with every change of a row, e.g. `updated_at`. Each load reads only the
            rows above the watermark.
        cursor_zone: For SQL Server's `datetime`, `datetime2` and `smalldatetime`: the time zone in which
            `incremental_column` is written, e.g. `Europe/Berlin`. A load then ends at the server's clock in that zone,
            and an hour that the clock repeats is read after it is over. Default: unknown. A load then ends at the
            largest value, and `lag` must cover a repeated hour.
        cursor: The source's own knowledge of changes, in place of `incremental_column`. `xmin` (PostgreSQL) and
            `rowversion` (SQL Server and Azure SQL) are row versions. `changes` (PostgreSQL) is the change feed of the
            source, which tells deleted rows as well.
        on_null_cursor: What to do with rows whose `incremental_column` is NULL. `include`: every load reads them.
            `exclude`: no load reads them. `fail`: the load fails.
        chunk_rows: The largest number of rows per chunk, roughly. A load is read in chunks if the table can be divided.
        chunk_bytes: The largest size of a chunk, roughly, by the size that the source reports for the table.
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
    cursor: Literal["xmin", "rowversion", "changes"] | None = None
    on_null_cursor: Literal["include", "exclude", "fail"] = "include"
    chunk_rows: int = Field(default=2_000_000, ge=1)
    chunk_bytes: Bytes = Field(default=256 * 2**20, ge=1)

    @model_validator(mode="after")
    def _consistent(self) -> TableConfig:
        if (self.table is None) == (self.query is None):
            raise ValueError("give exactly one of table: and query:")
        if self.incremental_column and self.cursor:
            raise ValueError("give incremental_column: or cursor:, not both")
        if self.cursor_zone and not self.incremental_column:
            raise ValueError("cursor_zone: works only with incremental_column:; add it, or remove cursor_zone:")
        if self.mode in ("append", "merge") and not self.cursor_name:
            raise ValueError(f"mode: {self.mode} needs incremental_column: or cursor:")
        if self.effective_mode == "merge" and not self.primary_key:
            raise ValueError("mode: merge needs primary_key:")
        if self.cursor and self.effective_mode == "append":
            raise ValueError(f"cursor: {self.cursor} can read a row twice, so it needs mode: merge and primary_key:")
        if self.cursor and self.lag:
            raise ValueError(f"cursor: {self.cursor} misses no late commit, so it needs no lag; remove lag:")
        if self.mode == "append" and self.lag:
            raise ValueError("mode: append reads no row twice, so it takes no lag; remove lag:, or use mode: merge")
        return self

    @property
    def cursor_name(self) -> str | None:
        """The name of what the watermark is a value of: the incremental column or `cursor`; else None."""
        return self.incremental_column or self.cursor

    @property
    def cursor_column(self) -> str | None:
        """See BaseTable."""
        return self.incremental_column

    @property
    def follows_feed(self) -> bool:
        """See BaseTable."""
        return self.cursor == "changes"

    @property
    def made_from(self) -> dict[str, str]:
        """See BaseTable. Comments and blanks in SQL do not count."""
        sql = {"query": plain_sql(self.query or ""), "where": plain_sql(self.where or "")}
        found = {"table": self.table, **sql}
        return super().made_from | {name: text for name, text in found.items() if text}


class SourceBase(Model):
    """What a source of any type says: a name, and tables whose names are unique within it.

    The model of a type names its `type`, its `connection` and its `tables`; one of tables in SQL is a `DatabaseSource`.

    Attributes:
        name: The source's name, unique in the pipeline. Inputs of datasets and folders in the lake use it.
        type: The kind of source.
        connection: How to connect to the source.
        max_parallel: How many tables of this source are read at the same time.
        tables: The tables to land.
    """

    name: Name = Field(json_schema_extra={"not": {"enum": [*sorted(RESERVED_SOURCES)]}})
    max_parallel: int = Field(default=4, ge=1, le=64)
    tables: Annotated[tuple[BaseTable, ...], MAY_BE_EMPTY, Field(json_schema_extra=NO_LIST)]
    type: str
    connection: Model

    @model_validator(mode="after")
    def _names(self) -> SourceBase:
        if self.name in RESERVED_SOURCES:
            raise ValueError(f"the name '{self.name}' is reserved; choose another one")
        names = [table.name for table in self.tables]
        double = next((name for name in names if names.count(name) > 1), None)
        if double:
            raise ValueError(f"two tables are called '{double}'; names have to be unique within a source")
        return self


class DatabaseSource(SourceBase):
    """A source that is asked in SQL."""

    tables: Annotated[tuple[TableConfig, ...], MAY_BE_EMPTY, Field(json_schema_extra=NO_LIST)]
