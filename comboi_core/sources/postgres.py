"""PostgreSQL as a source: one table or query, read through DuckDB's postgres_scanner.

Every text that reaches the server is ours, sent through `postgres_query`: the server's indexes are used, and each value
is put into a form that the scanner reads exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from comboi_core.config.sources import TableConfig
from comboi_core.domain.errors import ComboiError, ConfigError, SourceObjectMissing, SourceQueryFailed
from comboi_core.domain.load import Checkpoint, Chunk, Column, LoadPlan, Window
from comboi_core.domain.names import table_id
from comboi_core.domain.sql import identifier
from comboi_core.sources import chunks, drift
from comboi_core.sources import postgres_chunks as cutting
from comboi_core.sources import postgres_cursor as cursors
from comboi_core.sources import postgres_sql as sql
from comboi_core.sources import postgres_text as text
from comboi_core.sources import postgres_types as types
from comboi_core.sources import postgres_window as windows
from comboi_core.sources import postgres_xmin as xmin
from comboi_core.sources.columns import chosen
from comboi_core.sources.postgres_session import PostgresSession

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SAMPLED = ("r", "m", "p")


@dataclass(frozen=True)
class _Table:
    """What the catalog says of a table; for a query, that there is none.

    Attributes:
        rows: The planner's count, or None if it is not known.
    """

    oid: str | None = None
    kind: str | None = None
    rows: int | None = None
    size: int = 0

    @property
    def row_bytes(self) -> float:
        """Bytes per row, 0 if unknown."""
        return self.size / self.rows if self.rows else 0.0


class PostgresTable:
    """One table or query of a PostgreSQL database; implements `domain.ports.Source`.

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
        self._from = f"{self._relation} AS src"
        if table.where:
            self._from = f"{text.filtered(self._relation, table.where, versions=table.cursor is not None)} AS src"
        self._session = PostgresSession(con, connection, self._place)
        self._rows = self._session.rows

    def plan(self, checkpoint: Checkpoint, *, full_refresh: bool) -> LoadPlan:
        """See `domain.ports.Source.plan`; how the window is bounded stands in `postgres_window`."""
        mode = self._config.effective_mode
        replaces = full_refresh or mode == "full"
        table = self._find()
        found, required = self._columns(table)
        found = chosen(found, self._config, self._place)
        self._probe_condition()
        settled = drift.settle(
            checkpoint.columns,
            found,
            policy=self._config.schema_policy,
            replaces=replaces,
            place=self._place,
            named=self._named,
        )
        outlook = None
        if mode != "full":
            outlook = self._outlook(table, found, required, None if replaces else checkpoint.watermark)
        # A first load is committed even if it is empty, so that readers find the table; changed columns likewise.
        news = replaces or checkpoint.sequence == 0 or settled.altered or (outlook is not None and outlook.news)
        window = outlook.window if outlook else None
        estimate = self._estimate(table, outlook) if news else 0
        return LoadPlan(
            source=self._source,
            table=self._config.name,
            sequence=checkpoint.sequence + 1,
            mode=mode,
            replaces=replaces,
            window=window,
            watermark=(outlook.watermark or outlook.window.high or outlook.window.low) if outlook else None,
            columns=settled.columns,
            chunks=self._chunks(table, settled.columns, window, estimate) if news else (),
            unchanged=not news,
            key_unique=self._key_unique(table),
            estimated_rows=estimate,
            schema_changes=settled.changes,
            warnings=outlook.warnings if outlook else (),
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

    def confirm(self, load: LoadPlan) -> None:
        """See `domain.ports.Source.confirm`."""
        drift.confirm(load.columns, self._columns(self._find())[0], self._place)

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

    def _find(self) -> _Table:
        if self._config.table is None:
            return _Table()
        found = self._rows(sql.find_table(self._config.table))
        if not found:
            raise SourceObjectMissing(f"{self._place}: the source has no table {self._config.table}")
        rows = int(found[0]["rows"] or -1)
        return _Table(found[0]["oid"], found[0]["kind"], rows if rows >= 0 else None, int(found[0]["size"] or 0))

    def _columns(self, table: _Table) -> tuple[tuple[Column, ...], frozenset[str]]:
        """All columns, and the names of those that are never NULL."""
        if table.oid:
            found = self._rows(sql.table_columns(table.oid))
            landed = {str(row["name"]): (str(row["type"]), "") for row in found}
        else:
            # The driver knows the digits of a query's numerics, PostgreSQL's SQL the names of its types.
            described = self._session.describe(f"SELECT * FROM {self._relation} AS src")
            digits = {name: kind.removeprefix("DECIMAL") for name, kind in described if kind.startswith("DECIMAL")}
            found = self._rows(sql.query_columns(self._relation, tuple(name for name, _ in described)))
            landed = {str(row["name"]): (str(row["type"]), digits.get(str(row["name"]), "")) for row in found}
        columns = []
        for name, (kind, digit) in landed.items():
            source_type = kind + digit if kind == "numeric" else kind
            columns.append(Column(name, source_type, types.landed_type(source_type)))
        required = frozenset(str(row["name"]) for row in found if row["required"] == "true")
        return tuple(columns), required

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

    def _outlook(
        self, table: _Table, columns: tuple[Column, ...], required: frozenset[str], low: str | None
    ) -> cursors.Outlook:
        if self._config.cursor:
            return xmin.outlook(self._rows, self._from, str(table.oid), low=low, place=self._place)
        name = str(self._config.incremental_column)
        return cursors.outlook(
            self._rows,
            self._from,
            table.oid,
            next(column for column in columns if column.name == name),
            self._config,
            low=low,
            required=name in required,
            place=self._place,
        )

    def _where(self, window: Window | None, *, nulls: bool) -> str:
        if window is None:
            return "true"
        if window.cursor_type == xmin.CURSOR_TYPE:
            return xmin.condition(window)
        return windows.condition(window, f"src.{identifier(window.cursor)}", nulls=nulls)

    def _estimate(self, table: _Table, outlook: cursors.Outlook | None) -> int | None:
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
        self, table: _Table, columns: tuple[Column, ...], window: Window | None, estimate: int | None
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

    def _key_unique(self, table: _Table) -> bool:
        key = self._config.primary_key
        return bool(table.oid and key) and self._rows(sql.unique_key(str(table.oid), key))[0]["found"] == "true"
