"""Writers that never pause, some with transactions open across several loads: nothing is lost at the watermark.

The same storm over naive cursors, which read up to the largest value that they see, has to lose rows.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import duckdb
import pytest
import requests
import yaml

from comboi_core.cli.demo.postgres import EmbeddedPostgres
from comboi_core.domain.sql import literal
from comboi_core.sources.postgres.session import extension_path
from tests.support.patched import Patched
from tests.support.project import CONFIG, Project
from tests.support.sessions import Session

TABLES = """
DROP SCHEMA IF EXISTS storm CASCADE; CREATE SCHEMA storm;
CREATE TABLE storm.orders (id bigint PRIMARY KEY, amount numeric(12,2), updated_at timestamptz(1) NOT NULL);
CREATE TABLE storm.local (id bigint PRIMARY KEY, amount numeric(12,2), updated_at timestamp NOT NULL DEFAULT now());
CREATE TABLE storm.events (id bigint PRIMARY KEY, at timestamptz NOT NULL DEFAULT now());
CREATE TABLE storm.tickets (number bigint GENERATED ALWAYS AS IDENTITY, id bigint NOT NULL);
CREATE TABLE storm.ledger (id bigint PRIMARY KEY, amount numeric(12,2));
INSERT INTO storm.orders SELECT n, n, now() FROM generate_series(1, 40) n;
INSERT INTO storm.local SELECT n, n FROM generate_series(1, 40) n;
INSERT INTO storm.ledger SELECT n, n FROM generate_series(1, 40) n;
"""

CURSORS = [
    {"name": "orders", "primary_key": ["id"], "incremental_column": "updated_at"},
    {"name": "local", "primary_key": ["id"], "incremental_column": "updated_at"},
    {"name": "events", "incremental_column": "at"},
    {"name": "tickets", "incremental_column": "number"},
    {"name": "ledger", "primary_key": ["id"], "cursor": "xmin"},
]

IMPATIENT = "from comboi_core.sources.postgres import cursor as c; c.WRITERS_SECONDS = 0.2"
NAIVE = """
from comboi_core.sources.postgres import cursor, window, xmin
ENDS = {"integer": "9223372036854775807", "instant": "'infinity'::timestamptz", "local": "'infinity'::timestamp"}
window._cap = lambda column, sight: ENDS[column.kind]
cursor._writers_gone = lambda ask, oid: True
xmin._HORIZON = xmin._HORIZON.replace("pg_snapshot_xmin", "pg_snapshot_xmax")
"""

HELD = 1_000_000
"""Ids from here on are written by transactions that stay open across loads, and never touched again."""
CYCLES = 3


def written(session: Session, number: int) -> None:
    """Insert one row into each table."""
    session.run(
        f"INSERT INTO storm.orders VALUES ({number}, 1, now()); INSERT INTO storm.local VALUES ({number}, 1);"
        f"INSERT INTO storm.events VALUES ({number}); INSERT INTO storm.tickets (id) VALUES ({number});"
        f"INSERT INTO storm.ledger VALUES ({number}, 1)"
    )


@dataclass
class Storm:
    """Writers beside a pipeline that runs in a loop."""

    database: EmbeddedPostgres
    stop: threading.Event = field(default_factory=threading.Event)
    loads: int = 0
    turn: threading.Condition = field(default_factory=threading.Condition)

    def busy(self, seed: int) -> None:
        """Transactions of one to four statements: inserts, and updates of the same few rows again and again."""
        chance, number = random.Random(seed), seed * 10_000
        with Session(self.database) as session:
            while not self.stop.is_set():
                session.run("BEGIN")
                for _ in range(chance.randrange(1, 5)):
                    number += 1
                    row = chance.randrange(1, 41)
                    table = chance.choice(["orders", "local", "ledger"])
                    stamp = "" if table == "ledger" else ", updated_at = now()"
                    if chance.random() < 0.4:
                        written(session, number)
                    else:
                        session.run(f"UPDATE storm.{table} SET amount = amount + 1{stamp} WHERE id = {row}")
                        session.run(f"UPDATE storm.{table} SET amount = amount + 1{stamp} WHERE id = {row}")
                    time.sleep(chance.random() * 0.02)
                session.run("ROLLBACK" if chance.random() < 0.1 else "COMMIT")

    def holding(self, first: Session, rows: threading.Event) -> None:
        """Transactions that each stay open until two more loads have begun and ended."""
        for cycle in range(CYCLES):
            session = first if cycle == 0 else Session(self.database)
            session.run("BEGIN")
            written(session, HELD + cycle)
            rows.set()
            with self.turn:
                seen = self.loads
                assert self.turn.wait_for(lambda seen=seen: self.loads >= seen + 3, timeout=600)
            session.run("COMMIT")
            session.close()

    def loaded(self) -> None:
        """Count a load."""
        with self.turn:
            self.loads += 1
            self.turn.notify_all()


@contextmanager
def serving(project: Project) -> Iterator[str]:
    """Serve a project and give the URL of its runs."""
    server = project.start("serve", "--port", "0")
    try:
        yield server.stdout.readline().split(" at ")[1].strip()
    finally:
        server.terminate()
        assert server.wait(300) == 0


def run_once(base: str) -> None:
    """Run bronze and wait for the end, which has to be a success."""
    started = requests.post(base, json={"stage": "bronze"}, timeout=300)
    assert started.status_code == 202, started.text
    while (record := requests.get(f"{base}/{started.json()['run_id']}", timeout=300).json())["status"] == "running":
        time.sleep(0.02)
    assert record["status"] == "succeeded", [table.get("error") for table in record["tables"]]


def storm_over(project: Project, database: EmbeddedPostgres) -> dict[str, tuple[list[tuple], list[tuple]]]:
    """Let the storm pass; return what bronze has and what the source has, by table, row for row."""
    storm, rows = Storm(database), threading.Event()
    writers = [threading.Thread(target=storm.busy, args=(seed,)) for seed in (1, 2, 3)]
    holder = threading.Thread(target=storm.holding, args=(Session(database), rows))
    holder.start()
    assert rows.wait(300)
    with Session(database) as session:  # committed after the first held row was written, before the first load
        written(session, HELD - 1)
    for writer in writers:
        writer.start()
    with serving(project) as base:
        while holder.is_alive():
            run_once(base)
            storm.loaded()
        storm.stop.set()
        for writer in writers:
            writer.join()
        time.sleep(0.3)  # longer than a tick of the coarsest cursor
        run_once(base)
    bronze = project.contents()
    with duckdb.connect() as con:
        con.execute(f"SET TimeZone = 'UTC'; LOAD {literal(str(extension_path()))}")
        con.execute(f"ATTACH {literal(database.uri)} AS source (TYPE postgres, READ_ONLY)")
        return {
            table["name"]: (
                bronze[f"shop.{table['name']}"],
                sorted(con.execute(f"FROM source.storm.{table['name']}").fetchall(), key=repr),
            )
            for table in CURSORS
        }


@pytest.fixture
def stormy(project: Project, database: EmbeddedPostgres) -> Project:
    """A project over the storm's tables, one per kind of cursor."""
    # A storm that failed may have left a session with locks: then this one fails too, and does not wait for ever.
    database.psql(f"SET lock_timeout = '60s'; {TABLES}")
    config = CONFIG | {"engine": {"memory_limit": "256MB", "threads": 1}}
    source = config["sources"][0] | {"tables": [{"table": f"storm.{table['name']}"} | table for table in CURSORS]}
    project.write("configs/initial.yml", yaml.safe_dump(config | {"sources": [source]}, sort_keys=False))
    project.write("configs/transformations.yml", "silver: []\n")
    return project


@pytest.mark.slow
def test_no_row_is_lost_and_none_is_doubled(stormy: Project, database: EmbeddedPostgres):
    for table, (bronze, source) in storm_over(Patched.of(stormy, IMPATIENT), database).items():
        assert bronze == source, f"{table}: missing {set(source) - set(bronze)}, extra {set(bronze) - set(source)}"
        assert len(source) > 43


@pytest.mark.slow
def test_naive_cursors_lose_what_was_committed_late(stormy: Project, database: EmbeddedPostgres):
    for table, (bronze, source) in storm_over(Patched.of(stormy, NAIVE), database).items():
        of_id = 1 if table == "tickets" else 0
        lost = {row[of_id] for row in source} - {row[of_id] for row in bronze}
        assert HELD in lost, f"{table}: the storm would not notice a naive cursor"
