"""Peeking at the slot of a source: the keys that changed, each once per table, in bounded memory."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from comboi_core.domain.feed import Changes, Portion, TableChanges
from comboi_core.domain.folders import Scratch
from comboi_core.domain.sql import literal
from comboi_core.sources.postgres.feed import position, slot
from comboi_core.sources.postgres.feed.decode import Decoder, Key
from comboi_core.sources.postgres.feed.snapshot import Snapshot
from comboi_core.sources.postgres.session import PostgresSession

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

BATCH = 2048
"""Messages at a time: as many as DuckDB hands over at once, since a message may hold a whole row."""
HELD = 50_000
"""Keys in memory before they are written down."""
PORTION = 50_000
"""Keys of one question for rows."""


@dataclass(frozen=True)
class Followed:
    """A table that is read from a feed.

    Attributes:
        name: Its name in the configuration.
        key: Its key columns.
    """

    name: str
    key: tuple[str, ...]


Keep = Callable[[str, int, bytes], str]
"""Keeps a file of keys, of a table and with a number; returns its path in the lake."""


def peek(
    con: DuckDBPyConnection, session: PostgresSession, name: str, publication: str, tables: Mapping[int, Followed],
    since: str, keep: Keep, *, temporary: str | None = None,
) -> Changes:  # fmt: skip
    """Return what a slot tells up to now; it tells the same again until it is advanced.

    Args:
        con: Where the session is attached.
        tables: Oid -> table.
        since: Where the slot begins.
        temporary: Where files may be put meanwhile; default: the system's temporary folder.

    Raises:
        ComboiError: what the server says.
    """
    pinned = session.rows(slot.PIN)[0]
    high, seen = str(pinned["high"]), Snapshot.parse(str(pinned["seen"]))
    decoder = Decoder({oid: table.key for oid, table in tables.items()}, seen)
    scratch = Scratch(temporary)
    try:
        pieces = _Pieces(scratch.path, tables)
        for messages in _messages(con, session, slot.peek(name, publication, high)):
            decoder.feed(messages)
            if decoder.held >= HELD:
                pieces.write(decoder)
        pieces.write(decoder)
        # A commit that is in the log and not yet to be seen ends what is complete: rows read now lack its changes.
        now = Snapshot.parse(str(session.rows(slot.SEEN)[0]["seen"]))
        unseen = [commit for xid, commit in decoder.waiting.items() if not now.sees(xid)]
        complete = position.text(min([position.number(high), *unseen]))
        found = {
            table.name: TableChanges(tuple(pieces.portions(con, oid, keep)), *_reload(decoder, oid))
            for oid, table in tables.items()
        }
        return Changes(since, complete, found)
    finally:
        scratch.close()


def _reload(decoder: Decoder, oid: int) -> tuple[str, str]:
    touched = decoder.touched[oid]
    if touched.unreadable:
        return touched.unreadable, position.text(touched.unreadable_at)
    if touched.truncated is not None:
        return "the table was emptied (TRUNCATE)", position.text(touched.truncated)
    return "", ""


def _messages(con: DuckDBPyConnection, session: PostgresSession, text: str) -> Iterator[list[bytes]]:
    try:
        result = con.execute(f"SELECT data FROM {session.query(text)}")
        while batch := result.fetchmany(BATCH):
            yield [message for (message,) in batch]
        return
    except Exception as error:
        failed = session.translate(error)
    raise failed


class _Pieces:
    """Keys in files of a temporary folder, some of them more than once."""

    def __init__(self, folder: Path, tables: Mapping[int, Followed]) -> None:
        self._folder = folder
        self._tables = tables
        self._count = 0

    def write(self, decoder: Decoder) -> None:
        """Write down what a decoder holds."""
        import pyarrow.parquet as pq

        for oid, table in self._tables.items():
            if keys := decoder.take(oid):
                self._count += 1
                pq.write_table(_table(keys, len(table.key)), self._folder / f"{oid}-{self._count}.parquet")

    def portions(self, con: DuckDBPyConnection, oid: int, keep: Keep) -> Iterator[Portion]:
        """Keep the different keys of a table in files of at most PORTION; yield what they are."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not list(self._folder.glob(f"{oid}-*.parquet")):
            return
        table = self._tables[oid]
        names = ", ".join(f"k{index}" for index in range(len(table.key)))
        files = literal(str(self._folder / f"{oid}-*.parquet"))
        con.execute(
            f"SELECT {names}, max(position) AS position FROM read_parquet({files}) GROUP BY {names} ORDER BY {names}"
        )
        reader = con.to_arrow_reader(PORTION)
        for number, batches in enumerate(_portions(reader)):
            part = pa.Table.from_batches(batches)
            data = io.BytesIO()
            pq.write_table(part, data)
            last = max(part.column("position").to_pylist())
            yield Portion(keep(table.name, number, data.getvalue()), part.num_rows, position.text(last))


def _portions(reader: pa.RecordBatchReader) -> Iterator[list[pa.RecordBatch]]:
    held: list[pa.RecordBatch] = []
    for batch in reader:
        held.append(batch)
        if sum(one.num_rows for one in held) >= PORTION:
            yield held
            held = []
    if held:
        yield held


def _table(keys: Mapping[Key, int], width: int) -> pa.Table:
    import pyarrow as pa

    columns = {f"k{index}": pa.array([key[index] for key in keys], pa.binary()) for index in range(width)}
    return pa.table({**columns, "position": pa.array(keys.values(), pa.uint64())})


def keys_of(data: bytes, since: str) -> list[tuple[str, ...]]:
    """Return the keys of a portion that a commit at `since` or later touched, as PostgreSQL's text.

    Raises:
        UnicodeDecodeError: the database holds text that is no UTF-8.
    """
    import pyarrow.parquet as pq

    columns = pq.read_table(io.BytesIO(data)).to_pydict()
    positions = columns.pop("position")
    low = position.number(since)
    rows = zip(positions, *columns.values(), strict=True)
    return [tuple(value.decode() for value in key) for at, *key in rows if at >= low]
