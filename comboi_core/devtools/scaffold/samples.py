"""The texts of a new project. PIPELINE is replaced by its name."""

from __future__ import annotations

HEAD = """\
# Where data comes from, and where it goes. Check this file with `comboi validate`, run it with `comboi run`.
# Any text may contain {{env:NAME}} and {{keyvault:NAME}}. They are read when needed. Secrets are never logged.

# The pipeline's name. Runs and the saved state have this name.
pipeline: PIPELINE
failure_policy: stop  # after a failure, no later stage starts

sources:
"""
"""The first part of configs/initial.yml; the source's sample is next."""

STAGES = """
# Local folders. In Azure, write {account_name: ..., file_system: ...} instead of `path`.
stages:
  bronze: {data_lake: {path: lake/bronze}}   # tables as they are in the source, load by load
  silver: {data_lake: {path: lake/silver}}   # cleaned and checked, one Parquet file per dataset
  gold: {data_lake: {path: lake/gold}}       # datasets for people and reports

monitoring: {log_path: logs/comboi.log}
"""

TRANSFORMATIONS = """\
# What is made from the landed tables. Each dataset has one script in transformations/: NAME.sql or NAME.py. It reads
# the inputs by their aliases. The result is published only if its checks pass.
# `comboi new transformation NAME --from TABLE` adds a dataset.

silver:
  - name: orders_clean
    description: One row per order that was not cancelled, with the customer's city.
    inputs:
      - {alias: orders, source: shop, table: orders}
      - {alias: customers, source: shop, table: customers}
    columns:
      - {name: order_id, description: The order's number in the shop.}
      - {name: city, description: The customer's city; NULL if the customer is unknown.}
    quality_checks:
      - orders_make_sense            # transformations/quality/orders_make_sense.py
      - not_null: [order_id, amount]
      - unique: order_id
      - accepted_values: {column: status, values: [new, paid]}
      - not_null: {column: city, severity: warn}   # only a warning: the dataset is published anyway

gold:
  - name: sales_per_city
    description: Orders and amounts per month and city.
    inputs:
      - {alias: orders, dataset: orders_clean}
    quality_checks:
      - unique_combination: [month, city]
"""

SCRIPTS = {
    "transformations/orders_clean.sql": """\
-- One row per order that was not cancelled.
SELECT
    orders.order_id,
    orders.ordered_on::DATE AS ordered_on,
    orders.amount::DECIMAL(12, 2) AS amount,
    orders.status,
    customers.name AS customer,
    customers.city
FROM orders
LEFT JOIN customers ON customers.customer_id = orders.customer_id
WHERE orders.status <> 'cancelled'
""",
    "transformations/sales_per_city.sql": """\
-- One row per month and city.
SELECT
    date_trunc('month', ordered_on)::DATE AS month,
    coalesce(city, 'unknown') AS city,
    count(*) AS orders,
    sum(amount) AS amount
FROM orders
GROUP BY ALL
ORDER BY month, amount DESC
""",
    "transformations/quality/orders_make_sense.py": '''\
"""Every order has an amount above zero, and none is from the future."""

from __future__ import annotations

import duckdb


def check(con: duckdb.DuckDBPyConnection, dataset_name: str) -> tuple[bool, str]:
    """Pass if no order is wrong. The message is shown in both cases."""
    wrong = con.execute(
        f"SELECT count(*) FROM {dataset_name} WHERE amount <= 0 OR ordered_on > current_date + 1"
    ).fetchone()[0]
    return wrong == 0, f"{wrong:,} orders without a positive amount or from the future"
''',
}

GITIGNORE = """\
/lake/
/logs/
/catalogue/
/.comboi/
__pycache__/
"""

README = """\
# PIPELINE

A comboi project. It copies tables into a lake (bronze), cleans and checks them (silver), and publishes results (gold).

FIRST_STEPS
Then:

```
comboi status                                            # the latest run, its checks and errors
comboi build sales_per_city                              # try a dataset out; nothing is published
comboi lineage                                           # how datasets depend on tables
comboi docs                                              # write a catalogue: open catalogue/index.html
comboi new transformation NAME --from orders_clean       # add a dataset
comboi new check NAME --for orders_clean                 # add a check
```

Silver is in `lake/silver/refined/`, gold in `lake/gold/metrics/`, as Parquet files. Run the commands in this folder,
because they read `configs/initial.yml`.
"""
"""FIRST_STEPS stands for those of the source's sample."""
