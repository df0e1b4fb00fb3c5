"""Running assets of Bruin in DuckDB: templates, hooks, Python assets, seeds, unit tests.

What a header means is settled in `comboi_core.config.assets`; `running` is the door to this package.
"""
