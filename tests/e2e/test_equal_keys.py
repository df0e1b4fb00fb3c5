"""A key is written in another way at the source, and stays one row wherever rows are merged by it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from comboi_core.cli.demo.postgres import EmbeddedPostgres
from tests.support.project import CONFIG, Project

STRATEGIES: dict[str, dict[str, Any]] = {
    "merge": {"strategy": "merge", "unique_key": ["id"]},
    "scd2": {"strategy": "scd2", "unique_key": ["id"]},
    "delete": {"strategy": "delete+insert", "incremental_key": "id"},
}
TABLES: dict[str, dict[str, Any]] = {
    "whole": {"mode": "full", "primary_key": ["id"]},
    "merged": {"primary_key": ["id"], "incremental_column": "at"},
    "added": {"primary_key": ["id"], "incremental_column": "at", "mode": "append"},
}


@pytest.fixture
def project(tmp_path: Path, database: EmbeddedPostgres) -> Project:
    """Each table is refined by each strategy, and joined with a table that refers to it."""
    made = Project.create(tmp_path / "project", database.uri)
    config = yaml.safe_load(yaml.safe_dump(CONFIG))
    tables = [{"name": name, "table": f"shop.{name}", **how} for name, how in TABLES.items()]
    config["sources"][0]["tables"] = [*tables, {"name": "visits", "table": "shop.visits", "primary_key": ["n"]}]
    database.psql("DROP SCHEMA IF EXISTS shop CASCADE; CREATE SCHEMA shop")
    silver: list[dict[str, Any]] = []
    for table in TABLES:
        database.psql(
            f"CREATE TABLE shop.{table} (id numeric PRIMARY KEY, note text, at timestamptz);"
            f"INSERT INTO shop.{table} VALUES (2.0, 'old', '2026-01-01+00'), (10, 'other', '2026-01-01+00')"
        )
        for name, how in STRATEGIES.items():
            inputs = [{"alias": "t", "source": "shop", "table": table, "view": "changes"}]
            silver.append({"name": f"{table}_{name}", "inputs": inputs, "materialization": how})
            made.write(f"transformations/{table}_{name}.sql", "SELECT id, note FROM t\n")
    database.psql(
        "CREATE TABLE shop.visits (n int PRIMARY KEY, id numeric REFERENCES shop.merged ON UPDATE CASCADE);"
        "INSERT INTO shop.visits VALUES (1, 2.000), (2, 10.0)"
    )
    inputs = [{"alias": alias, "source": "shop", "table": alias} for alias in ("visits", "merged")]
    silver.append({"name": "joined", "inputs": inputs})
    made.write("transformations/joined.sql", "SELECT n, id, note FROM visits JOIN merged USING (id)\n")
    made.write("configs/initial.yml", yaml.safe_dump(config))
    made.write("configs/transformations.yml", yaml.safe_dump({"silver": silver}))
    return made


@pytest.mark.slow
def test_an_equal_key_stays_one_row_in_tables_datasets_joins_and_backfills(
    project: Project, database: EmbeddedPostgres
):
    project.run()
    for table in TABLES:
        database.psql(f"UPDATE shop.{table} SET id = 2.00, note = 'new', at = '2026-01-02+00' WHERE id = 2")

    record = project.run()

    found = project.contents()
    for table in TABLES:
        assert found[f"{table}_merge"] == found[f"{table}_delete"] == [("10", "other"), ("2", "new")], table
        versions = [(row[0], row[1], row[-1]) for row in found[f"{table}_scd2"]]
        assert versions == [("10", "other", True), ("2", "new", True), ("2", "old", False)], table
    assert found["joined"] == [(1, "2", "new"), (2, "10", "other")]
    assert not any(table["shortfalls"] for table in record["tables"])

    database.psql("UPDATE shop.merged SET id = 2.0000, note = 'late' WHERE id = 2")
    done = project.comboi(
        "backfill", "shop.merged", "--from", "2026-01-01 12:00:00+00", "--to", "2026-01-03 00:00:00+00"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert [row[:2] for row in project.contents()["shop.merged"]] == [("10", "other"), ("2", "late")]
