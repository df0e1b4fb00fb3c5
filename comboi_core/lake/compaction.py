"""Compaction: many small loads become few large ones, so that reading costs the same after a thousand loads.

Only the newest loads are folded, never a middle: the folded ones become a load of their own with the next sequence, and
rows of a later load win over those of an earlier one. Each row keeps the number of the load that landed it, so a reader
of changes reads none twice. How many are taken follows from sizes: from the newest backwards,
as long as the next older load is at most twice as large as those taken so far together. Loads of equal size then fold
like a binary counter: n loads leave about log2(n) behind, and each row is rewritten about log2(n) times.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from comboi_core.domain.manifest import DataFile, Manifest, data_path
from comboi_core.domain.ports import Lake
from comboi_core.domain.sql import literal
from comboi_core.duckdb.rows import one_row
from comboi_core.lake.bronze import WRITING
from comboi_core.lake.views import view_sql

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MINIMUM_LOADS = 8
"""So many loads are worth folding; fewer cost less to read than to rewrite."""
MAXIMUM_BYTES = 512 * 2**20
"""What one folding rewrites at most, so that it stays within minutes; older loads beyond that stay as they are."""

FILE_BYTES = "128MB"
"""About the size of a folded file: large enough to be read fast, small enough to be skipped by its statistics."""


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
    """Write the foldable loads as one, in files of about FILE_BYTES; return the manifest with it, or None.

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
    sql = view_sql(lake, replace(manifest, files=files), "current", loads=True)
    cursors = [file.max_cursor for file in files if file.max_cursor is not None]
    folded = tuple(
        DataFile(path, sequence, rows, size, cursors[-1] if cursors else None, folded=True)
        for path, rows, size in _write(con, lake, sql, manifest, sequence, attempt)
    )
    kept = manifest.files[: len(manifest.files) - len(files)]
    return replace(manifest, sequence=sequence, fence=fence, run_id=run_id, files=(*kept, *folded))


def _write(
    con: DuckDBPyConnection, lake: Lake, sql: str, manifest: Manifest, sequence: int, attempt: str
) -> list[tuple[str, int, int]]:
    """Write a query's rows into one or more files of the lake; return path, rows and bytes of each."""
    spill = one_row(con, "SELECT current_setting('temp_directory')")[0]
    Path(spill).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=spill) as folder:
        copied = con.execute(f"COPY ({sql}) TO {literal(folder)} ({WRITING}, FILE_SIZE_BYTES {literal(FILE_BYTES)})")
        names = [column[0] for column in copied.description]
        found = [dict(zip(names, row, strict=True)) for row in copied.fetchall()]
        written = []
        for number, file in enumerate(sorted(found, key=lambda file: file["filename"])):
            path = data_path(manifest.source, manifest.table, sequence, number, attempt)
            with lake.stage(path) as staged:
                shutil.move(file["filename"], staged)
            written.append((path, file["count"], file["file_size_bytes"]))
    return written
