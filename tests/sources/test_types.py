"""The types of sources: each says what it is in one place, and a configuration loads no driver."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

import comboi_core.sources
from comboi_core.config import source_registry
from comboi_core.config.source_registry import BUILT_IN, known_types, source_type
from comboi_core.config.source_type import SourceType
from comboi_core.domain.errors import ConfigError

FOLDER = Path(comboi_core.sources.__file__).parent


class Point:
    """An entry point of an installed package, as far as the registry asks."""

    value, module, dist = "package.module:SOURCE_TYPE", "package.module", None

    def __init__(self, found: object, name: str = "calendar") -> None:
        self.name = name
        self._found = found

    def load(self) -> object:
        return self._found


@pytest.fixture(autouse=True)
def _forgotten():
    """What a test has the registry find is not there for the next one."""
    yield
    source_registry.source_type.cache_clear()
    source_registry._brought.cache_clear()


def brings(monkeypatch: pytest.MonkeyPatch, *points: Point) -> None:
    """Have packages installed that bring types of sources."""
    source_registry._brought.cache_clear()
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [*points] if group == "comboi.sources" else [])


def test_every_folder_with_a_descriptor_is_registered():
    assert {file.parent.name for file in FOLDER.glob("*/descriptor.py")} == set(BUILT_IN)


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_type_is_called_what_its_folder_and_its_model_are_called(name):
    found = source_type(name)

    assert found.name == name
    assert get_args(found.model.model_fields["type"].annotation) == (name,)
    assert found.new_table.place in found.model.model_fields["tables"].annotation.__args__[0].model_fields


def test_a_configuration_is_read_without_drivers_and_adapters():
    program = (
        "import sys; from comboi_core.config.sources import SourceConfig; "
        "print([name for name in sys.modules if name in ('duckdb', 'mssql_python', 'azure.identity') "
        "or name.startswith('comboi_core.sources.') and name.endswith(('.table', '.session'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=FOLDER.parents[1])
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_a_package_brings_a_type(monkeypatch):
    calendar = SourceType(name="calendar", model=source_type("sqlite").model, open=source_type("sqlite").open)
    brings(monkeypatch, Point(calendar))

    assert source_type("calendar") is calendar
    assert known_types() == (*BUILT_IN, "calendar")


def test_a_package_cannot_take_the_place_of_a_built_in_type(monkeypatch):
    brings(monkeypatch, Point(object(), name="postgres"))

    assert source_type("postgres").name == "postgres" and known_types() == BUILT_IN


def test_packages_are_not_looked_through_for_a_built_in_type(monkeypatch):
    def refused(group: str) -> list[Point]:
        raise AssertionError("entry points were looked for")

    source_registry.source_type.cache_clear()
    source_registry._brought.cache_clear()
    monkeypatch.setattr("importlib.metadata.entry_points", refused)

    assert source_type("files").name == "files"


@pytest.mark.parametrize("found", [object(), SourceType])
def test_what_is_no_source_type_is_told_with_its_package(monkeypatch, found):
    brings(monkeypatch, Point(found))

    with pytest.raises(ConfigError, match=r"the package package\.module brings .* no SourceType of that name"):
        source_type("calendar")


def test_a_type_under_another_name_is_told(monkeypatch):
    brings(monkeypatch, Point(source_type("sqlite")))

    with pytest.raises(ConfigError, match="no SourceType of that name"):
        source_type("calendar")


def test_an_unknown_type_is_told_with_the_known_ones(monkeypatch):
    brings(monkeypatch)

    with pytest.raises(ConfigError, match=r"'sqlit' \(did you mean 'sqlite'\?\); known types: postgres, azure_sql, "):
        source_type("sqlit")
