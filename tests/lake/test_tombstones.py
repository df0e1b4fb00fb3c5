"""Tombstones against a model in Python: random writers, foldings in between, and readers that come when they like."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

import pytest

from comboi_core.domain.load import Column, LoadPlan
from comboi_core.domain.manifest import DELETED, DataFile, Manifest, data_path
from comboi_core.lake import compaction
from comboi_core.lake.bronze import count_deleted, next_manifest, read_manifest, view_sql, write_chunk, write_manifest
from comboi_core.lake.compaction import fold
from tests.lake.conftest import Table

COLUMNS = (Column("id", "integer", "INTEGER"), Column("v", "integer", "INTEGER"))
Rows = dict[int, int | None]


class Writer:
    """A table whose loads hold rows and tombstones; `source` is what the source holds now."""

    def __init__(self, table: Table, *, key_unique: bool = True) -> None:
        self.table, self.key_unique = table, key_unique
        self.manifest: Manifest | None = None
        self.source: dict[int, int] = {}
        self.attempts = itertools.count()

    def load(self, changes: Rows, *, deletes: bool = True, replaces: bool = False) -> Manifest:
        """Commit a load: key -> value, or None where the source has deleted it."""
        sequence = self.manifest.sequence + 1 if self.manifest else 1
        plan = LoadPlan(
            *("shop", "orders", sequence, "merge", replaces, None, None, COLUMNS, ()),
            key_unique=self.key_unique,
            deletes=deletes,
        )
        files = []
        for gone in (False, True):
            keys = [key for key, value in changes.items() if (value is None) is gone]
            values = ", ".join(f"({key}, {'NULL' if gone else changes[key]})" for key in keys)
            if not values:
                continue
            path = data_path("shop", "orders", sequence, int(gone), f"{next(self.attempts):04x}")
            flag = f", true AS {DELETED}" if gone else ""
            select = f"SELECT id::INTEGER AS id, v::INTEGER AS v{flag} FROM (VALUES {values}) AS t(id, v)"
            rows, size = write_chunk(self.table.con, self.table.lake, select, path)
            files.append(
                DataFile(path, sequence, rows, size, deleted=count_deleted(self.table.con, self.table.lake, path))
            )
        made = next_manifest(self.manifest, plan, tuple(files), fence=sequence, run_id="r", primary_key=("id",))
        self.keep(made)
        self.source = {} if replaces else self.source
        self.source |= {key: value for key, value in changes.items() if value is not None}
        self.source = {key: value for key, value in self.source.items() if changes.get(key, value) is not None}
        return made

    def keep(self, made: Manifest) -> None:
        self.manifest = read_manifest(self.table.lake, write_manifest(self.table.lake, made))

    def fold(self) -> bool:
        attempt = f"{next(self.attempts):04x}"
        folded = fold(self.table.con, self.table.lake, self.manifest, fence=1, run_id="r", attempt=attempt)
        if isinstance(folded, Manifest):
            self.keep(folded)
        return folded is not None

    def view(self, view: str, since: int = 0) -> list[dict]:
        found = self.table.con.execute(view_sql(self.table.lake, self.manifest, view, since=since))
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def current(self) -> dict[int, int]:
        rows = self.view("current")
        assert all(row.keys() == {"id", "v"} for row in rows)
        assert len({row["id"] for row in rows}) == len(rows)
        return {row["id"]: row["v"] for row in rows}


class Reader:
    """What silver does with `changes`, in a few lines."""

    def __init__(self) -> None:
        self.since, self.rows, self.anew = 0, {}, 0

    def read(self, writer: Writer) -> None:
        if 0 < self.since < writer.manifest.forgotten:
            self.since, self.rows, self.anew = 0, {}, self.anew + 1
        changes = writer.view("changes", self.since)
        assert self.since or not any(row[DELETED] for row in changes), "from the beginning there is nothing to delete"
        for row in changes:
            self.rows.pop(row["id"], None)
            if not row[DELETED]:
                self.rows[row["id"]] = row["v"]
        self.since = writer.manifest.sequence


@pytest.mark.parametrize("key_unique", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_readers_see_what_the_source_holds_whatever_is_folded_when(
    table: Table, monkeypatch: pytest.MonkeyPatch, seed: int, key_unique: bool
):
    monkeypatch.setattr(compaction, "MINIMUM_LOADS", 3)
    chance, writer = random.Random(seed), Writer(table, key_unique=key_unique)
    prompt, lazy = Reader(), Reader()
    folded = 0
    for step in range(40):
        keys = chance.sample(range(30), chance.randint(0, 8))
        changes: Rows = {key: None if chance.random() < 0.45 else step for key in keys}
        writer.load(changes, deletes=step > 2, replaces=chance.random() < 0.03) if step > 2 else writer.load(
            dict.fromkeys(keys, step), deletes=False
        )
        if writer.manifest.whole == writer.manifest.sequence:
            prompt, lazy = Reader(), Reader()
        folded += writer.fold() if chance.random() < 0.5 else 0
        assert writer.current() == writer.source
        if writer.manifest.deletes:
            prompt.read(writer)
            assert prompt.rows == writer.source
            if chance.random() < 0.1:
                lazy.read(writer)
                assert lazy.rows == writer.source
    assert folded > 3 and prompt.anew == 0, "who reads after every load is never sent back"
    assert writer.manifest.forgotten


def test_tombstones_leave_when_a_second_folding_of_all_files_has_seen_them(
    table: Table, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(compaction, "MINIMUM_LOADS", 2)
    writer = Writer(table)
    writer.load({1: 1, 2: 2})
    writer.load({1: None})
    assert writer.fold() and len(writer.manifest.files) == 1
    assert [(file.rows, file.deleted) for file in writer.manifest.files] == [(2, 1)] and writer.manifest.forgotten == 1
    assert [row for row in writer.view("changes", 1) if row[DELETED]] == [{"id": 1, "v": None, DELETED: True}]
    writer.load({2: 3})
    assert writer.fold()
    assert [(file.rows, file.deleted) for file in writer.manifest.files] == [(1, 0)] and writer.manifest.forgotten == 3
    assert writer.current() == {2: 3}


def test_a_table_without_deletes_reads_as_before(table: Table):
    writer = Writer(table)
    writer.load({1: 1}, deletes=False)
    writer.load({1: 2}, deletes=False)
    for view in ("current", "log", "changes"):
        assert DELETED not in view_sql(table.lake, writer.manifest, view)


def test_a_key_comes_back_and_the_log_tells_all(table: Table):
    writer = Writer(table)
    for changes in ({1: 1, 2: 2}, {1: None}, {1: 3}, {2: None}):
        writer.load(changes)
    assert writer.current() == {1: 3}
    log = sorted((row["_load"], row["id"], row["v"], row[DELETED]) for row in writer.view("log"))
    assert log == [(1, 1, 1, False), (1, 2, 2, False), (2, 1, None, True), (3, 1, 3, False), (4, 2, None, True)]


def test_of_a_load_that_may_hold_a_key_twice_a_row_counts_before_a_tombstone(table: Table):
    writer = Writer(table, key_unique=False)
    writer.load({1: 1, 2: 2})
    made = writer.load({1: 5})
    path = data_path("shop", "orders", 2, 7, "ff")
    rows, size = write_chunk(table.con, table.lake, f"SELECT 1 AS id, NULL::INTEGER AS v, true AS {DELETED}", path)
    writer.keep(replace(made, files=(*made.files, DataFile(path, 2, rows, size, deleted=1))))
    assert writer.current() == {1: 5, 2: 2}


def test_a_load_that_replaces_forgets_tombstones(table: Table):
    writer = Writer(table)
    writer.load({1: 1})
    writer.load({1: None})
    writer.load({2: 2}, deletes=False, replaces=True)
    assert not writer.manifest.deletes and writer.current() == {2: 2}
