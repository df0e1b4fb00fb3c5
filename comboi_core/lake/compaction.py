"""Compaction: many small loads become few large ones, so that reading costs the same after a thousand loads.

Only the newest loads are folded, never a middle: the folded ones become a load of their own with the next sequence, and
rows of a later load win over those of an earlier one. How many are taken follows from sizes: from the newest backwards,
as long as the next older load is at most twice as large as those taken so far together. Loads of equal size then fold
like a binary counter: n loads leave about log2(n) behind, and each row is rewritten about log2(n) times.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from comboi_core.domain.manifest import DataFile, Manifest, data_path
from comboi_core.domain.ports import Lake
from comboi_core.lake.bronze import write_chunk
from comboi_core.lake.views import view_sql

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MINIMUM_LOADS = 8
"""So many loads are worth folding; fewer cost less to read than to rewrite."""
MAXIMUM_BYTES = 512 * 2**20
"""What one folding rewrites at most, so that it stays within minutes; older loads beyond that stay as they are."""


def foldable(manifest: Manifest) -> tuple[DataFile, ...]:
    """Return the files of the newest loads that are worth folding into one, oldest first, or none."""
    taken: list[tuple[DataFile, ...]] = []
    total = 0
    loads = [tuple(files) for _, files in groupby(manifest.files, key=lambda file: file.load)]
    for files in reversed(loads):
        size = sum(file.bytes for file in files)
        if (taken and size > 2 * total) or total + size > MAXIMUM_BYTES:
            break
        taken.append(files)
        total += size
    if manifest.mode == "full" or len(taken) < MINIMUM_LOADS:
        return ()
    return tuple(file for files in reversed(taken) for file in files)


def fold(
    con: DuckDBPyConnection, lake: Lake, manifest: Manifest, *, fence: int, run_id: str, attempt: str
) -> Manifest | None:
    """Write the foldable loads as one file and return the manifest that has it in their place, or None.

    A merged table keeps the latest row per key of the folded loads. The manifest is neither written nor committed yet.

    Args:
        attempt: Unique per execution, so that a doubled one cannot mix files.

    Raises:
        LakeUnavailable: the lake cannot be read or written.
    """
    files = foldable(manifest)
    if not files:
        return None
    lake.attach(con)
    sequence = manifest.sequence + 1
    path = data_path(manifest.source, manifest.table, sequence, 0, attempt)
    sql = view_sql(lake, replace(manifest, files=files), "current")
    rows, size, _ = write_chunk(con, lake, sql, path, cursor=None)
    cursors = [file.max_cursor for file in files if file.max_cursor is not None]
    folded = DataFile(path, sequence, rows, size, cursors[-1] if cursors else None)
    kept = manifest.files[: len(manifest.files) - len(files)]
    return replace(manifest, sequence=sequence, fence=fence, run_id=run_id, files=(*kept, folded))
