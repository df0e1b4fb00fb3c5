"""MySQL keeps to the contract of sources, on a real MariaDB."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from comboi_core.sources.mysql.text import identifier, literal
from comboi_core.testing.harness import Broken, Row, Table
from comboi_core.testing.source_contract import SourceContract
from comboi_core.testing.sql_harness import SqlHarness
from tests.sources.mysql.conftest import Shop

pytestmark = pytest.mark.few(2)


class MySqlHarness(SqlHarness):
    type = "mysql"
    types = {"integer": "bigint", "decimal": "decimal(38,2)", "text": "longtext", "timestamp": "datetime(6)"}
    alter_column = "ALTER TABLE {table} MODIFY COLUMN {column} {type}"

    def __init__(self, shop: Shop) -> None:
        self.shop = shop

    @property
    def connection(self) -> dict[str, Any]:
        return self.shop.connection

    def run(self, *statements: str) -> None:
        for statement in statements:
            self.shop.run(statement)

    def quoted(self, name: str) -> str:
        return identifier(name)

    def relation(self, table: Table) -> str:
        return f"{self.shop.schema}.{identifier(table.name)}"

    def literal(self, value: Any) -> str:
        return literal(value) if isinstance(value, str) else super().literal(value)

    def settle(self, table: Table) -> None:
        self.run(f"ANALYZE TABLE {self.relation(table)}")

    @contextmanager
    def inserting(self, table: Table, rows: Sequence[Row]) -> Iterator[None]:
        with self.shop.transaction(self.insertion(table, rows)):
            yield

    def broken(self) -> Broken:
        return Broken({**self.connection, "password": "wrong-but-secret"}, ("wrong-but-secret",))


class TestMySql(SourceContract):
    @pytest.fixture
    def harness(self, shop: Shop) -> MySqlHarness:
        return MySqlHarness(shop)
