"""Files in new projects, with a few of them, and in the reference of the configuration."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

from comboi_core.config.base import Model
from comboi_core.config.source_type import Sample, SampleRows
from comboi_core.sources.files.config import CsvOptions, FilesSource, FilesTable

_PATHS = {"customers": "data/customers.csv", "orders": "data/orders/2026-01.csv"}


def _data(tables: Mapping[str, SampleRows]) -> dict[str, bytes]:
    return {path: _csv(tables[name]) for name, path in _PATHS.items()}


def _csv(rows: SampleRows) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


SAMPLE = Sample(
    entry="""\
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
    first_steps="""\
`data/` holds a little sample data. It runs as it is:

```
comboi run        # lands data/, builds silver and gold
comboi run        # again: nothing new; put another CSV file into data/orders/ and run once more
```
""",
    data=_data,
)

EXAMPLES: dict[type[Model], str] = {
    FilesSource: """\
sources:
  - name: partner
    type: files
    connection: {account_name: acme, file_system: incoming, folder: partner, credential: "{{keyvault:partner-key}}"}
    tables:
      - {name: countries, path: countries.parquet, mode: full}
""",
    FilesTable: """\
sources:
  - name: partner
    type: files
    connection: {path: incoming}
    tables:
      - name: orders
        path: "orders/**/*.csv"
        primary_key: [order_no]
        types: {order_no: VARCHAR, amount: "DECIMAL(12,2)"}
        lag: 1m
""",
    CsvOptions: """\
sources:
  - name: partner
    type: files
    connection: {path: incoming}
    tables:
      - {name: orders, path: "orders/*.txt", format: csv, options: {delimiter: ";", null_text: NA, encoding: latin-1}}
""",
}
