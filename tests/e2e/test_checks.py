"""Check before publish: bad data never replaces good data, and the failing rows are there to look at."""

from __future__ import annotations

import json

import pytest

from comboi_core.cli.demo.postgres import EmbeddedPostgres
from tests.support.project import Project


def test_a_failing_check_publishes_nothing_and_shows_the_failing_rows(landed: Project, database: EmbeddedPostgres):
    published = landed.folder / "lake" / "silver" / "refined" / "orders_clean.parquet"
    before = published.read_bytes()
    database.psql(
        "UPDATE shop.customers SET name = NULL WHERE customer_id = 7;"
        "UPDATE shop.orders SET amount = -1, updated_at = '2026-03-01+00' WHERE order_id = 42"
    )
    done = landed.comboi("run")

    assert done.returncode == 1
    assert published.read_bytes() == before, "the old file stays"
    assert [path.name for path in published.parent.iterdir() if "orders_clean" in path.name] == [published.name]
    status = landed.comboi("status")
    assert "check_failed" in status.stdout and "1 negative amounts" in status.stdout
    assert "not_null(name)" in status.stdout
    record = json.loads(landed.comboi("status", "--json").stdout)
    assert record["status"] == "failed"
    datasets = {item["name"]: item for item in record["datasets"]}
    assert datasets["orders_clean"]["status"] == "failed"
    checks = {check["name"]: check for check in datasets["orders_clean"]["checks"]}
    assert checks["amounts"]["passed"] is False
    assert checks["not_null(name)"]["failed_rows"] == 100
    assert len(checks["not_null(name)"]["sample"]) == 5
    assert all(row["name"] is None for row in checks["not_null(name)"]["sample"])
    assert checks["unique(order_id)"]["passed"] is True
    assert datasets["revenue"]["status"] == "skipped"
    assert datasets["events_per_kind"]["status"] == "succeeded"


@pytest.mark.slow
def test_a_warning_publishes_and_is_shown(project: Project, database: EmbeddedPostgres):
    project.edit(
        "configs/transformations.yml",
        "  - not_null:\n",
        "  - accepted_values:\n      column: status\n      values: [new, paid]\n      severity: warn\n  - not_null:\n",
    )
    done = project.comboi("run")
    assert done.returncode == 0, done.stdout
    assert "accepted_values" in done.stdout and "1 warn" in done.stdout


@pytest.mark.slow
def test_an_empty_result_replaces_a_full_one_only_where_that_is_allowed(landed: Project):
    landed.write("transformations/orders_clean.sql", "SELECT o.*, '' AS name, '' AS city FROM orders o WHERE false\n")
    refused = landed.comboi("run")
    assert refused.returncode == 1 and "allow_empty" in refused.stdout
    assert len(landed.contents()["orders_clean"]) == 5000
    landed.edit("configs/transformations.yml", "- name: orders_clean\n", "- name: orders_clean\n  allow_empty: true\n")
    landed.run("--select", "orders_clean")
    assert landed.contents()["orders_clean"] == []


def test_isolate_builds_what_does_not_depend_on_what_failed(project: Project, database: EmbeddedPostgres):
    project.edit("configs/initial.yml", "pipeline: shop", "pipeline: shop\nfailure_policy: isolate")
    database.psql("DROP TABLE shop.customers")
    done = project.comboi("run", "--json")
    record = json.loads(done.stdout)
    assert done.returncode == 1 and record["status"] == "partial"
    status = {item.get("name") or item["table"]: item["status"] for item in [*record["tables"], *record["datasets"]]}
    assert status == {
        "orders": "succeeded",
        "events": "succeeded",
        "customers": "failed",
        "orders_clean": "skipped",
        "events_per_kind": "succeeded",
        "revenue": "skipped",
    }
