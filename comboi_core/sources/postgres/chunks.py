"""Cutting a load from PostgreSQL into chunks by ranges of a key.

There are no chunks over pages (ctid): chunks are read at different times, and a row that an UPDATE moves to another
page between two of them would be lost. A key does not move. A table without one is read in one stream.
"""

from __future__ import annotations

from collections.abc import Callable

from comboi_core.config.tables import TableConfig
from comboi_core.domain.load import Chunk, Column
from comboi_core.domain.sql import identifier, literal
from comboi_core.sources.common import chunks
from comboi_core.sources.postgres import sql
from comboi_core.sources.postgres.types import INTEGERS, base_name

_ORDERED = INTEGERS | {
    "numeric",
    "text",
    "character varying",
    "uuid",
    "date",
    "timestamp with time zone",
    "timestamp without time zone",
}
_SAMPLE_ROWS = 100_000


def key_column(columns: tuple[Column, ...], config: TableConfig) -> Column | None:
    """Return the column whose ranges make chunks: the key's first one, or an append's cursor; neither ever changes."""
    appends = config.effective_mode == "append"
    name = next(iter(config.primary_key), config.incremental_column if appends else None)
    column = next((column for column in columns if column.name == name), None)
    return column if column and base_name(column.source_type) in _ORDERED else None


def cut(
    ask: Callable[[str], list[dict[str, str | None]]],
    source: str,
    condition: str,
    column: Column,
    pieces: int,
    *,
    sample_of: int | None,
) -> tuple[Chunk, ...]:
    """Return chunks of about as many rows each.

    Args:
        condition: Which rows the load reads.
        sample_of: The number of rows where a sample of the table's pages tells enough; None to look at every row.
    """
    if sample_of and sample_of > _SAMPLE_ROWS:
        source = sql.sample(source, 100.0 * _SAMPLE_ROWS / sample_of)
    found = ask(sql.cuts(source, f"src.{identifier(column.name)}", condition, pieces))
    ordered = sorted(found, key=lambda row: int(str(row["place"])))
    return chunks.ranges(str(row["cut"]) for row in ordered)


def condition(column: Column, chunk: Chunk) -> str:
    """Return the WHERE of a chunk; rows without a key, which only the configuration calls one, are in the first."""
    operand, kind = f"src.{identifier(column.name)}", base_name(column.source_type)
    tests = [f"{operand} >= {literal(chunk.low)}::{kind}"] if chunk.low is not None else []
    tests += [f"{operand} < {literal(chunk.high)}::{kind}"] if chunk.high is not None else []
    inside = " AND ".join(tests) or "true"
    return f"({inside} OR {operand} IS NULL)" if chunk.low is None else f"({inside})"
