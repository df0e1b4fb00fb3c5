"""A local lake, beyond what every lake does: folders, links, races over folders, what the system refuses."""

from __future__ import annotations

import errno
import os
import threading
import time
from pathlib import Path

import pytest

from comboi_core.config.lakes import LakeConfig
from comboi_core.domain.errors import ConfigError, LakeUnavailable
from comboi_core.domain.sql import literal
from comboi_core.duckdb.engine import open_duckdb
from comboi_core.lake.local import LocalLake
from comboi_core.lake.registry import open_lake


@pytest.fixture
def lake(tmp_path: Path) -> LocalLake:
    return LocalLake(tmp_path / "lake")


def leftovers(lake: LocalLake) -> list[Path]:
    staging = Path(lake.describe()) / ".staging"
    return list(staging.iterdir()) if staging.exists() else []


def test_the_registry_opens_a_folder_that_need_not_exist(tmp_path):
    lake = open_lake(LakeConfig(path="lake"), base=tmp_path / "a")
    assert lake.list("") == [] and not lake.exists("x") and not (tmp_path / "a").exists()
    lake.write("x", b"1")
    assert lake.read("x") == b"1" and lake.describe() == str(tmp_path / "a" / "lake")


def test_folders_that_a_deletion_leaves_empty_go_too(lake):
    lake.write("s/t/a.json", b"1")
    lake.write("s/b", b"")
    lake.delete(["s/t/a.json"])
    assert lake.list("") == ["s/b"] and leftovers(lake) == []
    assert not (Path(lake.describe()) / "s" / "t").exists()


def test_a_link_that_leads_out_is_refused(lake, tmp_path):
    lake.write("a", b"")
    (Path(lake.describe()) / "out").symlink_to(tmp_path)
    with pytest.raises(ConfigError):
        lake.write("out/x", b"")


def test_writers_and_sweepers_of_one_folder_do_not_hinder_each_other(lake):
    failed: list[BaseException] = []

    def work(n: int) -> None:
        try:
            for k in range(40):
                lake.write(f"s/t/{n}-{k}", b"x")
                lake.delete([f"s/t/{n}-{k}"])
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == [] and lake.list("") == []


@pytest.mark.parametrize(
    ("number", "words"), [(errno.ENOSPC, "Free space"), (errno.EACCES, "right to read"), (errno.EIO, "free space")]
)
def test_what_the_system_refuses_is_told_with_a_remedy(lake, monkeypatch, number, words):
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(LakeUnavailable) as caught:
        lake.write("s/a", b"")
    assert os.strerror(number) in caught.value.message and "s/a" in caught.value.message
    assert words in caught.value.remedy and leftovers(lake) == []


def test_what_duckdb_cannot_write_is_told_as_the_lake_s_trouble(lake):
    with (
        open_duckdb(memory_limit="128MB", threads=1) as con,
        pytest.raises(LakeUnavailable, match="s/a.parquet"),
        lake.stage("s/a.parquet") as staged,
    ):
        staged.mkdir()
        con.execute(f"COPY (SELECT 1 AS x) TO {literal(str(staged / 'no' / 'where'))} (FORMAT parquet)")


def test_a_file_that_could_not_be_put_in_place_is_an_error(lake, monkeypatch):
    def vanish(*_: object) -> None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    monkeypatch.setattr(os, "replace", vanish)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    with pytest.raises(LakeUnavailable, match="s/a"):
        lake.write("s/a", b"")


def test_the_root_is_not_a_folder(tmp_path):
    (tmp_path / "lake").write_bytes(b"")
    with pytest.raises(LakeUnavailable):
        LocalLake(tmp_path / "lake").write("a/b", b"")


@pytest.mark.parametrize("name", ["plain", "a [b] *?", "it's", "größe", "a{b,c}", "x\\y"])
def test_duckdb_reads_what_uri_names_and_nothing_else(tmp_path, name):
    lake = LocalLake(tmp_path / name)
    with open_duckdb(memory_limit="128MB", threads=1) as con:
        lake.attach(con)
        with lake.stage(f"{name}/a.parquet") as staged:
            con.execute(f"COPY (SELECT 7 AS x) TO {literal(str(staged))} (FORMAT parquet)")
        found = con.execute(f"FROM read_parquet({literal(lake.uri(f'{name}/a.parquet'))})").fetchall()
    assert found == [(7,)]
