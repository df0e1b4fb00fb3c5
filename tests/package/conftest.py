"""Packages to look into; and the marker of the test that installs half a gigabyte."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from comboi_core.cli.package import build
from tests.infra.terraform import ROOT


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: installs the pinned requirements; runs with `-m slow` only")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "slow" not in config.option.markexpr:
        for item in items:
            if item.get_closest_marker("slow"):
                item.add_marker(pytest.mark.skip(reason="asked for with `-m slow`"))


@pytest.fixture(scope="module")
def unzipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of this checkout's own project, unzipped."""
    folder = tmp_path_factory.mktemp("package")
    build(ROOT, folder / "comboi.zip")
    with zipfile.ZipFile(folder / "comboi.zip") as archive:
        archive.extractall(folder / "wwwroot")
    return folder / "wwwroot"
