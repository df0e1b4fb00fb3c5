"""What comboi knows of PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from comboi_core.config.source_type import Feed, FeedStatus, KeepKeys, NewTable, Rows, Server, SourceType
from comboi_core.config.tables import TableConfig
from comboi_core.domain.equal_texts import Texts
from comboi_core.domain.feed import Changes
from comboi_core.domain.load import Column
from comboi_core.domain.ports import Source
from comboi_core.sources.postgres.config import PostgresSource
from comboi_core.sources.postgres.sample import EXAMPLES, SAMPLE

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def _open(con: DuckDBPyConnection, *, source: str, table: TableConfig, connection: dict[str, Any]) -> Source:
    from comboi_core.sources.postgres.feed.table import CURSOR, FeedTable
    from comboi_core.sources.postgres.table import PostgresTable

    kind = FeedTable if table.cursor == CURSOR else PostgresTable
    return kind(con, source=source, table=table, connection=connection)


def _sizes(con: DuckDBPyConnection, source: PostgresSource, connection: dict[str, Any]) -> dict[str, int]:
    from comboi_core.sources.postgres.facts import sizes

    return sizes(con, source, connection)


def _texts(column: Column) -> Texts:
    from comboi_core.sources.postgres.equality import texts

    return texts(column)


def _address(connection: Mapping[str, Any]) -> dict[str, str]:
    from comboi_core.sources.postgres.address import address

    return address(connection["conn_str"])


def _probe(con: DuckDBPyConnection, connection: dict[str, Any], place: str) -> Server:
    from comboi_core.sources.postgres.facts import server

    return server(con, connection, place)


def _key(rows: Rows, table: str) -> tuple[str, ...]:
    from comboi_core.sources.postgres.facts import declared_key

    return declared_key(rows, table)


def _read_feed(
    con: DuckDBPyConnection, source: Any, connection: dict[str, Any], keep: KeepKeys, *, temporary: str | None
) -> Changes:
    from comboi_core.sources.postgres.feed.running import read

    return read(con, source, connection, keep, temporary=temporary)


def _set_up_feed(
    con: DuckDBPyConnection, source: Any, connection: dict[str, Any], *, carry_out: bool
) -> tuple[str, ...]:
    from comboi_core.sources.postgres.feed.running import setup

    return setup(con, source, connection, carry_out=carry_out)


def _advance_feed(con: DuckDBPyConnection, source: Any, connection: dict[str, Any], positions: Sequence[str]) -> None:
    from comboi_core.sources.postgres.feed.running import advance

    advance(con, source, connection, positions)


def _feed_status(con: DuckDBPyConnection, source: Any, connection: dict[str, Any]) -> FeedStatus:
    from comboi_core.sources.postgres.feed.running import status

    return status(con, source, connection)


def _drop_feed(con: DuckDBPyConnection, source: Any, connection: dict[str, Any]) -> tuple[str, ...]:
    from comboi_core.sources.postgres.feed.running import drop

    return drop(con, source, connection)


SOURCE_TYPE = SourceType(
    name="postgres",
    model=PostgresSource,
    open=_open,
    one_stream=True,
    sizes=_sizes,
    texts=_texts,
    address=_address,
    probe=_probe,
    feed=Feed(read=_read_feed, setup=_set_up_feed, advance=_advance_feed, status=_feed_status, drop=_drop_feed),
    sample=SAMPLE,
    new_table=NewTable(key=_key, without_cursor="cursor: xmin  # finds every change by PostgreSQL's own row version"),
    examples=EXAMPLES,
)
