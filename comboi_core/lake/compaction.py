"""Compaction: many small loads become few large ones, so that reading costs the same after a thousand loads.

Only the newest loads are folded, never a middle: the folded ones become a load of their own with the next sequence, and
rows of a later load win over those of an earlier one. Each row keeps the number of the load that landed it, so a reader
of changes reads none twice. How many are taken follows from sizes: from the newest backwards,
as long as the next older load is at most twice as large as those taken so far together. Loads of equal size then fold
like a binary counter: n loads leave about log2(n) behind, and each row is rewritten about log2(n) times.

Of a merged table this bounds the space as well, at every size: what came after its oldest load is folded into it before
it is half as large (or, of fewer loads, as large). So the files that its manifest lists take at most about twice the
bytes of its rows.

A tombstone has to stay as long as an older file may hold a row of its key, and until readers of `changes` have seen it.
Only a folding that takes all files drops tombstones: those that an earlier such folding has seen already. So they take
no more space than what came between two of them. A manifest says in `forgotten` which loads that concerns, so that a
reader which has not come so far does not take the rest for all.

A large folding is written in pieces, each a range of keys: memory and disk for one piece are enough,
and an execution that has come to its deadline leaves the rest to the next one.
"""

from __future__ import annotations

import math
import shutil
import tempfile
import time
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from comboi_core.domain.manifest import DELETED, DataFile, Manifest, data_path
from comboi_core.domain.manifest import LOAD_COLUMN as LOAD
from comboi_core.domain.ports import Lake
from comboi_core.domain.sql import identifier, literal
from comboi_core.duckdb.rows import one_row
from comboi_core.lake.bronze import WRITING, count_deleted
from comboi_core.lake.views import latest_sql, view_sql

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MINIMUM_LOADS = 8
"""The smallest number of loads to fold. Reading fewer costs less than rewriting them."""
MINIMUM_BYTES = 16 * 2**20
"""Fewer loads than that are folded where a merged table of so many bytes would take twice the space of its rows."""
MAXIMUM_BYTES = 512 * 2**20
"""What one folding of a table without dead rows rewrites at most; older loads beyond that stay as they are."""
PIECE_BYTES = 512 * 2**20
"""About how many bytes of the folded files a piece reads."""
SAMPLE = 100
"""Keys per piece that are looked at to find where one ends."""

FILE_BYTES = "128MB"
"""The approximate size of a folded file: large enough to read fast, small enough to skip by its statistics."""


@dataclass(frozen=True)
class Folding:
    """How far a large folding has come.

    Attributes:
        bounds: The values of the first key column at which a piece ends, as text, ascending; one fewer than pieces.
        done: How many pieces are written.
        files: Their files.
    """

    bounds: tuple[str, ...]
    done: int = 0
    files: tuple[DataFile, ...] = ()


def foldable(manifest: Manifest) -> tuple[DataFile, ...]:
    """Return the files of the newest loads that are worth folding into one, oldest first, or none."""
    if manifest.mode == "full":
        return ()
    taken: list[tuple[DataFile, ...]] = []
    total = 0
    loads = [tuple(files) for _, files in groupby(manifest.files, key=lambda file: file.load)]
    for files in reversed(loads):
        size = sum(file.bytes for file in files)
        if (taken and size > 2 * total) or (manifest.mode != "merge" and total + size > MAXIMUM_BYTES):
            break
        taken.append(files)
        total += size
    oldest = sum(file.bytes for file in loads[0]) if loads else 0
    outgrown = manifest.mode == "merge" and len(taken) == len(loads) > 1 and total >= 2 * oldest
    if len(taken) < MINIMUM_LOADS and not (outgrown and total >= MINIMUM_BYTES):
        return ()
    return tuple(file for files in reversed(taken) for file in files)


def fold(
    con: DuckDBPyConnection,
    lake: Lake,
    manifest: Manifest,
    *,
    fence: int,
    run_id: str,
    attempt: str,
    begun: Folding | None = None,
    deadline: float = math.inf,
) -> Manifest | Folding | None:
    """Write the foldable loads as one, in files of about FILE_BYTES; return the manifest with it, or None.

    A merged table keeps the latest row per key of the folded loads. The manifest is neither written nor committed yet.

    Args:
        attempt: Unique per execution, so that a doubled one cannot mix files.
        begun: What an earlier execution has returned of the same manifest.
        deadline: Once `time.monotonic()` has come to it, no further piece is begun; how far it has come is returned.

    Raises:
        LakeUnavailable: the lake cannot be read or written.
    """
    files = foldable(manifest)
    if not files:
        return None
    lake.attach(con)
    folded, sequence = replace(manifest, files=files), manifest.sequence + 1
    forgotten = _forgotten(manifest, files)
    sql = latest_sql(lake, folded, {LOAD, DELETED} if manifest.deletes else {LOAD})
    if forgotten > manifest.forgotten:
        sql = f"SELECT * FROM ({sql}) WHERE NOT ({DELETED} AND {LOAD} <= {forgotten})"
    state = begun or Folding(_bounds(con, lake, folded))
    while state.done <= len(state.bounds):
        piece = f"SELECT * FROM ({sql}){_range(folded, state)}"
        written = tuple(
            DataFile(path, sequence, rows, size, True, count_deleted(con, lake, path) if manifest.deletes else 0)
            for path, rows, size in _write(con, lake, piece, manifest, sequence, attempt, len(state.files))
        )
        state = replace(state, done=state.done + 1, files=(*state.files, *written))
        if state.done <= len(state.bounds) and time.monotonic() >= deadline:
            return state
    kept = manifest.files[: len(manifest.files) - len(files)]
    files = (*kept, *state.files)
    return replace(manifest, sequence=sequence, fence=fence, run_id=run_id, files=files, forgotten=forgotten)


def _forgotten(manifest: Manifest, folded: tuple[DataFile, ...]) -> int:
    """Return up to which load tombstones are dropped: the oldest file's, where all files are folded."""
    if not manifest.deletes or len(folded) < len(manifest.files):
        return manifest.forgotten
    return max(manifest.forgotten, manifest.files[0].load)


def _bounds(con: DuckDBPyConnection, lake: Lake, folded: Manifest) -> tuple[str, ...]:
    """Return where the pieces of a folding end: values of the first key column, as text."""
    pieces = math.ceil(sum(file.bytes for file in folded.files) / PIECE_BYTES)
    if pieces == 1 or folded.mode != "merge":
        return ()
    key = identifier(folded.primary_key[0])
    rows = view_sql(lake, folded, "log")
    sample = f"SELECT {key} FROM ({rows}) WHERE {key} IS NOT NULL USING SAMPLE reservoir({pieces * SAMPLE} ROWS)"
    number = f"ntile({pieces}) OVER (ORDER BY {key})"
    ends = f"SELECT max({key}) AS bound FROM (SELECT {key}, {number} AS piece FROM ({sample})) GROUP BY piece"
    found = con.execute(f"SELECT bound::VARCHAR FROM (SELECT DISTINCT bound FROM ({ends})) ORDER BY bound").fetchall()
    return tuple(bound for (bound,) in found[:-1])


def _range(folded: Manifest, state: Folding) -> str:
    """Return the condition of the next piece's rows. Rows without a key are in the first one."""
    if not state.bounds:
        return ""
    name = folded.primary_key[0]
    key = identifier(name)
    type_ = next(column.landed for column in folded.columns if column.name == name)
    ends = [f"CAST({literal(bound)} AS {type_})" for bound in state.bounds]
    if state.done == 0:
        return f" WHERE ({key} IS NULL OR {key} <= {ends[0]})"
    if state.done == len(ends):
        return f" WHERE {key} > {ends[-1]}"
    return f" WHERE {key} > {ends[state.done - 1]} AND {key} <= {ends[state.done]}"


def _write(
    con: DuckDBPyConnection, lake: Lake, sql: str, manifest: Manifest, sequence: int, attempt: str, first: int
) -> list[tuple[str, int, int]]:
    """Write a query's rows into one or more files of the lake, numbered from `first` on; return path, rows and bytes
    of each that has rows."""
    spill = one_row(con, "SELECT current_setting('temp_directory')")[0]
    Path(spill).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=spill) as folder:
        copied = con.execute(f"COPY ({sql}) TO {literal(folder)} ({WRITING}, FILE_SIZE_BYTES {literal(FILE_BYTES)})")
        names = [column[0] for column in copied.description]
        found = [file for row in copied.fetchall() if (file := dict(zip(names, row, strict=True)))["count"]]
        written = []
        for number, file in enumerate(sorted(found, key=lambda file: file["filename"]), first):
            path = data_path(manifest.source, manifest.table, sequence, number, attempt)
            with lake.stage(path) as staged:
                shutil.move(file["filename"], staged)
            written.append((path, file["count"], file["file_size_bytes"]))
    return written
