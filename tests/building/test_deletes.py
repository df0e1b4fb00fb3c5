"""What becomes of rows that a source has deleted in datasets that grow by `view: changes`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from comboi_core.domain.errors import MaterializationRefused
from comboi_core.domain.load import Column, LoadPlan
from comboi_core.domain.manifest import DataFile, data_path
from comboi_core.duckdb.engine import open_duckdb
from comboi_core.lake.bronze import next_manifest, read_manifest, write_chunk, write_manifest
from comboi_core.lake.local import LocalLake
from tests.support.building import Lab

COLUMNS = (Column("id", "integer", "INTEGER"), Column("v", "integer", "INTEGER"))
MERGE = {"strategy": "merge", "unique_key": ["id"]}
SCD2 = {"strategy": "scd2", "unique_key": ["id"]}
NAMED = {"not_null": {"column": "v", "on_fail": "quarantine"}}


class Deleting(Lab):
    """A lab whose bronze table `drop.t` has rows and deletes."""

    def load(self, changes: dict[int, int | None], forgotten: int = 0, anew: bool = False) -> None:
        """Commit a load of the table; None deletes."""
        lake, before = LocalLake(self.folder / "lake/bronze"), None
        if self.manifests:
            before = read_manifest(lake, self.manifests["drop.t"])
        sequence = before.sequence + 1 if before else 1
        plan = LoadPlan("drop", "t", sequence, "merge", anew, None, None, COLUMNS, (), key_unique=True, deletes=True)
        values = ", ".join(f"({key}, {'NULL' if v is None else v}, {v is None})" for key, v in changes.items())
        path = data_path("drop", "t", sequence, 0, "a")
        with open_duckdb(memory_limit="128MB", threads=1) as con:
            select = f"SELECT id::INTEGER AS id, v::INTEGER AS v, _deleted FROM (VALUES {values}) AS t(id, v, _deleted)"
            rows, size = write_chunk(con, lake, select, path)
        gone = sum(v is None for v in changes.values())
        file = DataFile(path, sequence, rows, size, deleted=gone)
        made = next_manifest(before, plan, (file,), fence=sequence, run_id="r", primary_key=("id",))
        self.manifests["drop.t"] = write_manifest(lake, replace(made, forgotten=forgotten))

    def attempt(self, script: str, how: dict[str, Any], **settings: Any) -> dict[str, Any]:
        """Build the dataset; return the answer."""
        inputs = [{"alias": "t", "source": "drop", "table": "t", "view": "changes"}]
        self.dataset("kept", script, inputs=inputs, materialization=how, **settings)
        return self.build("kept")

    def made(self, script: str, how: dict[str, Any], **settings: Any) -> list[tuple]:
        """Build the dataset; return its rows."""
        assert "error" not in self.attempt(script, how, **settings)
        return sorted(self.rows("kept"))


@pytest.fixture
def lab(tmp_path: Path) -> Deleting:
    return Deleting(tmp_path)


def test_a_merge_removes_what_is_deleted_and_takes_what_comes_back(lab: Deleting):
    for changes, rows in (
        ({1: 1, 2: 2, 3: 3}, [(1, 1), (2, 2), (3, 3)]),
        ({1: None, 2: 5}, [(2, 5), (3, 3)]),
        ({3: None}, [(2, 5)]),
        ({1: 7}, [(1, 7), (2, 5)]),
    ):
        lab.load(changes)
        assert lab.made("FROM t", MERGE, quality_checks=[NAMED]) == rows
    assert list(lab.types("kept")) == ["id", "v"]


def test_a_deleted_row_is_no_failing_row_and_leaves_quarantine(lab: Deleting):
    positive = {"min": {"column": "v", "value": 0, "on_fail": "quarantine"}}
    lab.load({1: 1, 2: -2, 3: -3})
    lab.made("FROM t", MERGE, quality_checks=[positive, NAMED])
    lab.load({1: 2, 2: None})
    assert lab.made("FROM t", MERGE, quality_checks=[positive, NAMED]) == [(1, 2)]
    assert lab.rows("kept.quarantine", "SELECT id FROM {}") == [(3,)]


def test_scd2_ends_the_version_of_what_is_deleted(lab: Deleting):
    lab.load({1: 1, 2: 2})
    lab.made("FROM t", SCD2)
    lab.load({1: None})
    lab.made("FROM t", SCD2)
    assert lab.rows("kept", "SELECT id, _is_current FROM {} ORDER BY id") == [(1, False), (2, True)]
    assert "_deleted" not in lab.types("kept")


def test_a_script_that_leaves_the_column_out_is_refused(lab: Deleting):
    lab.load({1: 1})
    refused = lab.attempt("SELECT id, v FROM t", MERGE)["error"]
    assert "kept: an input has deleted rows, but the result has no column _deleted" in refused["message"]
    assert lab.made("SELECT id, v, false AS _deleted FROM t WHERE NOT _deleted", MERGE) == [(1, 1)]


def test_a_dataset_that_has_missed_deletes_is_refused_until_it_is_built_anew(lab: Deleting):
    lab.load({1: 1, 2: 2})
    lab.made("FROM t", MERGE)
    lab.load({1: None})
    lab.load({3: 3}, forgotten=2)
    with pytest.raises(MaterializationRefused, match="has read drop.t up to load 1, but deletes up to load 2 are not"):
        lab.made("FROM t", MERGE)
    lab.build("kept", full_refresh=True)
    assert sorted(lab.rows("kept")) == [(2, 2), (3, 3)]


@pytest.mark.parametrize("how", [MERGE, SCD2], ids=["merge", "scd2"])
def test_a_table_that_was_read_anew_does_not_tell_its_deletes(lab: Deleting, how: dict[str, Any]):
    lab.load({1: 1, 2: 2})
    lab.made("FROM t", how)
    lab.load({2: 2}, anew=True)
    with pytest.raises(MaterializationRefused, match="before load 2, which .* does not tell which rows"):
        lab.made("FROM t", how)
    lab.build("kept", full_refresh=True)
    assert [row[:2] for row in lab.rows("kept")] == [(2, 2)]
