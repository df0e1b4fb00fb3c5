"""PostgreSQL as a source: one table or query, read through DuckDB's postgres_scanner.

Every text that reaches the server is ours, sent through `postgres_query`: the server's indexes are used, and each value
is put into a form that the scanner reads exactly.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from comboi_core.config.sources import TableConfig
from comboi_core.domain.errors import ComboiError, ConfigError, SourceObjectMissing, UnsupportedValue
from comboi_core.domain.load import Checkpoint, Chunk, Column, LoadPlan, Window
from comboi_core.domain.names import table_id
from comboi_core.domain.sql import identifier, literal
from comboi_core.sources import chunks, drift
from comboi_core.sources import postgres_sql as sql
from comboi_core.sources import postgres_types as types
from comboi_core.sources import postgres_window as windows
from comboi_core.sources.columns import chosen
from comboi_core.sources.postgres_session import PostgresSession

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_WRITERS_SECONDS = 10.0
"""How long a load over an integer cursor waits for the transactions that are writing to the table."""


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
            self._relation = sql.relation(table.table) if table.table is not None else sql.subquery(str(table.query))
        except ValueError as error:
            raise ConfigError(f"{self._place}: table: {table.table} cannot be understood: {error}") from None
        self._from = f"{self._relation} AS src"
        self._session = PostgresSession(con, connection["conn_str"], self._place)
        self._rows = self._session.rows

    def plan(self, checkpoint: Checkpoint, *, full_refresh: bool) -> LoadPlan:
        """See `domain.ports.Source.plan`; how the window is bounded stands in `postgres_window`."""
        mode = self._config.effective_mode
        replaces = full_refresh or mode == "full"
        oid, known_rows = self._find()
        columns, required = self._columns(oid)
        changes = drift.compare(
            checkpoint.columns, columns, policy=self._config.schema_policy, replaces=replaces, place=self._place
        )
        warnings: list[str] = []
        window, moved, nulls = None, True, False
        if mode != "full":
            low = None if replaces else checkpoint.watermark
            window, moved = self._window(columns, oid, low, warnings)
            nulls = self._null_cursors(window.cursor not in required, window, first=low is None)
        # A first load is committed even if it is empty, so that readers find the table; new columns likewise.
        grown = any(column not in checkpoint.columns for column in columns)
        unchanged = not (replaces or moved or nulls or grown or checkpoint.sequence == 0)
        if unchanged and window and window.lag_seconds:
            unchanged = not self._any(self._where(window, nulls=False))
        estimate = None if unchanged else self._estimate(oid, known_rows, window)
        return LoadPlan(
            source=self._source,
            table=self._config.name,
            sequence=checkpoint.sequence + 1,
            mode=mode,
            replaces=replaces,
            window=window,
            watermark=(window.high or window.low) if window else None,
            columns=columns,
            chunks=() if unchanged else self._chunks(oid, columns, window, estimate),
            unchanged=unchanged,
            key_unique=self._key_unique(oid),
            estimated_rows=0 if unchanged else estimate,
            schema_changes=changes,
            warnings=tuple(warnings),
        )

    def select(self, load: LoadPlan, chunk: Chunk) -> str:
        """See `domain.ports.Source.select`."""
        where = self._where(load.window, nulls=self._config.on_null_cursor == "include")
        if chunk.kind == "key_range":
            where += f" AND {self._key_range(load.columns, chunk)}"
        inner = sql.rows(types.select_list(load.columns, "src"), self._from, where)
        return f"SELECT {types.typed_list(load.columns)} FROM {self._session.query(inner)}"

    def translate(self, error: Exception) -> ComboiError:
        """See `domain.ports.Source.translate`."""
        return self._session.translate(error)

    def close(self) -> None:
        """See `domain.ports.Source.close`."""
        self._session.close()

    def _any(self, where: str) -> bool:
        return self._rows(sql.any_row(self._from, where))[0]["found"] == "true"

    def _find(self) -> tuple[str | None, int | None]:
        """The table's oid and the planner's row count; both None for a query, the count None if it is not known."""
        if self._config.table is None:
            return None, None
        found = self._rows(sql.find_table(self._config.table))
        if not found:
            raise SourceObjectMissing(f"{self._place}: the source has no table {self._config.table}")
        rows = found[0]["rows"]
        return found[0]["oid"], int(rows) if rows is not None and int(rows) >= 0 else None

    def _columns(self, oid: str | None) -> tuple[tuple[Column, ...], frozenset[str]]:
        """The columns to land, and the names of those that are never NULL."""
        if oid:
            found = self._rows(sql.table_columns(oid))
            landed = {str(row["name"]): (str(row["type"]), "") for row in found}
        else:
            query = str(self._config.query)
            # The driver knows the digits of a query's numerics, PostgreSQL's SQL the names of its types.
            described = self._session.describe(f"SELECT * FROM {self._from}")
            digits = {name: kind.removeprefix("DECIMAL") for name, kind in described if kind.startswith("DECIMAL")}
            found = self._rows(sql.query_columns(query, tuple(name for name, _ in described)))
            landed = {str(row["name"]): (str(row["type"]), digits.get(str(row["name"]), "")) for row in found}
        columns = []
        for name, (kind, digit) in landed.items():
            source_type = kind + digit if kind == "numeric" else kind
            columns.append(Column(name, source_type, types.landed_type(source_type)))
        required = frozenset(str(row["name"]) for row in found if row["required"] == "true")
        return chosen(tuple(columns), self._config, self._place), required

    def _window(
        self, columns: tuple[Column, ...], oid: str | None, low: str | None, warnings: list[str]
    ) -> tuple[Window, bool]:
        """The load's window, and whether there are rows above the watermark."""
        name = str(self._config.incremental_column)
        column = next(column for column in columns if column.name == name)
        if types.base_name(column.source_type) not in windows.KINDS:
            raise UnsupportedValue(
                f"{self._place}: column {name} is {column.source_type}, which cannot be a cursor",
                remedy="Use a timestamp, date or integer column as incremental_column, or mode: full.",
            )
        cursor = windows.Cursor(f"src.{identifier(name)}", column.source_type, self._config.effective_mode == "append")
        sight = self._look(cursor, oid)
        found = self._rows(windows.bounds(self._from, cursor, sight, low))[0]
        lag = windows.lag_seconds(cursor, self._config.lag, blind=sight.blind is not None)
        warnings.extend(windows.warnings(cursor, sight, found, low, self._config.lag))
        high, moved = found["high"], found["high"] is not None
        if low is not None and found["moved"] != "true":
            high, moved = low, False
        return Window(name, column.source_type, low, high, lag), moved

    def _look(self, cursor: windows.Cursor, oid: str | None) -> windows.Sight:
        first = self._rows(windows.probe(self._from, cursor))[0]
        time.sleep(windows.settle_seconds(cursor))
        server = self._rows(sql.SERVER)[0]
        seen = self._rows(sql.TRANSACTIONS)[0]
        blind = next(
            (
                reason
                for reason, so in (
                    (
                        "the source is a replica, which does not show its primary's transactions",
                        server["replica"] == "true",
                    ),
                    ("the source holds prepared transactions, whose start is not known", server["prepared"] != "0"),
                    ("the role may not see other sessions (grant it pg_read_all_stats)", seen["hidden"] != "0"),
                )
                if so
            ),
            None,
        )
        waiting = cursor.kind == "integer" and not self._writers_gone(oid)
        return windows.Sight(str(first["clock"]), first["latest"], seen["oldest"], blind, waiting)

    def _writers_gone(self, oid: str | None) -> bool:
        """Wait until the transactions that have written to the table by now have ended; False if they go on."""
        text = sql.writers(oid)
        first = {row["holder"] for row in self._rows(text)}
        deadline = time.monotonic() + _WRITERS_SECONDS
        while first:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
            first &= {row["holder"] for row in self._rows(text)}
        return True

    def _null_cursors(self, possible: bool, window: Window, *, first: bool) -> bool:
        """Whether rows without a cursor are part of the load."""
        policy = self._config.on_null_cursor
        if not possible or policy == "exclude":
            return False
        operand = f"src.{identifier(window.cursor)}"
        if policy == "include" and self._config.effective_mode == "merge":
            return self._any(f"{operand} IS NULL")
        found = int(self._rows(sql.null_cursors(self._from, operand))[0]["found"] or 0)
        if found:
            why = "on_null_cursor is fail" if policy == "fail" else "mode append would land them again with each load"
            raise UnsupportedValue(
                f"{self._place}: {found} rows have NULL in the cursor {window.cursor}, and {why}",
                remedy="Fill the column, set `on_null_cursor: exclude`, or use mode: merge with a primary key.",
                column=window.cursor,
                rows=found,
            )
        return False

    def _where(self, window: Window | None, *, nulls: bool) -> str:
        if window is None:
            return "true"
        return windows.condition(window, f"src.{identifier(window.cursor)}", nulls=nulls)

    def _estimate(self, oid: str | None, known_rows: int | None, window: Window | None) -> int | None:
        """Rows of the load: counted where the window or a table without statistics leaves no other way."""
        if oid is None:
            return None
        if window is not None and window.low is not None:
            return int(self._rows(sql.count(self._from, self._where(window, nulls=False)))[0]["found"] or 0)
        if known_rows is not None:
            return known_rows
        return int(self._rows(sql.count(self._from, "true"))[0]["found"] or 0)

    def _chunks(
        self, oid: str | None, columns: tuple[Column, ...], window: Window | None, estimate: int | None
    ) -> tuple[Chunk, ...]:
        """Ranges of the key, where the load is large and the table has an integer key; else one chunk.

        There are none over ctid: chunks are read at different times, and a row that an UPDATE moves to another page
        between two of them would be lost. A key does not move.
        """
        key = self._key(columns)
        pieces = chunks.pieces(estimate, self._config.chunk_rows)
        if oid is None or key is None or pieces < 2:
            return (Chunk(0),)
        where = "true" if window is None or window.low is None else self._where(window, nulls=False)
        found = self._rows(sql.key_bounds(self._from, f"src.{identifier(key.name)}", where))[0]
        if found["low"] is None or found["high"] is None:
            return (Chunk(0),)
        return chunks.key_ranges(int(found["low"]), int(found["high"]), pieces)

    def _key_unique(self, oid: str | None) -> bool:
        key = self._config.primary_key
        return bool(oid and key) and self._rows(sql.unique_key(str(oid), key))[0]["found"] == "true"

    def _key(self, columns: tuple[Column, ...]) -> Column | None:
        if len(self._config.primary_key) != 1:
            return None
        key = next(column for column in columns if column.name == self._config.primary_key[0])
        return key if types.base_name(key.source_type) in types.INTEGERS else None

    def _key_range(self, columns: tuple[Column, ...], chunk: Chunk) -> str:
        key = self._key(columns)
        assert key is not None
        operand = f"src.{identifier(key.name)}"
        tests = [f"{operand} >= {literal(chunk.low)}::int8"] if chunk.low is not None else []
        tests += [f"{operand} < {literal(chunk.high)}::int8"] if chunk.high is not None else []
        inside = " AND ".join(tests) or "true"
        # No range holds NULL, which a column that is a key by configuration only may have.
        return f"({inside} OR {operand} IS NULL)" if chunk.low is None else f"({inside})"
