"""Compaction: flat reading cost, and the same rows before and after."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comboi_core.domain.load import Column
from comboi_core.domain.manifest import DataFile, Manifest, data_path
from comboi_core.lake.bronze import view_sql, write_chunk
from comboi_core.lake.compaction import MAXIMUM_BYTES, MINIMUM_LOADS, fold, foldable
from comboi_core.lake.local import LocalLake
from comboi_core.transforms.engine import open_duckdb

COLUMNS = (Column("id", "bigint", "BIGINT"), Column("value", "bigint", "BIGINT"))


def manifest(files: tuple[DataFile, ...] = (), mode: str = "merge") -> Manifest:
    last = files[-1].load if files else 0
    return Manifest("shop", "orders", last, 1, "r", mode, ("id",), None, "w", COLUMNS, files, key_unique=True)


def sizes(*values: int) -> Manifest:
    return manifest(tuple(DataFile(f"f{load}", load, 1, size) for load, size in enumerate(values, 1)))


def test_few_loads_are_left_alone():
    assert foldable(sizes(*[10] * (MINIMUM_LOADS - 1))) == ()


def test_small_loads_fold_and_a_large_one_before_them_stays():
    assert [file.load for file in foldable(sizes(1000, *[10] * 8))] == list(range(2, 10))


def test_ever_smaller_loads_fold_too():
    assert len(foldable(sizes(*range(100, 80, -1)))) == 20


def test_what_one_folding_rewrites_is_bounded():
    half = MAXIMUM_BYTES // 2
    assert foldable(sizes(*[half] * 20)) == ()


def test_a_full_table_is_never_folded():
    assert foldable(replace(sizes(*[10] * 20), mode="full")) == ()


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=400))
@settings(max_examples=50)
def test_the_number_of_loads_stays_small_whatever_their_sizes(loads: list[int]):
    now: list[int] = []
    for size in loads:
        now.append(size)
        taken = len(foldable(sizes(*now)))
        now = [*now[: len(now) - taken], sum(now[len(now) - taken :])] if taken else now
        assert len(now) < 8 + 2 * 10 + 12


@pytest.mark.parametrize("mode", ["merge", "append"])
def test_readers_see_the_same_rows_before_and_after(tmp_path: Path, mode: str):
    lake = LocalLake(tmp_path)
    with open_duckdb(memory_limit="256MB", threads=2) as con:
        files: list[DataFile] = []
        for load in range(1, 13):
            path = data_path("shop", "orders", load, 0, "a")
            sql = f"SELECT range AS id, {load} * 1000 + range AS value FROM range({load}, {load} + 20)"
            rows, size, _ = write_chunk(con, lake, sql, path, cursor=None)
            files.append(DataFile(path, load, rows, size))
        before = manifest(tuple(files), mode)
        after = fold(con, lake, before, fence=2, run_id="r2", attempt="b")
        assert after is not None and (after.sequence, after.fence, after.watermark) == (13, 2, "w")
        assert len(after.files) < len(before.files)
        rows_of = [sorted(con.execute(view_sql(lake, state, "current")).fetchall()) for state in (before, after)]
        assert rows_of[0] == rows_of[1]
        assert after.files[-1].load == 13
        if mode == "merge":
            assert after.files[-1].rows == 31, "one row per key is left"
