"""A small project over a real PostgreSQL, run through the shipped command line, and a way to see what came of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb
import yaml

from comboi_core.app.loader import load
from comboi_core.app.workspace import Workspace
from comboi_core.cli.demo.postgres import EmbeddedPostgres
from comboi_core.config.project import Stage
from comboi_core.domain.ports import Lake
from tests.support import forking
from tests.support.checkpoints import checkpoints
from tests.support.keyed import hubs

ROOT = Path(__file__).resolve().parents[2]
PASSWORD_VARIABLE = "SHOP_POSTGRES"

SCHEMA = """
DROP SCHEMA IF EXISTS shop CASCADE; CREATE SCHEMA shop;
CREATE TABLE shop.orders (
    order_id bigint PRIMARY KEY, customer_id int NOT NULL, amount numeric(12,2), status text, updated_at timestamptz);
CREATE TABLE shop.customers (customer_id int PRIMARY KEY, name text, city text);
CREATE TABLE shop.events (event_id bigint PRIMARY KEY, at timestamptz NOT NULL, what text);
INSERT INTO shop.customers SELECT n, 'customer ' || n, (ARRAY['Ghent', 'Ōsaka', NULL])[1 + n % 3]
    FROM generate_series(1, 50) n;
INSERT INTO shop.orders SELECT n, 1 + n % 50, n * 1.07, (ARRAY['new', 'paid', 'sent'])[1 + n % 3],
    timestamptz '2026-01-01 00:00:00+00' + n * interval '1 minute' FROM generate_series(1, 5000) n;
INSERT INTO shop.events SELECT n, timestamptz '2026-01-01 00:00:00+00' + n * interval '1 second', 'e' || n % 7
    FROM generate_series(1, 3000) n;
"""

CHANGES = """
UPDATE shop.orders SET status = 'paid', updated_at = timestamptz '2026-02-01 00:00:00+00' + order_id * interval '1 s'
    WHERE order_id % 10 = 0;
INSERT INTO shop.orders SELECT n, 1 + n % 50, n * 1.07, 'new', timestamptz '2026-02-02 00:00:00+00'
    FROM generate_series(5001, 5400) n;
INSERT INTO shop.events SELECT n, timestamptz '2026-02-01 00:00:00+00' + n * interval '1 second', 'later'
    FROM generate_series(3001, 3500) n;
UPDATE shop.customers SET city = 'Ghent' WHERE customer_id % 5 = 0;
"""

CONFIG: dict[str, Any] = {
    "pipeline": "shop",
    "engine": {"memory_limit": "512MB", "threads": 1},
    "retry": {"attempts": 2, "first_delay": "0.2s"},
    "sources": [
        {
            "name": "shop",
            "type": "postgres",
            "connection": {"conn_str": f"{{{{env:{PASSWORD_VARIABLE}}}}}"},
            "tables": [
                {
                    "name": "orders",
                    "table": "shop.orders",
                    "primary_key": ["order_id"],
                    "incremental_column": "updated_at",
                    "chunk_rows": 2000,
                },
                {"name": "events", "table": "shop.events", "incremental_column": "at"},
                {"name": "customers", "table": "shop.customers", "primary_key": ["customer_id"]},
            ],
        }
    ],
    "stages": {name: {"data_lake": {"path": f"lake/{name}"}} for name in ("bronze", "silver", "gold")},
    "monitoring": {"log_path": "logs/comboi.log"},
}

DATASETS: dict[str, Any] = {
    "silver": [
        {
            "name": "orders_clean",
            "inputs": [
                {"alias": "orders", "source": "shop", "table": "orders"},
                {"alias": "customers", "source": "shop", "table": "customers"},
            ],
            "quality_checks": ["amounts", {"not_null": ["order_id", "name"]}, {"unique": "order_id"}],
        },
        {"name": "events_per_kind", "inputs": [{"alias": "events", "source": "shop", "table": "events"}]},
    ],
    "gold": [
        {
            "name": "revenue",
            "inputs": [
                {"alias": "orders", "dataset": "orders_clean"},
                {"alias": "kinds", "dataset": "events_per_kind"},
            ],
        },
    ],
}

SCRIPTS = {
    "orders_clean.sql": "SELECT o.*, c.name, c.city FROM orders o JOIN customers c USING (customer_id)\n",
    "events_per_kind.py": (
        "def transform(con, inputs):\n"
        "    return con.sql(f\"SELECT what, count(*) AS n FROM {inputs['events']} GROUP BY what\")\n"
    ),
    "revenue.sql": (
        "SELECT city, status, sum(amount) AS revenue, (SELECT sum(n) FROM kinds) AS events\n"
        "FROM orders GROUP BY city, status\n"
    ),
    "quality/amounts.py": (
        "def check(con, dataset_name):\n"
        "    bad = con.execute(f'SELECT count(*) FROM {dataset_name} WHERE amount < 0').fetchone()[0]\n"
        "    return bad == 0, f'{bad} negative amounts'\n"
    ),
}


@dataclass
class Project:
    """A project folder. `env` is added to the environment of every command."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    @classmethod
    def create(cls, folder: Path, uri: str) -> Project:
        """Write the standard project; tests then change the files they are about."""
        (folder / "configs").mkdir(parents=True)
        (folder / "transformations" / "quality").mkdir(parents=True)
        project = cls(folder, {PASSWORD_VARIABLE: uri})
        project.write("configs/initial.yml", yaml.safe_dump(CONFIG, sort_keys=False))
        project.write("configs/transformations.yml", yaml.safe_dump(DATASETS, sort_keys=False))
        for name, text in SCRIPTS.items():
            project.write(f"transformations/{name}", text)
        return project

    def write(self, path: str, text: str) -> None:
        """Write a file of the project."""
        (self.folder / path).write_text(text, encoding="utf-8")

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace a text that has to be in a file."""
        text = (self.folder / path).read_text(encoding="utf-8")
        assert old in text, f"{old!r} is not in {path}"
        self.write(path, text.replace(old, new))

    def copy(self, folder: Path) -> Project:
        """Copy everything, state included."""
        shutil.copytree(self.folder, folder)
        return replace(self, folder=folder, env=dict(self.env))

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of a comboi command."""
        return [sys.executable, "-m", "comboi_core.cli", *arguments]

    @property
    def hub(self) -> Path:
        """The task hub's file."""
        return Path(self.env.get("COMBOI_HUB") or self.folder / ".comboi" / "hub.db")

    def environment(self, **extra: str) -> dict[str, str]:
        """Return the environment that commands run in."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("COMBOI_", "DURABLE_LOCAL_"))}
        return {**kept, "PYTHONPATH": str(ROOT), "COLUMNS": "200", **self.env, **extra}

    def comboi(self, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the project's folder and wait for it."""
        return forking.run(self.command(*arguments), self.folder, self.environment(**extra), timeout=300)

    def start(self, *arguments: str, **extra: str) -> subprocess.Popen[str]:
        """Start a command in the project's folder."""
        hubs.add(self.hub)
        return subprocess.Popen(
            self.command(*arguments), cwd=self.folder, env=self.environment(**extra), stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def run(self, *arguments: str, **extra: str) -> dict[str, Any]:
        """Run `comboi run --json`, which has to succeed; return the record."""
        done = self.comboi("run", "--json", *arguments, **extra)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def commits(self) -> dict[str, dict[str, Any]]:
        """Return `source.table` -> checkpoint, as the entities have it."""
        return checkpoints(self.workspace(), self.folder / ".comboi" / "hub.db")

    def workspace(self) -> Workspace:
        """Return the project as commands see it."""
        with mock.patch.dict(os.environ, self.environment(), clear=True):
            return Workspace(load(self.folder / "configs" / "initial.yml"))

    def lake(self, stage: Stage) -> Lake:
        """Return the lake of a stage, as commands see it."""
        with mock.patch.dict(os.environ, self.environment(), clear=True):
            return self.workspace().lake(stage)

    def contents(self) -> dict[str, list[tuple]]:
        """Return every table's current state and every dataset, row for row: name -> sorted rows."""
        from comboi_core.lake.bronze import read_manifest, view_sql

        found: dict[str, list[tuple]] = {}
        with duckdb.connect() as con:
            con.execute("SET TimeZone = 'UTC'")
            lake = self.lake("bronze")
            lake.attach(con)
            for name, checkpoint in self.commits().items():
                manifest = read_manifest(lake, checkpoint["manifest"])
                folder = f"{manifest.source}/{manifest.table}"
                kept = [read_manifest(lake, path) for path in lake.list(f"{folder}/_loads")]
                listed = {file.path for known in kept for file in known.files}
                there = {path for path in lake.list(folder) if path.endswith(".parquet")}
                assert there == listed, (
                    f"{name}: files that no manifest lists: {there - listed}; lost: {listed - there}"
                )
                found[name] = con.execute(view_sql(lake, manifest, "current")).fetchall()
            for lake in (self.lake("silver"), self.lake("gold")):
                lake.attach(con)
                for path in lake.list(""):
                    if path.endswith(".parquet"):
                        rows = con.execute("SELECT * FROM read_parquet(?)", [lake.uri(path)]).fetchall()
                        found[Path(path).stem] = rows
        return {name: sorted(rows, key=repr) for name, rows in found.items()}


def refill(database: EmbeddedPostgres) -> None:
    """Put the source back to its first state."""
    database.psql(SCHEMA)


def change(database: EmbeddedPostgres) -> None:
    """Change the source as a day of operation would."""
    database.psql(CHANGES)
