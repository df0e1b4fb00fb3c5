"""What can be told of the SQL of a dataset without a lake: names that are no input, columns that no input has.

The columns of an input are known where its table lists `columns:`, and where a dataset's own SELECT names its columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from comboi_core.building.validation.text import Select, select_of
from comboi_core.config.datasets import DatasetConfig, Input
from comboi_core.config.project import Project
from comboi_core.domain.names import did_you_mean
from comboi_core.domain.sql import identifier, qualified
from comboi_core.duckdb.errors import error_details
from comboi_core.duckdb.parsing import parsed

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_ADDED_BY_VERSIONS = ("_valid_from", "_valid_until", "_is_current")
_ADDED_BY_CLUSTERS = ("cluster_id", "cluster_size")
_MISSING_TABLE = re.compile(r"Table with name (\S+) does not exist")
_MISSING_COLUMN = re.compile(r'Referenced column "([^"]+)" not found|does not have a column named "([^"]+)"')


class KnownColumns:
    """The columns of datasets and tables, as far as they are known without data."""

    def __init__(self, project: Project, con: DuckDBPyConnection) -> None:
        self._project = project
        self._con = con
        self._datasets = {dataset.name: dataset for dataset in project.datasets()}
        self.of_dataset = cache(self._of_dataset)

    def of_input(self, item: Input) -> tuple[str, ...] | None:
        """Return an input's columns; None where they are not known."""
        if item.dataset is not None:
            return self.of_dataset(item.dataset)
        table = self._project.tables.get((str(item.source), str(item.table)))
        return tuple(table.columns) if table and table.columns and item.view == "current" else None

    def _of_dataset(self, name: str) -> tuple[str, ...] | None:
        dataset = self._datasets.get(name)
        select = dataset and select_of(self._project, dataset)
        if not dataset or not select:
            return None
        selected = selected_columns(self._con, select.text)
        if selected is None:
            return None
        added = _ADDED_BY_VERSIONS if dataset.materialization.strategy == "scd2" else ()
        return (*selected, *added, *(_ADDED_BY_CLUSTERS if dataset.splink else ()))


def selected_columns(con: DuckDBPyConnection, sql: str) -> tuple[str, ...] | None:
    """Return the names that a SELECT gives its columns; None where they follow from its inputs, or it is no SELECT."""
    import duckdb

    try:
        node = parsed(con, sql)["statements"][0]["node"]
        items = node["select_list"]
    except (duckdb.Error, KeyError, IndexError, ValueError, TypeError):
        return None
    names = [item.get("alias") or (item.get("column_names") or [""])[-1] for item in items]
    plain = all(name and item["class"] != "STAR" for name, item in zip(names, items, strict=True))
    return tuple(names) if plain else None


def sql_problems(
    con: DuckDBPyConnection, project: Project, dataset: DatasetConfig, known: KnownColumns
) -> Iterator[str]:
    """Yield what a dataset's SELECT names that is not there, as `file:line: text`."""
    import duckdb

    select = select_of(project, dataset)
    if select is None:
        return
    con.execute("BEGIN")
    try:
        inputs = {item.alias: known.of_input(item) for item in dataset.inputs}
        for alias, columns in inputs.items():
            schema, _, _ = alias.rpartition(".")
            if schema:
                con.execute(f"CREATE SCHEMA IF NOT EXISTS {identifier(schema)}")
            listed = ", ".join(f"NULL AS {identifier(name)}" for name in columns or ("comboi_unknown",))
            con.execute(f"CREATE VIEW {qualified(alias)} AS SELECT {listed}")
        con.execute(f"EXPLAIN {select.text}")
    except duckdb.Error as error:
        message = error_details(error)[0]
        aliases = ", ".join(inputs)
        table, column = _MISSING_TABLE.search(message), _MISSING_COLUMN.search(message)
        if table:
            name = table[1].strip('"!')
            hint = did_you_mean(name, list(inputs))
            yield f"{select.file}:{_line(select, name)}: there is no input '{name}'{hint}; the inputs are {aliases}"
        elif column and all(columns is not None for columns in inputs.values()):
            name = column[1] or column[2]
            names = [name for columns_of_input in inputs.values() for name in columns_of_input or ()]
            problem = f"no input has a column '{name}'{did_you_mean(name, names)}; they have {', '.join(names)}"
            yield f"{select.file}:{_line(select, name)}: {problem}"
    finally:
        con.execute("ROLLBACK")


def column_problems(project: Project, dataset: DatasetConfig, known: KnownColumns) -> Iterator[str]:
    """Yield what checks and the deduplication name that the dataset does not have."""
    columns = known.of_dataset(dataset.name)
    named = [(check.label, column) for check in dataset.checks for column in check.columns] if columns else []
    for label, column in named:
        if column.lower() not in {name.lower() for name in columns or ()}:
            hint = did_you_mean(column, list(columns or ()))
            where = project.places[dataset.name]
            yield (
                f"{where}: {dataset.name}: {label}: the dataset has no column '{column}'{hint}; "
                f"it has {', '.join(columns or ())}"
            )


def _line(select: Select, name: str) -> int:
    match = re.search(rf'(?<![\w"]){re.escape(name)}(?!\w)', select.text, re.IGNORECASE)
    return select.line(match.start()) if match else 1
