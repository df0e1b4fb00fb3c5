"""A valid project of two files that tests break in one place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from comboi_core.app.loader import load
from comboi_core.config.project import Project
from comboi_core.domain.errors import ConfigError

PIPELINE = """\
pipeline: sales
failure_policy: stop
engine: {memory_limit: 1GB, threads: 2}
sources:
  - name: shop
    type: postgres
    connection: {conn_str: "postgresql://u:hunter2@db/shop"}
    tables:
      - {name: orders, table: public.orders, primary_key: [id], incremental_column: updated_at}
      - {name: items, table: public.items}
stages:
  bronze: {data_lake: {path: lake/bronze}}
  silver: {data_lake: {path: lake/silver}}
  gold: {data_lake: {path: lake/gold}}
"""

DATASETS = """\
silver:
  - name: orders_clean
    inputs:
      - {alias: orders, source: shop, table: orders}
    quality_checks:
      - not_null: [id]
gold:
  - name: daily_sales
    inputs:
      - {alias: clean, dataset: orders_clean}
"""


class Files:
    """The two files of a project; `replace` breaks one of them."""

    def __init__(self, root: Path) -> None:
        self.pipeline = root / "configs" / "initial.yml"
        self.datasets = root / "configs" / "transformations.yml"
        self.pipeline.parent.mkdir(parents=True)
        self.write(self.pipeline, PIPELINE)
        self.write(self.datasets, DATASETS)

    def write(self, file: Path, text: str | bytes) -> None:
        """Write a file as it is: no newline is translated."""
        file.write_bytes(text if isinstance(text, bytes) else text.encode())

    def replace(self, old: str, new: str) -> Files:
        """Replace a text that stands in one of the two files once."""
        found = [file for file in (self.pipeline, self.datasets) if file.exists() and old in file.read_text()]
        assert len(found) == 1 and found[0].read_text().count(old) == 1, f"{old!r} is not unique"
        self.write(found[0], found[0].read_text().replace(old, new))
        return self

    def line_of(self, text: str) -> str:
        """Return `file:line` of the first line that holds a text."""
        for file in (self.pipeline, self.datasets):
            for number, line in enumerate(file.read_text().splitlines(), 1):
                if text in line:
                    return f"{file}:{number}"
        raise AssertionError(f"{text!r} is in neither file")

    def load(self) -> Project:
        """Load the project."""
        return load(self.pipeline)

    def problems(self) -> list[str]:
        """Return what loading complains of, a line each."""
        with pytest.raises(ConfigError) as caught:
            self.load()
        return caught.value.message.split("\n")

    def problem(self) -> str:
        """Return the one problem."""
        (only,) = self.problems()
        return only


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """A valid project."""
    return Files(tmp_path / "project")


@pytest.fixture
def make_files(tmp_path: Path) -> Callable[[str], Files]:
    """Make further valid projects, by name."""
    return lambda name: Files(tmp_path / name)
