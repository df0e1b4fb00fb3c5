"""Makes a project with its lake and task hub, as the comboi of a checkout writes them, and packs it for the test here.

    python tests/compatibility/make.py CHECKOUT NAME

writes `NAME.tar.gz` beside this file. Call it from another commit's checkout when what is written changes: its packed
project then shows for good that later versions go on with it.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

OLD = 1_700_000_000

PIPELINE = """
pipeline: shop
engine: {memory_limit: 256MB, threads: 1}
sources:
  - name: till
    type: sqlite
    connection: {path: till.db}
    tables:
      - {name: sales, table: sales, primary_key: [id], incremental_column: version}
      - {name: events, table: events, incremental_column: number}
      - {name: shops, table: shops, mode: full}
  - name: partner
    type: files
    connection: {path: incoming}
    tables:
      - {name: orders, path: "orders/*.csv"}
      - {name: customers, path: "customers/*.jsonl", primary_key: [id]}
stages:
  bronze: {data_lake: {path: lake/bronze}}
  silver: {data_lake: {path: lake/silver}}
  gold: {data_lake: {path: lake/gold}}
"""
DATASETS = """
silver:
  - name: merged
    inputs: [{alias: sales, source: till, table: sales, view: changes}]
    materialization: {strategy: merge, unique_key: [id]}
    quality_checks: [{unique: id}]
  - name: appended
    inputs: [{alias: events, source: till, table: events, view: changes}]
    materialization: {strategy: append}
  - name: versions
    inputs: [{alias: sales, source: till, table: sales}]
    materialization: {strategy: scd2, unique_key: [id]}
  - name: joined
    inputs:
      - {alias: orders, source: partner, table: orders}
      - {alias: customers, source: partner, table: customers}
gold:
  - name: totals
    inputs: [{alias: merged, dataset: merged}, {alias: joined, dataset: joined}]
"""
SCRIPTS = {
    "merged": "SELECT id, version, status FROM sales",
    "appended": "SELECT id, number FROM events",
    "versions": "SELECT id, status FROM sales",
    "joined": "SELECT o.order_id, c.name FROM orders o JOIN customers c ON c.id = o.customer_id",
    "totals": "SELECT (SELECT count(*) FROM merged) AS sales, (SELECT count(*) FROM joined) AS orders",
}
TABLES = """
CREATE TABLE sales (id INTEGER PRIMARY KEY, version INTEGER NOT NULL, status TEXT);
CREATE TABLE events (id INTEGER PRIMARY KEY, number INTEGER NOT NULL);
CREATE TABLE shops (name TEXT);
INSERT INTO sales VALUES (1, 1, 'new'), (2, 2, 'new'), (3, 3, 'new');
INSERT INTO events VALUES (1, 1), (2, 2);
INSERT INTO shops VALUES ('Ghent'), ('Ōsaka');
"""
CHANGES = "UPDATE sales SET version = 4, status = 'paid' WHERE id = 2; INSERT INTO events VALUES (3, 3);"


def main(checkout: Path, name: str) -> None:
    """Write the project, run it twice with changes between, and pack it."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        write(project)
        run(checkout, project)
        put(project, "incoming/customers/b.jsonl", '{"id": 2, "name": "Bo"}\n{"id": 3, "name": "Cy"}\n', 1)
        sql(project, CHANGES)
        run(checkout, project)
        with tarfile.open(Path(__file__).with_name(f"{name}.tar.gz"), "w:gz") as packed:
            packed.add(project, "project", filter=anonymous)


def write(project: Path) -> None:
    """Write the files of the project and what its sources hold at first."""
    for place, text in {
        "configs/initial.yml": PIPELINE,
        "configs/transformations.yml": DATASETS,
        **{f"transformations/{dataset}.sql": script for dataset, script in SCRIPTS.items()},
    }.items():
        put(project, place, text, 0)
    put(project, "incoming/orders/a.csv", "order_id,customer_id\n10,1\n11,2\n", 0)
    put(project, "incoming/customers/a.jsonl", '{"id": 1, "name": "Al"}\n{"id": 2, "name": "Bert"}\n', 0)
    sql(project, TABLES)


def put(project: Path, place: str, text: str, hours: float) -> None:
    """Write a file of the project, with a time of change that tests can rely on."""
    path = project / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    os.utime(path, (OLD + hours * 3600, OLD + hours * 3600))


def sql(project: Path, script: str) -> None:
    """Run SQL in the source."""
    with sqlite3.connect(project / "till.db") as db:
        db.executescript(script)
    db.close()


def run(checkout: Path, project: Path) -> None:
    """Run the pipeline with the comboi of a checkout."""
    command = [sys.executable, "-m", "comboi_core.cli", "run", "--json"]
    subprocess.run(command, cwd=project, env=os.environ | {"PYTHONPATH": str(checkout)}, check=True)


def anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Leave out who packed it, and the log."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return None if entry.name.endswith(".log") else entry


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2])
