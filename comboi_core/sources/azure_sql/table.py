"""Azure SQL as a source: one table or query, read through Microsoft's driver as a stream of Arrow batches.

Every text that reaches the server is ours: the server's indexes are used, and each value travels in a form that the
driver reads exactly (`types`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from comboi_core.config.tables import TableConfig
from comboi_core.domain.errors import ComboiError, ConfigError, UnsupportedValue
from comboi_core.domain.load import LOOKED_BACK, Checkpoint, Chunk, Column, EarlierRows, LoadPlan, Window
from comboi_core.domain.names import table_id
from comboi_core.domain.shortfall import Shortfall
from comboi_core.sources.azure_sql import chunks as cutting
from comboi_core.sources.azure_sql import keys, relations, sql, types
from comboi_core.sources.azure_sql import window as windows
from comboi_core.sources.azure_sql.batches import REPLACEMENT, most_rows
from comboi_core.sources.azure_sql.catalog import Catalogued, look_up
from comboi_core.sources.azure_sql.outlook import Outlook, outlook
from comboi_core.sources.azure_sql.remarks import of_state
from comboi_core.sources.azure_sql.session import AzureSqlSession
from comboi_core.sources.azure_sql.shape import Shape, cursor_column, named_columns, shape, try_condition
from comboi_core.sources.azure_sql.text import identifier
from comboi_core.sources.common import chunks, drift, earlier

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class AzureSqlTable:
    """One table or query of a database; implements `domain.ports.Source`.

    The login should hold no right but to read (db_datareader), VIEW DATABASE STATE to see what still writes, and VIEW
    DEFINITION to see what views read and which policies hide rows.
    """

    def __init__(self, con: DuckDBPyConnection, *, source: str, table: TableConfig, connection: dict[str, Any]) -> None:
        self._source = source
        self._config = table
        self._place = table_id(source, table.name)
        try:
            self._whole = (
                sql.Relation.of_table(table.table)
                if table.table is not None
                else sql.Relation.of_query(str(table.query))
            )
        except ValueError as error:
            raise ConfigError(f"{self._place}: table: {table.table} cannot be understood: {error}") from None
        self._relation = self._whole.filtered(table.where) if table.where is not None else self._whole
        self._session = AzureSqlSession(con, connection, self._place)
        self._rows = self._session.rows
        self._watched: list[tuple[str, Counter[str]]] = []
        self._collations: Mapping[str, str] | None = None
        self._reading = False
        try:
            self._server = self._rows(sql.SERVER)[0]
            if self._server["committed"] != "1" and self._snapshots:
                self._session.execute(sql.SNAPSHOT)
        except ComboiError:
            self._session.close()
            raise

    def plan(self, checkpoint: Checkpoint, *, full_refresh: bool) -> LoadPlan:
        """See `domain.ports.Source.plan`; how the window is bounded stands in `window`."""
        mode = self._config.effective_mode
        replaces = full_refresh or mode == "full"
        table = look_up(self._rows, self._config.table, self._place) if self._config.table else Catalogued()
        reads = relations.read(self._rows, self._config)
        found = self._shape()
        try_condition(self._rows, self._relation, self._config.where, self._place)
        settled = drift.settle(
            checkpoint.columns,
            found.columns,
            policy=self._config.schema_policy,
            replaces=replaces,
            place=self._place,
            named=named_columns(self._config),
        )
        columns = settled.columns
        unequal: tuple[Shortfall, ...] = ()
        if mode == "merge":
            key, anew = self._config.primary_key, replaces or checkpoint.sequence == 0
            columns = keys.with_canonical(columns, checkpoint.columns, key, anew=anew)
            unequal = keys.unequal(found.collations, key)
        seen = None if mode == "full" else self._outlook(table, found, None if replaces else checkpoint.watermark)
        window = seen.window if seen else None
        # A first load is committed even if it is empty, so that readers find the table; changed columns likewise.
        news = replaces or settled.altered or checkpoint.sequence == 0 or (seen is not None and seen.news)
        rows = self._estimate(table, seen) if news else 0
        cut = self._chunks(table, found.columns, window, rows) if news else ()
        warnings, mixed = of_state(self._server, window, cut, self._config)
        return LoadPlan(
            source=self._source,
            table=self._config.name,
            sequence=checkpoint.sequence + 1,
            mode=mode,
            replaces=replaces,
            window=window,
            watermark=(window.high or window.low) if window else None,
            columns=columns,
            chunks=cut,
            unchanged=not news,
            key_unique=table.guarantees(self._config.primary_key),
            estimated_rows=rows,
            schema_changes=settled.changes,
            warnings=(*warnings, *(seen.warnings if seen else ())),
            relations=reads,
            shortfalls=(*table.shortfalls, *unequal, *(seen.shortfalls if seen else ()), *mixed),
        )

    def select(self, load: LoadPlan, chunk: Chunk) -> str:
        """See `domain.ports.Source.select`; the rows come once, and until the next call."""
        where = self._where(load.columns, load.window, nulls=self._config.on_null_cursor == "include")
        if chunk.kind == "key_range":
            where += f" AND {self._in_chunk(load, chunk)}"
        self._begin()
        watched = Counter(dict.fromkeys(types.texts(load.columns), 0))
        self._watched.append((where, watched))
        text = self._relation.select(types.select_list(load.columns, "src"), where)
        rows = self._session.stream(text, watched, most=most_rows(load.columns))
        return f"SELECT {types.typed_list(load.columns)} FROM {rows}"

    def reading(self, load: LoadPlan) -> AbstractContextManager[None]:
        """See `domain.ports.Source.reading`; the transaction begins with the first chunk and ends with `confirm`."""
        return nullcontext()

    def confirm(self, load: LoadPlan) -> None:
        """See `domain.ports.Source.confirm`; also that no half of a surrogate pair was read as another character, and
        that the rows are of what the load was planned for."""
        texts = types.texts(load.columns)
        for where, watched in self._watched:
            for name in +watched:
                self._confirm_text(texts[name], where, watched[name])
        if self._reading and self._snapshots:
            self._session.execute(sql.COMMIT)  # metadata is not versioned: it is looked at outside
        self._reading = False
        drift.confirm(load.columns, self._shape().columns, self._place)
        relations.confirm(load.relations, relations.read(self._rows, self._config), self._place)

    def look_back(self, load: LoadPlan, columns: tuple[Column, ...], watermark: str) -> EarlierRows:
        """See `domain.ports.LooksBack.look_back`."""
        assert load.window is not None
        landed = self._where(load.columns, replace(load.window, low=None, high=watermark), nulls=False)
        read = self._where(load.columns, load.window, nulls=self._config.on_null_cursor == "include")
        operands = [f"src.{identifier(types.in_source(column))}" for column in columns]
        first = self._relation.select(f"TOP ({LOOKED_BACK}) {earlier.marks(operands)}", f"{landed} AND NOT {read}")
        rows = sql.Relation(f"({first.removeprefix(self._relation.ctes)}) AS earlier", self._relation.ctes)
        return earlier.counted(columns, self._rows(rows.select(earlier.counts(columns)))[0])

    def translate(self, error: Exception) -> ComboiError:
        """See `domain.ports.Source.translate`."""
        return self._session.translate(error)

    def close(self) -> None:
        """See `domain.ports.Source.close`."""
        self._session.close()

    @property
    def _snapshots(self) -> bool:
        return self._server["snapshot"] == "1"

    def _shape(self) -> Shape:
        return shape(self._rows, self._whole, self._config, self._place)

    def _outlook(self, table: Catalogued, found: Shape, low: str | None) -> Outlook:
        cursor = cursor_column(found.columns, self._config)
        seen = outlook(
            self._rows,
            self._relation,
            cursor,
            self._config,
            low=low,
            required=cursor.name in found.required,
            place=self._place,
        )
        return replace(seen, warnings=seen.warnings + table.advice(cursor.name, str(self._config.table)))

    def _where(self, columns: tuple[Column, ...], window: Window | None, *, nulls: bool) -> str:
        if window is None:
            return "1 = 1"
        return windows.condition(window, f"src.{identifier(cursor_column(columns, self._config).name)}", nulls=nulls)

    def _estimate(self, table: Catalogued, seen: Outlook | None) -> int | None:
        """Rows of the load: counted where a condition or a view leaves no other way."""
        if table.oid is None:
            return None
        whole = self._config.where is None and (seen is None or seen.window.low is None)
        if whole and table.rows is not None:
            return table.rows
        return seen.rows if seen else int(self._rows(sql.count(self._relation, "1 = 1"))[0]["found"] or 0)

    def _chunks(
        self, table: Catalogued, columns: tuple[Column, ...], window: Window | None, rows: int | None
    ) -> tuple[Chunk, ...]:
        size = round((rows or 0) * table.row_bytes)
        pieces = chunks.pieces(
            rows, self._config.chunk_rows, estimated_bytes=size, chunk_bytes=self._config.chunk_bytes
        )
        column = cutting.key_column(columns, self._config)
        if table.oid is None or column is None or pieces < 2:
            return (Chunk(0),)
        whole = window is None or window.low is None
        sampled = whole and self._config.where is None and table.is_table
        condition = "1 = 1" if whole else self._where(columns, window, nulls=False)
        return cutting.cut(self._rows, self._relation, condition, column, pieces, sample_of=rows if sampled else None)

    def _in_chunk(self, load: LoadPlan, chunk: Chunk) -> str:
        """The condition of a chunk's rows; the server is asked for the collation of a key that is text, once."""
        column = cutting.key_column(load.columns, self._config)
        assert column is not None
        if types.is_collated(column.source_type) and self._collations is None:
            self._collations = self._shape().collations
        return cutting.condition(column, chunk, (self._collations or {}).get(column.name))

    def _begin(self) -> None:
        """Begin the transaction in which every chunk of this activity is read."""
        if not self._reading and self._snapshots:
            self._session.execute(sql.SNAPSHOT)
            self._session.execute(sql.BEGIN)
        self._reading = True

    def _confirm_text(self, column: Column, where: str, seen: int) -> None:
        text = types.expression(column, f"src.{identifier(column.name)}")
        there = self._rows(sql.count_containing(self._relation, text, REPLACEMENT, where))[0]["found"]
        if int(there or 0) < seen:
            raise UnsupportedValue(
                f"{self._place}: column {column.name} holds half of a surrogate pair, which is no character and cannot "
                f"be landed as text; it was read as {REPLACEMENT!r}",
                remedy="Correct the rows, or read the column as binary in `query:` (CONVERT(varbinary(max), ...)).",
                column=column.name,
            )
