"""Masked columns over whole runs: what was masked is nowhere in the lake, the logs or the task hub."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

import duckdb
import pytest

from comboi_core.cli.demo.postgres import EmbeddedPostgres
from tests.support.project import Project

SALT = "pepper-and-salt-7431"
MASK = "mask: {customer_id: hash, name: drop, city: partial}"


def hashed(value: object) -> str:
    return hmac.new(SALT.encode(), str(value).encode(), hashlib.sha256).hexdigest()


def masked(project: Project) -> Project:
    """Mask the customers, whose key is hashed, and the customer of an order, by which they are joined."""
    project.env["COMBOI_TEST_SALT"] = SALT
    project.edit(
        "configs/initial.yml",
        "    table: shop.customers\n    primary_key:\n    - customer_id\n",
        f"    table: shop.customers\n    primary_key:\n    - customer_id\n    {MASK}\n",
    )
    project.edit(
        "configs/initial.yml", "    table: shop.orders\n", "    table: shop.orders\n    mask: {customer_id: hash}\n"
    )
    project.edit(
        "configs/initial.yml", "pipeline: shop\n", "pipeline: shop\nmasking: {salt: '{{env:COMBOI_TEST_SALT}}'}\n"
    )
    project.edit("configs/transformations.yml", "    - name\n", "")
    project.write(
        "transformations/orders_clean.sql", "SELECT o.*, c.city FROM orders o JOIN customers c USING (customer_id)\n"
    )
    return project


def test_masked_values_land_masked_and_still_join(project: Project):
    record = masked(project).run()
    assert {item["status"] for item in record["tables"]} == {"succeeded"}
    contents = project.contents()
    cities = [None if city is None else f"{city[0]}***{city[-1]}" for city in ("Ghent", "Ōsaka", None)]
    assert set(contents["shop.customers"]) == {(hashed(number), cities[number % 3]) for number in range(1, 51)}
    joined = duckdb.sql(f"FROM '{project.folder}/lake/silver/refined/orders_clean.parquet'").fetchall()
    assert len(joined) == 5000
    everything = b"".join(
        path.read_bytes() for path in Path(project.folder).rglob("*") if path.is_file() and path.name != "initial.yml"
    )
    assert b"customer 7" not in everything and SALT.encode() not in everything


@pytest.mark.slow
def test_a_changed_mask_wants_a_full_refresh(project: Project, database: EmbeddedPostgres):
    masked(project).run("bronze")
    project.edit("configs/initial.yml", "mask: {customer_id: hash}\n", "mask: {customer_id: redact}\n")
    database.psql("UPDATE shop.orders SET updated_at = '2026-04-01+00' WHERE order_id = 1")
    refused = project.comboi("run", "bronze", "--select", "orders")
    assert refused.returncode == 1
    assert "`mask` was 'customer_id: hash', is 'customer_id: redact'" in refused.stdout
    record = project.run("bronze", "--select", "orders", "--full-refresh")
    assert record["tables"][0]["status"] == "succeeded"
    assert {row[1] for row in project.contents()["shop.orders"]} == {"***"}


def test_masks_that_would_lose_rows_or_keys_are_refused(project: Project):
    masked(project)
    project.edit("configs/initial.yml", "{customer_id: hash, name: drop", "{customer_id: redact, name: drop")
    project.edit("configs/initial.yml", "masking: {salt: '{{env:COMBOI_TEST_SALT}}'}\n", "")
    project.edit("configs/initial.yml", "mask: {customer_id: hash}\n", "mask: {updated_at: redact}\n")
    told = project.comboi("validate").stderr
    assert "customer_id is part of the primary key and can only be masked with hash" in told
    assert "updated_at is the cursor and cannot be masked" in told


@pytest.mark.slow
def test_an_error_tells_no_value_of_a_masked_column(project: Project, database: EmbeddedPostgres):
    project.edit(
        "configs/initial.yml", "    table: shop.orders\n", "    table: shop.orders\n    mask: {amount: redact}\n"
    )
    database.psql("UPDATE shop.orders SET amount = 'NaN' WHERE order_id = 77")
    failed = project.comboi("run", "bronze", "--select", "orders")
    assert failed.returncode == 1
    assert "a value of the masked column amount cannot be landed" in failed.stdout and "NaN" not in failed.stdout
