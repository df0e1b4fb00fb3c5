"""Compaction: flat reading cost, and the same rows before and after."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comboi_core.domain.load import Column
from comboi_core.domain.manifest import DataFile, Manifest, data_path
from comboi_core.duckdb.engine import open_duckdb
from comboi_core.lake import compaction
from comboi_core.lake.bronze import view_sql, write_chunk
from comboi_core.lake.compaction import MINIMUM_LOADS, fold, foldable
from comboi_core.lake.local import LocalLake

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
            rows, size = write_chunk(con, lake, sql, path)
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


@pytest.mark.slow
def test_a_large_folding_makes_files_of_a_bounded_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(compaction, "FILE_BYTES", "1MB")
    lake = LocalLake(tmp_path)
    with open_duckdb(memory_limit="256MB", threads=2) as con:
        files = []
        for load in range(1, 10):
            path = data_path("shop", "orders", load, 0, "a")
            sql = (
                f"SELECT {load} * 100000 + range AS id, (hash(range * {load}) >> 1)::BIGINT AS value FROM range(100000)"
            )
            rows, size = write_chunk(con, lake, sql, path)
            files.append(DataFile(path, load, rows, size))
        before = manifest(tuple(files))
        after = fold(con, lake, before, fence=2, run_id="r2", attempt="b")
        assert after is not None and len(after.files) > 1
        assert sum(file.rows for file in after.files) == 900_000
        assert max(file.bytes for file in after.files) < 4 * 2**20
        assert all((tmp_path / file.path).stat().st_size == file.bytes for file in after.files)
        sums = "SELECT count(*), sum(id), bit_xor(hash(value)) FROM"
        seen = [con.execute(f"{sums} ({view_sql(lake, state, 'current')})").fetchall() for state in (before, after)]
        assert seen[0] == seen[1]


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["merge", "append"])
@given(
    batches=st.lists(st.dictionaries(st.integers(0, 30), st.integers(0, 9), max_size=12), min_size=8, max_size=14),
    since=st.integers(0, 14),
    more=st.integers(0, 2),
)
@settings(max_examples=25, deadline=None)
def test_a_reader_of_changes_sees_the_same_whatever_was_folded(
    tmp_path_factory: pytest.TempPathFactory, mode: str, batches: list[dict[int, int]], since: int, more: int
):
    """Loads are folded at some point, and more follow: the changes after any load are what was landed after it."""
    lake = LocalLake(tmp_path_factory.mktemp("lake"))
    with open_duckdb(memory_limit="256MB", threads=1) as con:
        state, after = manifest((), mode), []
        for number, batch in enumerate(batches, 1):
            load = state.sequence + 1
            after += [(load, key, value) for key, value in batch.items()]
            path = data_path("shop", "orders", load, 0, "a")
            values = ", ".join(f"({key}::BIGINT, {value}::BIGINT)" for key, value in batch.items()) or "(0, 0)"
            sql = f"SELECT * FROM (VALUES {values}) AS t(id, value) WHERE {bool(batch)}"
            rows, size = write_chunk(con, lake, sql, path)
            new = (DataFile(path, load, rows, size),) if rows else ()
            state = replace(state, sequence=load, files=(*state.files, *new))
            if number == len(batches) - more:
                state = fold(con, lake, state, fence=2, run_id="r", attempt="b") or state
        if mode == "merge":
            latest = {key: (load, key, value) for load, key, value in after}
            after = list(latest.values())
        expected = sorted((key, value) for load, key, value in after if load > since)
        sql = view_sql(lake, state, "changes", since=since)
        assert sorted(con.execute(sql).fetchall()) == expected
        assert [column[0] for column in con.description] == ["id", "value"]
