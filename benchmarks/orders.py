"""The orders table of the bronze benchmarks, what a load of it has to land, and a comboi project that lands it."""

from __future__ import annotations

from pathlib import Path

import duckdb
import yaml

from comboi_core.cli.demo.postgres import EmbeddedPostgres
from comboi_core.lake.bronze import read_manifest, view_sql
from comboi_core.lake.local import LocalLake

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

MOST_ROWS = 30_000_000
"""Rows of the table at most: one a second from 2025-01-01 on, so that each is older than CHANGED_SINCE."""
CHANGED_SINCE = "2026-01-01"
"""Every changed row is younger, and lies in the past: a load ends at the server's clock, and later rows wait."""

CHANGE = """
UPDATE bench.orders SET note = 'changed {tag}', updated_at = timestamptz '{since}+00' + {tag} * interval '1 min'
    + order_id * interval '1 us' WHERE order_id % ({rows} / {changed}) = 0;
"""


def fill(database: EmbeddedPostgres, rows: int) -> None:
    """Create the table with so many rows, MOST_ROWS at most."""
    assert rows <= MOST_ROWS, f"at most {MOST_ROWS:,} rows: later ones would lie in the future"
    for statement in TABLE.format(rows=rows).split(";"):
        if statement.strip():
            database.psql(statement)


def change(database: EmbeddedPostgres, rows: int, changed: int, tag: int) -> None:
    """Update `changed` rows, spread over the table; `tag` grows from call to call."""
    assert rows % changed == 0, "the number of rows has to be a multiple of the changed ones"
    database.psql(CHANGE.format(rows=rows, changed=changed, tag=tag, since=CHANGED_SINCE))


def assert_landed(relation: str, rows: int) -> None:
    """Raise AssertionError unless a relation (of DuckDB) holds every row of the full load.

    Args:
        relation: SQL that may stand after FROM; rows that changed later may be in it twice.
    """
    found = duckdb.sql(f"SELECT count(DISTINCT order_id), sum(DISTINCT order_id) FROM {relation}").fetchone()
    assert found == (rows, rows * (rows + 1) // 2), f"{found[0]:,} of {rows:,} rows were landed"


def assert_changed(relation: str, rows: int, changed: int, tag: int) -> None:
    """Raise AssertionError unless a relation holds each row that `change` changed, once."""
    step = rows // changed
    query = f"SELECT count(*), sum(order_id) FROM {relation} WHERE note = 'changed {tag}'"
    found = duckdb.sql(query).fetchone()
    assert found == (changed, step * changed * (changed + 1) // 2), f"{found[0]:,} of {changed:,} changes were landed"


def current(folder: Path) -> str:
    """Return the relation of a project's orders as readers see them."""
    lake = LocalLake(folder / "lake" / "bronze")
    loads = [path for path in lake.list("pg/orders/_loads") if path.endswith(".json")]
    newest = max((read_manifest(lake, path) for path in loads), key=lambda load: (load.sequence, load.fence))
    return f"({view_sql(lake, newest, 'current')})"


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
