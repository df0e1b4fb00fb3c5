"""MySQL and MariaDB as a source: one table or query, read through DuckDB's mysql_scanner.

Every text that reaches the server is ours, sent through `mysql_query`: the server's indexes are used, and each value is
put into a form that the extension reads exactly.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from comboi_core.config.tables import TableConfig
from comboi_core.domain.errors import ComboiError, ConfigError, SourceObjectMissing, SourceQueryFailed
from comboi_core.domain.load import Checkpoint, Chunk, Column, EarlierRows, LoadPlan, Relation, Window
from comboi_core.domain.names import table_id
from comboi_core.domain.shortfall import Shortfall
from comboi_core.sources.common import chunks, drift, earlier
from comboi_core.sources.common.columns import chosen
from comboi_core.sources.mysql import catalog, keys, relations, sql, text, types
from comboi_core.sources.mysql import chunks as cutting
from comboi_core.sources.mysql import cursor as cursors
from comboi_core.sources.mysql import window as windows
from comboi_core.sources.mysql.catalog import Rows, Table
from comboi_core.sources.mysql.session import MysqlSession
from comboi_core.sources.mysql.text import identifier

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class MysqlTable:
    """One table or query of a MySQL database; implements `Source`, `LooksBack` and `TellsState` of `domain.ports`.

    The session is read-only and in UTC. The account should hold no right but to read (SELECT), SHOW VIEW to see what
    views read, and PROCESS to see what still writes and whether a table was written anew.
    """

    def __init__(self, con: DuckDBPyConnection, *, source: str, table: TableConfig, connection: dict[str, Any]) -> None:
        self._source = source
        self._config = table
        self._place = table_id(source, table.name)
        self._zero_dates = connection.get("zero_dates") or "refuse"
        try:
            self._relation = text.relation(table.table) if table.table is not None else text.subquery(str(table.query))
        except ValueError as error:
            raise ConfigError(f"{self._place}: table: {table.table} cannot be understood: {error}") from None
        filtered = text.filtered(self._relation, table.where) if table.where else self._relation
        self._from = f"{filtered} AS src"
        self._session = MysqlSession(con, connection, self._place)
        self._rows = self._session.rows
        self._sees: bool | None = None
        self._in_transaction = False
        self.state = ""

    def plan(self, checkpoint: Checkpoint, *, full_refresh: bool) -> LoadPlan:
        """See `domain.ports.Source.plan`; how the window is bounded stands in `window`."""
        mode = self._config.effective_mode
        replaces = full_refresh or mode == "full"
        table = catalog.find(self._rows, self._config, self._place)
        self._probe_condition()
        reads = self._relations(self._rows)
        shape = catalog.shape(self._session, self._config, self._relation, self._place)
        found = chosen(shape.columns, self._config, self._place)
        settled = drift.settle(
            checkpoint.columns,
            found,
            policy=self._config.schema_policy,
            replaces=replaces,
            place=self._place,
            named=self._named,
        )
        columns = settled.columns
        unequal: tuple[Shortfall, ...] = ()
        if mode == "merge":
            key, anew = self._config.primary_key, replaces or checkpoint.sequence == 0
            columns = keys.with_canonical(columns, checkpoint.columns, key, shape.collations, anew=anew)
            unequal = keys.unequal(shape.collations, key)
        outlook = None
        if mode != "full":
            low = None if replaces else checkpoint.watermark
            outlook = self._outlook(found, shape.required, low)
        # A first load is committed even if it is empty, so that readers find the table; changed columns likewise.
        news = replaces or checkpoint.sequence == 0 or settled.altered or (outlook is not None and outlook.news)
        window = outlook.window if outlook else None
        estimate = self._estimate(table, window) if news else 0
        return LoadPlan(
            source=self._source,
            table=self._config.name,
            sequence=checkpoint.sequence + 1,
            mode=mode,
            replaces=replaces,
            window=window,
            watermark=(outlook.watermark or outlook.window.high or outlook.window.low) if outlook else None,
            columns=columns,
            chunks=self._chunks(table, found, window, estimate) if news else (),
            unchanged=not news,
            key_unique=bool(self._config.primary_key) and table.guarantees(self._config.primary_key),
            estimated_rows=estimate,
            schema_changes=settled.changes,
            warnings=(*(() if self._sees_all else (relations.BLIND,)), *(outlook.warnings if outlook else ())),
            relations=reads,
            shortfalls=(*unequal, *(outlook.shortfalls if outlook else ())),
        )

    def select(self, load: LoadPlan, chunk: Chunk) -> str:
        """See `domain.ports.Source.select`."""
        where = self._where(load.window, nulls=self._config.on_null_cursor == "include")
        if chunk.kind == "key_range":
            where += f" AND {cutting.condition(self._chunked_by(load), chunk)}"
        inner = sql.rows(types.select_list(load.columns, "src"), self._from, where)
        rows = self._session.held(inner) if self._in_transaction else self._session.streamed(inner)
        return f"SELECT {types.typed_list(load.columns, self._place, zero_dates=self._zero_dates)} FROM {rows}"

    @contextmanager
    def reading(self, load: LoadPlan) -> Iterator[None]:
        """See `domain.ports.Source.reading`: a load of one chunk is one statement, another one a transaction."""
        if len(load.chunks) < 2:
            yield
            return
        tells = sql.STATE[self._session.mariadb]
        before = self._rows(tells)[0]["state"]
        with self._session.snapshot() as ask:
            began = ask(tells)[0]["state"]
            self._in_transaction = True
            try:
                yield
            finally:
                self._in_transaction = False
            relations.confirm(load.relations, self._relations(ask), self._place)
            # Where the server does not tell, no two states are taken for one. MariaDB tells it of the snapshot, MySQL
            # of what has been committed: if that was the same before, the snapshot began in between.
            known = began if self._session.mariadb or before == began else None
            self.state = known or secrets.token_hex(8)

    def confirm(self, load: LoadPlan) -> None:
        """See `domain.ports.Source.confirm`."""
        shape = catalog.shape(self._session, self._config, self._relation, self._place)
        drift.confirm(load.columns, shape.columns, self._place)
        relations.confirm(load.relations, self._relations(self._rows), self._place)

    def look_back(self, load: LoadPlan, columns: tuple[Column, ...], watermark: str) -> EarlierRows:
        """See `domain.ports.LooksBack.look_back`."""
        assert load.window is not None
        landed = self._where(replace(load.window, low=None, high=watermark, lag_seconds=0.0), nulls=False)
        read = self._where(load.window, nulls=self._config.on_null_cursor == "include")
        operands = [f"src.{identifier(column.name)}" for column in columns]
        found = self._rows(earlier.limited(columns, operands, self._from, f"{landed} AND NOT {read}"))
        return earlier.counted(columns, found[0])

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

    @property
    def _sees_all(self) -> bool:
        """Whether the account has the right PROCESS; asked once. A role that it has may give it as well, so that only
        trying tells."""
        if self._sees is None:
            try:
                self._rows(sql.TRANSACTIONS)
            except SourceObjectMissing:
                self._sees = False
            else:
                self._sees = True
        return self._sees

    def _relations(self, ask: Rows) -> tuple[Relation, ...]:
        return relations.read(ask, self._config, mariadb=self._session.mariadb, numbered=self._sees_all)

    def _probe_condition(self) -> None:
        """Raise an error that names `where:` if the server does not understand it."""
        if self._config.where is None:
            return
        try:
            self._rows(sql.probe(self._from))
        except (SourceObjectMissing, SourceQueryFailed) as error:
            said = error.message.removeprefix(f"{self._place}: ")
        else:
            return
        raise SourceQueryFailed(
            f"{self._place}: where: {self._config.where}: {said}",
            remedy="Correct `where:`; it is a condition in the source's SQL over the table's columns.",
        )

    def _outlook(self, columns: tuple[Column, ...], required: frozenset[str], low: str | None) -> cursors.Outlook:
        name = str(self._config.incremental_column)
        return cursors.outlook(
            self._rows,
            self._from,
            next(column for column in columns if column.name == name),
            self._config,
            low=low,
            required=name in required,
            transaction=self._session.transaction,
            mariadb=self._session.mariadb,
            sees=self._sees_all,
            place=self._place,
        )

    def _where(self, window: Window | None, *, nulls: bool) -> str:
        if window is None:
            return "1 = 1"
        return windows.condition(window, f"src.{identifier(window.cursor)}", nulls=nulls)

    def _estimate(self, table: Table, window: Window | None) -> int | None:
        """Rows of the load: counted where a condition or a view leaves no other way."""
        if not table.name:
            return None
        window = window if window is not None and window.low is not None else None
        if window is None and self._config.where is None and table.rows is not None:
            return table.rows
        return int(self._rows(sql.count(self._from, self._where(window, nulls=False)))[0]["found"] or 0)

    def _chunks(
        self, table: Table, columns: tuple[Column, ...], window: Window | None, estimate: int | None
    ) -> tuple[Chunk, ...]:
        most = min(self._config.chunk_bytes, cutting.MOST_BYTES)
        size = round((estimate or 0) * table.row_bytes)
        pieces = chunks.pieces(estimate, self._config.chunk_rows, estimated_bytes=size, chunk_bytes=most)
        column = cutting.key_column(columns, self._config, table)
        if column is None or pieces < 2:
            return (Chunk(0),)
        whole = window is None or window.low is None
        condition = "1 = 1" if whole else self._where(window, nulls=False)
        return cutting.cut(self._rows, self._from, condition, column, pieces, rows=estimate or 0)

    def _chunked_by(self, load: LoadPlan) -> Column:
        """The column that the plan was cut by: the plan's own type of it stands for the server's."""
        appends = load.mode == "append"
        name = next(iter(self._config.primary_key), self._config.incremental_column if appends else None)
        return next(column for column in load.columns if column.name == name)
