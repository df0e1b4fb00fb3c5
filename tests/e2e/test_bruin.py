"""A Bruin pipeline beside native datasets, over whole runs: templates, strategies, checks, Python, unit tests."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from comboi_core.cli.demo.postgres import EmbeddedPostgres
from tests.support.project import Project, change

PIPELINE = """
name: shop
default: {type: duckdb.sql}
variables: {currency: {type: string, default: EUR}}
"""
ORDERS = """/* @bruin
name: silver.orders
depends: [bronze.orders, shop.customers]
materialization: {type: table, strategy: merge}
columns:
  - {name: order_id, type: bigint, primary_key: true, checks: [{name: not_null}, {name: unique}]}
  - {name: amount, type: decimal, update_on_merge: true, checks: [{name: min, value: 0}]}
  - {name: updated_at, update_on_merge: true}
  - {name: status, checks: [{name: accepted_values, value: [new, paid], blocking: false}]}
custom_checks:
  - {name: one currency, query: "SELECT count(DISTINCT currency) FROM silver.orders", value: 1}
unit_tests:
  - name: the name comes along
    inputs:
      - {asset: bronze.orders, rows: [{order_id: 1, customer_id: 7, amount: 2, status: new, updated_at: "2026-01-01"}]}
      - {asset: shop.customers, rows: [{customer_id: 7, name: Ada}]}
    expected: {rows: [{order_id: 1, name: Ada, currency: EUR}]}
@bruin */
SELECT o.order_id, o.amount, o.status, o.updated_at, c.name, '{{ var.currency }}' AS currency
FROM bronze.orders o JOIN shop.customers c USING (customer_id)
"""
DAYS = """/* @bruin
name: gold.days
depends: [silver.orders]
materialization: {type: table, strategy: time_interval, incremental_key: day, time_granularity: date}
@bruin */
SELECT updated_at::DATE AS day, sum(amount) AS amount FROM silver.orders
WHERE updated_at >= '{{ start_timestamp }}' AND updated_at < '{{ end_date | add_days(1) }}' GROUP BY ALL
"""
RATES = '''""" @bruin
name: silver.rates
materialization: {type: table, strategy: delete+insert, incremental_key: day}
columns: [{name: rate, checks: [{name: positive}]}]
@bruin """
from bruin import context, query


def materialize():
    yield {"day": str(context.start_date), "rate": 1.08}
    yield [{"day": str(context.end_date), "rate": 1.09}]
'''


@pytest.fixture
def assets(project: Project) -> Project:
    (project.folder / "transformations/assets").mkdir()
    for name, text in {"pipeline.yml": PIPELINE, "assets/orders.sql": ORDERS, "assets/days.sql": DAYS}.items():
        project.write(f"transformations/{name}", text)
    project.write("transformations/assets/rates.py", RATES)
    return project


def rows(project: Project, path: str) -> list[tuple]:
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        return sorted(con.execute(f"FROM '{project.folder}/lake/{path}.parquet'").fetchall())


@pytest.mark.slow
def test_assets_are_built_beside_native_datasets(assets: Project, database: EmbeddedPostgres):
    record = assets.run("--from", "2026-01-01", "--to", "2026-01-03")
    built = {item["name"]: item for item in record["datasets"]}
    assert {item["status"] for item in built.values()} == {"succeeded"}
    assert {"silver.orders", "silver.rates", "gold.days", "orders_clean", "revenue"} == built.keys() - {
        "events_per_kind"
    }
    checks = {check["name"]: check for check in built["silver.orders"]["checks"]}
    assert [check["passed"] for check in checks.values()].count(False) == 1
    assert checks["one currency"]["passed"]
    assert len(rows(assets, "silver/silver/orders")) == 5000
    assert rows(assets, "silver/silver/rates") == [("2026-01-01", 1.08), ("2026-01-02", 1.09)]
    assert [str(row[0]) for row in rows(assets, "gold/gold/days")] == ["2026-01-01", "2026-01-02"]
    change(database)
    again = assets.run("--from", "2026-02-01", "--to", "2026-02-03")
    assert {item["status"] for item in again["datasets"]} == {"succeeded"}
    assert len(rows(assets, "silver/silver/orders")) == 5400
    days = [str(row[0]) for row in rows(assets, "gold/gold/days")]
    assert days == ["2026-01-01", "2026-01-02", "2026-02-01", "2026-02-02"], "the other days stay"


@pytest.mark.slow
def test_a_check_of_an_asset_stops_what_bruin_would_have_published(assets: Project, database: EmbeddedPostgres):
    assets.run("--select", "shop.orders", "--select", "shop.customers", "--select", "silver.orders")
    before = rows(assets, "silver/silver/orders")
    database.psql("UPDATE shop.orders SET amount = -1, updated_at = '2026-03-01+00' WHERE order_id = 42")
    failed = assets.comboi("run", "--select", "shop.orders", "--select", "silver.orders")
    assert failed.returncode == 1 and "min(amount, value=0)" in failed.stdout
    assert rows(assets, "silver/silver/orders") == before


@pytest.mark.slow
def test_validation_and_unit_tests_name_the_asset_s_line(assets: Project):
    tested = assets.comboi("test")
    assert tested.returncode == 0 and "silver.orders: the name comes along" in tested.stdout, (
        tested.stdout + tested.stderr
    )
    assert assets.comboi("validate").returncode == 0
    assets.edit("transformations/assets/orders.sql", "name: Ada, currency: EUR", "name: Bob, currency: EUR")
    assert assets.comboi("test").returncode == 1
    assets.edit("transformations/assets/orders.sql", "strategy: merge", "strategy: datavault_hub")
    assets.edit("transformations/assets/days.sql", "depends: [silver.orders]", "depends: [silver.oders]")
    told = assets.comboi("validate").stderr
    assert "orders.sql:4: " in told and "datavault_hub" in told
    assert "days.sql:3: " in told and "did you mean 'silver.orders'" in told


def test_an_error_in_a_rendered_query_points_to_the_template_s_line(assets: Project):
    assets.edit("transformations/assets/orders.sql", "o.updated_at, c.name", "o.updated_at,\n    c.nome")
    failed = assets.comboi("run", "--select", "shop.orders", "--select", "shop.customers", "--select", "silver.orders")
    line = (
        Path(assets.folder / "transformations/assets/orders.sql")
        .read_text()
        .split("\n")
        .index("    c.nome, '{{ var.currency }}' AS currency")
    )
    assert failed.returncode == 1 and f"orders.sql:{line + 1}: " in failed.stdout and "c.nome" in failed.stdout
    assert "shop.customers has customer_id, name, city" in failed.stdout
