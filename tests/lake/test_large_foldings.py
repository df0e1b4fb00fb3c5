"""Compaction of large tables: the space they take at every size, and foldings that are written in pieces."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comboi_core.app.codec import decode_json, encode_json
from comboi_core.domain.load import Column
from comboi_core.domain.manifest import DataFile, Manifest, data_path
from comboi_core.duckdb.engine import open_duckdb
from comboi_core.lake import compaction
from comboi_core.lake.bronze import view_sql, write_chunk
from comboi_core.lake.compaction import MAXIMUM_BYTES, MINIMUM_LOADS, Folding, fold, foldable
from comboi_core.lake.local import LocalLake
from tests.lake.test_compaction import manifest, sizes

MIB = 2**20


def test_what_one_folding_of_a_table_without_dead_rows_rewrites_is_bounded():
    assert foldable(replace(sizes(*[MAXIMUM_BYTES // 2] * 20), mode="append")) == ()


def test_few_large_loads_are_folded_before_they_take_twice_the_space():
    assert foldable(sizes(100 * MIB, 90 * MIB)) == ()
    assert len(foldable(sizes(100 * MIB, 60 * MIB, 50 * MIB))) == 3
    assert foldable(sizes(100, 60, 50)) == (), "not where it is about nothing"


@given(
    live=st.integers(20, 100_000),
    changes=st.lists(st.floats(0.001, 1), min_size=1, max_size=100),
    times=st.integers(1, 4),
)
@settings(max_examples=40, deadline=None)
def test_a_merged_table_takes_about_twice_the_space_of_its_rows_at_every_size(live, changes, times):
    """Every load changes rows that are there, whatever part of them; sizes in MiB."""
    now, landed, rewritten = [live], 0, 0
    loads = [max(1, int(live * change)) for change in changes] * times
    for load in loads:
        now.append(load)
        landed += load
        if taken := len(foldable(sizes(*(size * MIB for size in now)))):
            folded = min(sum(now[len(now) - taken :]), live)
            now = [*now[: len(now) - taken], folded]
            rewritten += folded
        assert sum(now) <= 2 * live + MINIMUM_LOADS * max(loads)
        assert sum(now) <= 2 * live + max(loads) or len(now) > MINIMUM_LOADS
    assert rewritten <= landed * (3 + len(loads).bit_length())


KEYS = {
    "bigint": "range - 500",
    "decimal": "(range * 7 % 1000)::DECIMAL(38, 2) / 4",
    "text": """chr((32 + range % 90)::INT) || '''"\\' || range""",
    "double": "CASE range WHEN 101 THEN 'nan' WHEN 102 THEN '-infinity' ELSE sqrt(range) END::DOUBLE",
    "timestamp": "TIMESTAMPTZ '2026-01-01 00:00:00.123456+00' + range * INTERVAL '7 minutes'",
    "bytes": "unhex(printf('%08x', range * 7919 % 100003))",
    "nulls": "CASE WHEN range % 3 > 0 THEN range END",
    "one value": "7",
}


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("unique", [True, False])
def test_a_large_table_is_folded_in_pieces_of_its_keys(tmp_path, monkeypatch, kind, unique):
    monkeypatch.setattr(compaction, "PIECE_BYTES", 4_000)
    lake, key = LocalLake(tmp_path), KEYS[kind]
    with open_duckdb(memory_limit="256MB", threads=1) as con:
        (landed,) = con.execute(f"SELECT typeof({key}) FROM range(1)").fetchone()
        columns = (Column("id", kind, landed), Column("n", "bigint", "BIGINT"), Column("value", "bigint", "BIGINT"))
        files = []
        for load in range(1, 10):
            path = data_path("shop", "orders", load, 0, "a")
            rows_of = f"range({load * 50}, {load * 50 + 400})"
            sql = f"SELECT {key} AS id, range AS n, {load} * 1000 + range AS value FROM {rows_of}"
            rows, size = write_chunk(con, lake, sql, path)
            files.append(DataFile(path, load, rows, size))
        before = replace(manifest(tuple(files)), columns=columns, primary_key=("id", "n"), key_unique=unique)
        calls: list[Folding] = []
        after = in_pieces(con, lake, before, calls)
        queries = [
            f"SELECT id::VARCHAR, n, value FROM ({view_sql(lake, state, 'current')})" for state in (before, after)
        ]
        seen = [con.execute(f"{query} ORDER BY ALL").fetchall() for query in queries]
    assert seen[0] == seen[1]
    assert len(seen[0]) >= 800
    assert kind == "one value" or len(calls) == len(calls[0].bounds) > 2
    assert len({file.path for file in after.files}) == len(after.files)
    assert sum(file.rows for file in after.files) == len(seen[0]), "no row is in two pieces"


def in_pieces(con, lake: LocalLake, state: Manifest, calls: list[Folding]) -> Manifest:
    """Fold by as many calls as there are pieces, each of which has come to its deadline; note what they return."""
    while True:
        begun, attempt = calls[-1] if calls else None, f"b{len(calls)}"
        folded = fold(con, lake, state, fence=2, run_id="r", attempt=attempt, begun=begun, deadline=0)
        if not isinstance(folded, Folding):
            assert folded is not None
            return folded
        assert not calls or folded.done == calls[-1].done + 1
        calls.append(decode_json(Folding, encode_json(folded)))
