"""Other users of the machine can read nothing of what commands leave: hub, key, logs, lake, catalogue."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.project import Project


@pytest.fixture
def usual_umask() -> Iterator[None]:
    """With the usual one, whatever is made without care is readable to everybody."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def open_to_others(folder: Path) -> set[str]:
    """Return the files and folders below a folder that others can read or enter; behind a closed door is closed."""
    found = set()
    for place in folder.iterdir():
        mode = stat.S_IMODE(place.lstat().st_mode)
        if mode & 0o077:
            found.add(str(place.relative_to(folder)))
            if place.is_dir():
                found |= {f"{place.name}/{inner}" for inner in open_to_others(place)}
    return found


@pytest.mark.usefixtures("usual_umask")
def test_what_commands_make_is_for_this_user_only(project: Project):
    before = {place.name for place in project.folder.iterdir()}

    project.run()
    done = project.comboi("docs", "--out", "catalogue")

    assert done.returncode == 0, done.stderr
    made = {place.name for place in project.folder.iterdir()} - before
    assert made == {".comboi", "catalogue", "lake", "logs"}
    assert open_to_others(project.folder) & made == set()
    for file in (".comboi/hub.db", ".comboi/hub.db.key", "logs/comboi.log"):  # by themselves: a folder may be opened
        assert stat.S_IMODE((project.folder / file).stat().st_mode) == 0o600, file


@pytest.mark.usefixtures("usual_umask")
@pytest.mark.slow
def test_a_lake_that_was_opened_to_a_group_on_purpose_stays_open(project: Project):
    lake = project.folder / "lake"
    lake.mkdir()
    lake.chmod(0o2750)
    for stage in ("bronze", "silver", "gold"):
        (lake / stage).mkdir()
        (lake / stage).chmod(0o2750)

    project.run()

    files = list(lake.rglob("*.parquet"))
    assert files and all(stat.S_IMODE(file.stat().st_mode) & 0o040 for file in files)
    for folder in {above for file in files for above in file.parents if above.is_relative_to(lake)}:
        assert stat.S_IMODE(folder.stat().st_mode) & 0o050 == 0o050, f"{folder} is closed to the group"
