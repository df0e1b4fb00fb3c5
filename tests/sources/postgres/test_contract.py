"""PostgreSQL keeps to the contract of sources."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from comboi_core.cli.demo.postgres import EmbeddedPostgres
from comboi_core.domain.sql import identifier
from comboi_core.testing.harness import Broken, Row, Table
from comboi_core.testing.source_contract import SourceContract
from comboi_core.testing.sql_harness import SqlHarness
from tests.sources.conftest import PASSWORD
from tests.support.sessions import Session

pytestmark = pytest.mark.few(2)


class PostgresHarness(SqlHarness):
    type = "postgres"
    types = {"integer": "bigint", "decimal": "numeric(38,2)", "text": "text", "timestamp": "timestamp"}
    alter_column = "ALTER TABLE {table} ALTER COLUMN {column} TYPE {type}"
    cannot_hold = {"a NUL": "PostgreSQL's texts have no NUL"}

    def __init__(self, server: EmbeddedPostgres, schema: str) -> None:
        self.server = server
        self.schema = schema

    @property
    def connection(self) -> dict[str, Any]:
        return {"conn_str": self.server.uri}

    def run(self, *statements: str) -> None:
        for statement in statements:
            self.server.psql(statement)

    def quoted(self, name: str) -> str:
        return identifier(name)

    def relation(self, table: Table) -> str:
        return f"{self.schema}.{identifier(table.name)}"

    def settle(self, table: Table) -> None:
        self.run(f"ANALYZE {self.relation(table)}")

    @contextmanager
    def inserting(self, table: Table, rows: Sequence[Row]) -> Iterator[None]:
        with Session(self.server) as session:
            session.run(f"BEGIN; {self.insertion(table, rows)}")
            yield
            session.run("COMMIT")

    def broken(self) -> Broken:
        uri = self.server.tcp_uri(password="wrong-but-secret")
        return Broken({"conn_str": uri}, ("wrong-but-secret", PASSWORD))


class TestPostgres(SourceContract):
    @pytest.fixture
    def harness(self, pg: EmbeddedPostgres, schema: str) -> PostgresHarness:
        return PostgresHarness(pg, schema)
