"""What every lake does, whatever it is made of: a local folder, and a container in Azurite."""

from __future__ import annotations

import itertools
import os
import threading
import time
from pathlib import Path

import pytest

from comboi_core.domain.errors import ConfigError, LakeNotFound
from comboi_core.domain.ports import Entries, Lake
from comboi_core.domain.sql import literal
from comboi_core.duckdb.engine import open_duckdb
from comboi_core.lake.azure.lake import AzureLake
from comboi_core.lake.local import LocalLake

pytestmark = pytest.mark.few(2)

NAMES = ["plain", "a b", "it's", "größe", "日本", "😀", "load=00000001", "50%", "50%25", "a+b&c", "a#b", "a?b"]
PATTERNS = ["a [b] *?", "a{b,c}", "**"]
CONTAINERS = itertools.count()


@pytest.fixture(params=["local", "azure", "azure folder"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    if request.param == "local":
        return LocalLake(tmp_path / "lake")
    storage = request.getfixturevalue("storage")
    folder = "a folder/below" if "folder" in request.param else None
    return AzureLake(storage.account, f"contract-{next(CONTAINERS)}", folder, temp_directory=str(tmp_path / "staging"))


def leftovers(lake: Lake, tmp_path: Path) -> list[Path]:
    """Files that staging left on the local disk."""
    return [*(tmp_path / "staging").glob("**/*"), *(tmp_path / "lake" / ".staging").glob("*")]


def test_a_lake_that_nothing_was_written_to_is_empty(lake):
    assert lake.list("") == [] and lake.list("nowhere") == [] and not lake.exists("x")
    lake.delete(["x"])
    lake.tidy()
    with pytest.raises(LakeNotFound, match="s/a.json"):
        lake.read("s/a.json")


def test_files_are_written_replaced_listed_and_deleted(lake):
    lake.write("s/t/a.json", b"1")
    lake.write("s/t/a.json", b"2")
    lake.write("s/b", b"")
    lake.write("s/t2/c", b"3")
    assert lake.read("s/t/a.json") == b"2" and lake.read("s/b") == b""
    assert lake.exists("s/t/a.json") and not lake.exists("s/t") and not lake.exists("s/t/a")
    assert lake.list("") == ["s/b", "s/t/a.json", "s/t2/c"] and lake.list("s/t") == ["s/t/a.json"]
    assert lake.list("nowhere") == []
    lake.delete(["s/t/a.json", "s/t/a.json", "never/there"])
    assert lake.list("") == ["s/b", "s/t2/c"]
    with pytest.raises(LakeNotFound, match="s/t/a.json"):
        lake.read("s/t/a.json")


def test_the_entries_of_a_folder_are_its_own_folders_and_files(lake):
    assert lake.entries("s") == Entries([], [])
    for path in ("s/t/u/a", "s/t2/c", "s/.hidden/d", "s/.e", "s/z.json", "s/b", "st/x"):
        lake.write(path, b"1")
    assert lake.entries("s") == Entries(["t", "t2"], ["s/b", "s/z.json"])
    assert lake.entries("s/t") == Entries(["u"], []) and lake.entries("s/t/u") == Entries([], ["s/t/u/a"])


def test_names_that_begin_with_a_dot_are_not_listed(lake):
    for path in (".hidden", "a/.hidden/b", "a/b"):
        lake.write(path, b"")
    assert lake.list("") == ["a/b"]


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/passwd", "a//b", "", ".", "a/./b", ".staging/x", "a\x00b"])
@pytest.mark.parametrize("method", ["read", "exists", "uri", "write", "stage", "delete"])
def test_paths_that_lead_out_are_refused(lake, path, method):
    with pytest.raises(ConfigError, match="is outside of the lake"):
        if method == "stage":
            with lake.stage(path):
                raise AssertionError
        elif method == "delete":
            lake.delete([path])
        else:
            getattr(lake, method)(path, *([b""] if method == "write" else []))


def test_an_error_while_staging_leaves_the_target_and_nothing_else(lake, tmp_path):
    lake.write("a.parquet", b"old")
    with pytest.raises(RuntimeError), lake.stage("a.parquet") as staged:
        staged.write_bytes(b"half")
        raise RuntimeError
    assert lake.read("a.parquet") == b"old" and leftovers(lake, tmp_path) == []


def test_a_staged_file_is_not_seen_before_it_is_in_place(lake, tmp_path):
    with lake.stage("s/a.parquet") as staged:
        staged.write_bytes(b"new")
        assert lake.list("") == [] and staged.suffix == ".parquet"
    assert lake.read("s/a.parquet") == b"new" and leftovers(lake, tmp_path) == []


def test_a_block_without_a_file_puts_none_in_place(lake, tmp_path):
    with lake.stage("a"):
        pass
    assert not lake.exists("a") and leftovers(lake, tmp_path) == []


@pytest.mark.parametrize("size", [0, 8 * 2**20, 8 * 2**20 + 1, 17 * 2**20])
def test_files_of_any_size_arrive_byte_for_byte(lake, size):
    content = os.urandom(size)
    with lake.stage("big") as staged:
        staged.write_bytes(content)
    assert lake.read("big") == content
    lake.write("written", content)
    assert lake.read("written") == content


def test_readers_see_the_old_or_the_new_one(lake):
    contents = [bytes([n]) * 200_000 for n in range(20)]
    lake.write("a", contents[0])
    seen: set[bytes] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(lake.read("a"))

    thread = threading.Thread(target=read)
    thread.start()
    for content in contents:
        lake.write("a", content)
    done.set()
    thread.join()
    assert seen and seen <= set(contents)


def test_of_writers_of_one_big_file_at_once_each_succeeds_and_one_s_content_stands(lake):
    contents = [bytes([n]) * (9 * 2**20) for n in range(1, 4)]
    failed: list[BaseException] = []

    def write(content: bytes) -> None:
        try:
            with lake.stage("big") as staged:
                staged.write_bytes(content)
        except BaseException as error:
            failed.append(error)

    run_together([lambda content=content: write(content) for content in contents])
    assert failed == [] and lake.read("big") in contents


def test_writers_and_sweepers_of_one_folder_do_not_hinder_each_other(lake):
    failed: list[BaseException] = []

    def work(n: int) -> None:
        try:
            for k in range(10):
                lake.write(f"s/t/{n}-{k}", b"x")
                lake.delete([f"s/t/{n}-{k}"])
        except BaseException as error:
            failed.append(error)

    run_together([lambda n=n: work(n) for n in range(4)])
    assert failed == [] and lake.list("") == []


def run_together(works: list) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_tidy_removes_what_is_left_and_nothing_that_is_in_use(lake, tmp_path):
    """In a local lake, which several machines may write, it goes by age; staged for a container, by the lock."""
    local = isinstance(lake, LocalLake)
    with lake.stage("old") as old, lake.stage("young") as young:
        for staged in (old, young):
            staged.write_bytes(b"")
        os.utime(old if local else old.parent, (time.time() - 90_000,) * 2)
        lake.tidy()
        assert young.exists() and old.exists() is not local


def test_names_of_any_kind_stay_apart(lake):
    for name in NAMES:
        lake.write(f"f {name}/{name}.json", name.encode())
    assert {path: lake.read(path) for path in lake.list("")} == {f"f {n}/{n}.json": n.encode() for n in NAMES}
    for name in NAMES:
        assert lake.exists(f"f {name}/{name}.json") and lake.list(f"f {name}") == [f"f {name}/{name}.json"]
    lake.delete(lake.list(""))
    assert lake.list("") == []


def test_duckdb_reads_what_uri_names_and_nothing_else(lake):
    names = NAMES + PATTERNS
    with open_duckdb(memory_limit="256MB", threads=2) as con:
        for number, name in enumerate(names):
            with lake.stage(f"{name}/{name}.parquet") as staged:
                con.execute(f"COPY (SELECT {number} AS x) TO {literal(str(staged))} (FORMAT parquet)")
        lake.attach(con)
        lake.attach(con)
        for number, name in enumerate(names):
            uri = lake.uri(f"{name}/{name}.parquet")
            found = con.execute(f"SELECT x, filename FROM read_parquet({literal(uri)}, filename = true)").fetchall()
            assert [x for x, _ in found] == [number], name
            assert found[0][1].endswith(f"/{name}/{name}.parquet")
