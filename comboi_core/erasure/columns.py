"""Whether an erasure's columns and keys mean anything: a slip of the pen must not read as `found nowhere`.

Names are looked up, and keys read, as of the table's committed manifest and of the files that datasets have by now.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING

from comboi_core.app.workspace import Workspace
from comboi_core.config.datasets import DatasetConfig
from comboi_core.domain.errors import RequestInvalid
from comboi_core.domain.manifest import Manifest
from comboi_core.domain.names import did_you_mean, table_id
from comboi_core.domain.sql import literal
from comboi_core.erasure.files import Sought, canonical, columns_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_MOST_SHOWN = 30


def find_slip(
    workspace: Workspace, landed: Manifest, datasets: list[DatasetConfig], sought: Sought
) -> RequestInvalid | None:
    """Return the refusal of a column that is nowhere, or of a key that is no value of its column; else None.

    A key may be a value of a dataset's column of that name instead, which may have another type than the table's.

    Args:
        landed: The table's committed manifest.
        datasets: Those that are made of the table.

    Returns:
        An error that names the column, or the key by its position; it does not repeat a key.

    Raises:
        LakeUnavailable: a lake does not answer.
    """
    with workspace.duckdb() as con:
        misfits = [
            (number, position)
            for number, key in enumerate(sought.keys, 1)
            for position, text in enumerate(key)
            if _value(con, sought, position, text) is None
        ]
        if not misfits and not sought.aliases:
            return None
        made = _columns(workspace, con, datasets)
        for alias in sought.aliases:
            if alias.lower() not in made:
                return _no_column(alias, landed, made)
        for number, position in misfits:
            text = sought.keys[number - 1][position]
            if all(canonical(con, text, kind) is None for kind in _other_kinds(sought, position, made)):
                return _no_value(number, landed, sought, position)
    return None


def _value(con: DuckDBPyConnection, sought: Sought, position: int, text: str) -> str | None:
    """Return a value of the table's column as text; None if it has no such value."""
    kind = sought.types[position]
    return sought.equal(position).canonical(text) if kind == "VARCHAR" else canonical(con, text, kind)


def _other_kinds(sought: Sought, position: int, made: Mapping[str, set[str]]) -> set[str]:
    """Return the types that a key's column has in datasets. Text under the column's own name is no other type where it
    is text in the table as well: it holds the table's values."""
    own = sought.columns[position].lower()
    kinds = {name.lower(): made.get(name.lower(), set()) for name in sought.names[position]}
    if sought.types[position] == "VARCHAR":
        kinds[own] = kinds[own] - {"VARCHAR"}
    return set().union(*kinds.values())


def _columns(workspace: Workspace, con: DuckDBPyConnection, datasets: list[DatasetConfig]) -> Mapping[str, set[str]]:
    """Return the types of every column, by its name in lower case, of the datasets' files and of those beside them."""
    kinds: dict[str, set[str]] = defaultdict(set)
    for dataset in datasets:
        stage, _ = workspace.project.dataset(dataset.name)
        lake, path = workspace.lake(stage), workspace.project.dataset_path(dataset.name)
        lake.attach(con)
        beside = f"{path.removesuffix('.parquet')}."
        for file in lake.list(path.rpartition("/")[0]):
            if file.startswith(beside) and file.endswith(".parquet"):
                relation = f"read_parquet({literal(lake.uri(file))}, hive_partitioning = false)"
                for name, kind in columns_of(con, relation).items():
                    kinds[name.lower()].add(kind)
    return kinds


def _no_column(name: str, landed: Manifest, made: Mapping[str, set[str]]) -> RequestInvalid:
    table = table_id(landed.source, landed.table)
    own = [column.name for column in landed.columns]
    listed = ", ".join(own[:_MOST_SHOWN]) + (", ..." if len(own) > _MOST_SHOWN else "")
    return RequestInvalid(
        f"columns: neither {table} nor any dataset that is made of it has a column '{name}'"
        f"{did_you_mean(name, [*own, *made])}",
        remedy=f"Correct the name, or leave it out; {table} has {listed}.",
    )


def _no_value(number: int, landed: Manifest, sought: Sought, position: int) -> RequestInvalid:
    column = f"{table_id(landed.source, landed.table)}.{sought.columns[position]}"
    kind = sought.types[position]
    if kind == "VARCHAR":  # as which many types of sources land
        kind = next(known.source_type for known in landed.columns if known.name == sought.columns[position]) or kind
    return RequestInvalid(
        f"key {number}: no value of {column}, which has the type {kind}",
        remedy="Give a value of that type, or name the column that holds the key with --column (`columns` over HTTP).",
    )
