"""Cutting a load from MySQL into chunks by ranges of a key.

A chunk of several is read in a transaction, whose results are in memory as a whole: so a chunk is small, and a table
that cannot be cut into small ones is read in one stream. Cuts are found by walking along an index.
"""

from __future__ import annotations

from comboi_core.config.tables import TableConfig
from comboi_core.domain.load import Chunk, Column
from comboi_core.sources.common import chunks
from comboi_core.sources.mysql import sql
from comboi_core.sources.mysql.catalog import Rows, Table
from comboi_core.sources.mysql.text import identifier
from comboi_core.sources.mysql.types import DATES, INTEGERS, base_name, printed
from comboi_core.sources.mysql.window import value

MOST_BYTES = 64 * 2**20
"""What a chunk weighs at most, by the server's estimate, whatever the configuration allows."""

_ORDERED = INTEGERS | DATES


def key_column(columns: tuple[Column, ...], config: TableConfig, table: Table) -> Column | None:
    """Return the column whose ranges make chunks: the key's first one, or an append's cursor; neither ever changes.
    None if no index begins with it, or the engine shows a transaction other rows in each statement."""
    appends = config.effective_mode == "append"
    name = next(iter(config.primary_key), config.incremental_column if appends else None)
    column = next((column for column in columns if column.name == name), None)
    fits = column is not None and base_name(column.source_type) in _ORDERED and column.name.lower() in table.leading
    return column if fits and table.snapshots else None


def cut(ask: Rows, source: str, condition: str, column: Column, pieces: int, *, rows: int) -> tuple[Chunk, ...]:
    """Return chunks of about as many rows each; a single one if they cannot be.

    Args:
        condition: Which rows the load reads.
        rows: About how many they are.
    """
    operand = f"src.{identifier(column.name)}"
    size = max(1, rows // pieces)
    found: list[str] = []
    while len(found) < chunks.MAX_CHUNKS:
        after = f"{operand} >= {value(column.source_type, found[-1])}" if found else f"{operand} IS NOT NULL"
        text = sql.cut(source, operand, printed(column.source_type, operand), condition, after, size)
        here = [str(row["cut"]) for row in ask(text)]
        if not here:
            return chunks.ranges(found)
        if found and here[0] == found[-1]:
            break  # more rows of one key than a chunk may have
        found += here
    return (Chunk(0),)


def condition(column: Column, chunk: Chunk) -> str:
    """Return the WHERE of a chunk; rows without a key, which only the configuration calls one, are in the first."""
    operand = f"src.{identifier(column.name)}"
    tests = [f"{operand} >= {value(column.source_type, chunk.low)}"] if chunk.low is not None else []
    tests += [f"{operand} < {value(column.source_type, chunk.high)}"] if chunk.high is not None else []
    inside = " AND ".join(tests) or "1 = 1"
    return f"({inside} OR {operand} IS NULL)" if chunk.low is None else f"({inside})"
