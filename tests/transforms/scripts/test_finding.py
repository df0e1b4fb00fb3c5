"""Transformation scripts are found by name, and validated without running."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from comboi_core.domain.errors import ScriptError
from comboi_core.transforms.scripts import (
    find_script,
    validate_check_script,
    validate_script,
)
from tests.transforms.scripts.running import failure, result, write


@pytest.mark.parametrize("file", ["clean.py", "clean.sql"])
def test_a_script_is_found_by_name(tmp_path: Path, file: str) -> None:
    path = write(tmp_path, file, "SELECT 1")
    assert find_script(tmp_path, "clean") == path


def test_a_missing_script_names_what_is_there_and_what_was_meant(tmp_path: Path) -> None:
    write(tmp_path, "orders_clean.sql", "SELECT 1")
    write(tmp_path, "notes.txt", "")
    with pytest.raises(ScriptError, match=r"did you mean 'orders_clean'.*the folder contains orders_clean\.sql$"):
        find_script(tmp_path, "order_clean")


def test_a_name_that_means_two_files_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "a.sql", "SELECT 1")
    write(tmp_path, "a.py", "")
    with pytest.raises(ScriptError, match="both"):
        find_script(tmp_path, "a")


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match="no such folder"):
        find_script(tmp_path / "nowhere", "a")


@pytest.mark.parametrize(
    ("text", "line", "cause"),
    [
        ("", 1, "defines no function transform(con, inputs)"),
        ("x = 1\n\ndef transform(con\n", 3, "SyntaxError"),
        ("\ndef transform(con):\n    return 'SELECT 1'\n", 2, "takes other arguments"),
        ("def transform(con, inputs, more):\n    return 'SELECT 1'\n", 1, "takes other arguments"),
        ("def transform(con, inputs, *, more):\n    return 'SELECT 1'\n", 1, "takes other arguments"),
        ("async def transform(con, inputs):\n    return 'SELECT 1'\n", 1, "async"),
        ("def inner():\n    def transform(con, inputs): ...\n", 1, "defines no function"),
        ("x = '\0'", 1, "null bytes"),
    ],
)
def test_a_misshapen_python_script_is_named_with_its_line(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, text: str, line: int, cause: str
) -> None:
    script = write(tmp_path, "a.py", text)
    problems = validate_script(script)
    assert len(problems) == 1
    assert problems[0].startswith(f"{script}:{line}: ")
    assert cause in problems[0]
    assert failure(con, script).message == problems[0]


@pytest.mark.parametrize(
    "text",
    [
        "def transform(connection, tables):\n    return 'SELECT 1'\n",
        "def transform(*args):\n    return 'SELECT 1'\n",
        "def transform(con, inputs, limit=1):\n    return 'SELECT 1'\n",
        "transform = lambda con, inputs: 'SELECT 1'\n",
        "if True:\n    def transform(con, inputs):\n        return 'SELECT 1'\n",
    ],
)
def test_transform_may_be_defined_as_python_allows(con: duckdb.DuckDBPyConnection, tmp_path: Path, text: str) -> None:
    script = write(tmp_path, "a.py", text)
    assert validate_script(script) == []
    assert result(con, script) == [(1,)]


def test_a_transform_that_only_running_shows_to_be_misshapen(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    assert "has to take the arguments" in failure(con, write(tmp_path, "a.py", "transform = lambda con: 1\n")).message
    assert "defines no function" in failure(con, write(tmp_path, "b.py", "transform = 1\n")).message


def test_validation_runs_nothing(tmp_path: Path) -> None:
    script = write(tmp_path, "a.py", "raise SystemExit\ndef transform(con, inputs): ...\n")
    assert validate_script(script) == []


def test_check_scripts_are_validated_for_check(tmp_path: Path) -> None:
    good = write(tmp_path, "good.py", "def check(con, dataset_name):\n    return True, ''\n")
    bad = write(tmp_path, "bad.py", "def transform(con, inputs):\n    return ''\n")
    assert validate_check_script(good) == []
    assert validate_check_script(bad) == [f"{bad}:1: defines no function check(con, dataset_name)"]
    assert validate_check_script(tmp_path / "gone.py") == [
        f"{tmp_path}/gone.py:1: cannot be read: No such file or directory"
    ]
