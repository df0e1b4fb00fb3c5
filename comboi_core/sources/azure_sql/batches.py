"""How many rows the driver fetches at a time: by their bytes, seen and possible, so that memory follows bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from comboi_core.domain.load import Column
from comboi_core.sources.azure_sql.types import base_name, is_text, modifiers, unbounded

BATCH_BYTES = 16 * 2**20
"""What a batch of rows is meant to weigh; the driver keeps one or two."""
MAX_BATCH_ROWS = 8192
WARY_BATCH_ROWS = 32
"""The most rows where a value may be of any size: after many small rows the next ones may all be large."""
FIRST_BATCH_ROWS = 4
HANDED_ROWS = 1024
"""Small batches are handed on together, so many rows at least: DuckDB works on 2,048 at a time."""
REPLACEMENT = "\ufffd"
"""What the driver puts, without a word, in place of half a surrogate pair, which nvarchar can hold and UTF-8 cannot."""
_OTHER_BYTES = 64
"""What a value of a type without a length takes at most."""


def most_rows(columns: tuple[Column, ...]) -> int:
    """Return how many rows of these columns may be fetched at a time, whatever they hold.

    The driver makes room for the longest value that a column may have, two to four bytes per character.
    """
    if unbounded(columns):
        return WARY_BATCH_ROWS
    return max(1, min(MAX_BATCH_ROWS, BATCH_BYTES // max(sum(map(_room, columns)), 1)))


def _room(column: Column) -> int:
    if is_text(column):
        return 0
    base, length = base_name(column.source_type), next(iter(modifiers(column.source_type)), 0)
    if base == "sql_variant":
        return 16_000
    per = {"nchar": 2, "nvarchar": 2, "char": 2, "varchar": 2, "binary": 1, "varbinary": 1}.get(base, 0)
    return max(per * length, _OTHER_BYTES)


def batches(cursor: Any, most: int, watched: Counter[str]) -> Iterator[Any]:
    """Give a result's rows as Arrow record batches of about BATCH_BYTES at most.

    The number of rows goes up fourfold as long as they are light, and down at once when they are heavy.

    Args:
        cursor: The driver's, a SELECT executed.
        most: What `most_rows` says.
        watched: Result columns of text; counts the rows of each in which REPLACEMENT was read.
    """
    rows, held, held_rows, held_bytes = min(most, FIRST_BATCH_ROWS), [], 0, 0
    while (batch := cursor.arrow_batch(rows)).num_rows:
        heaviest = batch.nbytes // batch.num_rows
        rows = max(1, min(most, rows * 4, BATCH_BYTES // max(heaviest, 1)))
        held.append(batch)
        held_rows, held_bytes = held_rows + batch.num_rows, held_bytes + batch.nbytes
        if held_rows >= HANDED_ROWS or held_bytes >= BATCH_BYTES // 4:
            del batch
            yield _together(held, watched)
            held, held_rows, held_bytes = [], 0, 0
    if held:
        yield _together(held, watched)


def _together(held: list[Any], watched: Counter[str]) -> Any:
    """One batch of several, looked at for REPLACEMENT: once for many rows, since a look costs as much as 10 rows."""
    import pyarrow
    from pyarrow import compute

    batch = held[0] if len(held) == 1 else pyarrow.concat_batches(held)
    for name in watched:
        watched[name] += compute.sum(compute.match_substring(batch[name], REPLACEMENT)).as_py() or 0
    return batch
