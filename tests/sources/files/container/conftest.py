"""Containers with files, and tables over them that read at once what was written just now."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from comboi_core.lake.azure import client as adls_client
from comboi_core.sources.files import container as files_container
from tests.doubles.azurite import Azurite
from tests.support.azure_files import ContainerLanding, Incoming
from tests.support.landing import lake_in


@pytest.fixture
def waiting() -> None:
    """For a test of the waiting: loads leave alone, or wait for, what was written within two seconds."""


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Read files at once that were written just now."""
    if "waiting" not in request.fixturenames:
        monkeypatch.setattr(files_container, "LEAST_LAG", 0.0)
    monkeypatch.setattr(adls_client, "_FIRST_WAIT", 0.01)


@pytest.fixture(params=[None, "a folder/below é"], ids=["container", "folder"])
def incoming(request: pytest.FixtureRequest, storage: Azurite) -> Incoming:
    return Incoming.make(storage, request.param)


@pytest.fixture
def table(con: Any, tmp_path: Path, incoming: Incoming) -> Callable[..., ContainerLanding]:
    def make(**table: Any) -> ContainerLanding:
        given = {"path": "*.csv", "lag": "0s"} | table
        return ContainerLanding(con, lake_in(tmp_path), "files", incoming.connection, given)

    return make
