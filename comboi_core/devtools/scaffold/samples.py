"""The texts of a new project. PIPELINE stands for its name."""

from __future__ import annotations

HEAD = """\
# Where the data comes from, and where it goes. `comboi validate` checks this file, `comboi run` runs it.
# {{env:NAME}} and {{keyvault:NAME}} may stand in any string; they are read when used and never logged.

# The pipeline's name is part of the runs' names and of what is remembered between them.
pipeline: PIPELINE
failure_policy: stop  # a later stage does not start once something failed

sources:
"""
"""The first part of configs/initial.yml; the source's sample is next."""

STAGES = """
# Folders here; in Azure {account_name: ..., file_system: ...} in place of `path`.
stages:
  bronze: {data_lake: {path: lake/bronze}}   # tables as the source has them, load by load
  silver: {data_lake: {path: lake/silver}}   # cleaned and checked, one Parquet file per dataset
  gold: {data_lake: {path: lake/gold}}       # what people look at

monitoring: {log_path: logs/comboi.log}
"""

TRANSFORMATIONS = """\
# What is made of the landed tables. Each dataset is one file in transformations/ (NAME.sql or NAME.py), reads its
# inputs by their aliases, and replaces the published one only after its checks have passed.
# `comboi new transformation NAME --from TABLE` adds one.

silver:
  - name: orders_clean
    description: Orders that count, one row each, with the customer's city.
    inputs:
      - {alias: orders, source: shop, table: orders}
      - {alias: customers, source: shop, table: customers}
    columns:
      - {name: order_id, description: The shop's number of the order.}
      - {name: city, description: Where the customer lives; empty if the customer is not known.}
    quality_checks:
      - orders_make_sense            # transformations/quality/orders_make_sense.py
      - not_null: [order_id, amount]
      - unique: order_id
      - accepted_values: {column: status, values: [new, paid]}
      - not_null: {column: city, severity: warn}   # a warning shows the rows and publishes all the same

gold:
  - name: sales_per_city
    description: What was sold, per month and city.
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
"""An order has an amount above zero, and was not made in the future."""

from __future__ import annotations

import duckdb


def check(con: duckdb.DuckDBPyConnection, dataset_name: str) -> tuple[bool, str]:
    """Pass if no order is wrong; the message is shown in either case."""
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

A comboi project: tables into a lake (bronze), cleaned and checked (silver), ready to look at (gold).

FIRST_STEPS
Then:

```
comboi status                                            # the latest run, its checks and errors
comboi build sales_per_city                              # try a dataset out: first rows, checks; nothing is published
comboi lineage                                           # what is made of what
comboi docs                                              # a catalogue to browse: catalogue/index.html
comboi new transformation NAME --from orders_clean       # one dataset more
comboi new check NAME --for orders_clean                 # one check more
```

Silver is in `lake/silver/refined/`, gold in `lake/gold/metrics/`, as Parquet files. Commands look for
`configs/initial.yml` where you are.
"""
"""FIRST_STEPS stands for those of the source's sample."""
