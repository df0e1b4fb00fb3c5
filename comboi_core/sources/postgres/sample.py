"""PostgreSQL in new projects and in the reference of the configuration."""

from __future__ import annotations

from comboi_core.config.base import Model
from comboi_core.config.source_type import Sample
from comboi_core.sources.common.samples import FIRST_STEPS, shop_tables
from comboi_core.sources.postgres.config import ChangeFeed, PostgresConnection, PostgresSource

SAMPLE = Sample(
    entry="""\
  - name: shop
    type: postgres
    # export SHOP_PASSWORD=... ; the role needs to read only: GRANT pg_read_all_data, pg_read_all_stats TO comboi
    # In Azure without a password: user@host alone in the conn_str, and beside it authentication: managed_identity
    connection: {conn_str: "postgresql://comboi:{{env:SHOP_PASSWORD}}@localhost:5432/shop"}
    max_parallel: 4                # so many tables are read side by side
"""
    + shop_tables(orders="public.orders", customers="public.customers"),
    first_steps=FIRST_STEPS,
)

EXAMPLES: dict[type[Model], str] = {
    PostgresSource: """\
sources:
  - name: shop
    type: postgres
    connection: {conn_str: "postgresql://comboi:{{keyvault:postgres-password}}@db.example.com:5432/shop?sslmode=require"}
    max_parallel: 8
    tables:
      - {name: orders, table: public.orders, primary_key: [order_id], cursor: xmin}
""",
    PostgresConnection: """\
sources:
  - name: shop
    type: postgres
    connection:
      conn_str: "postgresql://app-identity@db.example.com:5432/shop?sslmode=require"    # a user, and no password
      authentication: managed_identity
    tables: [{name: countries, table: public.countries}]
""",
    ChangeFeed: """\
sources:
  - name: shop
    type: postgres
    connection: {conn_str: "postgresql://comboi:{{keyvault:postgres-password}}@db.example.com:5432/shop?sslmode=require"}
    changes: {publication: comboi_shop, slot: comboi_shop}    # made by `comboi changes setup shop`
    tables:
      - {name: orders, table: public.orders, primary_key: [order_id], cursor: changes}
""",
}
