"""Transformation scripts, written and run by tests."""

from __future__ import annotations

import textwrap
from pathlib import Path

import duckdb
import pytest

from comboi_core.domain.errors import ScriptError
from comboi_core.transforms.scripts import (
    run_script,
    user_errors,
)

INPUTS = {"orders": '"orders"', "people": '"people"'}


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


def result(con: duckdb.DuckDBPyConnection, script: Path, *, into: str = "staged") -> list[tuple]:
    """Run a script the way a build does: bind it, then read it through."""
    with user_errors(script, con, INPUTS):
        run_script(con, script, INPUTS, into=into)
        return con.execute(f'FROM "{into}"').fetchall()


def failure(con: duckdb.DuckDBPyConnection, script: Path) -> ScriptError:
    with pytest.raises(ScriptError) as raised:
        result(con, script)
    return raised.value
