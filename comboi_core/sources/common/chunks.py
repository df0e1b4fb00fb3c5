"""Cutting a load into chunks by ranges of a key."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable

from comboi_core.domain.load import Chunk

PER_ACTIVITY = 20
"""So many chunks of a load does one activity extract at most, so that its result stays small."""
MAX_CHUNKS = 1000


def pieces(
    estimated_rows: int | None, chunk_rows: int, *, estimated_bytes: int | None = None, chunk_bytes: int = 1
) -> int:
    """Return how many chunks a load of so many rows and bytes is worth."""
    by_rows, by_bytes = math.ceil((estimated_rows or 0) / chunk_rows), math.ceil((estimated_bytes or 0) / chunk_bytes)
    return min(MAX_CHUNKS, max(by_rows, by_bytes))


def key_ranges(low: int, high: int, count: int) -> tuple[Chunk, ...]:
    """Return at most `count` ranges that cover every key, of equal width between `low` and `high`."""
    span = high - low + 1
    return ranges(map(str, sorted({low + span * piece // count for piece in range(1, count)} - {low})))


def ranges(cuts: Iterable[str]) -> tuple[Chunk, ...]:
    """Return the ranges between cuts, which are in the key's order and differ; each begins with its cut.

    The first and the last are open: rows that come after the cuts were made belong to one of them.
    """
    edges = [None, *cuts, None]
    return tuple(
        Chunk(index, "key_range" if len(edges) > 2 else "all", start, end)
        for index, (start, end) in enumerate(itertools.pairwise(edges))
    )
