"""Azure SQL keeps to the contract of sources, on the double of its wire and on a real server where there is one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from comboi_core.sources.azure_sql.text import identifier, literal
from comboi_core.testing.harness import Broken, Row, Table
from comboi_core.testing.source_contract import SourceContract
from comboi_core.testing.sql_harness import SqlHarness
from tests.support.azure_sql import AzureShop

pytestmark = pytest.mark.few(2)


class AzureSqlHarness(SqlHarness):
    type = "azure_sql"
    types = {"integer": "bigint", "decimal": "decimal(38,2)", "text": "nvarchar(max)", "timestamp": "datetime2(6)"}
    cannot_hold = {"a NUL": "a statement of SQL Server holds no NUL"}

    def __init__(self, shop: AzureShop) -> None:
        self.shop = shop

    @property
    def connection(self) -> dict[str, Any]:
        return self.shop.connection

    def run(self, *statements: str) -> None:
        self.shop.run(*statements)

    def quoted(self, name: str) -> str:
        return identifier(name)

    def relation(self, table: Table) -> str:
        return f"{self.shop.schema}.{identifier(table.name)}"

    def literal(self, value: Any) -> str:
        return literal(value) if isinstance(value, str) else super().literal(value)

    @contextmanager
    def inserting(self, table: Table, rows: Sequence[Row]) -> Iterator[None]:
        with self.shop.transaction(self.insertion(table, rows)):
            yield

    def broken(self) -> Broken:
        return Broken({**self.connection, "user": "nobody", "password": "wrong-but-secret"}, ("wrong-but-secret",))


class TestAzureSql(SourceContract):
    @pytest.fixture
    def harness(self, anywhere: AzureShop) -> AzureSqlHarness:
        return AzureSqlHarness(anywhere)
