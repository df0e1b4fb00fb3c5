"""Fixtures that several packages of tests use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from comboi_core.cli.demo.postgres import EmbeddedPostgres
from tests.support.project import Project, refill


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL server of this test session."""
    with EmbeddedPostgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture
def project(tmp_path: Path, database: EmbeddedPostgres) -> Project:
    """The small project over a freshly filled source."""
    refill(database)
    return Project.create(tmp_path / "project", database.uri)
