"""The folder that assets are written to."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "transformations").mkdir()
    return tmp_path / "transformations"
