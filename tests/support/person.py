"""A person planted in a project, erasing her, and looking for what names her."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import yaml

from comboi_core.cli.demo.postgres import EmbeddedPostgres
from tests.support.project import Project, refill

PLANTED = "Zebedee-Quillfeather"
KEY = "7041993"
FULL = {"source": "shop", "table": "customers"}
DATASETS: dict[str, Any] = {
    "silver": [
        {
            "name": "joined",
            "inputs": [{"alias": "orders", "source": "shop", "table": "orders"}, {"alias": "customers", **FULL}],
            "quality_checks": [{"pattern": {"column": "name", "regex": "customer", "severity": "warn"}}],
        },
        {
            "name": "merged",
            "inputs": [{"alias": "customers", **FULL}],
            "materialization": {"strategy": "merge", "unique_key": ["customer_id"]},
            "quality_checks": [{"pattern": {"column": "name", "regex": "customer", "on_fail": "quarantine"}}],
        },
        {
            "name": "appended",
            "inputs": [{"alias": "customers", **FULL}],
            "materialization": {"strategy": "append"},
        },
        {
            "name": "versions",
            "inputs": [{"alias": "customers", **FULL}],
            "materialization": {"strategy": "scd2", "unique_key": ["customer_id"]},
        },
        {
            "name": "elsewhere",
            "inputs": [{"alias": "customers", **FULL}],
            "materialization": {"strategy": "append"},
        },
    ],
    "gold": [{"name": "per_city", "inputs": [{"alias": "joined", "dataset": "joined"}]}],
}
SCRIPTS = {
    "joined.sql": "SELECT o.*, c.name, c.city FROM orders o JOIN customers c USING (customer_id)\n",
    "merged.sql": "SELECT * FROM customers\n",
    "appended.sql": "SELECT customer_id, name FROM customers\n",
    "versions.sql": "SELECT * FROM customers\n",
    "elsewhere.sql": "SELECT city, count(*) AS n FROM customers GROUP BY city\n",
    "per_city.sql": "SELECT city, count(*) AS n, max(name) AS last_name FROM joined GROUP BY city\n",
}


def plant(database: EmbeddedPostgres) -> None:
    refill(database)
    database.psql(
        f"INSERT INTO shop.customers VALUES ({KEY}, '{PLANTED}', 'Ghent');"
        f"INSERT INTO shop.orders VALUES (9001, {KEY}, 1, 'new', '2026-01-02+00'), (9002, {KEY}, 2, '{PLANTED}', NULL)"
    )


def removed_at_the_source(database: EmbeddedPostgres) -> None:
    database.psql(
        f"DELETE FROM shop.customers WHERE customer_id = {KEY}; DELETE FROM shop.orders WHERE customer_id = {KEY}"
    )


def people(project: Project) -> Project:
    project.write("configs/transformations.yml", yaml.safe_dump(DATASETS, sort_keys=False))
    for name, text in SCRIPTS.items():
        project.write(f"transformations/{name}", text)
    return project


def naming(project: Project, text: str) -> list[str]:
    """Return every file of the project with a text in it, Parquet files by their values."""
    found = []
    for path in project.folder.rglob("*"):
        if not path.is_file() or "configs" in path.parts:
            continue
        if path.suffix == ".parquet":
            rows = duckdb.execute("FROM read_parquet(?, hive_partitioning = false)", [str(path)]).fetchall()
            held = any(text in str(value) for row in rows for value in row)
        else:
            held = False
        if held or text.encode() in path.read_bytes():
            found.append(str(path.relative_to(project.folder)))
    return sorted(found)


def erase(project: Project, table: str, *arguments: str, code: int = 0) -> dict[str, Any]:
    done = project.comboi("erase", "--table", table, "--yes", "--json", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def without(contents: dict[str, list[tuple]]) -> dict[str, list[tuple]]:
    """Return what is left of contents without the person's rows."""
    return {
        name: [row for row in rows if PLANTED not in row and int(KEY) not in row] for name, rows in contents.items()
    }
