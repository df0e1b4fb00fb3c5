"""Chunks, manifests and the sweep."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from comboi_core.domain.errors import CommitConflict, LakeNotFound, LakeUnavailable, ManifestUnreadable
from comboi_core.domain.load import Column, SourceFile, Window
from comboi_core.domain.manifest import DataFile, Manifest, manifest_path
from comboi_core.lake.bronze import next_manifest, read_manifest, sweep, write_chunk, write_manifest
from comboi_core.lake.local import LocalLake
from tests.lake.conftest import COLUMNS

FULL = Manifest(
    source="shop",
    table="orders",
    sequence=3,
    fence=7,
    run_id="sales-20260101T000000Z-ab12",
    mode="merge",
    primary_key=("id",),
    window=Window("at", "timestamp", "2026-01-01 00:00:00.000001", "infinity", 0.1),
    watermark='é "x" \\',
    columns=COLUMNS,
    files=(DataFile("shop/orders/load=00000001/00000-a.parquet", 1, 5, 900),),
    key_unique=True,
)


class TestWriteChunk:
    def test_gives_rows_and_bytes(self, con, table):
        select = 'SELECT i AS id, timestamp \'2026-01-01\' + to_microseconds(i) AS "a""t" FROM range(300000) t(i)'
        rows, size = write_chunk(con, table.lake, select, "a/b.parquet")
        stored = Path(table.lake.describe()) / "a" / "b.parquet"
        assert (rows, size) == (300_000, stored.stat().st_size)
        codecs = con.execute("SELECT DISTINCT compression FROM parquet_metadata(?)", [table.lake.uri("a/b.parquet")])
        assert codecs.fetchall() == [("ZSTD",)]

    def test_without_rows_it_writes_no_file(self, con, table):
        select = "SELECT 1 AS id, now() AS at WHERE false"
        assert write_chunk(con, table.lake, select, "a.parquet") == (0, 0)
        assert table.lake.list("") == []

    def test_an_error_midway_leaves_nothing_and_is_the_reader_s(self, con, table):
        select = "SELECT CASE WHEN i = 400000 THEN error('boom') ELSE i END AS id FROM range(500000) t(i)"
        with pytest.raises(Exception, match="boom"):
            write_chunk(con, table.lake, select, "a.parquet")
        assert table.lake.list("") == []
        assert list((Path(table.lake.describe()) / ".staging").iterdir()) == []

    @pytest.mark.slow
    def test_wide_rows_stay_within_bounded_memory(self, con, table):
        con.execute("SET memory_limit = '256MB'")
        select = "SELECT i AS id, repeat(md5(i::VARCHAR), 160) AS t FROM range(200000) t(i)"
        rows, _ = write_chunk(con, table.lake, select, "a.parquet")
        assert rows == 200_000

    def test_a_lake_that_cannot_be_written(self, con, tmp_path):
        (tmp_path / "lake").write_bytes(b"")
        with pytest.raises(LakeUnavailable):
            write_chunk(con, LocalLake(tmp_path / "lake"), "SELECT 1 AS x", "a.parquet")


class TestManifest:
    def test_comes_back_as_it_was_and_doubled_is_the_same(self, table):
        path = write_manifest(table.lake, FULL)
        first = table.lake.read(path)
        assert write_manifest(table.lake, FULL) == path == manifest_path("shop", "orders", 3, 7)
        assert table.lake.read(path) == first and read_manifest(table.lake, path) == FULL

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"version": 1}, "version 1"),
            ({"version": None}, "version None"),
            ({"surprise": 1}, "fields that this comboi does not know"),
            ({"sequence": "3"}, "not a manifest"),
            ({"mode": "other"}, "not a manifest"),
            ({"files": [{"path": 1}]}, "not a manifest"),
        ],
    )
    def test_what_is_not_understood_is_refused(self, table, change, words):
        table.lake.write("m.json", json.dumps(asdict(FULL) | change).encode())
        with pytest.raises(ManifestUnreadable, match=words):
            read_manifest(table.lake, "m.json")

    def test_one_of_an_earlier_comboi_lacks_what_was_added_since_and_has_what_nobody_reads_any_more(self, table):
        now = replace(FULL, inputs=(SourceFile("a.csv", 1, 2),))
        plain = asdict(now)
        del plain["born"], plain["columns"][0]["canonical"], plain["inputs"][0]["version"], plain["inputs"][0]["digest"]
        plain["files"][0]["max_cursor"] = "7"
        table.lake.write("m.json", json.dumps(plain).encode())
        assert read_manifest(table.lake, "m.json") == replace(now, born="")
        plain["inputs"][0]["surprise"] = 1
        table.lake.write("m.json", json.dumps(plain).encode())
        with pytest.raises(ManifestUnreadable, match="fields that this comboi does not know"):
            read_manifest(table.lake, "m.json")

    @pytest.mark.parametrize("data", [b"", b"[]", b"null", b"\xff", b"{"])
    def test_damage_is_told(self, table, data):
        table.lake.write("m.json", data)
        with pytest.raises(ManifestUnreadable, match=r"m\.json"):
            read_manifest(table.lake, "m.json")

    def test_a_missing_one_is_not_found(self, table):
        with pytest.raises(LakeNotFound):
            read_manifest(table.lake, "m.json")


class TestNextManifest:
    def test_adds_the_new_files_in_the_order_of_their_paths(self, table):
        table.load([("1", None, "a")])
        files = tuple(DataFile(f"shop/orders/load=00000002/0000{n}-x.parquet", 2, 1, 1) for n in (1, 0))
        made = next_manifest(table.manifest, table.plan(), files, fence=1, run_id="r", primary_key=("id",))
        assert [file.load for file in made.files] == [1, 2, 2] and list(made.files[1:]) == list(files[::-1])
        assert made.rows == 2 and made.sequence == 2

    def test_a_replacing_load_drops_earlier_files_and_columns(self, table):
        table.load([("1", None, "a")])
        table.load([("2",)], columns=COLUMNS[:1], replaces=True)
        assert [file.load for file in table.manifest.files] == [2] and table.manifest.columns == COLUMNS[:1]

    def test_columns_that_are_gone_stay_at_the_end(self, table):
        table.load([("1", None, "a")])
        table.load([("x", "2")], columns=(Column("new", "text", "VARCHAR"), COLUMNS[0]))
        assert [column.name for column in table.manifest.columns] == ["new", "id", "at", "v"]

    @pytest.mark.parametrize(
        ("before", "now", "key", "replaces", "unique"),
        [
            (True, True, ("id",), False, True),
            (False, True, ("id",), False, False),
            (True, False, ("id",), False, False),
            (True, True, ("v",), False, False),
            (False, True, ("v",), True, True),
        ],
    )
    def test_the_key_is_unique_only_if_it_is_in_every_load(self, table, before, now, key, replaces, unique):
        table.key_unique = before
        table.load([("1", None, "a")])
        table.key_unique, table.primary_key = now, key
        assert table.load([("2", None, "b")], replaces=replaces).key_unique is unique

    @pytest.mark.parametrize("sequence", [1, 3])
    def test_a_load_that_does_not_follow_is_refused(self, table, sequence):
        table.load([("1", None, "a")])
        plan = replace(table.plan(), sequence=sequence)
        with pytest.raises(CommitConflict, match=r"shop\.orders"):
            next_manifest(table.manifest, plan, (), fence=1, run_id="r", primary_key=())


class TestSweep:
    def test_deletes_what_the_committed_manifest_does_not_list(self, table):
        first = table.load([("1", None, "a")])
        orphan, later = table.write("SELECT 5 AS id, NULL AS at", 1), table.write("SELECT 6 AS id, NULL AS at", 2)
        assert sweep(table.lake, "shop", "orders", first) == 1
        kept = table.lake.list("shop/orders")
        assert orphan.path not in kept and later.path in kept and first.files[0].path in kept
        assert sweep(table.lake, "shop", "orders", first) == 0

    def test_deletes_the_files_of_loads_that_a_full_one_replaced(self, table):
        table.load([("1", None, "a")], [("2", None, "b")])
        committed = table.load([("1", None, "c")], replaces=True)
        assert sweep(table.lake, "shop", "orders", committed) == 3, "two files and their manifest"
        assert table.rows() == [("1", None, "c")]

    def test_what_a_kept_manifest_lists_stays_readable(self, table):
        before = table.load([("1", None, "a")], [("2", None, "b")])
        committed = table.load([("1", None, "c")], replaces=True)
        assert sweep(table.lake, "shop", "orders", committed, keep=2) == 0
        assert {file.path for file in before.files} <= set(table.lake.list("shop/orders"))
        third = table.load([("1", None, "d")], replaces=True)
        assert sweep(table.lake, "shop", "orders", third, keep=2) == 3
        assert {file.path for file in committed.files} <= set(table.lake.list("shop/orders"))

    def test_keeps_as_many_manifests_as_it_is_told(self, table):
        for n in range(8):
            committed = table.load([(str(n), None, "a")])
        assert sweep(table.lake, "shop", "orders", committed, keep=5) == 3
        kept = table.lake.list("shop/orders/_loads")
        assert kept == [manifest_path("shop", "orders", n, n) for n in range(4, 9)]
        assert len(table.rows()) == 8

    def test_deletes_a_rival_s_manifest_of_the_same_load_but_none_of_a_later_one(self, table):
        committed = table.load([("1", None, "a")])
        rival = write_manifest(table.lake, replace(committed, fence=0))
        later = write_manifest(table.lake, replace(committed, sequence=2))
        assert sweep(table.lake, "shop", "orders", committed) == 1
        kept = table.lake.list("shop/orders/_loads")
        assert rival not in kept and later in kept

    def test_does_not_touch_other_tables_or_foreign_files(self, table):
        committed = table.load([("1", None, "a")])
        foreign = [
            "shop/orders2/load=00000001/00000-a.parquet",
            "shop/orders/load=00000001/README",
            "shop/orders/x.json",
        ]
        for path in foreign:
            table.lake.write(path, b"")
        assert sweep(table.lake, "shop", "orders", committed) == 0
        assert set(foreign) <= set(table.lake.list("shop"))
