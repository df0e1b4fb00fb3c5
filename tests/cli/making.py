"""`comboi new` on a project of a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from comboi_core.app.loader import load
from comboi_core.cli.commands import app


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project on SQLite as `comboi init` makes it."""
    assert comboi("init", tmp_path / "shop", "--source", "sqlite").exit_code == 0
    return tmp_path / "shop"


def comboi(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def new(folder: Path, *arguments: str) -> Any:
    return comboi("new", *arguments, "--config", folder / "configs" / "initial.yml")


def project(folder: Path) -> Any:
    return load(folder / "configs" / "initial.yml")


def text(folder: Path, path: str) -> str:
    return (folder / path).read_text(encoding="utf-8")


def state(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
