"""A PostgreSQL with logical decoding, and a source that follows its change feed without the orchestration around it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from comboi_core.cli.demo.postgres import EmbeddedPostgres
from comboi_core.domain.feed import Changes, Known
from comboi_core.domain.load import Checkpoint, LoadPlan
from comboi_core.duckdb.engine import open_duckdb
from comboi_core.sources.postgres.config import PostgresSource
from comboi_core.sources.postgres.feed import running
from comboi_core.sources.postgres.feed.table import FeedTable

_NUMBERS = itertools.count()
Rows = dict[tuple[Any, ...], tuple[Any, ...]]


class Fed:
    """The source `shop` with its tables, which follow one slot, and what has been landed of them.

    Attributes:
        landed: Name of a table -> its current state: key -> row, both as text.
        changes: What the feed told last.
    """

    def __init__(self, con: Any, server: EmbeddedPostgres, number_: int) -> None:
        self.con, self.server, self.schema = con, server, f"f{number_}"
        self.slot = f"comboi_{self.schema}"
        self.tables: dict[str, dict[str, Any]] = {}
        self.landed: dict[str, Rows] = {}
        self.checkpoints: dict[str, Checkpoint] = {}
        self.known: dict[str, Known] = {}
        self.files: dict[str, bytes] = {}
        self.on_lost = "reload"

    def run(self, text: str) -> str:
        """Run SQL as the superuser, `{s}` being the test's schema."""
        return self.server.psql(text.replace("{s}", self.schema))

    def follow(self, name: str = "orders", *key: str, **settings: Any) -> None:
        """Add a table to the configuration."""
        table = {"table": f"{self.schema}.{name}", "primary_key": list(key or ("id",)), "cursor": "changes"}
        self.tables[name] = {"name": name, **table, **settings}

    @property
    def source(self) -> PostgresSource:
        feed = {"publication": self.slot, "slot": self.slot, "on_lost_feed": self.on_lost}
        given = {"name": "shop", "type": "postgres", "connection": {"conn_str": self.server.uri}, "changes": feed}
        return PostgresSource.model_validate({**given, "tables": list(self.tables.values())})

    @property
    def connection(self) -> dict[str, Any]:
        return {"conn_str": self.server.uri}

    def setup(self) -> tuple[str, ...]:
        return running.setup(self.con, self.source, self.connection, carry_out=True)

    def read(self) -> Changes:
        def keep(table: str, part: int, data: bytes) -> str:
            path = f"{table}-{part}-{len(self.files)}"
            self.files[path] = data
            return path

        return running.read(self.con, self.source, self.connection, keep, temporary=None)

    def land(self, *names: str, advance: bool = True) -> Mapping[str, LoadPlan]:
        """Read the feed, then land tables (default: all) and let the slot go on as far as all of them have come."""
        changes = self.read()
        plans = {name: self.land_one(name, changes) for name in names or self.tables}
        if advance and len(self.known) == len(self.tables):
            running.advance(self.con, self.source, self.connection, [one.through for one in self.known.values()])
        return plans

    def land_one(self, name: str, changes: Changes) -> LoadPlan:
        checkpoint = self.checkpoints.get(name, Checkpoint())
        config = next(table for table in self.source.tables if table.name == name)
        adapter = FeedTable(self.con, source="shop", table=config, connection=self.connection)
        try:
            adapter.follow(changes, self.known.get(name), on_lost=self.source.changes.on_lost_feed)
            load = adapter.plan(checkpoint, full_refresh=False)
            state = {} if load.replaces or not checkpoint.sequence else dict(self.landed[name])
            with adapter.reading(load):
                for chunk in load.chunks:
                    keys = chunk.kind == "keys"
                    select = adapter.select_keys(load, self.files[chunk.keys]) if keys else adapter.select(load, chunk)
                    self._merge(state, select, config.primary_key)
        finally:
            adapter.close()
        self.landed[name] = state
        if not load.unchanged:
            columns = load.columns
            checkpoint = Checkpoint(load.sequence, load.watermark, None, columns, relations=load.relations)
            self.checkpoints[name] = replace(checkpoint)
        self.known[name] = Known(str(checkpoint.watermark), str(load.window.high))
        return load

    def _merge(self, state: Rows, select: str, key: tuple[str, ...]) -> None:
        result = self.con.execute(f"SELECT COLUMNS(*)::VARCHAR FROM ({select})")
        names = [column[0] for column in result.description]
        for row in result.fetchall():
            named = dict(zip(names, row, strict=True))
            gone = named.pop("_deleted", "false") == "true"
            at = tuple(named[name] for name in key)
            if gone:
                state.pop(at, None)
            else:
                state[at] = tuple(named.values())

    def truth(self, name: str = "orders") -> Rows:
        """What the source holds now, read as a whole and as another cursor would."""
        config = next(table for table in self.source.tables if table.name == name)
        adapter = FeedTable(self.con, source="shop", table=config, connection=self.connection)
        try:
            adapter.follow(Changes("0/0", "0/1"), None, on_lost="reload")
            load = adapter.plan(Checkpoint(), full_refresh=False)
            state: Rows = {}
            for chunk in load.chunks:
                self._merge(state, adapter.select(load, chunk), config.primary_key)
            return state
        finally:
            adapter.close()

    def position(self) -> str:
        return self.run(f"SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '{self.slot}'").strip()


@pytest.fixture
def fed(feeding: EmbeddedPostgres) -> Iterator[Fed]:
    """A source in a schema of its own, with a slot of its own."""
    with open_duckdb(memory_limit="512MB", threads=2) as con:
        made = Fed(con, feeding, next(_NUMBERS))
        made.run("CREATE SCHEMA {s}")
        yield made
        made.run(
            f"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '{made.slot}';"
            f"DROP PUBLICATION IF EXISTS {made.slot}; DROP SCHEMA {{s}} CASCADE"
        )
