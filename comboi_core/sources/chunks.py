"""Cutting a load into chunks by ranges of an integer key."""

from __future__ import annotations

import itertools
import math

from comboi_core.domain.load import Chunk

MAX_CHUNKS = 1000


def pieces(estimated_rows: int | None, chunk_rows: int) -> int:
    """Return how many chunks a load of so many rows is worth."""
    return min(MAX_CHUNKS, math.ceil((estimated_rows or 0) / chunk_rows))


def key_ranges(low: int, high: int, count: int) -> tuple[Chunk, ...]:
    """Return at most `count` ranges that cover every key, of equal width between `low` and `high`.

    The first and the last are open: rows that come after the bounds were asked for belong to one of them.
    """
    span = high - low + 1
    cuts = sorted({low + span * piece // count for piece in range(1, count)} - {low})
    edges = [None, *map(str, cuts), None]
    return tuple(
        Chunk(index, "key_range" if cuts else "all", start, end)
        for index, (start, end) in enumerate(itertools.pairwise(edges))
    )
