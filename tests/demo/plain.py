"""The shipped configuration in plain DuckDB: no engine, one dataset after the other."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import yaml

ROOT = Path(__file__).resolve().parents[2]
TRANSFORMATIONS = ROOT / "transformations"


def datasets() -> list[dict[str, Any]]:
    """The datasets of configs/transformations.yml in their order there, each with its `stage`."""
    text = yaml.safe_load((ROOT / "configs" / "transformations.yml").read_text(encoding="utf-8"))
    return [dataset | {"stage": stage} for stage in ("silver", "gold") for dataset in text[stage]]


def load_script(path: Path) -> ModuleType:
    """Import a Python file by its path."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def attach(con: duckdb.DuckDBPyConnection, uri: str) -> None:
    """Attach the PostgreSQL at `uri` as `source`, in UTC."""
    package = importlib.util.find_spec("duckdb_extension_postgres_scanner")
    assert package and package.submodule_search_locations
    folder = Path(package.submodule_search_locations[0]) / "extensions" / f"v{duckdb.__version__}"
    con.execute(f"LOAD '{folder / 'postgres_scanner.duckdb_extension'}'")
    con.execute("SET TimeZone = 'UTC'")
    con.execute(f"ATTACH '{uri}' AS source (TYPE postgres)")


def build_all(con: duckdb.DuckDBPyConnection, catalog: str) -> list[tuple[str, bool, str]]:
    """Build every dataset into `catalog` from the bronze tables in `catalog`.nyc.

    Where Splink would deduplicate, the true persons do, by the configured survivor rule. Returns the outcomes of the
    check scripts as (script, passed, message).
    """
    con.execute(f"CREATE SCHEMA {catalog}.built")
    outcomes = []
    for dataset in datasets():
        for item in dataset["inputs"]:
            con.execute(f'CREATE OR REPLACE TEMP VIEW "{item["alias"]}" AS FROM {catalog}.{_table(item)}')
        target = f"{catalog}.built.{dataset['name']}"
        con.execute(f"CREATE TABLE {target} AS {_query(con, dataset)}")
        for script in (check for check in dataset["quality_checks"] if isinstance(check, str)):
            check = load_script(TRANSFORMATIONS / "quality" / f"{script}.py").check
            outcomes.append((script, *check(con, target)))
        if "splink" in dataset:
            _deduplicate(con, target, dataset["splink"])
    return outcomes


def _query(con: duckdb.DuckDBPyConnection, dataset: dict[str, Any]) -> str:
    sql = TRANSFORMATIONS / f"{dataset['name']}.sql"
    if sql.exists():
        return sql.read_text(encoding="utf-8")
    views = {item["alias"]: f'"{item["alias"]}"' for item in dataset["inputs"]}
    query = load_script(sql.with_suffix(".py")).transform(con, views)
    assert isinstance(query, str)
    return query


def _table(item: dict[str, Any]) -> str:
    if "dataset" in item:
        return f"built.{item['dataset']}"
    if "table" in item:
        return f"nyc.{item['table']}"
    folder, name = item["source_path"].removesuffix(".parquet").split("/")
    return f"{'nyc' if item['stage'] == 'bronze' else 'built'}.{name}"


def _deduplicate(con: duckdb.DuckDBPyConnection, table: str, splink: dict[str, Any]) -> None:
    person, order = splink["labels"]["column"], splink["survivor"]["order_by"]
    con.execute(
        f"CREATE OR REPLACE TABLE {table} AS FROM {table} "
        f"QUALIFY row_number() OVER (PARTITION BY {person} ORDER BY {order}) = 1"
    )
