"""SQLite keeps to the contract of sources."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from comboi_core.testing.harness import Kind, Row, Table
from comboi_core.testing.source_contract import SourceContract
from comboi_core.testing.sql_harness import SqlHarness

pytestmark = pytest.mark.few(2)

_DOUBLE = "a column of type DECIMAL holds a double in SQLite"


class SqliteHarness(SqlHarness):
    type = "sqlite"
    types = {"integer": "INTEGER", "decimal": "DECIMAL(38,2)", "text": "TEXT", "timestamp": "DATETIME"}
    add_column = "ALTER TABLE {table} ADD COLUMN {column} {type}"
    truncate = "DELETE FROM {table}"
    without = {
        "secrets": "a path holds no secret",
        "late commits": "SQLite has one writer at a time, whose rows come in the order of their commits",
    }
    cannot_hold = {"the largest decimal": _DOUBLE, "the smallest decimal": _DOUBLE}

    def __init__(self, folder: Path) -> None:
        self.file = folder / "it's a [shop].db"

    @property
    def connection(self) -> dict[str, Any]:
        return {"path": str(self.file)}

    def run(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.file)) as database:
            for statement in statements:
                database.execute(statement)
            database.commit()

    def insert(self, table: Table, rows: Sequence[Row]) -> None:
        """With values beside the statement: SQL in SQLite ends at a NUL."""
        marks = ", ".join("?" for _ in table.columns)
        names = ", ".join(map(self.quoted, table.columns))
        values = [[self._value(row.get(name)) for name in table.columns] for row in rows]
        with closing(sqlite3.connect(self.file)) as database:
            database.executemany(f"INSERT INTO {self.relation(table)} ({names}) VALUES ({marks})", values)
            database.commit()

    def _value(self, value: Any) -> Any:
        return self.landed("timestamp", value) if isinstance(value, datetime | Decimal) else value

    def quoted(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def relation(self, table: Table) -> str:
        return self.quoted(table.name)

    def place(self, table: Table) -> dict[str, Any]:
        return {"table": table.name}

    def alter(self, table: Table, changed: Table) -> None:
        """SQLite does not change a column's type: the table is made anew where one differs."""
        if table.columns.keys() != changed.columns.keys():
            super().alter(table, changed)
            return
        names = ", ".join(map(self.quoted, table.columns))
        self.run(
            f"ALTER TABLE {self.relation(table)} RENAME TO former",
            self._create(changed),
            f"INSERT INTO {self.relation(changed)} SELECT {names} FROM former",
            "DROP TABLE former",
        )

    def landed(self, kind: Kind, value: Any) -> Any:
        """SQLite has no type for times: they are text, and land as such."""
        if isinstance(value, datetime):
            return value.isoformat(sep=" ", timespec="microseconds")
        return str(value) if kind == "timestamp" else value


class TestSqlite(SourceContract):
    @pytest.fixture
    def harness(self, tmp_path: Path) -> SqliteHarness:
        return SqliteHarness(tmp_path)
