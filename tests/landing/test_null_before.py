"""What is told of an added column where a source cannot say for sure whether earlier rows have values in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from comboi_core.app.workspace import Workspace
from comboi_core.domain.load import Chunk, Column, EarlierRows, LoadPlan, SourceFile, Window
from comboi_core.domain.manifest import DataFile, Manifest
from comboi_core.landing.shortfalls import of_added_columns

OLD, NEW = Column("id", "bigint", "BIGINT"), Column("points", "integer", "INTEGER")
BEFORE = Manifest(
    source="shop",
    table="orders",
    sequence=1,
    fence=1,
    run_id="r",
    mode="append",
    primary_key=(),
    window=Window("id", "bigint", None, "9"),
    watermark="9",
    columns=(OLD,),
    files=(DataFile("f.parquet", 1, 9, 100),),
)
LOAD = LoadPlan("shop", "orders", 2, "append", False, Window("id", "bigint", "9", "10"), "10", (OLD, NEW), (Chunk(0),))


@dataclass
class Looking:
    """A source that says what it is given; a real one would need a million rows."""

    rows: EarlierRows

    def look_back(self, *_: Any) -> EarlierRows:
        return self.rows


def told(workspace: Workspace, source: Any, load: LoadPlan = LOAD, before: Manifest = BEFORE) -> list[tuple]:
    table = workspace.project.table("shop", "orders")
    found = of_added_columns(workspace, workspace.lake("bronze"), source, load, table, before)
    return [(one.code, one.message, one.rows) for one in found]


UNSURE = ("null_before", "earlier rows read NULL in the new column points, if the source has values there", None)


@pytest.mark.parametrize("source", [object(), Looking(EarlierRows(1_000_000, {"points": 0}))])
def test_what_cannot_be_known_is_told_as_such(workspace: Workspace, source: Any):
    assert told(workspace, source) == [UNSURE]


def test_rows_found_by_a_look_at_some_are_told_as_the_least(workspace: Workspace):
    (found,) = told(workspace, Looking(EarlierRows(1_000_000, {"points": 70_000})))
    assert "in the source at least 70,000 of 1,000,000 earlier rows have a value there" in found[1]
    assert found[2] is None


def test_nothing_is_told_where_no_earlier_row_lacks_a_value(workspace: Workspace):
    assert told(workspace, Looking(EarlierRows(9, {"points": 0}, complete=True))) == []
    assert told(workspace, object(), load=replace(LOAD, replaces=True)) == []
    assert told(workspace, object(), before=replace(BEFORE, files=())) == []
    earlier_file = SourceFile("a.csv", 1, 1)
    assert told(workspace, object(), before=replace(BEFORE, inputs=(earlier_file,))) == [], "that file lacks the column"
