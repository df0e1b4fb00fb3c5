"""Folders with rows in them: of this user only, and none is left of a process that was killed."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from comboi_core.domain.folders import PREFIX, Scratch, make_private, sweep

SPILLING = """
import sys
from comboi_core.duckdb.engine import open_duckdb
with open_duckdb(memory_limit="60MB", threads=1, temp_directory=sys.argv[1]) as con:
    con.execute("CREATE TABLE t AS SELECT range AS n, repeat(md5(range::VARCHAR), 8) AS text FROM range(1000000)")
    print("spilled", flush=True)
    sys.stdin.read()
"""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def spilling(below: Path) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        [sys.executable, "-c", SPILLING, str(below)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        cwd=Path(__file__).resolve().parents[2],
    )  # fmt: skip
    assert child.stdout and any(line == "spilled\n" for line in child.stdout)
    return child


def size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


@pytest.mark.slow
def test_what_a_killed_process_spilled_is_swept_and_what_a_living_one_spills_stays(tmp_path):
    with spilling(tmp_path) as killed, spilling(tmp_path) as living:
        try:
            folders = {folder: size(folder) for folder in tmp_path.glob(f"{PREFIX}*")}
            assert len(folders) == 2 and min(folders.values()) > 10_000_000, "both have spilled"
            killed.send_signal(signal.SIGKILL)
            killed.wait()

            with spilling(tmp_path) as next_one:
                left = set(tmp_path.glob(f"{PREFIX}*"))
                assert len(left) == 2 and len(left & set(folders)) == 1, "the next process sweeps when it starts"
                assert size((left & set(folders)).pop()) > 10_000_000
                next_one.communicate("")
            assert sweep(tmp_path) == 0
        finally:
            living.kill()
            living.wait()
    assert sweep(tmp_path) == 1, "a process that is up sweeps, too: at the end of a run, and of an erasure"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_use_is_not_swept_by_its_own_process_either(tmp_path):
    with Scratch(str(tmp_path)) as folder:
        assert sweep(tmp_path) == 0 and folder.is_dir() and mode(folder) == 0o700
    assert list(tmp_path.iterdir()) == []


def test_only_folders_of_our_own_making_are_swept(tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / f"{PREFIX}file").write_text("no folder")
    (tmp_path / f"{PREFIX}link").symlink_to(tmp_path / "other")

    assert sweep(tmp_path) == 0
    assert len(list(tmp_path.iterdir())) == 3


def test_folders_that_are_made_are_of_this_user_only_and_those_that_were_there_stay_as_they_are(tmp_path):
    before = os.umask(0o022)
    try:
        (tmp_path / "shared").mkdir(mode=0o755)
        make_private(tmp_path / "shared" / "a" / "b")
        make_private(tmp_path / "shared")
    finally:
        os.umask(before)

    assert [mode(tmp_path / "shared" / path) for path in ("", "a", "a/b")] == [0o755, 0o700, 0o700]


def test_a_place_that_is_no_folder_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(OSError):
        make_private(tmp_path / "file" / "below")
