"""Which database a connection leads to, whoever signs in."""

from __future__ import annotations

from typing import Any

import pytest

from comboi_core.config.source_registry import source_type


def address_of(kind: str, connection: dict[str, Any]) -> dict[str, str]:
    """The address that a type of source reads in a connection, without the parts that are not given."""
    address = source_type(kind).address
    assert address is not None
    return {name: text for name, text in address(connection).items() if text}


def postgres(conn_str: str) -> dict[str, str]:
    return address_of("postgres", {"conn_str": conn_str})


@pytest.mark.parametrize(
    "conn_str",
    [
        "postgresql://comboi:secret@db.example.com:5432/shop",
        "postgresql://comboi:another@DB.example.com/shop?sslmode=require",
        "postgres://other@db.example.com/shop?application_name=x",
        "postgresql://comboi:p%40s%2Fs@db.example.com/shop",
        "postgresql://comboi:p@s@db.example.com/shop",
        "host=db.example.com port=5432 dbname=shop user=comboi password='it''s'",
        "host = 'db.example.com' dbname = 'shop' user=x",
        "postgresql:///shop?host=db.example.com",
    ],
)
def test_one_database_has_one_address_however_it_is_written_and_whoever_signs_in(conn_str):
    assert postgres(conn_str) == {"server": "db.example.com:5432", "database": "shop"}


@pytest.mark.parametrize(
    ("conn_str", "address"),
    [
        ("postgresql://u@a,b:5433/d", {"server": "a:5432,b:5433", "database": "d"}),
        ("host=a,b port=1,2 dbname=d", {"server": "a:1,b:2", "database": "d"}),
        ("host=a,b port=7 dbname=d", {"server": "a:7,b:7", "database": "d"}),
        ("postgresql://u@[::1]:5433/d", {"server": "[::1]:5433", "database": "d"}),
        ("postgresql://u@%2Fvar%2Frun/d", {"server": "/var/run:5432", "database": "d"}),
        ("postgresql://u@a/d%20e", {"server": "a:5432", "database": "d e"}),
        ("host=a user=u", {"server": "a:5432", "database": "u"}),
        ("service=shop", {"server": "shop"}),
        (
            "host=a dbname=d options='-csearch_path=old,public'",
            {"server": "a:5432", "database": "d", "search_path": "old,public"},
        ),
    ],
)
def test_postgres(conn_str, address):
    assert postgres(conn_str) == address


@pytest.mark.parametrize(
    "connection",
    [
        {"server": "shop.database.windows.net", "database": "crm", "user": "u", "password": "p"},
        {"server": "tcp:SHOP.database.windows.net,1433", "database": "crm"},
        {"dsn": "Driver={ODBC Driver 18 for SQL Server};Server=tcp:shop.database.windows.net,1433;Database=crm;UID=u"},
        {"dsn": "jdbc:sqlserver://shop.database.windows.net:1433;database=crm;user=u;password=p"},
        {"dsn": "Server=shop.database.windows.net;Initial Catalog=crm;PWD={a;b}"},
    ],
)
def test_azure_sql(connection):
    assert address_of("azure_sql", connection) == {"server": "shop.database.windows.net:1433", "database": "crm"}


def test_no_address_holds_what_one_signs_in_with():
    for kind, connection in (
        ("postgres", {"conn_str": "postgresql://comboi:hunter2@db/shop?password=hunter3"}),
        ("postgres", {"conn_str": "host=db dbname=shop user=comboi password=hunter2"}),
        ("azure_sql", {"server": "db", "database": "crm", "user": "comboi", "password": "hunter2"}),
        ("azure_sql", {"dsn": "Server=db;Database=crm;UID=comboi;PWD=hunter2"}),
    ):
        assert "hunter" not in str(address_of(kind, connection))
