"""Fixtures that several packages of tests use."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from comboi_core.cli.demo.postgres import EmbeddedPostgres
from comboi_core.domain.folders import Scratch
from comboi_core.domain.redaction import redactor
from tests.doubles.azurite import Azurite, azurite
from tests.support.azure_sql import PROVIDER_NOTE, doubles
from tests.support.environment import environment_of_the_module, environment_of_the_test, forget_the_developers
from tests.support.project import Project, refill
from tests.support.selection import mark_all_but_a_few

__all__ = ["doubles", "environment_of_the_module", "environment_of_the_test"]


def pytest_configure(config: pytest.Config) -> None:
    """Give each run a temporary folder of its own.

    pytest's shared one is closed to other users whenever a run starts; PostgreSQL runs as another user and would lose
    the way to its data.
    """
    forget_the_developers()
    os.environ.pop("COLUMNS", None)  # a worker's has the width of no terminal
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # each of some 800 processes would compile comboi anew
    if config.option.basetemp is None:
        folder = Scratch()  # also removes what killed runs of tests have left
        config.option.basetemp = str(folder.path / "run")
        config.add_cleanup(folder.close)


@pytest.hookimpl(tryfirst=True)  # before pytest looks at the markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep for `make test` what `few` says, of tests with many parameters."""
    mark_all_but_a_few(items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep what a test printed or logged such that a worker can send it: hostile text may be no UTF-8."""
    report = yield
    report.sections = [(name, text.encode(errors="replace").decode()) for name, text in report.sections]
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say so where the tests of Azure SQL had to take the driver's other provider."""
    if PROVIDER_NOTE:
        terminalreporter.write_line(PROVIDER_NOTE)


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL server of this test session."""
    with EmbeddedPostgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture(scope="session")
def feeding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL server of this test session with logical decoding and prepared transactions."""
    settings = {"wal_level": "logical", "max_prepared_transactions": "10", "max_replication_slots": "40"}
    with EmbeddedPostgres(tmp_path_factory.mktemp("feeding"), settings=settings) as server:
        yield server


@pytest.fixture(scope="session")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """An Azurite of this test session."""
    with azurite(tmp_path_factory.mktemp("azurite")) as server:
        yield server


@pytest.fixture(autouse=True)
def _own_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what a test had hidden: its made-up secrets may be words of another test."""
    for kept in ("_secrets", "_names", "_heads"):
        monkeypatch.setattr(redactor, kept, getattr(redactor, kept))


@pytest.fixture
def project(tmp_path: Path, database: EmbeddedPostgres) -> Project:
    """The small project over a freshly filled source."""
    refill(database)
    return Project.create(tmp_path / "project", database.uri)


@pytest.fixture(scope="session")
def first_run(tmp_path_factory: pytest.TempPathFactory, database: EmbeddedPostgres) -> Project:
    """The small project after its first run. It is copied, never changed: see `landed`."""
    refill(database)
    project = Project.create(tmp_path_factory.mktemp("first-run") / "project", database.uri)
    project.run()
    return project


@pytest.fixture
def landed(first_run: Project, tmp_path: Path, database: EmbeddedPostgres) -> Project:
    """The small project after its first run, over the source as that run saw it."""
    refill(database)
    return first_run.copy(tmp_path / "landed")
