"""A lake, a DuckDB, and a table that a test fills load by load."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from comboi_core.domain.load import Chunk, Column, LoadPlan, Mode, Window
from comboi_core.domain.manifest import DataFile, Manifest, data_path
from comboi_core.domain.sql import identifier
from comboi_core.duckdb.engine import open_duckdb
from comboi_core.lake.bronze import next_manifest, read_manifest, view_sql, write_chunk, write_manifest
from comboi_core.lake.local import LocalLake

COLUMNS = (Column("id", "integer", "INTEGER"), Column("at", "timestamp", "TIMESTAMP"), Column("v", "text", "VARCHAR"))


@dataclass
class Table:
    """The bronze table `shop.orders`."""

    con: Any
    lake: LocalLake
    mode: Mode = "merge"
    primary_key: tuple[str, ...] = ("id",)
    key_unique: bool = True
    manifest: Manifest | None = None
    attempts: Any = field(default_factory=itertools.count)

    def plan(self, columns: tuple[Column, ...] = COLUMNS, *, replaces: bool = False) -> LoadPlan:
        cursor = any(column.name == "at" for column in columns)
        return LoadPlan(
            source="shop",
            table="orders",
            sequence=self.manifest.sequence + 1 if self.manifest else 1,
            mode=self.mode,
            replaces=replaces or self.mode == "full",
            window=Window("at", "timestamp", None, None) if cursor else None,
            watermark=None,
            columns=columns,
            chunks=(Chunk(0),),
            key_unique=self.key_unique,
        )

    def write(self, select: str, sequence: int, chunk: int = 0) -> DataFile | None:
        path = data_path("shop", "orders", sequence, chunk, f"{next(self.attempts):04x}")
        rows, size = write_chunk(self.con, self.lake, select, path)
        return DataFile(path, sequence, rows, size) if rows else None

    def load(
        self, *chunks: list[tuple] | str, columns: tuple[Column, ...] = COLUMNS, replaces: bool = False
    ) -> Manifest:
        """Commit a load; a chunk is a SELECT, or rows of text in the columns' order."""
        plan = self.plan(columns, replaces=replaces)
        files = []
        for index, chunk in enumerate(chunks):
            select = chunk if isinstance(chunk, str) else self.select(chunk, columns)
            files += filter(None, [self.write(select, plan.sequence, index)])
        made = next_manifest(
            self.manifest, plan, tuple(files), fence=plan.sequence, run_id="r", primary_key=self.primary_key
        )
        self.manifest = read_manifest(self.lake, write_manifest(self.lake, made))
        return self.manifest

    def select(self, rows: list[tuple], columns: tuple[Column, ...] = COLUMNS) -> str:
        names = [f"c{n}" for n in range(len(columns))]
        empty = f"SELECT {', '.join(f'NULL AS {name}' for name in names)} WHERE false"
        self.con.execute(f"CREATE OR REPLACE TEMP TABLE given ({', '.join(f'{name} VARCHAR' for name in names)})")
        for row in rows:
            self.con.execute(f"INSERT INTO given VALUES ({', '.join('?' * len(row))})", list(row))
        typed = ", ".join(f"{name}::{c.type} AS {identifier(c.name)}" for name, c in zip(names, columns, strict=True))
        return f"SELECT {typed} FROM {'given' if rows else f'({empty})'}"

    def rows(self, view: str = "current") -> list[tuple]:
        """The view's rows as text, in order."""
        text = f"SELECT COLUMNS(*)::VARCHAR FROM ({view_sql(self.lake, self.manifest, view)})"
        return sorted(self.con.execute(text).fetchall(), key=repr)

    def types(self, view: str = "current") -> dict[str, str]:
        described = self.con.execute(f"DESCRIBE {view_sql(self.lake, self.manifest, view)}").fetchall()
        return {name: kind for name, kind, *_ in described}


@pytest.fixture
def con() -> Iterator[Any]:
    with open_duckdb(memory_limit="256MB", threads=2) as opened:
        yield opened


@pytest.fixture
def table(con: Any, tmp_path: Path) -> Table:
    return Table(con, LocalLake(tmp_path / "lake [1]"))
