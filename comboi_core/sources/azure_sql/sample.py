"""Azure SQL in new projects and in the reference of the configuration."""

from __future__ import annotations

from comboi_core.config.base import Model
from comboi_core.config.source_type import Sample
from comboi_core.sources.azure_sql.config import AzureSqlConnection, AzureSqlSource
from comboi_core.sources.common.samples import FIRST_STEPS, shop_tables

SAMPLE = Sample(
    entry="""\
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
    + shop_tables(orders="dbo.orders", customers="dbo.customers"),
    first_steps=FIRST_STEPS,
)

EXAMPLES: dict[type[Model], str] = {
    AzureSqlSource: """\
sources:
  - name: crm
    type: azure_sql
    connection: {server: example.database.windows.net, database: crm, authentication: managed_identity}
    tables:
      - {name: customers, table: dbo.customers, primary_key: [customer_id], cursor: rowversion}
""",
    AzureSqlConnection: """\
sources:
  - name: crm
    type: azure_sql
    connection:
      server: example.database.windows.net
      database: crm
      user: comboi
      password: "{{keyvault:azure-sql-password}}"
    tables: [{name: customers, table: dbo.customers}]
""",
}
