"""Cutting a load from Azure SQL into chunks by ranges of a key, each of about as many rows."""

from __future__ import annotations

from collections.abc import Callable

from comboi_core.config.tables import TableConfig
from comboi_core.domain.load import Chunk, Column
from comboi_core.sources.azure_sql import sql
from comboi_core.sources.azure_sql.text import identifier
from comboi_core.sources.azure_sql.types import INTEGERS, base_name, is_text
from comboi_core.sources.azure_sql.values import printed, value
from comboi_core.sources.common import chunks

_ORDERED = INTEGERS | {
    *("decimal", "numeric", "char", "varchar", "nchar", "nvarchar", "uniqueidentifier"),
    *("date", "datetime", "smalldatetime", "datetime2", "datetimeoffset"),
}
_SAMPLE_ROWS = 100_000


def key_column(columns: tuple[Column, ...], config: TableConfig) -> Column | None:
    """Return the column whose ranges make chunks: the key's first one, or an append's cursor; neither ever changes."""
    appends = config.effective_mode == "append"
    name = next(iter(config.primary_key), config.incremental_column if appends else None)
    column = next((column for column in columns if column.name == name and not is_text(column)), None)
    return column if column and base_name(column.source_type) in _ORDERED else None


def cut(
    ask: Callable[[str], list[dict[str, str | None]]],
    relation: sql.Relation,
    condition: str,
    column: Column,
    pieces: int,
    *,
    sample_of: int | None,
) -> tuple[Chunk, ...]:
    """Return chunks of about as many rows each.

    Args:
        condition: Which rows the load reads.
        sample_of: The number of rows of a table of which a sample tells enough; None to look at every row.
    """
    if sample_of and sample_of > _SAMPLE_ROWS:
        relation = relation.sampled(100.0 * _SAMPLE_ROWS / sample_of)
    key = f"src.{identifier(column.name)}"
    found = ask(sql.cuts(relation, key, printed(column.source_type, "cut_value"), condition, pieces))
    return chunks.ranges(str(row["cut"]) for row in found)


def condition(column: Column, chunk: Chunk, collation: str | None = None) -> str:
    """Return the WHERE of a chunk; rows without a key, which only the configuration calls one, are in the first.

    Args:
        collation: The column's, if it is text.
    """
    operand, kind = f"src.{identifier(column.name)}", column.source_type
    tests = [f"{operand} >= {value(kind, chunk.low, collation)}"] if chunk.low is not None else []
    tests += [f"{operand} < {value(kind, chunk.high, collation)}"] if chunk.high is not None else []
    inside = " AND ".join(tests) or "1 = 1"
    return f"({inside} OR {operand} IS NULL)" if chunk.low is None else f"({inside})"
