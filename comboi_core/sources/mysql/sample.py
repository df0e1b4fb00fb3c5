"""MySQL in new projects and in the reference of the configuration."""

from __future__ import annotations

from comboi_core.config.base import Model
from comboi_core.config.source_type import Sample
from comboi_core.sources.common.samples import FIRST_STEPS, shop_tables
from comboi_core.sources.mysql.config import MysqlConnection, MysqlSource

SAMPLE = Sample(
    entry="""\
  - name: shop
    type: mysql                    # MySQL 8.0, MariaDB 10.5, or newer
    # export SHOP_PASSWORD=... ; the account needs to read only: GRANT SELECT, SHOW VIEW ON shop.*; GRANT PROCESS ON *.*
    connection:
      host: localhost
      database: shop
      user: comboi
      password: "{{env:SHOP_PASSWORD}}"
      # Encrypted, to whatever server answers; verify_identity with tls_ca: looks at its certificate as well.
      tls: required
    max_parallel: 4                # so many tables are read side by side
"""
    + shop_tables(orders="orders", customers="customers"),
    first_steps=FIRST_STEPS,
)

EXAMPLES: dict[type[Model], str] = {
    MysqlSource: """\
sources:
  - name: web
    type: mysql
    connection: {host: db.example.com, database: web, user: comboi, password: "{{env:WEB_PASSWORD}}"}
    tables:
      - {name: orders, table: orders, primary_key: [id], incremental_column: updated_at}
""",
    MysqlConnection: """\
sources:
  - name: web
    type: mysql
    connection:
      host: db.example.com
      database: web
      user: comboi
      password: "{{keyvault:web-password}}"
      tls: verify_identity
      tls_ca: certificates/ca.pem
    tables: [{name: orders, table: orders}]
""",
}
