"""The orders table of the bronze benchmarks, and a comboi project that lands it."""

from __future__ import annotations

from pathlib import Path

import yaml

from comboi_core.cli.demo.postgres import EmbeddedPostgres

TABLE = """
DROP SCHEMA IF EXISTS bench CASCADE; CREATE SCHEMA bench;
CREATE TABLE bench.orders (
    order_id bigint, customer_id int, note text, amount numeric(12,2), created_at timestamptz, updated_at timestamptz,
    paid boolean, token uuid, city text, extra jsonb);
INSERT INTO bench.orders SELECT n, n % 100000, 'note number ' || n, (n % 100000) / 100.0,
    timestamptz '2025-01-01+00' + n * interval '1 s', timestamptz '2025-01-01+00' + n * interval '1 s',
    n % 3 = 0, md5(n::text)::uuid, 'city ' || n % 500, jsonb_build_object('k', n % 1000, 'tag', 't' || n % 10)
    FROM generate_series(1, {rows}) n;
ALTER TABLE bench.orders ADD PRIMARY KEY (order_id);
CREATE INDEX ON bench.orders (updated_at);
GRANT USAGE ON SCHEMA bench TO PUBLIC; GRANT SELECT ON ALL TABLES IN SCHEMA bench TO PUBLIC;
VACUUM ANALYZE bench.orders;
"""

CHANGE = """
UPDATE bench.orders SET note = 'changed {tag}', updated_at = timestamptz '2030-01-01+00' + {tag} * interval '1 h'
    + order_id * interval '1 us' WHERE order_id % ({rows} / {changed}) = 0;
"""


def fill(database: EmbeddedPostgres, rows: int) -> None:
    """Create the table with so many rows."""
    for statement in TABLE.format(rows=rows).split(";"):
        if statement.strip():
            database.psql(statement)


def change(database: EmbeddedPostgres, rows: int, changed: int, tag: int) -> None:
    """Update `changed` rows, spread over the table; `tag` grows from call to call."""
    database.psql(CHANGE.format(rows=rows, changed=changed, tag=tag))


def project(folder: Path, tables: list[dict], **engine: object) -> Path:
    """Write a project that lands tables of the database in BENCH_POSTGRES; return its folder."""
    (folder / "configs").mkdir(parents=True)
    config = {
        "pipeline": "bench",
        "engine": {"memory_limit": "256MB", "threads": 2, **engine},
        "sources": [
            {
                "name": "pg",
                "type": "postgres",
                "connection": {"conn_str": "{{env:BENCH_POSTGRES}}"},
                "max_parallel": 4,
                "tables": tables,
            }
        ],
        "stages": {stage: {"data_lake": {"path": f"lake/{stage}"}} for stage in ("bronze", "silver", "gold")},
    }
    (folder / "configs" / "initial.yml").write_text(yaml.safe_dump(config))
    (folder / "configs" / "transformations.yml").write_text("{}\n")
    return folder


ORDERS = {
    "name": "orders",
    "table": "bench.orders",
    "primary_key": ["order_id"],
    "incremental_column": "updated_at",
    "mode": "merge",
}
