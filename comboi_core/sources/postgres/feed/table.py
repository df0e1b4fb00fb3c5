"""A table that is followed by the change feed of its source: `cursor: changes`.

A load reads the rows of the keys that the feed names, as they are now. A key without a row is a tombstone. Rows may be
newer than the feed's position: their change is named again by the next load, which does no harm.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Literal

from comboi_core.domain.errors import FeedLost, UnsupportedValue
from comboi_core.domain.feed import Changes, Known, Portion
from comboi_core.domain.load import Checkpoint, Chunk, Column, EarlierRows, LoadPlan, Window
from comboi_core.domain.manifest import DELETED
from comboi_core.domain.shortfall import Shortfall
from comboi_core.domain.sql import identifier
from comboi_core.sources.common import earlier
from comboi_core.sources.postgres import since as members
from comboi_core.sources.postgres import sql, types
from comboi_core.sources.postgres.catalog import Shape, Table
from comboi_core.sources.postgres.cursor import Outlook
from comboi_core.sources.postgres.feed import rows
from comboi_core.sources.postgres.feed.peek import keys_of
from comboi_core.sources.postgres.feed.position import number
from comboi_core.sources.postgres.feed.slot import ENDANGERED
from comboi_core.sources.postgres.table import PostgresTable

CURSOR = "changes"
CURSOR_TYPE = "pg_lsn"


class FeedTable(PostgresTable):
    """Implements `FollowsFeed` of `domain.ports` beside what a table of PostgreSQL does."""

    # As long as no feed is followed: what a first load needs, as `comboi doctor` plans one.
    _changes = Changes("0/0", "0/0")
    _known: Known | None = None
    _on_lost: Literal["reload", "fail"] = "reload"

    def follow(self, changes: Changes, known: Known | None, *, on_lost: Literal["reload", "fail"]) -> None:
        """See `domain.ports.FollowsFeed.follow`."""
        self._changes, self._known, self._on_lost = changes, known, on_lost

    def plan(self, checkpoint: Checkpoint, *, full_refresh: bool) -> LoadPlan:
        """See `domain.ports.Source.plan`.

        Raises:
            FeedLost: changes since the last load are lost, and `on_lost_feed` is `fail`.
        """
        low, lost, why = self._low(checkpoint), "", ""
        if low is not None and not full_refresh:
            lost = self._lost(low)
            if lost and self._on_lost == "fail":
                raise FeedLost(f"{self._place}: {lost}")
            why = lost or self._anew(checkpoint, low)
        load = super().plan(replace(checkpoint, watermark=low), full_refresh=full_refresh or bool(why))
        warnings = (f"the whole table is read again: {why}",) if why and not lost else ()
        return replace(
            load,
            deletes=True,
            warnings=warnings + load.warnings,
            shortfalls=self._shortfalls(lost) + load.shortfalls,
        )

    def _shortfalls(self, lost: str) -> tuple[Shortfall, ...]:
        found = []
        if lost:
            told = f"changes are lost: {lost}. The whole table is read again"
            remedy = "Nothing is to be done for this load. See in docs/sources.md how long the server keeps changes."
            found.append(Shortfall("feed_lost", told, remedy))
        if self._changes.endangered:
            found.append(Shortfall("feed_endangered", self._changes.endangered, ENDANGERED))
        return tuple(found)

    def select_keys(self, load: LoadPlan, data: bytes) -> str:
        """See `domain.ports.FollowsFeed.select_keys`."""
        assert load.window is not None and load.window.low is not None
        try:
            keys = keys_of(data, load.window.low)
        except UnicodeDecodeError:
            raise UnsupportedValue(
                f"{self._place}: the feed has a key that is no text in UTF-8",
                remedy="Give the database an encoding (it is SQL_ASCII), or use another cursor for this table.",
            ) from None
        inner = rows.of_keys(load.columns, self._config.primary_key, self._from, keys)
        landed = f"{types.typed_list(load.columns)}, gone AS {identifier(DELETED)}"
        return f"SELECT {landed} FROM {self._session.query(inner)}"

    @contextmanager
    def reading(self, load: LoadPlan) -> Iterator[None]:
        """See `domain.ports.Source.reading`. Chunks may show several states: what changed between comes again."""
        with super().reading(load):
            yield
        self.state = ""

    def look_back(self, load: LoadPlan, columns: tuple[Column, ...], watermark: str) -> EarlierRows:
        """See `domain.ports.LooksBack.look_back`."""
        operands = [f"src.{identifier(column.name)}" for column in columns]
        return earlier.counted(columns, self._rows(earlier.limited(columns, operands, self._from, "true"))[0])

    def _low(self, checkpoint: Checkpoint) -> str | None:
        """Return up to where the table is complete; None before its first load."""
        if self._known and self._known.since == checkpoint.watermark:
            return self._known.through
        return checkpoint.watermark if checkpoint.sequence else None

    def _lost(self, low: str) -> str:
        """Return why changes from a position on are lost, or nothing."""
        changes = self._changes
        if changes.lost:
            return changes.lost
        if number(changes.position) < number(low):
            return f"the server's log ends at {changes.position}, before {low}: it was restored, or is another server"
        if number(changes.since) > number(low):
            return f"the slot begins at {changes.since}, after {low}: it was made anew, or something else has read it"
        return ""

    def _anew(self, checkpoint: Checkpoint, low: str) -> str:
        """Return why the whole table has to be read although the feed is complete, or nothing."""
        told = self._changes.tables[self._config.name]
        if told.reload and number(told.reload_at) >= number(low):
            return told.reload
        if not checkpoint.relations:
            return ""
        shape = self._catalog.shape()
        if gone := members.gone(checkpoint.relations, shape.relations):
            return "; ".join(gone)
        came = members.came(checkpoint.relations, shape.relations)
        filled = [one.relation.name for one in came if self._has_rows(one.relation.name)]
        return f"{', '.join(filled)} joined it with rows" if filled else self._rewritten(checkpoint, shape)

    def _has_rows(self, relation: str) -> bool:
        return self._rows(sql.any_row(f"{relation} AS src", "true"))[0]["found"] == "true"

    def _rewritten(self, checkpoint: Checkpoint, shape: Shape) -> str:
        """Return the columns whose values ALTER TABLE has changed, which no feed tells; or nothing."""
        before = {relation.id: relation.storage for relation in checkpoint.relations}
        if all(before.get(one.relation.id) == one.relation.storage for one in shape.relations):
            return ""
        kinds = {column.name: column.source_type for column in checkpoint.columns if column.source_type}
        other = [one.name for one in shape.columns if kinds.get(one.name, one.source_type) != one.source_type]
        return f"it was rewritten, and {', '.join(other)} changed in type" if other else ""

    def _portions(self, low: str) -> list[Portion]:
        told = self._changes.tables[self._config.name]
        return [portion for portion in told.portions if number(portion.last) >= number(low)]

    def _outlook(self, table: Table, columns: tuple[Column, ...], shape: Shape, low: str | None) -> Outlook:
        window = Window(CURSOR, CURSOR_TYPE, low, self._changes.position)
        if low is None:
            return Outlook(window, True)
        keys = sum(portion.keys for portion in self._portions(low))
        return Outlook(window, keys > 0, keys)

    def _chunks(
        self, table: Table, columns: tuple[Column, ...], window: Window | None, estimate: int | None
    ) -> tuple[Chunk, ...]:
        if window is None or window.low is None:
            return super()._chunks(table, columns, window, estimate)
        portions = enumerate(self._portions(window.low))
        return tuple(Chunk(index, "keys", keys=portion.path) for index, portion in portions)

    def _where(self, window: Window | None, *, nulls: bool) -> str:
        return "true"

    def _since(
        self, checkpoint: Checkpoint, shape: Shape, window: Window | None
    ) -> tuple[tuple[str, ...], tuple[Shortfall, ...]]:
        return (), ()
