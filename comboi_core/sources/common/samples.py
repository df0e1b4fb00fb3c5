"""What the samples of SQL sources have in common."""

from __future__ import annotations

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
FIRST_STEPS = """\
First write your database's address into `configs/initial.yml` and set `SHOP_PASSWORD`. The tables are examples:
`comboi new table shop SCHEMA.TABLE` writes the entry of one that you have, with its key and its cursor.

```
comboi validate   # what is wrong, with file and line
comboi run
```
"""
"""For a server that the user has."""


def shop_tables(*, orders: str, customers: str) -> str:
    """Return the `tables:` of a sample in YAML, by the tables' names in the source."""
    return _TABLES.format(orders=orders, customers=customers)
