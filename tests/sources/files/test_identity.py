"""Whether a file is still the one that was landed, where neither its size nor its time tells."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from comboi_core.domain.errors import SourceFileChanged
from comboi_core.sources.files.identity import WHOLE
from tests.support.landing import Landing, lake_in

OLD = 1_700_000_000
MODES = [{"mode": "full"}, {"primary_key": ["id"]}]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "incoming"
    made.mkdir()
    return made


@pytest.fixture
def put(folder: Path) -> Callable[..., Path]:
    def write(name: str, text: str) -> Path:
        path = folder / name
        path.write_text(text)
        os.utime(path, (OLD, OLD))
        return path

    return write


@pytest.fixture
def table(con: Any, tmp_path: Path, folder: Path) -> Callable[..., Landing]:
    def make(**table: Any) -> Landing:
        return Landing(con, lake_in(tmp_path), "files", {"path": str(folder)}, {"path": "*.csv"} | table)

    return make


def replaced(path: Path, text: str) -> None:
    """Put another file in its place that has its time, as `cp -p` and `rsync -t` do."""
    other = path.with_name(".other")
    other.write_text(text)
    os.utime(other, ns=(path.stat().st_mtime_ns, path.stat().st_mtime_ns))
    other.replace(path)


def overwritten(path: Path, text: str) -> None:
    """Write into the file and set its time back, as `touch -r` does."""
    time = path.stat().st_mtime_ns
    path.write_text(text)
    os.utime(path, ns=(time, time))


WAYS = pytest.mark.parametrize("way", [replaced, overwritten])


@WAYS
@pytest.mark.parametrize("mode", MODES)
def test_other_content_of_the_same_size_and_time_is_read(put, table, mode, way):
    orders = table(**mode)
    path = put("a.csv", "id,v\n1,old\n")
    put("b.csv", "id,v\n2,own\n")
    orders.load()
    way(path, "id,v\n1,new\n")
    assert {row["id"]: row["v"] for row in orders.load()} == {1: "new", 2: "own"}
    assert orders.load() and orders.said.unchanged


@WAYS
def test_other_content_of_the_same_size_and_time_is_refused_by_append(put, table, way):
    orders = table()
    path = put("a.csv", "id,v\n1,old\n")
    orders.load()
    way(path, "id,v\n1,new\n")
    with pytest.raises(SourceFileChanged, match=r"a\.csv changed after being landed"):
        orders.plan()
    assert orders.load(full_refresh=True) == [{"id": 1, "v": "new"}]


@WAYS
@pytest.mark.parametrize("when", ["before", "after"])
def test_other_content_of_the_same_size_and_time_since_planning_fails_the_load(put, table, way, when):
    orders, path = table(), put("a.csv", "id,v\n1,old\n")
    adapter = orders.open()
    load = adapter.plan(orders.checkpoint, full_refresh=False)
    if when == "after":
        orders.con.execute(adapter.select(load, load.chunks[0])).fetchall()
    way(path, "id,v\n1,new\n")
    with pytest.raises(SourceFileChanged, match=r"a\.csv changed after the load was planned"):
        adapter.select(load, load.chunks[0]) if when == "before" else adapter.confirm(load)
    adapter.close()


def rights(path: Path) -> None:
    path.chmod(0o640)


def copied(path: Path) -> None:
    kept = path.with_name(".kept")
    shutil.copy2(path, kept)
    path.unlink()
    kept.replace(path)


@pytest.mark.parametrize("touch", [rights, copied])
@pytest.mark.parametrize("mode", [*MODES, {}])
@pytest.mark.parametrize("rows", [3, 300])
def test_a_file_that_was_moved_or_given_other_rights_is_not_read_again(put, table, mode, touch, rows):
    orders = table(**mode)
    path = put("a.csv", "id,pad\n" + "".join(f"{number},{'x' * (WHOLE // 256)}\n" for number in range(rows)))
    orders.load()
    touch(path)
    assert orders.plan().unchanged
    large = path.stat().st_size > WHOLE
    assert bool(orders.plan().warnings) is large
    assert not large or "a.csv" in orders.plan().warnings[0]

    put("b.csv", "id,pad\n-1,\n")
    assert len(orders.load()) == rows + 1
    assert [file.path for chunk in orders.said.chunks for file in chunk.files][-1:] == ["b.csv"] or mode == MODES[0]
    assert not orders.plan().moved and not orders.plan().warnings, "the manifest goes by the new version from then on"


def test_files_that_an_earlier_comboi_landed_are_not_read_again(put, table):
    orders = table()
    put("a.csv", "id\n1\n")
    orders.load()
    orders.manifest = replace(
        orders.manifest, inputs=tuple(replace(file, version="", digest="") for file in orders.manifest.inputs)
    )
    copied(put("a.csv", "id\n1\n"))
    assert orders.load() == [{"id": 1}] and orders.said.unchanged
    put("b.csv", "id\n2\n")
    assert orders.load() == [{"id": 1}, {"id": 2}]


@pytest.mark.parametrize("offset", [0, 1000, WHOLE // 2, -1])
def test_a_large_file_that_differs_in_a_part_that_is_compared_is_read(put, table, offset):
    orders, one, other = table(mode="full"), f"10,{'a' * 252}\n", f"10,{'b' * 252}\n"
    parts = [one] * (2 * WHOLE // len(one))
    path = put("a.csv", "id,v\n" + "".join(parts))
    orders.load()
    parts[offset // len(one)] = other
    if offset == WHOLE // 2:  # between two pieces nothing is compared: it is told, and --full-refresh reads it
        replaced(path, "id,v\n" + "".join(parts))
        assert orders.plan().unchanged and "parts of each were compared" in orders.plan().warnings[0]
        parts[-1] = other
    replaced(path, "id,v\n" + "".join(parts))
    assert "b" * 252 in {row["v"] for row in orders.load()}
