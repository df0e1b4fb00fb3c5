"""An Azure SQL source for tests: on the double at the wire, and on a real server where COMBOI_TEST_MSSQL names one.

COMBOI_TEST_MSSQL is an ODBC connection string to a database in which the login may create schemas and tables; it gets a
schema of its own for each test.
"""

from __future__ import annotations

import itertools
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from comboi_core.sources.azure_sql import driver as azure_sql_driver
from tests.doubles.tds.remote import Double, Doubles
from tests.support.shop import SourceShop

REAL = "COMBOI_TEST_MSSQL"
USER, PASSWORD, TOKEN = "comboi", "p;'}{\"w =%é", "eyJ0eXAi.token-of-entra.id"
_NUMBERS = itertools.count()
_CLEAN = """
    DECLARE @drop nvarchar(max) = N'';
    SELECT @drop += N'DROP ' + CASE type WHEN 'V' THEN N'VIEW ' ELSE N'TABLE ' END
        + QUOTENAME('{s}') + N'.' + QUOTENAME(name) + N';'
    FROM sys.objects WHERE schema_id = SCHEMA_ID('{s}') AND type IN ('U', 'V') ORDER BY type DESC;
    EXEC (@drop); DROP SCHEMA {s}"""


def choose_provider() -> str | None:
    """Have the driver use the provider that this machine can load; return what to say of it."""
    missing = azure_sql_driver.missing_libraries()
    if missing and not os.environ.get(azure_sql_driver.PROVIDER_VARIABLE):
        os.environ[azure_sql_driver.PROVIDER_VARIABLE] = "mssql-odbc"
        return f"Azure SQL: provider mssql-odbc, since {', '.join(missing)} is missing (see .ci/run)"
    return None


PROVIDER_NOTE = choose_provider()


class AzureShop(SourceShop):
    """One table of the source called `shop`, in SQL Server."""

    kind = "azure_sql"

    def __init__(self, con: Any, connection: dict[str, Any], schema: str, double: Double | None = None) -> None:
        super().__init__(con, schema, connection)
        self.double = double

    def run(self, *statements: str) -> None:
        """Run T-SQL as somebody who may write, `{s}` being the test's schema; each statement by itself."""
        texts = [self.filled(text) for text in statements]
        if self.double is not None:
            for text in texts:
                self.double.run(text)
        else:
            with self._writer(autocommit=True) as writer:
                for text in texts:
                    writer.cursor().execute(text).close()

    @contextmanager
    def transaction(self, *statements: str) -> Iterator[None]:
        """Run T-SQL in a transaction that stays open for the block and commits at its end."""
        texts = [self.filled(text) for text in statements]
        if self.double is not None:
            with self.double.transaction(*texts):
                yield
            return
        with self._writer(autocommit=False) as writer:
            for text in texts:
                writer.cursor().execute(text).close()
            yield
            writer.commit()

    @contextmanager
    def _writer(self, *, autocommit: bool) -> Iterator[Any]:
        driver = azure_sql_driver.load()
        writer = driver.connect(self.connection["dsn"], autocommit=autocommit)
        try:
            yield writer
        finally:
            writer.close()


@contextmanager
def on_the_double(con: Any, doubles: Doubles, *, certificate: Path | None = None) -> Iterator[AzureShop]:
    """Give a shop on a double of its own, which knows encryption where there is a folder for its certificate."""
    with doubles.server(users={USER: PASSWORD}, tokens=(TOKEN,), certificate=certificate) as double:
        connection = {"server": double.address, "database": "crm", "user": USER, "password": PASSWORD}
        connection |= {"trust_server_certificate": True} if certificate else {"encrypt": "no"}
        schema = f"t{next(_NUMBERS)}"
        double.run(f"CREATE SCHEMA {schema}")
        shop = AzureShop(con, connection, schema, double)
        try:
            yield shop
        finally:
            shop.close()


@contextmanager
def on_a_real_server(con: Any) -> Iterator[AzureShop]:
    """Give a shop on the server that COMBOI_TEST_MSSQL names; skips the test where it names none."""
    if not os.environ.get(REAL):
        pytest.skip(f"{REAL} names no server")
    schema = f"comboi_test_{uuid.uuid4().hex[:8]}"
    shop = AzureShop(con, {"dsn": os.environ[REAL]}, schema)
    shop.run(f"CREATE SCHEMA {schema}")
    try:
        yield shop
    finally:
        shop.close()
        shop.run(_CLEAN.replace("{s}", schema))


@pytest.fixture(scope="session")
def doubles() -> Iterator[Doubles]:
    """The process of the doubles of SQL Server."""
    with Doubles() as started:
        yield started


@pytest.fixture
def azure(con: Any, doubles: Doubles) -> Iterator[AzureShop]:
    """A shop on the double."""
    with on_the_double(con, doubles) as shop:
        yield shop


@pytest.fixture(params=["double", "real"])
def anywhere(request: pytest.FixtureRequest, con: Any, doubles: Doubles) -> Iterator[AzureShop]:
    """A shop on the double, and one on a real server where there is one."""
    with on_the_double(con, doubles) if request.param == "double" else on_a_real_server(con) as shop:
        yield shop
