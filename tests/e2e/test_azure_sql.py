"""Whole runs over an Azure SQL source, through the command line and Microsoft's driver.

The server is a double at the wire, which stands in for SQL Server.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from comboi_core.sources.azure_sql.driver import PROVIDER_VARIABLE
from tests.doubles.tds.remote import Double
from tests.doubles.tds.server import Fault
from tests.support.project import Project

PASSWORD = "geheim;}{'\" %"

SCHEMA = """
CREATE TABLE dbo.customers (
    customer_id int NOT NULL PRIMARY KEY, name nvarchar(50), balance decimal(12,2), version rowversion);
CREATE TABLE dbo.orders (
    order_id bigint NOT NULL PRIMARY KEY, customer_id int, amount money, updated_at datetime2 NOT NULL);
CREATE TABLE dbo.events (event_id bigint NOT NULL, at datetimeoffset(3) NOT NULL, what nvarchar(max));
INSERT INTO dbo.customers (customer_id, name, balance) SELECT value, N'Ōsaka 🤷', value FROM GENERATE_SERIES(1, 500);
INSERT INTO dbo.orders SELECT value, value % 500 + 1, value, DATEADD(second, value, CONVERT(datetime2, '2026-01-01'))
    FROM GENERATE_SERIES(1, 3000);
INSERT INTO dbo.events SELECT value, DATEADD(second, value, CONVERT(datetimeoffset(3), '2026-01-01 00:00:00 +02:00')),
    N'first' FROM GENERATE_SERIES(1, 1000);
"""
CHANGES = """
UPDATE dbo.customers SET balance = -1.5 WHERE customer_id <= 7;
UPDATE dbo.orders SET amount = 0.0001, updated_at = '2026-02-01 00:00:00.1234567' WHERE order_id % 100 = 0;
INSERT INTO dbo.orders VALUES (3001, 1, 1, '2026-02-01 00:00:00.1234568');
INSERT INTO dbo.events SELECT value, DATEADD(second, value, CONVERT(datetimeoffset(3), '2026-02-01 00:00:00 -05:00')),
    N'later' FROM GENERATE_SERIES(1001, 1100);
"""
TABLES: list[dict[str, Any]] = [
    {"name": "customers", "table": "dbo.customers", "primary_key": ["customer_id"], "incremental_column": "version"},
    {
        "name": "orders",
        "table": "dbo.orders",
        "primary_key": ["order_id"],
        "incremental_column": "updated_at",
        "chunk_rows": 1000,
    },
    {"name": "events", "table": "dbo.events", "incremental_column": "at"},
]
DATASETS = {"silver": [{"name": "totals", "inputs": [{"alias": "orders", "source": "crm", "table": "orders"}]}]}


@pytest.fixture
def server(doubles, tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificate")
    with doubles.server(users={"comboi": PASSWORD}, certificate=folder) as double:
        double.run(SCHEMA)
        yield double


@pytest.fixture
def crm(tmp_path: Path, server: Double) -> Project:
    """A project over the double, encrypted, the password in the environment."""
    project = Project(tmp_path / "project", {"CRM_PASSWORD": PASSWORD})
    (project.folder / "configs").mkdir(parents=True)
    (project.folder / "transformations").mkdir()
    connection = {"server": server.address, "database": "crm", "user": "comboi", "password": "{{env:CRM_PASSWORD}}"}
    config = {
        "pipeline": "crm",
        "engine": {"memory_limit": "512MB", "threads": 1},
        "retry": {"attempts": 3, "first_delay": "0.1s"},
        "sources": [
            {
                "name": "crm",
                "type": "azure_sql",
                "connection": connection | {"trust_server_certificate": True},
                "tables": TABLES,
            }
        ],
        "stages": {name: {"data_lake": {"path": f"lake/{name}"}} for name in ("bronze", "silver", "gold")},
        "monitoring": {"log_path": "logs/comboi.log"},
    }
    project.write("configs/initial.yml", yaml.safe_dump(config, sort_keys=False))
    project.write("configs/transformations.yml", yaml.safe_dump(DATASETS, sort_keys=False))
    project.write("transformations/totals.sql", "SELECT customer_id, sum(amount) AS total FROM orders GROUP BY ALL\n")
    return project


def rows_of(record: dict) -> dict[str, int]:
    return {table["table"]: table["rows"] for table in record["tables"]}


def check(project: Project) -> None:
    """The current state after SCHEMA and CHANGES."""
    found = project.contents()
    customers, orders, events = (found[f"crm.{name}"] for name in ("customers", "orders", "events"))
    assert sorted(row[0] for row in customers) == list(range(1, 501))
    assert sorted(str(row[2]) for row in customers)[:7] == ["-1.50"] * 7 and {row[1] for row in customers} == {
        "Ōsaka 🤷"
    }
    assert sorted(row[0] for row in orders) == list(range(1, 3002))
    assert sum(str(row[2]) == "0.0001" for row in orders) == 30
    assert {row[4] for row in orders if row[0] in (100, 3001)} == {
        "2026-02-01 00:00:00.1234567",
        "2026-02-01 00:00:00.1234568",
    }
    assert sorted(row[0] for row in events) == list(range(1, 1101))
    assert {row[2][-6:] for row in events if row[3] == "later"} == {"-05:00"}


@pytest.mark.slow
def test_the_first_run_lands_everything_and_the_second_one_the_changes(crm: Project, server: Double):
    first = crm.run()
    assert rows_of(first) == {"customers": 500, "orders": 3000, "events": 1000}
    assert {table["table"]: table["mode"] for table in first["tables"]} == {
        "customers": "merge",
        "orders": "merge",
        "events": "append",
    }
    before = crm.commits()["crm.customers"]["watermark"]
    assert before.startswith("0x")

    server.run(CHANGES)
    assert rows_of(crm.run()) == {"customers": 7, "orders": 31, "events": 100}
    check(crm)
    assert crm.commits()["crm.customers"]["watermark"] > before

    assert rows_of(crm.run()) == {"customers": 0, "orders": 0, "events": 0}
    assert {name: commit["sequence"] for name, commit in crm.commits().items()} == dict.fromkeys(
        ("crm.customers", "crm.orders", "crm.events"), 2
    )
    assert all(login.encrypted and login.password == PASSWORD for login in server.log.logins)
    written = [path.read_bytes() for path in crm.folder.rglob("*") if path.is_file()]
    assert not any(secret in content for content in written for secret in (PASSWORD.encode(), b"geheim"))


@pytest.mark.slow
def test_a_connection_cut_on_the_way_is_tried_again_and_nothing_is_doubled(crm: Project, server: Double):
    server.fail(Fault("cut", 700), Fault("cut", 0), Fault("cut", 0, "describe_first"))
    record = crm.run()
    assert rows_of(record) == {"customers": 500, "orders": 3000, "events": 1000}
    assert max(table["attempts"] for table in record["tables"]) > 1
    server.run(CHANGES)
    server.fail(Fault("cut", 3))
    crm.run()
    check(crm)


def test_what_cannot_be_mended_by_trying_again_is_told_without_secrets(crm: Project, server: Double):
    crm.env["CRM_PASSWORD"] = "falsch;geheim"
    done = crm.comboi("run")
    assert done.returncode == 1
    assert "Login failed for user 'comboi'" in done.stdout + done.stderr
    assert "falsch" not in done.stdout + done.stderr
    assert len(server.log.logins) <= 4, "a wrong password is not tried again and again"


def test_a_server_that_is_gone_is_told_after_the_attempts(crm: Project, server: Double):
    server.stop()
    done = crm.comboi("run", "--select", "orders")
    assert done.returncode == 1 and "does not answer at port" in done.stdout + done.stderr


@pytest.mark.slow
def test_every_activity_executed_twice_gives_the_same_result(crm: Project, server: Double):
    faults = {"DURABLE_LOCAL_FAULTS": "double_activities,replay_twice,shuffle=3"}
    crm.run(**faults)
    server.run(CHANGES)
    crm.run(**faults)
    check(crm)


@pytest.mark.slow
def test_the_provider_that_needs_no_system_libraries_lands_the_same(crm: Project, server: Double):
    crm.env[PROVIDER_VARIABLE] = "mssql-odbc"
    crm.run()
    server.run(CHANGES)
    crm.run()
    check(crm)
