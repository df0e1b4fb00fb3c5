"""The examples in docs/configuration.md, by model. The models and the schemas accept them.

Each type of source brings those of its own models in its descriptor.
"""

from __future__ import annotations

from comboi_core.config.source_registry import BUILT_IN, source_type

_PIPELINE = """\
pipeline: sales
sources:
  - name: shop
    type: postgres
    connection: {conn_str: "postgresql://comboi:{{env:SHOP_PASSWORD}}@db.example.com:5432/shop?sslmode=require"}
    tables:
      - {name: orders, table: public.orders, primary_key: [order_id], incremental_column: updated_at}
stages:
  bronze: {data_lake: {path: lake/bronze}}
  silver: {data_lake: {path: lake/silver}}
  gold: {data_lake: {path: lake/gold}}
"""

_TRANSFORMATIONS = """\
silver:
  - name: orders_clean                  # transformations/orders_clean.sql or .py
    inputs: [{alias: orders, source: shop, table: orders}]
    quality_checks:
      - not_null: [order_id, amount]
gold:
  - name: daily_sales
    inputs: [{alias: orders, dataset: orders_clean}]
"""

_HEAD = """\
silver:
  - name: customers_clean
    inputs: [{alias: customers, source: shop, table: customers}]
    splink:
"""
_KEYS = {
    "unique_id_column_name": "customer_id",
    "comparisons": """
        - {type: NameComparison, column: first_name}
        - {type: ExactMatch, column: city, term_frequency_adjustments: true}""",
    "blocking_rules_to_generate_predictions": "[[first_name, born], [email]]",
    "training": "{deterministic_rules: [[email]], recall: 0.8, em_blocking: [[first_name], [born]], seed: 42}",
    "survivor": '{order_by: "updated_at DESC"}',
}


def _splink(**changes: str) -> str:
    """Return the Splink example with other values for some of its keys."""
    written = ((key, value if value.startswith("\n") else f" {value}") for key, value in (_KEYS | changes).items())
    return _HEAD + "".join(f"      {key}:{value}\n" for key, value in written)


EXAMPLES = {model.__name__: text for name in BUILT_IN for model, text in source_type(name).examples.items()} | {
    "PipelineFile": _PIPELINE,
    "KeyVaultConfig": 'key_vault: {vault_url: "https://example.vault.azure.net/"}     # or "{{env:KEY_VAULT_URL}}"\n',
    "MaskingConfig": 'masking: {salt: "{{keyvault:mask-salt}}"}\n',
    "EngineConfig": "engine: {memory_limit: 600MB, threads: 1, parallel_datasets: 1, soft_deadline: 2m}\n",
    "Retry": "retry: {attempts: 6, first_delay: 10s, factor: 2}\n",
    "TableConfig": """\
sources:
  - name: shop
    type: postgres
    connection: {conn_str: "{{env:SHOP_DATABASE}}"}
    tables:
      - name: orders                    # only changed rows; readers see the latest row per key
        table: public.orders
        primary_key: [order_id]
        incremental_column: updated_at
        lag: 10m
        chunk_rows: 500000
        freshness: 2h
      - name: events                    # rows that never change
        query: SELECT id, happened_at, kind FROM events WHERE kind <> 'test'
        incremental_column: happened_at
        mode: append
      - name: countries                 # small: reads the whole table each time
        table: public.countries
        columns: [code, name]
""",
    "LakeConfig": """\
stages:
  bronze: {data_lake: {path: lake/bronze}}                                # a local folder
  silver: {data_lake: {account_name: acmelake, file_system: silver}}      # the identity signs in
  gold: {data_lake: {connection_string: "{{keyvault:lake}}", file_system: gold, folder: sales}}
""",
    "Stages": """\
stages:
  bronze: {data_lake: {account_name: "{{env:DATA_LAKE_ACCOUNT_NAME}}", file_system: bronze}}
  silver: {data_lake: {account_name: "{{env:DATA_LAKE_ACCOUNT_NAME}}", file_system: silver}}
  gold: {data_lake: {account_name: "{{env:DATA_LAKE_ACCOUNT_NAME}}", file_system: gold}}
""",
    "BronzeConfig": """\
stages:
  bronze: {data_lake: {path: lake/bronze}, keep_loads: 10}
  silver: {data_lake: {path: lake/silver}}
  gold: {data_lake: {path: lake/gold}}
""",
    "StageConfig": """\
stages:
  bronze: {data_lake: {path: lake/bronze}}
  silver: {data_lake: {path: lake/silver}, remote_path_template: "{stage}/{source}/{table}.parquet"}
  gold: {data_lake: {path: lake/gold}}
""",
    "MonitoringConfig": """\
monitoring: {log_path: logs/comboi.log, azure_connection_string: "{{keyvault:application-insights-connection}}"}
""",
    "HistoryConfig": """\
history: {keep: 3d}
""",
    "NotificationConfig": """\
notifications:
  - {on: [failed, warned, recovered, stale], webhook: "{{keyvault:teams-webhook}}"}
  - {on: [failed], webhook: "{{keyvault:slack-webhook}}", format: slack}
""",
    "TransformationsFile": _TRANSFORMATIONS,
    "DatasetConfig": """\
silver:
  - name: orders_clean
    description: One row per valid order.
    script: orders                      # transformations/orders.sql or .py
    inputs:
      - {alias: orders, source: shop, table: orders}
      - {alias: customers, source: shop, table: customers}
    quality_checks:
      - unique: order_id
    allow_empty: true
""",
    "Input": """\
gold:
  - name: daily_sales
    inputs:
      - {alias: changed, source: shop, table: orders, view: changes}
      - {alias: orders, dataset: orders_clean}
      - {alias: customers, stage: silver, source_path: "refined/customers_clean.parquet"}
""",
    "Materialization": """\
silver:
  - name: orders_clean
    inputs: [{alias: orders, source: shop, table: orders, view: changes}]
    materialization: {strategy: merge, unique_key: [order_id]}
  - name: daily_orders
    inputs: [{alias: orders, source: shop, table: orders}]
    materialization: {strategy: delete+insert, incremental_key: day, time_granularity: date}
  - name: customer_versions
    inputs: [{alias: customers, source: shop, table: customers}]
    materialization: {strategy: scd2, unique_key: [customer_id]}
""",
    "ColumnNote": """\
silver:
  - name: orders_clean
    inputs: [{alias: orders, source: shop, table: orders}]
    columns:
      - {name: order_id, description: The order's number in the shop.}
      - {name: email, description: The address of the confirmation., sensitive: true}
""",
    "Check": """\
silver:
  - name: orders_clean
    inputs: [{alias: orders, source: shop, table: orders}]
    quality_checks:
      - orders_quality                                    # transformations/quality/orders_quality.py
      - not_null: [order_id, customer_id]
      - unique: {column: order_id, on_fail: quarantine}
      - accepted_values: {column: status, values: [new, paid], severity: warn}
      - max: {column: amount, value: 99999.99}
      - relationships: {column: customer_id, to: customers_clean, field: customer_id}
      - freshness: {column: ordered_at, max_age: 26h}
      - row_count: {min: 1, min_change: -20%}
      - custom: {name: all states occur, query: SELECT count(DISTINCT status) FROM orders_clean, value: 2}
""",
    "SplinkConfig": _splink(),
    "Comparison": _splink(
        comparisons="""
        - {type: JaroWinklerAtThresholds, column: surname, args: {score_threshold_or_thresholds: [0.92, 0.8]}}
        - {type: ExactMatch, column: city, term_frequency_adjustments: true}"""
    ),
    "Level": _splink(
        comparisons="""
        - output_column_name: birth
          comparison_levels:
            - {sql_condition: "born_l IS NULL OR born_r IS NULL", is_null_level: true}
            - {sql_condition: "born_l = born_r", label_for_charts: the same day}
            - {sql_condition: ELSE, label_for_charts: anything else}"""
    ),
    "Rule": _splink(
        blocking_rules_to_generate_predictions="""
        - [first_name, born]
        - "l.surname = r.surname AND left(l.postcode, 2) = left(r.postcode, 2)"
        - {columns: [phones], arrays_to_explode: [phones]}"""
    ),
    "Training": _splink(),
    "ExpectationMaximisation": _splink(
        training="""
        deterministic_rules: [[email]]
        em_blocking: [[first_name], [born]]
        em: {estimate_without_term_frequencies: true}"""
    ),
    "RandomSampling": _splink(
        training="""
        deterministic_rules: [[email]]
        em_blocking: [[first_name], [born]]
        u: {min_count_per_level: 500}"""
    ),
    "Survivor": _splink(
        survivor="""
        most_complete: true
        order_by: "updated_at DESC"
        per_column: {phone: most_recent_not_null}"""
    ),
    "ColumnRule": _splink(
        survivor="""
        order_by: "updated_at DESC"
        per_column:
          phone: most_recent_not_null
          email: {source_priority: [crm, shop], order_by: "updated_at DESC"}"""
    ),
    "Labels": _splink(labels="{column: true_person}"),
}
