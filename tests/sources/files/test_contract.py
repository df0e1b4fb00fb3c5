"""Files keep to the contract of sources: each insert is a file more."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest

from comboi_core.domain.sql import identifier, literal
from comboi_core.testing.harness import Harness, Row, Table
from comboi_core.testing.source_contract import SourceContract

pytestmark = pytest.mark.few(2)

TYPES = {"integer": "BIGINT", "decimal": "DECIMAL(38,2)", "text": "VARCHAR", "timestamp": "TIMESTAMP"}


class ParquetHarness(Harness):
    type = "files"
    modes = {
        "merge": {"primary_key": ["id"], "lag": 0},
        "append": {"mode": "append", "lag": 0},
        "full": {"mode": "full", "lag": 0},
    }
    without = {
        "secrets": "a folder's path holds no secret",
        "cursor": "which files are new decides what is read; there is no cursor",
        "late commits": "a file is there or it is not",
        "chunks": "chunks are made of files",
        "empty tables": "without a file there is no table: the load fails and says so",
        "table names": "a table of files is a glob, in which brackets and stars have a meaning",
    }

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "incoming"
        self.numbers = itertools.count()

    @property
    def connection(self) -> dict[str, Any]:
        return {"path": str(self.folder)}

    def place(self, table: Table) -> dict[str, Any]:
        return {"path": f"{table.name}/*.parquet"}

    def create(self, table: Table) -> None:
        (self.folder / table.name).mkdir(parents=True)

    def insert(self, table: Table, rows: Sequence[Row]) -> None:
        columns = ", ".join(f"{identifier(name)} {TYPES[kind]}" for name, kind in table.columns.items())
        file = self.folder / table.name / f"{next(self.numbers):04}.parquet"
        with duckdb.connect() as con:
            con.execute(f"CREATE TABLE t ({columns})")
            marks = ", ".join("?" for _ in table.columns)
            con.executemany(
                f"INSERT INTO t VALUES ({marks})", [[row.get(name) for name in table.columns] for row in rows]
            )
            con.execute(f"COPY t TO {literal(str(file))} (FORMAT parquet)")

    def update(self, table: Table, row: Row) -> None:
        self.insert(table, [row])

    def empty(self, table: Table) -> None:
        for file in (self.folder / table.name).iterdir():
            file.unlink()

    def rewrite(self, table: Table, rows: Sequence[Row]) -> None:
        self.empty(table)
        self.insert(table, rows)

    def alter(self, table: Table, changed: Table) -> None:
        """A column of another kind is so in the files that are there, too; they stay as they are else."""
        if table.columns.keys() == changed.columns.keys():
            named = {identifier(name): TYPES[kind] for name, kind in changed.columns.items()}
            columns = ", ".join(f"{name}::{kind} AS {name}" for name, kind in named.items())
            for file in (self.folder / table.name).iterdir():
                with duckdb.connect() as con:
                    con.execute(f"CREATE TABLE t AS SELECT {columns} FROM read_parquet({literal(str(file))})")
                    con.execute(f"COPY t TO {literal(str(file))} (FORMAT parquet)")


class TestFiles(SourceContract):
    @pytest.fixture
    def harness(self, tmp_path: Path) -> ParquetHarness:
        return ParquetHarness(tmp_path)
