"""Tables that follow a change feed, run through the shipped command line."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from comboi_core.cli.demo.postgres import EmbeddedPostgres
from tests.support import feeding as feed
from tests.support.project import Project

SEED = 20261130


@pytest.fixture
def source(feeding: EmbeddedPostgres) -> Iterator[EmbeddedPostgres]:
    """The server with a filled source, and without the feed afterwards."""
    feeding.psql(feed.SCHEMA)
    yield feeding
    feed.forget(feeding)


@pytest.fixture
def fed(tmp_path: Path, source: EmbeddedPostgres) -> Project:
    """A project whose tables follow the feed; the feed is set up."""
    project = feed.project_of(tmp_path / "project", source)
    assert project.comboi("changes", "setup", "shop").returncode == 0
    return project


def test_deleted_rows_go_and_the_server_forgets_what_is_landed(fed: Project, source: EmbeddedPostgres):
    fed.run()
    assert feed.landed(fed) == feed.held(source)
    before = feed.position(source)
    source.psql("""
        DELETE FROM shop.orders WHERE order_id % 2 = 0; UPDATE shop.customers SET customer_id = 99
        WHERE customer_id = 1; INSERT INTO shop.orders VALUES (501, 1, 'x')""")
    record = fed.run()
    assert [(table["rows"], table["rows_deleted"]) for table in record["tables"]] == [(1, 250), (1, 1)]
    assert feed.position(source) != before
    assert feed.landed(fed) == feed.held(source)
    assert {table["rows"] for table in fed.run()["tables"]} == {0}
    status = json.loads(fed.comboi("changes", "status", "shop", "--json").stdout)
    assert status["problems"] == [] and status["tables"] == ["orders", "customers"]
    assert "slot comboi_shop: the server keeps" in fed.comboi("doctor").stdout


def test_a_table_that_is_not_selected_loses_nothing(fed: Project, source: EmbeddedPostgres):
    fed.run()
    source.psql("DELETE FROM shop.orders WHERE order_id < 10; DELETE FROM shop.customers WHERE customer_id < 5")
    fed.run("--select", "orders")
    source.psql("DELETE FROM shop.orders WHERE order_id < 20")
    fed.run("--select", "orders")
    record = fed.run()
    assert feed.landed(fed) == feed.held(source)
    assert not any(table.get("warnings") for table in record["tables"])


def test_setup_is_printed_for_an_administrator_and_a_run_without_it_says_what_to_do(
    tmp_path: Path, source: EmbeddedPostgres
):
    project = feed.project_of(tmp_path / "project", source)
    shown = project.comboi("changes", "setup", "shop", "--print")
    assert "CREATE PUBLICATION" in shown.stdout and "pg_create_logical_replication_slot" in shown.stdout
    assert not feed.position(source)
    done = project.comboi("run", "bronze")
    assert done.returncode == 1 and "there is no publication comboi_shop" in done.stdout
    assert "comboi changes setup" in done.stdout
    source.psql(shown.stdout)
    project.run()
    assert feed.landed(project) == feed.held(source)


def test_a_lost_slot_reloads_and_tells(fed: Project, source: EmbeddedPostgres):
    fed.run()
    source.psql(f"SELECT pg_drop_replication_slot('{feed.SLOT}'); DELETE FROM shop.orders WHERE order_id = 7")
    record = fed.run()
    assert feed.landed(fed) == feed.held(source)
    assert all(table["shortfalls"][0]["code"] == "feed_lost" for table in record["tables"])
    assert fed.comboi("changes", "drop", "shop", "--yes").returncode == 0 and not feed.position(source)


@pytest.mark.parametrize("number", range(12))
@pytest.mark.few(1, then="kill")
def test_runs_killed_while_others_write_lose_nothing(fed: Project, source: EmbeddedPostgres, number: int):
    fed.run()
    chance, writer = random.Random(SEED + number), feed.Writer(source, SEED + 10 * number).start()
    try:
        for _ in range(4):
            victim = fed.start("run", "bronze")
            try:
                victim.communicate(timeout=chance.uniform(0.7, 2.5))
            except subprocess.TimeoutExpired:
                victim.kill()
                victim.communicate()
    finally:
        writer.end()
    again = fed.comboi("run", "bronze")
    assert again.returncode == 0, again.stdout + again.stderr
    assert writer.written > 20
    assert feed.landed(fed) == feed.held(source)
