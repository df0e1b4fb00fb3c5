"""SQLite as a source, read-only through DuckDB's sqlite_scanner.

SQL is sent through `sqlite_query`, so that SQLite's indexes are used; every value comes as text, and is made into what
its column lands as by `sqlite_types`.

SQLite has one writer at a time, so that rows with integer keys appear in their order. Times are written by clients,
before they wait for their turn, and often in whole seconds: merges read `lag` (default 5 minutes) again, appends stay 5
minutes behind the clock. Times are taken for UTC, as SQLite's own CURRENT_TIMESTAMP is; those of a zone behind UTC want
a larger `lag` and no `mode: append`.
"""

from __future__ import annotations

import itertools
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from comboi_core.config.sources import TableConfig
from comboi_core.domain.duckdb_errors import error_details
from comboi_core.domain.errors import (
    ComboiError,
    SourceObjectMissing,
    UnsupportedValue,
)
from comboi_core.domain.load import Checkpoint, Chunk, Column, LoadPlan, Window
from comboi_core.domain.names import table_id
from comboi_core.domain.sql import identifier, literal
from comboi_core.sources import chunks, drift, sqlite_errors, text_types
from comboi_core.sources import sqlite_sql as sql
from comboi_core.sources import sqlite_types as types
from comboi_core.sources.columns import chosen
from comboi_core.sources.extensions import extension_path

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

DEFAULT_LAG = 300.0
_AHEAD = 14 * 3600.0
"""A local time may be so far ahead of UTC; what is later is from the future, and no watermark."""
_DATE = len("YYYY-MM-DD")
_DAY_OVER = 1.5 * 86400.0
"""A day without a time of day is over everywhere on earth so long after it began at UTC."""
_ALIASES = itertools.count()


class SqliteTable:
    """One table, view or query of a SQLite database; implements `domain.ports.Source`.

    Args:
        connection: `{"path": ...}`, the database's file, absolute.
    """

    def __init__(self, con: DuckDBPyConnection, *, source: str, table: TableConfig, connection: dict[str, str]) -> None:
        self._con = con
        self._source = source
        self._config = table
        self._place = table_id(source, table.name)
        self._from = sql.relation(table.table, table.query)
        self._only = f"({table.where}\n)" if table.where else "1"
        self._alias = f"comboi_sqlite_{next(_ALIASES)}"
        self._file = Path(connection["path"])
        if not self._file.is_file():  # DuckDB would attach a missing one
            missing = f"{self._place}: there is no file {self._file}"
            raise SourceObjectMissing(missing, remedy="Correct connection.path.")
        con.execute(f"LOAD {literal(str(extension_path('sqlite_scanner')))}")
        con.execute(f"ATTACH {literal(str(self._file))} AS {identifier(self._alias)} (TYPE sqlite, READ_ONLY)")

    def plan(self, checkpoint: Checkpoint, *, full_refresh: bool) -> LoadPlan:
        """See `domain.ports.Source.plan`."""
        config, mode = self._config, self._config.effective_mode
        replaces = full_refresh or mode == "full"
        known = () if full_refresh else checkpoint.columns
        columns, key_unique = self._columns(known)
        settled = drift.settle(
            checkpoint.columns,
            columns,
            policy=config.schema_policy,
            replaces=replaces,
            place=self._place,
            named=frozenset((*(config.columns or ()), *config.primary_key, str(config.incremental_column))),
        )
        columns, changes = settled.columns, settled.changes
        window, moved, nulls, warnings = None, True, False, []
        if mode != "full":
            window, moved = self._window(columns, None if replaces else checkpoint.watermark, warnings)
            nulls = self._null_cursors(window)
        unchanged = not (replaces or moved or nulls or settled.altered or checkpoint.sequence == 0)
        if unchanged and window and window.lag_seconds:
            unchanged = not self._count(sql.in_window(window, nulls=False))
        rows = 0 if unchanged else self._count(self._where(window))
        return LoadPlan(
            source=self._source,
            table=config.name,
            sequence=checkpoint.sequence + 1,
            mode=mode,
            replaces=replaces,
            window=window,
            watermark=(window.high or window.low) if window else None,
            columns=columns,
            chunks=() if unchanged else self._chunks(columns, self._where(window), rows),
            unchanged=unchanged,
            key_unique=key_unique,
            estimated_rows=rows,
            schema_changes=changes,
            warnings=tuple(warnings),
        )

    def select(self, load: LoadPlan, chunk: Chunk) -> str:
        """See `domain.ports.Source.select`."""
        where = f"{self._where(load.window)} AND {self._only}"
        if chunk.kind == "key_range":
            where += f" AND {sql.in_chunk(chunk, self._config.primary_key[0])}"
        text = f"SELECT {types.select_list(load.columns)} FROM {self._from} WHERE {where}"
        return types.fitting(load.columns, self._query(text))

    def confirm(self, load: LoadPlan) -> None:
        """See `domain.ports.Source.confirm`."""
        drift.confirm(load.columns, self._columns(load.columns)[0], self._place)

    def translate(self, error: Exception) -> ComboiError:
        """See `domain.ports.Source.translate`."""
        if isinstance(error, ComboiError):
            return error
        text = error_details(error)[0]
        refused = text_types.refused(text)
        if refused:
            remedy = "Correct the row, or read the column as text in `query:` (`CAST(column AS TEXT) AS column`)."
            return text_types.refusal(self._place, *refused[1:], remedy=remedy)
        return sqlite_errors.typed(text, file=self._file, place=self._place)

    def close(self) -> None:
        """See `domain.ports.Source.close`."""
        with suppress(Exception):
            self._con.execute(f"DETACH {identifier(self._alias)}")

    def _query(self, text: str) -> str:
        return f"sqlite_query({literal(self._alias)}, {literal(text)})"

    def _rows(self, text: str) -> list[dict[str, str | None]]:
        try:
            result = self._con.execute(f"SELECT * FROM {self._query(text)}")
            names = [column[0] for column in result.description]
            return [dict(zip(names, row, strict=True)) for row in result.fetchall()]
        except Exception as error:
            failed = self.translate(error)
        raise failed

    def _count(self, condition: str) -> int:
        return int(self._rows(sql.count(self._from, f"{condition} AND {self._only}"))[0]["found"] or 0)

    def _where(self, window: Window | None) -> str:
        return "1" if window is None else sql.in_window(window, nulls=self._config.on_null_cursor == "include")

    def _columns(self, known: tuple[Column, ...]) -> tuple[tuple[Column, ...], bool]:
        """The columns to land, and whether the source guarantees the configured key to be unique."""
        unique = False
        if self._config.table is not None:
            if not self._rows(sql.find_table(self._config.table)):
                raise SourceObjectMissing(f"{self._place}: the database has no table {self._config.table}")
            found = self._rows(sql.table_columns(self._config.table))
            declared = {str(row["name"]): str(row["type"] or "") for row in found}
            keys = [row for row in found if row["key"] != "0"]
            # SQLite lets keys be NULL, but for INTEGER PRIMARY KEY.
            certain = all(row["required"] == "1" or str(row["type"]).upper() == "INTEGER" for row in keys)
            unique = bool(keys) and certain and {row["name"] for row in keys} <= set(self._config.primary_key)
        else:
            text = f"SELECT * FROM {self._from}"
            declared = dict.fromkeys(self._described(text), "")
        before = {column.name: column.type for column in known}
        columns = tuple(Column(name, kind or "any", before.get(name, "")) for name, kind in declared.items())
        columns = chosen(columns, self._config, self._place)
        return tuple(self._landed(column, declared[column.name]) for column in columns), unique

    def _described(self, text: str) -> list[str]:
        try:
            found = self._con.execute(f"DESCRIBE SELECT * FROM {self._query(text)}").fetchall()
        except Exception as error:
            failed = self.translate(error)
        else:
            return [name for name, *_ in found]
        raise failed

    def _landed(self, column: Column, declared: str) -> Column:
        """A column with its type: as declared, else that of the committed load, else as its values are."""
        if declared:
            return Column(column.name, declared, types.landed_type(declared))
        kind = column.type
        if not kind:
            found = self._rows(sql.natures(self._from, column.name, self._only))
            kind = types.sampled_type({str(row["nature"]) for row in found})
        return Column(column.name, kind, kind)

    def _window(self, columns: tuple[Column, ...], low: str | None, warnings: list[str]) -> tuple[Window, bool]:
        """The load's window, and whether there are rows above the watermark."""
        name = str(self._config.incremental_column)
        kind = next(column.type for column in columns if column.name == name)
        if kind not in ("BIGINT", "VARCHAR"):
            raise UnsupportedValue(
                f"{self._place}: column {name} is {kind}, which cannot be a cursor",
                remedy="Use an integer column, or one that holds times as text (YYYY-MM-DD HH:MM:SS).",
            )
        top, cap, lag = self._top(name, kind), None, 0.0
        if top is not None and kind == "VARCHAR":
            appends = self._config.effective_mode == "append"
            behind = DEFAULT_LAG if len(top) > _DATE else _DAY_OVER
            cap = self._rows(sql.moment(top, -behind if appends else _AHEAD))[0]["at"]
            lag = 0.0 if appends else DEFAULT_LAG if self._config.lag is None else self._config.lag
            if low is not None and not lag:
                self._refuse_unsorted(name, low)
        elif self._config.lag:
            warnings.append("lag has no meaning for an integer cursor and is ignored")
        high = self._rows(sql.bound(self._from, name, cap, self._only))[0]["high"]
        moved = high is not None and (low is None or _above(high, low, kind))
        if low is not None and not moved:
            if top is None or _above(low, top, kind):
                warnings.append(
                    f"the largest cursor, {top}, is before the committed {low}: was the database restored from a "
                    "backup? Rows changed since then are missing; run the table with --full-refresh"
                )
            high = low
        return Window(name, kind, low, high, lag), moved

    def _refuse_unsorted(self, name: str, low: str) -> None:
        found = self._count(sql.unsorted(name, low))
        if found:
            raise UnsupportedValue(
                f"{self._place}: {found} times in the cursor {name} are later than the committed {low}, but sort "
                "before it: they are written in another way, and would be missed",
                remedy="Write all times alike (YYYY-MM-DD HH:MM:SS), use mode: merge with a lag, or mode: full.",
                column=name,
                rows=found,
            )

    def _top(self, name: str, kind: str) -> str | None:
        """The largest cursor, all of them being of one nature."""
        found = self._rows(sql.latest(self._from, name, self._only))[0]
        nature = "integer" if kind == "BIGINT" else "text"
        if found["top"] is None:
            return None
        if {found["first"], found["last"]} != {nature} or (nature == "text" and found["stamped"] != "1"):
            raise UnsupportedValue(
                f"{self._place}: the cursor {name} holds {found['top'][:60]!r} ({found['first']}, {found['last']}): it "
                "needs integers only, or times as text only (YYYY-MM-DD HH:MM:SS)",
                remedy="Correct the rows, use another column, or mode: full.",
                column=name,
            )
        return found["top"]

    def _null_cursors(self, window: Window) -> bool:
        """Whether rows without a cursor are part of the load."""
        policy = self._config.on_null_cursor
        found = 0 if policy == "exclude" else self._count(f"src.{identifier(window.cursor)} IS NULL")
        if found and (policy == "fail" or self._config.effective_mode == "append"):
            why = "on_null_cursor is fail" if policy == "fail" else "mode append would land them again with each load"
            raise UnsupportedValue(
                f"{self._place}: {found} rows have NULL in the cursor {window.cursor}, and {why}",
                remedy="Fill the column, set `on_null_cursor: exclude`, or use mode: merge with a primary key.",
                column=window.cursor,
                rows=found,
            )
        return found > 0

    def _chunks(self, columns: tuple[Column, ...], where: str, rows: int) -> tuple[Chunk, ...]:
        """Ranges of the key, where the load is large and the key is an integer; else one chunk."""
        count = chunks.pieces(rows, self._config.chunk_rows)
        key = self._config.primary_key[0] if len(self._config.primary_key) == 1 else None
        if key is None or count < 2 or next(one.type for one in columns if one.name == key) != "BIGINT":
            return (Chunk(0),)
        bounds = self._rows(sql.key_bounds(self._from, key, f"{where} AND {self._only}"))[0]
        low, high = bounds["low"], bounds["high"]
        if low is None or high is None or not (_whole(low) and _whole(high)):
            return (Chunk(0),)
        return chunks.key_ranges(int(low), int(high), count)


def _above(one: str, other: str, kind: str) -> bool:
    """Compare two cursors as SQLite does; a text among integers is above them all, and fails when it is read."""
    if kind == "BIGINT" and _whole(one) and _whole(other):
        return int(one) > int(other)
    return one > other


def _whole(text: str) -> bool:
    return re.fullmatch(r"-?\d+", text) is not None
