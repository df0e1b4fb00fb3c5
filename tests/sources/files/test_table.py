"""Files as a source: which are read, once each, and what becomes of a table when files come, change and go."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from comboi_core.domain.errors import (
    BackfillImpossible,
    SchemaDrift,
    SourceFileChanged,
    SourceObjectMissing,
    UnsupportedValue,
)
from comboi_core.domain.load import Chunk
from comboi_core.sources.files import table as files_module
from tests.support.landing import Landing, lake_in

OLD = 1_700_000_000


class Folder:
    """The source's folder; files are as old as a test says, in hours after a moment long ago."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()

    def put(self, name: str, text: str | bytes, at: float = 0) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        os.utime(path, (OLD + at * 3600, OLD + at * 3600))
        return path


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "in coming")


@pytest.fixture
def table(con: Any, tmp_path: Path, folder: Folder) -> Callable[..., Landing]:
    def make(**table: Any) -> Landing:
        return Landing(con, lake_in(tmp_path), "files", {"path": str(folder.root)}, {"path": "*.csv"} | table)

    return make


def test_a_load_reads_the_files_that_are_new(folder, table):
    orders = table()
    folder.put("a.csv", "id,v\n1,x\n")
    assert orders.load() == [{"id": 1, "v": "x"}]
    folder.put("b.csv", "id,v\n2,y\n", at=1)
    assert orders.load() == [{"id": 1, "v": "x"}, {"id": 2, "v": "y"}]
    assert [file.path for file in orders.said.chunks[0].files] == ["b.csv"]
    assert orders.load() and orders.said.unchanged and orders.said.chunks == ()


def test_each_row_tells_its_file_and_when_that_was_written(folder, table, con):
    from comboi_core.lake.bronze import view_sql

    orders = table(path="**/*.csv")
    folder.put("deep/er/a.csv", "id\n1\n")
    orders.load()
    found = con.execute(
        f"SELECT _file, epoch(_modified) FROM ({view_sql(orders.lake, orders.manifest, 'current')})"
    ).fetchall()
    assert found == [("deep/er/a.csv", OLD)]
    assert orders.said.watermark == "2023-11-14 22:13:20.000000+00:00"


def test_a_file_that_comes_late_with_an_old_time_or_the_time_of_another_is_not_lost(folder, table):
    orders = table()
    folder.put("b.csv", "id\n2\n", at=10)
    orders.load()
    folder.put("same time.csv", "id\n3\n", at=10)
    folder.put("a.csv", "id\n1\n", at=-500)
    assert [row["id"] for row in orders.load()] == [1, 2, 3]
    assert orders.said.watermark == orders.plans[0].watermark, "nothing moves backwards"


def test_append_refuses_a_file_that_changed_since_its_rows_would_be_doubled(folder, table):
    orders = table()
    folder.put("a.csv", "id\n1\n")
    orders.load()
    folder.put("a.csv", "id\n1\n2\n", at=1)
    with pytest.raises(SourceFileChanged, match=r"s\.t: a\.csv changed after being landed"):
        orders.plan()
    assert orders.load(full_refresh=True) == [{"id": 1}, {"id": 2}]
    assert orders.load() and orders.said.unchanged


def test_merge_reads_a_changed_file_again_and_the_last_row_of_the_newest_file_wins(folder, table):
    orders = table(primary_key=["id"])
    folder.put("a.csv", "id,v\n1,first\n2,old\n1,last\n", at=1)
    folder.put("z.csv", "id,v\n2,older\n", at=0)
    assert orders.load() == [{"id": 1, "v": "last"}, {"id": 2, "v": "old"}]
    folder.put("a.csv", "id,v\n1,changed\n", at=2)
    assert orders.load() == [{"id": 1, "v": "changed"}, {"id": 2, "v": "old"}]


@pytest.mark.parametrize("limit", [1, 500])
def test_within_a_load_the_newest_file_wins_whatever_the_chunks(folder, table, monkeypatch, limit):
    monkeypatch.setattr(files_module, "CHUNK_FILES", limit)
    orders = table(primary_key=["id"])
    for number, hour in enumerate([3, 9, 1, 9, 5]):
        folder.put(f"{number}.csv", f"id,v\n7,{number}\n", at=hour)
    assert orders.load() == [{"id": 7, "v": 3}], "9 o'clock, and of those two the last by name"
    assert len(orders.said.chunks) == (5 if limit == 1 else 1)


def test_the_last_of_many_rows_wins_in_a_file_that_is_read_by_several_threads(folder, table):
    orders = table(primary_key=["id"])
    lines = (f'{number % 1000},"{number}\n"\n' for number in range(200_000))
    folder.put("a.csv", "id,v\n" + "".join(lines))
    found = orders.load()
    assert len(found) == 1000
    assert {row["v"] for row in found} == {f"{number}\n" for number in range(199_000, 200_000)}


def test_full_reads_all_files_each_time_something_changed_and_deletes_show(folder, table):
    orders = table(mode="full")
    folder.put("a.csv", "id\n1\n")
    folder.put("b.csv", "id\n2\n")
    orders.load()
    assert orders.load() and orders.said.unchanged
    folder.put("a.csv", "id\n10\n", at=1)
    (folder.root / "b.csv").unlink()
    assert orders.load() == [{"id": 10}]
    (folder.root / "a.csv").unlink()
    with pytest.raises(SourceObjectMissing, match="no file matches"):
        orders.plan()


def test_files_that_were_archived_stay_landed(folder, table):
    orders = table()
    path = folder.put("a.csv", "id\n1\n")
    orders.load()
    path.unlink()
    assert orders.load() == [{"id": 1}] and orders.said.unchanged
    folder.put("a.csv", "id\n1\n")
    assert orders.load() == [{"id": 1}], "the same file once more is not read twice"


def test_a_young_file_waits_for_the_next_run(folder, table):
    orders = table(lag="1h")
    folder.put("a.csv", "id\n1\n")
    young = folder.put("b.csv", "id\n2\n")
    os.utime(young)
    assert orders.load() == [{"id": 1}]
    assert "1 files are still being written to" in orders.said.warnings[0] and "b.csv" in orders.said.warnings[0]
    os.utime(young, (OLD, OLD))
    assert orders.load() == [{"id": 1}, {"id": 2}]


def test_a_short_lag_is_waited_for(folder, table):
    orders = table(lag="0.2s")
    os.utime(folder.put("a.csv", "id\n1\n"))
    assert orders.load() == [{"id": 1}]


def test_a_full_load_waits_while_a_file_that_it_has_is_being_written_to(folder, table):
    orders = table(mode="full", lag="1h")
    folder.put("a.csv", "id\n1\n")
    folder.put("b.csv", "id\n2\n")
    orders.load()
    os.utime(folder.put("b.csv", "id\n"))
    assert orders.load() == [{"id": 1}, {"id": 2}] and orders.said.unchanged and orders.said.warnings


@pytest.mark.parametrize(
    "name",
    [
        "a b.csv",
        "it's.csv",
        'q"q.csv',
        "[1].csv",
        "a*b.csv",
        "a?b.csv",
        "{a,b}.csv",
        "Ōsaka 日本 é.csv",
        "%20$x;--.csv",
    ],
)
def test_any_name_is_read_as_it_is(folder, table, name):
    decoys = ["1.csv", "aXb.csv", "a.csv"]
    orders = table()
    folder.put(name, "id\n1\n")
    orders.load()
    for decoy in decoys:
        folder.put(decoy, "id\n2\n")
    assert orders.load(full_refresh=True) == [{"id": 1}, *[{"id": 2}] * len(decoys)]
    assert name in {file.path for file in orders.manifest.inputs}


def test_hidden_files_are_left_alone_and_unusable_names_are_refused(folder, table):
    folder.put(".part.csv", "id\n0\n")
    folder.put(".tmp/a.csv", "id\n0\n")
    folder.put("a.csv", "id\n1\n")
    assert table(path="**/*.csv").load() == [{"id": 1}]
    folder.put("b\\a.csv", "id\n1\n")
    with pytest.raises(UnsupportedValue, match="backslash"):
        table().plan()


def test_a_link_that_leads_out_of_the_folder_is_refused(folder, table, tmp_path):
    secret = tmp_path / "secret.csv"
    secret.write_text("id\n1\n")
    (folder.root / "a.csv").symlink_to(secret)
    with pytest.raises(UnsupportedValue, match=r"a\.csv is a link that leads out"):
        table().plan()
    (folder.root / "a.csv").unlink()
    (tmp_path / "outside").mkdir()
    shutil.move(secret, tmp_path / "outside" / "secret.csv")
    (folder.root / "dir").symlink_to(tmp_path / "outside")
    with pytest.raises(UnsupportedValue, match="leads out"):
        table(path="*/*.csv").plan()


def test_a_link_within_the_folder_is_read(folder, table):
    folder.put("x/a.csv", "id\n1\n")
    (folder.root / "b.csv").symlink_to(folder.root / "x" / "a.csv")
    assert table().load() == [{"id": 1}]


@pytest.mark.parametrize("path", ["../a.csv", "/etc/a.csv", "a/../../b.csv", "a//b.csv", "./a.csv", "a\\b.csv"])
def test_a_path_stays_inside(table, path):
    with pytest.raises(ValueError, match="stay inside the source's folder"):
        table(path=path).open()


@pytest.mark.parametrize("change", ["deleted", "changed", "linked"])
def test_a_file_that_is_not_what_it_was_at_planning_fails_the_load(folder, table, tmp_path, change):
    orders = table()
    path = folder.put("a.csv", "id\n1\n")
    plan = orders.plan()
    path.unlink()
    if change == "changed":
        folder.put("a.csv", "id\n1\n2\n", at=1)
    if change == "linked":
        (tmp_path / "other.csv").write_text("id\n9\n")
        path.symlink_to(tmp_path / "other.csv")
    with pytest.raises((SourceFileChanged, UnsupportedValue), match=r"a\.csv (was deleted|changed|is a link)"):
        orders.load(planned=plan)
    assert orders.manifest is None


def test_no_file_and_no_folder_say_so(folder, table, tmp_path):
    with pytest.raises(SourceObjectMissing, match=r"no file matches \*\.csv"):
        table().plan()
    folder.put("empty.csv", "")
    with pytest.raises(SourceObjectMissing, match="or all are empty"):
        table().plan()
    nowhere = table()
    nowhere.connection = {"path": str(tmp_path / "nowhere")}
    with pytest.raises(SourceObjectMissing, match="there is no folder"):
        nowhere.plan()


def test_an_empty_file_is_read_once_something_is_in_it(folder, table):
    orders = table()
    folder.put("a.csv", "id\n1\n")
    folder.put("b.csv", "")
    orders.load()
    folder.put("b.csv", "id\n2\n", at=1)
    assert orders.load() == [{"id": 1}, {"id": 2}]


@pytest.mark.slow
def test_thousands_of_small_files_make_a_few_chunks(folder, table):
    orders = table()
    for number in range(3000):
        (folder.root / f"{number:05d}.csv").write_text(f"id,v\n{number},x\n")
        os.utime(folder.root / f"{number:05d}.csv", (OLD, OLD))
    assert len(orders.load()) == 3000
    assert len(orders.said.chunks) == 6
    folder.put("new.csv", "id,v\n3000,x\n", at=1)
    assert len(orders.load()) == 3001
    assert [len(chunk.files) for chunk in orders.said.chunks] == [1]


def test_large_files_are_chunks_of_their_own(folder, table, monkeypatch):
    monkeypatch.setattr(files_module, "CHUNK_BYTES", 100)
    for number in range(3):
        folder.put(f"{number}.csv", "id\n" + "1\n" * 40)
    orders = table()
    assert len(orders.load()) == 120
    assert len(orders.said.chunks) == 3


def test_a_range_cannot_be_read_again(folder, table):
    orders = table(primary_key=["id"])
    folder.put("a.csv", "id\n1\n")
    plan = orders.plan()
    with pytest.raises(BackfillImpossible):
        orders.open().select(plan, Chunk(0))


def test_a_new_column_appears_and_a_missing_one_reads_null(folder, table):
    orders = table()
    folder.put("a.csv", "id,v\n1,x\n")
    orders.load()
    folder.put("b.csv", "new,id\n2.5,2\n", at=1)
    assert orders.load() == [{"id": 1, "v": "x", "new": None}, {"id": 2, "v": None, "new": 2.5}]
    assert any("new column new" in told for told in orders.said.schema_changes)
    assert any("column v" in told and "gone" in told for told in orders.said.schema_changes)
    folder.put("c.csv", "v,id,new\ny,3,\n", at=2)
    assert {"id": 3, "v": "y", "new": None} in orders.load()


def test_files_of_one_load_may_have_their_columns_in_any_order(folder, table):
    folder.put("a.csv", "id,v\n1,x\n")
    folder.put("b.csv", "v,id\ny,2\n")
    folder.put("c.csv", "v\nz\n")
    orders = table()
    assert orders.load() == [{"id": 1, "v": "x"}, {"id": 2, "v": "y"}, {"id": None, "v": "z"}]
    assert len(orders.said.chunks) == 3


def test_freeze_refuses_a_file_with_other_columns_and_discard_leaves_them_out(folder, table):
    orders = table()
    folder.put("a.csv", "id,v\n1,x\n")
    orders.load()
    folder.put("b.csv", "v,id,w\ny,2,9\n", at=1)
    with pytest.raises(SchemaDrift, match=r"freeze allows no change, but b\.csv differs in w"):
        orders.plan(schema_policy="freeze")
    assert orders.load(schema_policy="discard_columns") == [{"id": 1, "v": "x"}, {"id": 2, "v": "y"}]


def test_the_key_has_to_be_in_every_file_and_columns_choose(folder, table):
    orders = table(primary_key=["id"], columns=["v"])
    folder.put("a.csv", "id,v,w\n1,x,9\n")
    assert orders.load() == [{"id": 1, "v": "x"}]
    folder.put("b.csv", "v\ny\n", at=1)
    with pytest.raises(SourceObjectMissing, match=r"b\.csv has no column id, which is the primary key"):
        orders.plan()


@pytest.mark.parametrize("header", ["id,Id", "_file,id", "_load,id"])
def test_names_that_readers_could_not_tell_apart_are_refused(folder, table, header):
    folder.put("a.csv", f"{header}\n1,2\n")
    with pytest.raises(UnsupportedValue):
        table().plan()
