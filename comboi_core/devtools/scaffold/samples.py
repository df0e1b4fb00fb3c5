"""The texts of a new project. PIPELINE stands for its name."""

from __future__ import annotations

_HEAD = """\
# Where the data comes from, and where it goes. `comboi validate` checks this file, `comboi run` runs it.
# {{env:NAME}} and {{keyvault:NAME}} may stand in any string; they are read when used and never logged.

# The pipeline's name is part of the runs' names and of what is remembered between them.
pipeline: PIPELINE
failure_policy: stop  # a later stage does not start once something failed
"""

_TABLES = """\
    tables:
      # Only what changed since the last run is read; readers see the latest row per key.
      - name: orders
        table: {orders}
        primary_key: [order_id]
        incremental_column: updated_at
      - name: customers
        table: {customers}
        primary_key: [customer_id]
        incremental_column: updated_at
"""

SOURCES = {
    "files": _HEAD
    + """
sources:
  - name: shop
    type: files                    # CSV, JSON lines or Parquet; each file is landed once, and again if it changes
    connection: {path: data}       # counts from this project's folder
    tables:
      # With a key, a row of a later file takes the place of an earlier one.
      - name: orders
        path: orders/*.csv         # put further files there and run again
        primary_key: [order_id]
        types: {amount: "DECIMAL(12,2)"}
      - {name: customers, path: customers.csv, primary_key: [customer_id]}
""",
    "sqlite": _HEAD
    + """
sources:
  - name: shop
    type: sqlite
    connection: {path: data/shop.db}   # counts from this project's folder
"""
    + _TABLES.format(orders="orders", customers="customers"),
    "postgres": _HEAD
    + """
sources:
  - name: shop
    type: postgres
    # export SHOP_PASSWORD=... ; the role needs to read only: GRANT pg_read_all_data, pg_read_all_stats TO comboi
    # In Azure without a password: user@host alone in the conn_str, and beside it authentication: managed_identity
    connection: {conn_str: "postgresql://comboi:{{env:SHOP_PASSWORD}}@localhost:5432/shop"}
    max_parallel: 4                # so many tables are read side by side
"""
    + _TABLES.format(orders="public.orders", customers="public.customers"),
    "azure_sql": _HEAD
    + """
sources:
  - name: shop
    type: azure_sql
    # export SHOP_PASSWORD=... ; or, in place of user and password: authentication: managed_identity
    connection:
      server: example.database.windows.net
      database: shop
      user: comboi
      password: "{{env:SHOP_PASSWORD}}"
    max_parallel: 4                # so many tables are read side by side
"""
    + _TABLES.format(orders="dbo.orders", customers="dbo.customers"),
}
"""The first part of configs/initial.yml, by type of source."""

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

_FIRST = {
    "files": """\
`data/` holds a little sample data. It runs as it is:

```
comboi run        # lands data/, builds silver and gold
comboi run        # again: nothing new; put another CSV file into data/orders/ and run once more
```
""",
    "sqlite": """\
`data/shop.db` holds a little sample data. It runs as it is:

```
comboi run        # lands the tables, builds silver and gold
comboi run        # again: only what changed since is read
```
""",
    "postgres": """\
First write your database's address into `configs/initial.yml` and set `SHOP_PASSWORD`. The tables are examples:
`comboi new table shop SCHEMA.TABLE` writes the entry of one that you have, with its key and its cursor.

```
comboi validate   # what is wrong, with file and line
comboi run
```
""",
}

README = {
    source: f"""\
# PIPELINE

A comboi project: tables into a lake (bronze), cleaned and checked (silver), ready to look at (gold).

{_FIRST.get(source, _FIRST["postgres"])}
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
    for source in SOURCES
}
