"""What a merged table takes in the lake, load after load, against the bytes of its rows."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from comboi_core.domain.load import Column
from comboi_core.domain.manifest import DataFile, Manifest, data_path
from comboi_core.duckdb.engine import open_duckdb
from comboi_core.lake.bronze import sweep, view_sql, write_chunk, write_manifest
from comboi_core.lake.compaction import MINIMUM_LOADS, fold, foldable
from comboi_core.lake.local import LocalLake

UNIT = 2**20
CHANGED = 50
"""One row of so many changes between two loads; in the simulation, one of twenty times as many."""
COLUMNS = (Column("id", "bigint", "BIGINT"), Column("value", "bigint", "BIGINT"), Column("note", "text", "VARCHAR"))
EMPTY = Manifest("shop", "orders", 0, 1, "r", "merge", ("id",), None, "w", COLUMNS, (), key_unique=True)


def simulated(live: int, loads: int) -> tuple[float, float]:
    """Fold as comboi does, by sizes alone, over so many loads of rows that are there already.

    Args:
        live: Bytes of the table's rows.

    Returns:
        The largest size of the files that a manifest lists, as a multiple of `live`; and how many bytes were rewritten
        for each byte that was landed.
    """
    changed = max(1, live // (CHANGED * 20))
    files: tuple[DataFile, ...] = (DataFile("", 1, 1, live),)
    largest, rewritten = live, 0
    for load in range(2, loads + 2):
        files = (*files, DataFile("", load, 1, changed))
        taken = foldable(replace(EMPTY, files=files)) if len(files) >= MINIMUM_LOADS else ()
        if taken:
            size = min(live, sum(file.bytes for file in taken))
            files = (*files[: len(files) - len(taken)], DataFile("", load, 1, size))
            rewritten += size
        largest = max(largest, sum(file.bytes for file in files))
    return largest / live, rewritten / (changed * loads)


def real_lake(rows: int = 50_000, loads: int = 300) -> tuple[float, float]:
    """Land, fold and sweep a table in a folder, and compare every file below it with those of its rows written once.

    Returns:
        As `simulated`, but with the files that only the load before lists: the mean over the second half of the loads.
    """
    with tempfile.TemporaryDirectory() as folder, open_duckdb(memory_limit="512MB", threads=1) as con:
        lake, state, sizes = LocalLake(Path(folder)), EMPTY, []
        landed, rewritten = 0, 0
        for load in range(loads):
            step = 1 if load == 0 else CHANGED
            note = f"md5((range * {load + 1})::VARCHAR)"
            sql = (
                f"SELECT range AS id, {load}::BIGINT AS value, {note} AS note FROM range({load % step}, {rows}, {step})"
            )
            sequence = state.sequence + 1
            path = data_path("shop", "orders", sequence, 0, "a")
            count, size = write_chunk(con, lake, sql, path)
            landed += size if load else 0
            state = replace(state, sequence=sequence, files=(*state.files, DataFile(path, sequence, count, size)))
            write_manifest(lake, state)
            folded = fold(con, lake, state, fence=1, run_id="r", attempt="b")
            if isinstance(folded, Manifest):
                state = folded
                write_manifest(lake, state)
                rewritten += sum(file.bytes for file in state.files if file.load == state.sequence)
            sweep(lake, "shop", "orders", state, keep=2)
            sizes.append(sum(file.stat().st_size for file in Path(folder).rglob("*.parquet")))
        once = Path(folder) / "once.parquet"
        con.execute(f"COPY ({view_sql(lake, state, 'current')}) TO '{once}' (FORMAT parquet, COMPRESSION zstd)")
        seen = con.execute(f"SELECT count(*), max(value), count(DISTINCT id) FROM '{once}'").fetchone()
        assert seen == (rows, loads - 1, rows), seen
        half = sizes[loads // 2 :]
        return sum(half) / len(half) / once.stat().st_size, rewritten / landed
