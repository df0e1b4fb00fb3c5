"""Azure SQL as a source: one table or query, read through Microsoft's driver as a stream of Arrow batches.

Every text that reaches the server is ours: the server's indexes are used, and each value travels in a form that the
driver reads exactly (`azure_sql_types`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from comboi_core.config.tables import TableConfig
from comboi_core.domain.errors import (
    ComboiError,
    ConfigError,
    SourceObjectMissing,
    SourceQueryFailed,
    UnsupportedValue,
)
from comboi_core.domain.load import Checkpoint, Chunk, Column, LoadPlan, Window
from comboi_core.domain.names import table_id
from comboi_core.sources import azure_sql_chunks as cutting
from comboi_core.sources import azure_sql_sql as sql
from comboi_core.sources import azure_sql_types as types
from comboi_core.sources import azure_sql_window as windows
from comboi_core.sources import chunks, drift
from comboi_core.sources.azure_sql_errors import refused
from comboi_core.sources.azure_sql_session import REPLACEMENT, AzureSqlSession
from comboi_core.sources.azure_sql_sight import REPLICA, look
from comboi_core.sources.azure_sql_text import identifier
from comboi_core.sources.columns import chosen

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_PAGE = 8192
_MOVING = (
    "the database knows no snapshots: rows that change while they are read may be read twice or not at all; "
    "ALTER DATABASE ... SET READ_COMMITTED_SNAPSHOT ON ends that"
)


@dataclass(frozen=True)
class _Table:
    """What the catalog says of a table or view; for a query, that there is none.

    Attributes:
        rows: The server's count, or None for a view.
        size: Bytes, 0 if unknown.
    """

    oid: str | None = None
    is_table: bool = False
    rows: int | None = None
    size: int = 0

    @property
    def row_bytes(self) -> float:
        """Bytes per row, 0 if unknown."""
        return self.size / self.rows if self.rows else 0.0


class AzureSqlTable:
    """One table or query of a database; implements `domain.ports.Source`.

    The login should hold no right but to read (db_datareader), and VIEW DATABASE STATE to see what still writes.
    """

    def __init__(self, con: DuckDBPyConnection, *, source: str, table: TableConfig, connection: dict[str, Any]) -> None:
        self._source = source
        self._config = table
        self._place = table_id(source, table.name)
        try:
            self._relation = (
                sql.Relation.of_table(table.table)
                if table.table is not None
                else sql.Relation.of_query(str(table.query))
            )
        except ValueError as error:
            raise ConfigError(f"{self._place}: table: {table.table} cannot be understood: {error}") from None
        self._whole = self._relation
        if table.where is not None:
            self._relation = self._whole.filtered(table.where)
        self._session = AzureSqlSession(con, connection, self._place)
        self._rows = self._session.rows
        self._watched: list[tuple[str, Counter[str]]] = []
        try:
            self._server = self._rows(sql.SERVER)[0]
            if self._server["committed"] != "1" and self._server["snapshot"] == "1":
                self._session.execute(sql.SNAPSHOT)
        except ComboiError:
            self._session.close()
            raise

    def plan(self, checkpoint: Checkpoint, *, full_refresh: bool) -> LoadPlan:
        """See `domain.ports.Source.plan`; how the window is bounded stands in `azure_sql_window`."""
        mode = self._config.effective_mode
        replaces = full_refresh or mode == "full"
        table = self._find()
        found, required = self._columns()
        self._probe_condition()
        settled = drift.settle(
            checkpoint.columns,
            found,
            policy=self._config.schema_policy,
            replaces=replaces,
            place=self._place,
            named=self._named,
        )
        warnings = [] if "1" in (self._server["snapshot"], self._server["committed"]) else [_MOVING]
        window, nulls = None, False
        if mode != "full":
            low = None if replaces else checkpoint.watermark
            window = self._window(found, low, warnings)
            nulls = self._null_cursors(self._cursor(found), required)
        # A first load is committed even if it is empty, so that readers find the table; changed columns likewise.
        news = replaces or nulls or settled.altered or checkpoint.sequence == 0
        news = news or self._any(self._where(found, window, nulls=False))
        rows = self._estimate(table, found, window) if news else 0
        return LoadPlan(
            source=self._source,
            table=self._config.name,
            sequence=checkpoint.sequence + 1,
            mode=mode,
            replaces=replaces,
            window=window,
            watermark=(window.high or window.low) if window else None,
            columns=settled.columns,
            chunks=self._chunks(table, found, window, rows) if news else (),
            unchanged=not news,
            key_unique=self._key_unique(table),
            estimated_rows=rows,
            schema_changes=settled.changes,
            warnings=tuple(warnings),
        )

    def select(self, load: LoadPlan, chunk: Chunk) -> str:
        """See `domain.ports.Source.select`; the rows come once, and until the next call."""
        where = self._where(load.columns, load.window, nulls=self._config.on_null_cursor == "include")
        if chunk.kind == "key_range":
            column = cutting.key_column(load.columns, self._config)
            assert column is not None
            where += f" AND {cutting.condition(column, chunk)}"
        watched = Counter(dict.fromkeys(types.texts(load.columns), 0))
        self._watched.append((where, watched))
        text = self._relation.select(types.select_list(load.columns, "src"), where)
        rows = self._session.stream(text, watched, wary=types.unbounded(load.columns))
        return f"SELECT {types.typed_list(load.columns)} FROM {rows}"

    def confirm(self, load: LoadPlan) -> None:
        """See `domain.ports.Source.confirm`; also that no half of a surrogate pair was read as another character."""
        texts = types.texts(load.columns)
        for where, watched in self._watched:
            for name in +watched:
                self._confirm_text(texts[name], where, watched[name])
        drift.confirm(load.columns, self._columns()[0], self._place)

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

    def translate(self, error: Exception) -> ComboiError:
        """See `domain.ports.Source.translate`."""
        return self._session.translate(error)

    def close(self) -> None:
        """See `domain.ports.Source.close`."""
        self._session.close()

    def _any(self, where: str) -> bool:
        return bool(self._rows(sql.any_row(self._relation, where)))

    @property
    def _named(self) -> frozenset[str]:
        config = self._config
        names = {*(config.columns or ()), *config.primary_key, *filter(None, [config.incremental_column])}
        return frozenset(names | {name + types.TEXT_SUFFIX for name in names})

    def _find(self) -> _Table:
        if self._config.table is None:
            return _Table()
        found = self._rows(sql.find_table(self._config.table))[0]
        if found["oid"] is None:
            raise SourceObjectMissing(f"{self._place}: the source has no table {self._config.table}")
        counted = self._partitions(found["oid"])
        rows, pages = (int(counted[name]) if counted[name] is not None else None for name in ("rows", "pages"))
        return _Table(found["oid"], found["is_table"] == "1", rows, (pages or 0) * _PAGE)

    def _partitions(self, oid: str) -> dict[str, str | None]:
        try:
            return self._rows(sql.partition_statistics(oid))[0]
        except (SourceObjectMissing, SourceQueryFailed):
            return self._rows(sql.partition_rows(oid))[0]

    def _described(self, relation: sql.Relation) -> list[dict[str, str | None]]:
        described = self._rows(sql.describe(relation))
        failed = next((row for row in described if row["error"] is not None), None)
        if failed:
            raise refused(str(failed["error"]), str(failed["message"]), self._place)
        return described

    def _probe_condition(self) -> None:
        """Raise an error that names `where:` if the server does not understand it."""
        if self._config.where is None:
            return
        try:
            self._described(self._relation)
        except (SourceObjectMissing, SourceQueryFailed) as error:
            said = error.message.removeprefix(f"{self._place}: ")
        else:
            return
        raise SourceQueryFailed(
            f"{self._place}: where: {self._config.where}: {said}",
            remedy="Correct `where:`; it is a condition in the source's SQL over the table's columns.",
        )

    def _columns(self) -> tuple[tuple[Column, ...], frozenset[str]]:
        """The columns to land, and the names of those that are never NULL."""
        described = self._described(self._whole)
        found = tuple(Column(str(row["name"]), str(row["type"] or row["clr"]), "") for row in described)
        kept = chosen(found, self._named_cursor(found), self._place)
        landed = tuple(made for column in kept for made in types.landed(column.name, column.source_type, self._place))
        names = [column.name.lower() for column in landed]
        double = next((column.name for column in landed if names.count(column.name.lower()) > 1), None)
        if double:
            raise UnsupportedValue(
                f"{self._place}: the column {double} of the source has the name of a text that comboi puts beside a "
                "date or time",
                remedy="Rename the column in `query:`, or leave it out with `columns:`.",
            )
        return landed, frozenset(str(row["name"]) for row in described if row["nullable"] == "0")

    def _named_cursor(self, columns: tuple[Column, ...]) -> TableConfig:
        """The configuration, with the column that `cursor: rowversion` means in place of it."""
        if self._config.cursor is None:
            return self._config
        version = next((column.name for column in columns if column.source_type == "timestamp"), None)
        if version is None:
            raise SourceObjectMissing(
                f"{self._place}: cursor: rowversion wants a column of type rowversion, and there is none",
                remedy="Add one to the table (`ALTER TABLE ... ADD version rowversion`), or use incremental_column:.",
            )
        return self._config.model_copy(update={"incremental_column": version})

    def _window(self, columns: tuple[Column, ...], low: str | None, warnings: list[str]) -> Window:
        """The load's window; its upper bound is not below the watermark."""
        column = self._cursor(columns)
        name, kind = column.name, column.source_type
        if types.base_name(kind) not in windows.KINDS:
            raise UnsupportedValue(
                f"{self._place}: column {name} is {kind}, which cannot be a cursor",
                remedy="Use a rowversion, date, time or integer column as incremental_column, or mode: full.",
            )
        cursor = windows.Cursor(f"src.{identifier(name)}", kind, self._config.effective_mode == "append")
        replica = self._server["updateability"] == "READ_ONLY"
        if replica and cursor.kind == "version":
            raise UnsupportedValue(
                f"{self._place}: row versions have no safe upper bound here: {REPLICA}",
                remedy="Connect to the primary (without ApplicationIntent=ReadOnly), or use another cursor with a lag.",
            )
        sight = look(self._rows, self._relation, cursor, replica=replica)
        lag = windows.lag_seconds(cursor, self._config.lag)
        found = self._rows(windows.bounds(self._relation, cursor, sight, low, lag))[0]
        warnings.extend(windows.warnings(cursor, sight, found, low, self._config.lag))
        high = low if low is not None and found["ahead"] != "true" else found["high"]
        return Window(str(self._config.cursor_name), kind, low, high, 0.0 if cursor.appends else lag)

    def _cursor(self, columns: tuple[Column, ...]) -> Column:
        """The column that is the cursor; `cursor: rowversion` means the only one of that type."""
        name = self._config.incremental_column
        return next(
            column
            for column in columns
            if (column.name == name if name else column.source_type == "timestamp") and not types.is_text(column)
        )

    def _null_cursors(self, cursor: Column, required: frozenset[str]) -> bool:
        """Whether rows without a cursor are part of the load."""
        policy = self._config.on_null_cursor
        if cursor.name in required or policy == "exclude":
            return False
        missing = f"src.{identifier(cursor.name)} IS NULL"
        if policy == "include" and self._config.effective_mode == "merge":
            return self._any(missing)
        rows = int(self._rows(sql.count(self._relation, missing))[0]["found"] or 0)
        if rows:
            why = "on_null_cursor is fail" if policy == "fail" else "mode append would land them again with each load"
            raise UnsupportedValue(
                f"{self._place}: {rows} rows have NULL in the cursor {cursor.name}, and {why}",
                remedy="Fill the column, set `on_null_cursor: exclude`, or use mode: merge with a primary key.",
                column=cursor.name,
                rows=rows,
            )
        return False

    def _where(self, columns: tuple[Column, ...], window: Window | None, *, nulls: bool) -> str:
        if window is None:
            return "1 = 1"
        return windows.condition(window, f"src.{identifier(self._cursor(columns).name)}", nulls=nulls)

    def _estimate(self, table: _Table, columns: tuple[Column, ...], window: Window | None) -> int | None:
        """Rows of the load: counted where a condition or a view leaves no other way."""
        if table.oid is None:
            return None
        whole = self._config.where is None and (window is None or window.low is None)
        if whole and table.rows is not None:
            return table.rows
        where = self._where(columns, window, nulls=False)
        return int(self._rows(sql.count(self._relation, where))[0]["found"] or 0)

    def _chunks(
        self, table: _Table, columns: tuple[Column, ...], window: Window | None, rows: int | None
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

    def _key_unique(self, table: _Table) -> bool:
        """Whether a unique index over NOT NULL columns of the key guarantees each key to be there once."""
        wanted = {name.lower() for name in self._config.primary_key}
        if table.oid is None or not wanted:
            return False
        indexes: dict[str, bool] = {}
        for row in self._rows(sql.unique_indexes(table.oid)):
            fits = str(row["name"]).lower() in wanted and row["nullable"] == "0"
            indexes[str(row["index_id"])] = indexes.get(str(row["index_id"]), True) and fits
        return any(indexes.values())
