"""SQLite as a source, read-only through DuckDB's sqlite_scanner.

SQL is sent through `sqlite_query`, so that SQLite's indexes are used; every value comes as text, and is made into what
its column lands as by `types`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from comboi_core.config.tables import TableConfig
from comboi_core.domain.errors import ComboiError, SourceObjectMissing
from comboi_core.domain.load import Checkpoint, Chunk, Column, EarlierRows, LoadPlan, Window
from comboi_core.domain.names import table_id
from comboi_core.domain.sql import identifier
from comboi_core.sources.common import chunks, drift, earlier
from comboi_core.sources.common.columns import chosen
from comboi_core.sources.sqlite import keys, sql, types
from comboi_core.sources.sqlite import window as windows
from comboi_core.sources.sqlite.identity import Identity
from comboi_core.sources.sqlite.session import SqliteSession

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_REUSED = (
    "the cursor {} is the row's number, without AUTOINCREMENT: after the last row is deleted, SQLite gives its number "
    "to the next new row, which is then not read. Declare the key AUTOINCREMENT, or use a column with times as cursor"
)


@dataclass(frozen=True)
class _Shape:
    """What a load is planned for.

    Attributes:
        columns: Those that land.
        key_unique: Whether the source guarantees the configured key to be unique and never NULL.
        untyped_keys: Those of the configured key that keep values of any type as they come; all of them in a query.
        reuses: The column that is the row's number and may get a number of a deleted row; empty without one.
    """

    columns: tuple[Column, ...]
    key_unique: bool
    untyped_keys: tuple[Column, ...]
    reuses: str


class SqliteTable:
    """One table, view or query of a SQLite database; implements `domain.ports.Source`.

    Args:
        connection: `{"path": ...}`, the database's file, absolute.
    """

    def __init__(self, con: DuckDBPyConnection, *, source: str, table: TableConfig, connection: dict[str, str]) -> None:
        self._source = source
        self._config = table
        self._place = table_id(source, table.name)
        self._from = sql.relation(table.table, table.query, table.where)
        self._session = SqliteSession(con, Path(connection["path"]), self._place)
        self._rows = self._session.rows

    def plan(self, checkpoint: Checkpoint, *, full_refresh: bool) -> LoadPlan:
        """See `domain.ports.Source.plan`; how the window is bounded stands in `window`."""
        with self._session.snapshot():
            load = self._plan(checkpoint, Identity(self._session, self._place), full_refresh)
        if load.mode != "merge":
            return load
        # On its own: a collation that SQLite does not know is an error, and DuckDB ends a transaction at each.
        unequal = keys.unequal(self._rows, self._from, load.columns, self._config.primary_key)
        return replace(load, shortfalls=(*unequal, *load.shortfalls))

    def _plan(self, checkpoint: Checkpoint, database: Identity, full_refresh: bool) -> LoadPlan:
        config, mode = self._config, self._config.effective_mode
        replaces = full_refresh or mode == "full"
        anew = replaces or checkpoint.sequence == 0
        shape = self._shape(() if full_refresh else checkpoint.columns)
        settled = drift.settle(
            checkpoint.columns,
            shape.columns,
            policy=config.schema_policy,
            replaces=replaces,
            place=self._place,
            named=frozenset((*(config.columns or ()), *config.primary_key, str(config.incremental_column))),
        )
        columns = settled.columns
        if mode == "merge":
            keys.refuse_ambiguous(self._rows, self._from, shape.untyped_keys, self._place)
        outlook = None
        if mode != "full":
            low = None if replaces else checkpoint.watermark
            outlook = windows.outlook(self._rows, self._from, columns, config, low=low, place=self._place)
        window = outlook.window if outlook else None
        news = anew or settled.altered or (outlook is not None and outlook.news)
        rows = self._count(self._where(window)) if news else 0
        reused = (_REUSED.format(window.cursor),) if window and anew and window.cursor == shape.reuses else ()
        return LoadPlan(
            source=self._source,
            table=config.name,
            sequence=checkpoint.sequence + 1,
            mode=mode,
            replaces=replaces,
            window=window,
            watermark=(window.high or window.low) if window else None,
            columns=columns,
            chunks=self._chunks(columns, self._where(window), rows) if news else (),
            unchanged=not news,
            key_unique=shape.key_unique,
            estimated_rows=rows,
            schema_changes=settled.changes,
            warnings=(*reused, *(outlook.warnings if outlook else ())),
            relations=(database.relation,),
            shortfalls=outlook.shortfalls if outlook else (),
        )

    def select(self, load: LoadPlan, chunk: Chunk) -> str:
        """See `domain.ports.Source.select`."""
        where = self._where(load.window)
        if chunk.kind == "key_range":
            where += f" AND {sql.in_chunk(chunk, self._config.primary_key[0])}"
        text = f"SELECT {types.select_list(load.columns)} FROM {self._from} WHERE {where}"
        return types.fitting(load.columns, self._session.query(text))

    @contextmanager
    def reading(self, load: LoadPlan) -> Iterator[None]:
        """See `domain.ports.Source.reading`."""
        with self._session.snapshot(), Identity(self._session, self._place).kept(load.relations):
            yield

    def confirm(self, load: LoadPlan) -> None:
        """See `domain.ports.Source.confirm`."""
        with self._session.snapshot(), Identity(self._session, self._place).kept(load.relations):
            self._confirm_columns(load)

    def _confirm_columns(self, load: LoadPlan) -> None:
        drift.confirm(load.columns, self._shape(load.columns).columns, self._place)

    def look_back(self, load: LoadPlan, columns: tuple[Column, ...], watermark: str) -> EarlierRows:
        """See `domain.ports.LooksBack.look_back`."""
        assert load.window is not None
        landed = sql.in_window(replace(load.window, low=None, high=watermark), nulls=False)
        where = f"{landed} AND NOT {self._where(load.window)}"
        operands = [f"src.{identifier(column.name)}" for column in columns]
        return earlier.counted(columns, self._rows(earlier.limited(columns, operands, self._from, where))[0])

    def translate(self, error: Exception) -> ComboiError:
        """See `domain.ports.Source.translate`."""
        return self._session.translate(error)

    def close(self) -> None:
        """See `domain.ports.Source.close`."""
        self._session.close()

    def _count(self, condition: str) -> int:
        return int(self._rows(sql.count(self._from, condition))[0]["found"] or 0)

    def _where(self, window: Window | None) -> str:
        return "1" if window is None else sql.in_window(window, nulls=self._config.on_null_cursor == "include")

    def _shape(self, known: tuple[Column, ...]) -> _Shape:
        unique, reuses = False, ""
        if self._config.table is not None:
            if not self._rows(sql.find_table(self._config.table)):
                raise SourceObjectMissing(f"{self._place}: the database has no table {self._config.table}")
            found = self._rows(sql.table_columns(self._config.table))
            declared = {str(row["name"]): str(row["type"] or "") for row in found}
            unique, reuses = self._key(self._config.table, [row for row in found if row["key"] != "0"])
        else:
            declared = dict.fromkeys(self._session.names(f"SELECT * FROM {self._from}"), "")
        before = {column.name: column.type for column in known}
        columns = tuple(Column(name, kind or "any", before.get(name, "")) for name, kind in declared.items())
        columns = chosen(columns, self._config, self._place)
        columns = tuple(self._landed(column, declared[column.name]) for column in columns)
        untyped = {name for name in self._config.primary_key if declared[name].upper() in types.UNTYPED}
        return _Shape(columns, unique, tuple(column for column in columns if column.name in untyped), reuses)

    def _key(self, table: str, key: list[dict[str, str | None]]) -> tuple[bool, str]:
        """Whether the table's primary key makes the configured one unique and never NULL, and the column that is the
        row's number and may get one again. SQLite lets other columns of a key be NULL unless it is told otherwise."""
        made = self._rows(sql.row_number(table))[0]
        number = ""
        if len(key) == 1 and str(key[0]["type"]).upper() == "INTEGER" and made["indexed"] == "0":
            number = str(key[0]["name"])
        certain = bool(number) or all(row["required"] == "1" for row in key)
        unique = bool(key) and certain and {row["name"] for row in key} <= set(self._config.primary_key)
        again = number and not re.search(r"\bAUTOINCREMENT\b", str(made["text"]), re.IGNORECASE)
        return unique, number if again else ""

    def _landed(self, column: Column, declared: str) -> Column:
        """A column with its type: as declared, else that of the committed load, else as its values are."""
        if declared:
            return Column(column.name, declared, types.landed_type(declared))
        kind = column.type
        if not kind:
            kind = types.sampled_type({str(row["nature"]) for row in self._rows(sql.natures(self._from, column.name))})
        return Column(column.name, kind, kind)

    def _chunks(self, columns: tuple[Column, ...], where: str, rows: int) -> tuple[Chunk, ...]:
        """Ranges of the key, where the load is large and the key is an integer; else one chunk."""
        count = chunks.pieces(rows, self._config.chunk_rows)
        key = self._config.primary_key[0] if len(self._config.primary_key) == 1 else None
        if key is None or count < 2 or next(one.type for one in columns if one.name == key) != "BIGINT":
            return (Chunk(0),)
        bounds = self._rows(sql.key_bounds(self._from, key, where))[0]
        low, high = bounds["low"], bounds["high"]
        if low is None or high is None or not (windows.whole(low) and windows.whole(high)):
            return (Chunk(0),)
        return chunks.key_ranges(int(low), int(high), count)
