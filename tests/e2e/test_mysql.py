"""Whole runs over a MariaDB server, through the command line: from its tables to silver."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.mariadb import PASSWORD, USER, MariaDb, mariadb
from tests.support.project import Project

SCHEMA = """CREATE DATABASE web;
CREATE TABLE web.customers (customer_id int PRIMARY KEY, name varchar(50), balance decimal(12,2),
    updated_at timestamp(6) NOT NULL DEFAULT '2026-01-01');
CREATE TABLE web.orders (order_id bigint unsigned PRIMARY KEY, customer_id int, amount decimal(10,4), flag tinyint(1),
    updated_at datetime(6) NOT NULL);
CREATE TABLE web.events (event_id bigint AUTO_INCREMENT PRIMARY KEY, what longtext);
INSERT INTO web.customers (customer_id, name, balance) SELECT seq, 'Ōsaka 🤷', seq FROM web.seq_1_to_500;
INSERT INTO web.orders SELECT seq, seq % 500 + 1, seq, 2, '2026-01-01' + INTERVAL seq SECOND FROM web.seq_1_to_3000;
INSERT INTO web.events SELECT seq, 'first' FROM web.seq_1_to_1000;
ANALYZE TABLE web.customers, web.orders, web.events
"""
CHANGES = """UPDATE web.customers SET balance = -1.5, updated_at = '2026-02-01' WHERE customer_id <= 7;
UPDATE web.orders SET amount = 0.0001, updated_at = '2026-02-01 00:00:00.123456' WHERE order_id % 100 = 0;
INSERT INTO web.orders VALUES (3001, 1, 1, 0, '2026-02-01 00:00:00.123457');
INSERT INTO web.events SELECT seq, 'later' FROM web.seq_1001_to_1100
"""
TABLES: list[dict[str, Any]] = [
    {"name": "customers", "table": "customers", "primary_key": ["customer_id"], "incremental_column": "updated_at"},
    {
        "name": "orders",
        "table": "web.orders",
        "primary_key": ["order_id"],
        "incremental_column": "updated_at",
        "chunk_rows": 1000,
    },
    {"name": "events", "table": "events", "incremental_column": "event_id", "mode": "append"},
]
DATASETS = {"silver": [{"name": "totals", "inputs": [{"alias": "orders", "source": "web", "table": "orders"}]}]}


@pytest.fixture
def server() -> Iterator[MariaDb]:
    with mariadb() as started:
        started.run(SCHEMA)
        yield started


@pytest.fixture
def web(tmp_path: Path, server: MariaDb) -> Project:
    """A project over the server, its certificate verified, the password in the environment."""
    project = Project(tmp_path / "project", {"WEB_PASSWORD": PASSWORD})
    (project.folder / "configs").mkdir(parents=True)
    (project.folder / "transformations").mkdir()
    project.write("configs/ca.pem", server.ca.read_text())
    connection = {"host": "127.0.0.1", "port": server.port, "database": "web", "user": USER}
    connection |= {"password": "{{env:WEB_PASSWORD}}", "tls": "verify_identity", "tls_ca": "configs/ca.pem"}
    config = {
        "pipeline": "web",
        "engine": {"memory_limit": "512MB", "threads": 1},
        "retry": {"attempts": 3, "first_delay": "0.1s"},
        "sources": [{"name": "web", "type": "mysql", "connection": connection, "tables": TABLES}],
        "stages": {name: {"data_lake": {"path": f"lake/{name}"}} for name in ("bronze", "silver", "gold")},
        "monitoring": {"log_path": "logs/comboi.log"},
    }
    project.write("configs/initial.yml", yaml.safe_dump(config, sort_keys=False))
    project.write("configs/transformations.yml", yaml.safe_dump(DATASETS, sort_keys=False))
    project.write("transformations/totals.sql", "SELECT customer_id, sum(amount) AS total FROM orders GROUP BY ALL\n")
    return project


def rows_of(record: dict) -> dict[str, int]:
    return {table["table"]: table["rows"] for table in record["tables"]}


def test_the_first_run_lands_everything_and_the_second_one_the_changes(web: Project, server: MariaDb):
    first = web.run()
    assert rows_of(first) == {"customers": 500, "orders": 3000, "events": 1000}
    modes = {table["table"]: table["mode"] for table in first["tables"]}
    assert modes == {"customers": "merge", "orders": "merge", "events": "append"}

    server.run(CHANGES)
    assert rows_of(web.run()) == {"customers": 7, "orders": 31, "events": 100}
    found = web.contents()
    customers, orders, events = (found[f"web.{name}"] for name in ("customers", "orders", "events"))
    assert sorted(row[0] for row in customers) == list(range(1, 501)) and {row[1] for row in customers} == {"Ōsaka 🤷"}
    assert sorted(str(row[2]) for row in customers)[:7] == ["-1.50"] * 7
    assert sorted(int(row[0]) for row in orders) == list(range(1, 3002))
    assert sum(str(row[2]) == "0.0001" for row in orders) == 30
    assert {row[3] for row in orders} == {0, 2}, "a tinyint(1) is no boolean"
    assert sorted(row[0] for row in events) == list(range(1, 1101))

    assert rows_of(web.run()) == {"customers": 0, "orders": 0, "events": 0}
    written = [path.read_bytes() for path in web.folder.rglob("*") if path.is_file()]
    assert not [content for content in written if PASSWORD.encode() in content]


@pytest.mark.slow
def test_a_run_without_the_server_tells_so_without_a_secret(web: Project, server: MariaDb):
    server.stop()
    done = web.comboi("run", "--select", "orders")
    shown = done.stdout + done.stderr
    assert done.returncode == 1 and "Can't connect to server" in shown and PASSWORD not in shown


@pytest.mark.slow
def test_a_new_table_comes_with_its_key_and_its_cursor(web: Project, server: MariaDb):
    server.run(
        "CREATE TABLE web.`order lines` (order_id int, line int, changed_at timestamp NOT NULL, "
        "PRIMARY KEY (order_id, line))"
    )
    done = web.comboi("new", "table", "web", "web.`order lines`", "--name", "order_lines")
    assert done.returncode == 0, done.stdout + done.stderr
    written = yaml.safe_load((web.folder / "configs/initial.yml").read_text())
    assert written["sources"][0]["tables"][-1] == {
        "name": "order_lines",
        "table": "web.`order lines`",
        "primary_key": ["order_id", "line"],
        "incremental_column": "changed_at",
    }
    assert web.comboi("doctor").returncode == 0
