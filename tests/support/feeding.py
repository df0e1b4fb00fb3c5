"""A source whose tables follow a change feed, a project over it, and somebody who writes to it meanwhile."""

from __future__ import annotations

import random
import threading
from pathlib import Path
from typing import Any

import yaml

from comboi_core.cli.demo.postgres import EmbeddedPostgres, EmbeddedPostgresError
from tests.support.project import CONFIG, Project

SLOT = "comboi_shop"
TABLES = {"orders": ("order_id",), "customers": ("customer_id", "part")}
SCHEMA = """
DROP SCHEMA IF EXISTS shop CASCADE; CREATE SCHEMA shop;
CREATE TABLE shop.orders (order_id bigint PRIMARY KEY, amount numeric(12,2), note text);
CREATE TABLE shop.customers (customer_id int, part text, name text, PRIMARY KEY (customer_id, part));
INSERT INTO shop.orders SELECT n, n * 1.07, 'new' FROM generate_series(1, 500) n;
INSERT INTO shop.customers SELECT n, 'a''"b', 'customer ' || n FROM generate_series(1, 20) n;
"""


def project_of(folder: Path, source: EmbeddedPostgres, **changes: Any) -> Project:
    """Make a project whose two tables follow the feed; the feed is not set up."""
    project = Project.create(folder, source.uri)
    tables = [
        {"name": name, "table": f"shop.{name}", "primary_key": list(key), "cursor": "changes"}
        for name, key in TABLES.items()
    ]
    shop = {**CONFIG["sources"][0], "changes": {"publication": SLOT, "slot": SLOT, **changes}, "tables": tables}
    project.write("configs/initial.yml", yaml.safe_dump({**CONFIG, "sources": [shop]}, sort_keys=False))
    project.write("configs/transformations.yml", "silver: []\ngold: []\n")
    return project


def forget(source: EmbeddedPostgres) -> None:
    """Remove what the feed has at the server."""
    source.psql(f"""
        SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '{SLOT}';
        DROP PUBLICATION IF EXISTS {SLOT}""")


def position(source: EmbeddedPostgres) -> str:
    """Return the position from which the server keeps its log for the feed."""
    return source.psql(f"SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '{SLOT}'").strip()


def held(source: EmbeddedPostgres) -> dict[str, list[str]]:
    """Return the rows of the source, each as one text: `shop.table` -> rows in order."""
    return {f"shop.{name}": sorted(_rows(source.psql(f"TABLE shop.{name}"))) for name in TABLES}


def landed(project: Project) -> dict[str, list[str]]:
    """Return the current rows of bronze in the same form."""
    return {
        name: sorted("|".join("" if value is None else str(value) for value in row) for row in rows)
        for name, rows in project.contents().items()
    }


def _rows(told: str) -> list[str]:
    return told.splitlines()


class Writer:
    """Writes to the source until `end`: rows come, change, go and come back, keys change, tables are emptied,
    transactions are rolled back, held open and prepared."""

    def __init__(self, source: EmbeddedPostgres, seed: int) -> None:
        self._source, self._chance, self._ended = source, random.Random(seed), threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(seed + number,)) for number in range(2)]
        self.written = 0

    def start(self) -> Writer:
        """Begin to write."""
        for thread in self._threads:
            thread.start()
        return self

    def end(self) -> None:
        """Stop, and commit what is prepared."""
        self._ended.set()
        for thread in self._threads:
            thread.join()
        for name in self._source.psql("SELECT gid FROM pg_prepared_xacts WHERE gid LIKE 'feed-%'").split():
            self._source.psql(f"COMMIT PREPARED '{name}'")

    def _write(self, seed: int) -> None:
        chance = random.Random(seed)
        while not self._ended.is_set():
            try:
                self._source.psql(self._statement(chance, f"feed-{seed}-{self.written}"))
                self.written += 1
            except EmbeddedPostgresError:
                continue  # two transactions in each other's way, or a key that is there
            self._ended.wait(chance.uniform(0, 0.05))

    def _statement(self, chance: random.Random, name: str) -> str:
        key, other = chance.randrange(1, 700), chance.randrange(1, 700)
        insert = f"INSERT INTO shop.orders VALUES ({key}, 1, '{name}') ON CONFLICT (order_id) DO UPDATE SET note = 'u'"
        delete = f"DELETE FROM shop.orders WHERE order_id BETWEEN {key} AND {key + 5}"
        rename = f"UPDATE shop.customers SET part = part || 'é', name = '{name}' WHERE customer_id = {key % 20}"
        prepared = f"BEGIN; {insert}; {rename}; PREPARE TRANSACTION '{name}'"
        return chance.choices(
            [
                insert,
                delete,
                f"UPDATE shop.orders SET order_id = {other} WHERE order_id = {key}",
                rename,
                f"BEGIN; {delete}; {insert}; COMMIT",
                f"BEGIN; {delete}; {rename}; ROLLBACK",
                f"BEGIN; {insert}; SELECT pg_sleep({chance.uniform(0.1, 1.5):.2f}); {rename}; COMMIT",
                "TRUNCATE shop.customers; INSERT INTO shop.customers SELECT n, 'a', 't' FROM generate_series(1, 20) n",
                f"{prepared}; SELECT pg_sleep({chance.uniform(0, 0.5):.2f}); COMMIT PREPARED '{name}'",
            ],
            [6, 3, 3, 3, 2, 1, 1, 0.2, 0.5],
        )[0]
