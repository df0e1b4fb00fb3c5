"""PostgreSQL as a source: one table or query, read through DuckDB's postgres_scanner.

Every text that reaches the server is ours, sent through `postgres_query`: the server's indexes are used, and each value
is put into a form that the scanner reads exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from comboi_core.config.tables import TableConfig
from comboi_core.domain.errors import ComboiError, ConfigError, SourceObjectMissing, SourceQueryFailed
from comboi_core.domain.load import Checkpoint, Chunk, Column, EarlierRows, LoadPlan, Window
from comboi_core.domain.names import table_id
from comboi_core.domain.shortfall import Shortfall
from comboi_core.domain.sql import identifier
from comboi_core.sources.common import chunks, drift, earlier
from comboi_core.sources.common.columns import chosen
from comboi_core.sources.postgres import chunks as cutting
from comboi_core.sources.postgres import cursor as cursors
from comboi_core.sources.postgres import relations, since, sql, text, types, xmin
from comboi_core.sources.postgres import window as windows
from comboi_core.sources.postgres.catalog import Catalog, Shape, Table
from comboi_core.sources.postgres.keys import Keys
from comboi_core.sources.postgres.session import PostgresSession

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SAMPLED = ("r", "m", "p")


class PostgresTable:
    """One table or query of a PostgreSQL database; implements `Source`, `LooksBack` and `TellsState` of `domain.ports`.

    The session is read-only, in UTC, and called `comboi` in `pg_stat_activity`. The scanner can be made to write all
    the same, so the role should hold no right but to read.
    """

    def __init__(self, con: DuckDBPyConnection, *, source: str, table: TableConfig, connection: dict[str, str]) -> None:
        self._source = source
        self._config = table
        self._place = table_id(source, table.name)
        try:
            self._relation = text.relation(table.table) if table.table is not None else text.subquery(str(table.query))
        except ValueError as error:
            raise ConfigError(f"{self._place}: table: {table.table} cannot be understood: {error}") from None
        self._from = self._source_of(self._relation)
        self._session = PostgresSession(con, connection, self._place)
        self._catalog = Catalog(self._session, table, self._relation, self._from, self._place)
        self._rows = self._session.rows
        self.state = ""

    def plan(self, checkpoint: Checkpoint, *, full_refresh: bool) -> LoadPlan:
        """See `domain.ports.Source.plan`; how the window is bounded stands in `window`."""
        mode = self._config.effective_mode
        replaces = full_refresh or mode == "full"
        if self._config.cursor == xmin.CURSOR:
            xmin.refuse_unversioned(self._rows, str(self._catalog.find().oid), self._place)
        self._probe_condition()
        table, shape = self._catalog.look()
        found = chosen(shape.columns, self._config, self._place)
        settled = drift.settle(
            checkpoint.columns,
            found,
            policy=self._config.schema_policy,
            replaces=replaces,
            place=self._place,
            named=self._named,
        )
        keys = Keys(self._rows, self._place, self._config.primary_key, self._config.table, self._relation)
        anew, merged = replaces or checkpoint.sequence == 0, mode == "merge"
        columns = keys.in_one_spelling(settled.columns, checkpoint.columns, anew=anew)
        if merged and not anew:
            keys.refuse_other_equality(columns, checkpoint.columns)
        unequal = keys.shortfalls(columns, checkpoint.columns, merged=merged)
        outlook = None
        if mode != "full":
            outlook = self._outlook(table, found, shape, None if replaces else checkpoint.watermark)
        # A first load is committed even if it is empty, so that readers find the table; changed columns likewise.
        news = replaces or checkpoint.sequence == 0 or settled.altered or (outlook is not None and outlook.news)
        window = outlook.window if outlook else None
        gone, attached = self._since(checkpoint, shape, None if replaces else window)
        estimate = self._estimate(table, outlook) if news else 0
        return LoadPlan(
            source=self._source,
            table=self._config.name,
            sequence=checkpoint.sequence + 1,
            mode=mode,
            replaces=replaces,
            window=window,
            watermark=(outlook.watermark or outlook.window.high or outlook.window.low) if outlook else None,
            columns=columns,
            chunks=self._chunks(table, columns, window, estimate) if news else (),
            unchanged=not news,
            key_unique=self._key_unique(table),
            estimated_rows=estimate,
            schema_changes=settled.changes,
            warnings=(*shape.warnings, *gone, *(outlook.warnings if outlook else ())),
            relations=tuple(one.relation for one in shape.relations),
            shortfalls=(*unequal, *attached, *(outlook.shortfalls if outlook else ())),
        )

    def select(self, load: LoadPlan, chunk: Chunk) -> str:
        """See `domain.ports.Source.select`."""
        where = self._where(load.window, nulls=self._config.on_null_cursor == "include")
        if chunk.kind == "key_range":
            column = cutting.key_column(load.columns, self._config)
            assert column is not None
            where += f" AND {cutting.condition(column, chunk)}"
        inner = sql.rows(types.select_list(load.columns, "src"), self._from, where)
        return f"SELECT {types.typed_list(load.columns)} FROM {self._session.query(inner)}"

    @contextmanager
    def reading(self, load: LoadPlan) -> Iterator[None]:
        """See `domain.ports.Source.reading`."""
        with self._session.snapshot():
            yield
            relations.confirm(load.relations, self._catalog.locked(), self._place)
            self.state = str(self._rows(sql.STATE)[0]["state"])

    def confirm(self, load: LoadPlan) -> None:
        """See `domain.ports.Source.confirm`."""
        shape = self._catalog.shape()
        drift.confirm(load.columns, shape.columns, self._place)
        relations.confirm_after(load.relations, shape.relations, self._place)

    def look_back(self, load: LoadPlan, columns: tuple[Column, ...], watermark: str) -> EarlierRows:
        """See `domain.ports.LooksBack.look_back`."""
        assert load.window is not None
        where = self._earlier(load.window, watermark)
        operands = [f"src.{identifier(column.name)}" for column in columns]
        return earlier.counted(columns, self._rows(earlier.limited(columns, operands, self._from, where))[0])

    def translate(self, error: Exception) -> ComboiError:
        """See `domain.ports.Source.translate`."""
        return self._session.translate(error)

    def close(self) -> None:
        """See `domain.ports.Source.close`."""
        self._session.close()

    @property
    def _named(self) -> frozenset[str]:
        config = self._config
        return frozenset({*(config.columns or ()), *config.primary_key, *filter(None, [config.incremental_column])})

    def _probe_condition(self) -> None:
        """Raise an error that names `where:` if the server does not understand it."""
        if self._config.where is None:
            return
        try:
            self._rows(sql.probe(self._from, "true"))
        except (SourceObjectMissing, SourceQueryFailed) as error:
            said = error.message.removeprefix(f"{self._place}: ")
        else:
            return
        raise SourceQueryFailed(
            f"{self._place}: where: {self._config.where}: {said}",
            remedy="Correct `where:`; it is a condition in the source's SQL over the table's columns.",
        )

    def _source_of(self, relation: str) -> str:
        """Return the FROM item called `src` for the rows of a relation that meet the configured condition."""
        if self._config.where:
            versions = self._config.cursor == xmin.CURSOR
            return f"{text.filtered(relation, self._config.where, versions=versions)} AS src"
        return f"{relation} AS src"

    def _earlier(self, window: Window, watermark: str) -> str:
        """Return the condition for rows up to the watermark that a window does not read."""
        landed = replace(window, low="0" if self._config.cursor else None, high=watermark, lag_seconds=0.0)
        read = self._where(window, nulls=self._config.on_null_cursor == "include")
        return f"{self._where(landed, nulls=False)} AND NOT {read}"

    def _since(
        self, checkpoint: Checkpoint, shape: Shape, window: Window | None
    ) -> tuple[tuple[str, ...], tuple[Shortfall, ...]]:
        """Return warnings and shortfalls about the relations that the last load did not read, or was the last to."""
        if window is None or not checkpoint.relations or checkpoint.watermark is None:
            return (), ()
        where, new = self._earlier(window, checkpoint.watermark), since.came(checkpoint.relations, shape.relations)

        def count(name: str | None) -> int:
            source = self._source_of(name) if name else self._from
            return int(self._rows(sql.count(source, where))[0]["found"] or 0)

        told = since.shortfalls(new, count, checkpoint.watermark) if new else ()
        return since.gone(checkpoint.relations, shape.relations), told

    def _outlook(self, table: Table, columns: tuple[Column, ...], shape: Shape, low: str | None) -> cursors.Outlook:
        if self._config.cursor:
            return xmin.outlook(self._rows, self._from, low=low, place=self._place)
        name = str(self._config.incremental_column)
        return cursors.outlook(
            self._rows,
            self._from,
            table.oid,
            next(column for column in columns if column.name == name),
            self._config,
            low=low,
            required=name in shape.required,
            foreign=shape.foreign,
            place=self._place,
        )

    def _where(self, window: Window | None, *, nulls: bool) -> str:
        if window is None:
            return "true"
        if window.cursor_type == xmin.CURSOR_TYPE:
            return xmin.condition(window)
        return windows.condition(window, f"src.{identifier(window.cursor)}", nulls=nulls)

    def _estimate(self, table: Table, outlook: cursors.Outlook | None) -> int | None:
        """Rows of the load: counted where a condition or a table without statistics leaves no other way."""
        if table.oid is None:
            return None
        if outlook is not None and outlook.rows is not None:
            return outlook.rows
        window = outlook.window if outlook is not None and outlook.window.low is not None else None
        if window is None and self._config.where is None and table.rows is not None:
            return table.rows
        return int(self._rows(sql.count(self._from, self._where(window, nulls=False)))[0]["found"] or 0)

    def _chunks(
        self, table: Table, columns: tuple[Column, ...], window: Window | None, estimate: int | None
    ) -> tuple[Chunk, ...]:
        whole = window is None or window.low is None
        size = round((estimate or 0) * table.row_bytes) if table.rows else whole * table.size
        pieces = chunks.pieces(
            estimate, self._config.chunk_rows, estimated_bytes=size, chunk_bytes=self._config.chunk_bytes
        )
        column = cutting.key_column(columns, self._config)
        if table.oid is None or column is None or pieces < 2:
            return (Chunk(0),)
        sampled = whole and self._config.where is None and table.kind in _SAMPLED
        condition = "true" if whole else self._where(window, nulls=False)
        return cutting.cut(self._rows, self._from, condition, column, pieces, sample_of=estimate if sampled else None)

    def _key_unique(self, table: Table) -> bool:
        key = self._config.primary_key
        return bool(table.oid and key) and self._rows(sql.unique_key(str(table.oid), key))[0]["found"] == "true"
