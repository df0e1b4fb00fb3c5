"""SQLite in new projects, with a small database, and in the reference of the configuration."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import date

from comboi_core.config.base import Model
from comboi_core.config.source_type import Sample, SampleRows
from comboi_core.sources.common.samples import shop_tables
from comboi_core.sources.sqlite.config import SqliteConnection, SqliteSource

_COLUMNS = {
    "customers": "customer_id INTEGER PRIMARY KEY, name TEXT NOT NULL, city TEXT, updated_at TEXT NOT NULL",
    "orders": "order_id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL, ordered_on DATE NOT NULL, "
    "amount DECIMAL(12,2) NOT NULL, status TEXT NOT NULL, updated_at TEXT NOT NULL",
}


def _data(tables: Mapping[str, SampleRows]) -> dict[str, bytes]:
    with closing(sqlite3.connect(":memory:")) as database:
        for name, columns in _COLUMNS.items():
            heads, *rows = tables[name]
            database.execute(f"CREATE TABLE {name} ({columns})")
            values = [tuple(str(value) if isinstance(value, date) else value for value in row) for row in rows]
            database.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' for _ in heads)})", values)
        database.commit()
        return {"data/shop.db": database.serialize()}


SAMPLE = Sample(
    entry="""\
  - name: shop
    type: sqlite
    connection: {path: data/shop.db}   # counts from this project's folder
"""
    + shop_tables(orders="orders", customers="customers"),
    first_steps="""\
`data/shop.db` holds a little sample data. It runs as it is:

```
comboi run        # lands the tables, builds silver and gold
comboi run        # again: only what changed since is read
```
""",
    data=_data,
)

EXAMPLES: dict[type[Model], str] = {
    SqliteSource: """\
sources:
  - name: till
    type: sqlite
    connection: {path: data/till.db}
    tables:
      - {name: sales, table: sales, primary_key: [id], incremental_column: changed_at}
""",
    SqliteConnection: """\
sources:
  - {name: till, type: sqlite, connection: {path: data/till.db}, tables: [{name: sales, table: sales}]}
""",
}
