"""How readers see a bronze table: SELECTs over exactly the files that a manifest lists."""

from __future__ import annotations

from typing import Literal

from comboi_core.domain.load import Column
from comboi_core.domain.manifest import Manifest
from comboi_core.domain.ports import Lake
from comboi_core.domain.sql import identifier, identifiers, literal

LOAD_COLUMN = "_load"
_FILE = "_comboi_file"
_ROW = "file_row_number"


def view_sql(lake: Lake, manifest: Manifest, view: Literal["current", "log"]) -> str:
    """Return a SELECT for DuckDB over a table as of a load.

    `current` gives the table: for mode merge the latest row per primary key, else every row. `log` gives every landed
    row, with the load's number in `_load`. Columns and types are those of the manifest; a column that a file lacks
    reads NULL. A table without files has no rows.
    """
    columns = manifest.columns
    if not manifest.files:
        load = (Column(LOAD_COLUMN, "", "BIGINT"),) if view == "log" else ()
        return f"{_empty(columns + load)}"
    if view == "log":
        return f"SELECT {_names(columns)}, {_load()} AS {LOAD_COLUMN} FROM {_files(lake, manifest)}"
    loads = {file.load for file in manifest.files}
    if manifest.mode != "merge" or len(loads) == 1:
        return f"SELECT {_names(columns)} FROM {_files(lake, manifest)}"
    return _latest(lake, manifest)


def _latest(lake: Lake, manifest: Manifest) -> str:
    source = f"(SELECT *, {_load()} AS {LOAD_COLUMN} FROM {_files(lake, manifest)})"
    cursor = f", {identifier(manifest.window.cursor)} DESC NULLS LAST" if manifest.window else ""
    return (
        f"SELECT {_names(manifest.columns)} FROM {source} QUALIFY row_number() OVER ("
        f"PARTITION BY {identifiers(manifest.primary_key)} ORDER BY {LOAD_COLUMN} DESC{cursor}, {_FILE}, {_ROW}) = 1"
    )


def _names(columns: tuple[Column, ...]) -> str:
    return identifiers(column.name for column in columns)


def _empty(columns: tuple[Column, ...]) -> str:
    return "SELECT " + ", ".join(f"NULL::{c.type} AS {identifier(c.name)}" for c in columns) + " WHERE false"


def _files(lake: Lake, manifest: Manifest) -> str:
    paths = ", ".join(literal(lake.uri(file.path)) for file in manifest.files)
    # The path's `load=` is no column, and a column that no file has yet still has a type.
    read = (
        f"SELECT * FROM read_parquet([{paths}], union_by_name = true, hive_partitioning = false, "
        f"filename = {literal(_FILE)}, file_row_number = true)"
    )
    return f"({_empty(manifest.columns)} UNION ALL BY NAME {read})"


def _load() -> str:
    return f"regexp_extract({_FILE}, '.*/load=([0-9]+)/[^/]*$', 1)::BIGINT"
