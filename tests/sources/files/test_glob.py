"""Globs over names in a container find what `pathlib` finds in a folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from comboi_core.sources.files.config import FilesTable
from comboi_core.sources.files.glob import glob

NAMES = [
    "a.csv", "b.csv", "A.CSV", "a.csv.gz", "[1].csv", "1.csv", "x/a.csv", "x/b.txt", "x/y/a.csv", "x/y/z/a.csv",
    "xy/a.csv", "2026-01/a.csv", "2026-02/b/a.csv", ".hidden.csv", "x/.part/a.csv", "é x/ü.csv",
]  # fmt: skip
PATTERNS = [
    "*.csv", "a.csv", "nowhere.csv", "**/*.csv", "**/a.csv", "x/**/*.csv", "x/**/y/*.csv", "**/**/*.csv", "*/*.csv",
    "*/*/*.csv", "**/y/**/*", "[ab].csv", "[!a].csv", "[[]1].csv", "?.csv", "2026-*/*.csv", "2026-0[12]/**/a.*",
    "x*/a.csv", "*", "é */?.csv", "x/a.csv", "a.csv*", "[.csv",
]  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_it_finds_what_pathlib_finds(tmp_path: Path, pattern: str):
    for name in NAMES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.glob(pattern) if path.is_file()}
    expected = {name for name in found if not any(part.startswith(".") for part in name.split("/"))}
    wanted = glob(pattern)
    assert {name for name in NAMES if wanted.matches(name)} == expected
    assert all(name.startswith(wanted.start) for name in expected)
    assert wanted.deep or not any("/" in name[len(wanted.start) :] for name in expected)


@pytest.mark.parametrize(
    ("pattern", "start", "deep"),
    [
        ("*.csv", "", False),
        ("in/2026-*.csv", "in/2026-", False),
        ("in/*/a.csv", "in/", True),
        ("in/**/*.csv", "in/", True),
        ("in/a.csv", "in/a.csv", False),
    ],
)
def test_no_more_is_listed_than_can_match(pattern: str, start: str, deep: bool):
    assert (glob(pattern).start, glob(pattern).deep) == (start, deep)


@pytest.mark.parametrize("path", ["a**.csv", "**.csv", "x/**", "in/**x/a.csv"])
def test_a_double_star_is_a_part_of_its_own(path: str):
    with pytest.raises(ValidationError, match="stand alone between slashes"):
        FilesTable(name="t", path=path, format="csv")
