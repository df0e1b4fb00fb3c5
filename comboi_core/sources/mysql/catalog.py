"""What MySQL's catalog says of the table or query that is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from comboi_core.config.tables import TableConfig
from comboi_core.domain.errors import SourceObjectMissing
from comboi_core.domain.load import Column
from comboi_core.sources.mysql import sql, types
from comboi_core.sources.mysql.session import MysqlSession

Rows = Callable[[str], list[dict[str, str | None]]]
"""Runs a SELECT whose results are text."""

_SNAPSHOTS = "InnoDB"
"""The engine whose tables a transaction shows in one state."""


@dataclass(frozen=True)
class Table:
    """A table; for a query, that there is none.

    Attributes:
        engine: The storage engine, or None for a view.
        rows: By the server's estimate, or None if it is not known.
        size: Its bytes.
        leading: Columns that an index begins with.
        unique: Sets of columns that are never NULL and tell rows apart.
    """

    name: str = ""
    engine: str | None = None
    rows: int | None = None
    size: int = 0
    leading: frozenset[str] = frozenset()
    unique: tuple[frozenset[str], ...] = ()

    @property
    def row_bytes(self) -> float:
        """Bytes per row, 0 if unknown."""
        return self.size / self.rows if self.rows else 0.0

    @property
    def snapshots(self) -> bool:
        """Whether several statements of one transaction see the same rows."""
        return self.engine == _SNAPSHOTS

    def guarantees(self, key: tuple[str, ...]) -> bool:
        """Tell whether each key is there once."""
        named = {name.lower() for name in key}
        return any(columns <= named for columns in self.unique)


@dataclass(frozen=True)
class Shape:
    """What a load is planned for.

    Attributes:
        columns: All of them, in the source's order.
        required: The names of those that are never NULL.
        collations: Of those that are texts.
    """

    columns: tuple[Column, ...]
    required: frozenset[str] = frozenset()
    collations: Mapping[str, str] = field(default_factory=dict)


def find(ask: Rows, config: TableConfig, place: str) -> Table:
    """Return the table.

    Raises:
        SourceObjectMissing: there is none, or the account may not read it.
    """
    if config.table is None:
        return Table()
    found = ask(sql.find_table(config.table))
    if not found:
        raise SourceObjectMissing(f"{place}: the source has no table {config.table} that the account may read")
    (row,) = found
    leading, unique = _indexes(ask(sql.indexes(config.table)))
    rows = int(row["rows_"]) if row["rows_"] else None
    return Table(str(row["name"]), row["engine"], rows, int(row["size"] or 0), leading, unique)


def _indexes(rows: list[dict[str, str | None]]) -> tuple[frozenset[str], tuple[frozenset[str], ...]]:
    by_name: dict[str, list[dict[str, str | None]]] = {}
    for row in rows:
        by_name.setdefault(str(row["name"]), []).append(row)
    leading = frozenset(
        str(first["column_name"]).lower()
        for first, *_ in by_name.values()
        if first["column_name"] and not first["part"]
    )
    unique = tuple(
        frozenset(str(row["column_name"]).lower() for row in parts)
        for parts in by_name.values()
        if all(row["is_unique"] == "true" and row["nullable"] == "false" and row["column_name"] for row in parts)
    )
    return leading, unique


def shape(session: MysqlSession, config: TableConfig, relation: str, place: str) -> Shape:
    """Return the columns.

    Args:
        relation: The table or query as a FROM item.

    Raises:
        UnsupportedValue: a column is of a type that does not land.
    """
    if config.table is None:
        return _of_query(session, relation, place)
    wanted = set(config.columns or ()) | {*config.primary_key, *filter(None, [config.incremental_column])}
    rows = session.rows(sql.table_columns(config.table))
    if config.columns is not None:
        rows = [row for row in rows if row["name"] in wanted]
    columns = tuple(types.landed(str(row["name"]), str(row["type"]), place) for row in rows)
    required = frozenset(str(row["name"]) for row in rows if row["nullable"] == "NO")
    # An enum has one spelling of each value, which is its definition's.
    free = {column.name for column in columns if types.base_name(column.source_type) not in ("enum", "set")}
    collations = {str(row["name"]): row["collation"] for row in rows if row["collation"] and row["name"] in free}
    return Shape(columns, required, collations)


def _of_query(session: MysqlSession, relation: str, place: str) -> Shape:
    found = session.describe(f"SELECT * FROM {relation} AS src")
    (row,) = session.rows(sql.query_collations(relation, (name for name, _ in found)))
    collations = {name: row[f"c{index}"] for index, (name, _) in enumerate(found)}
    columns = tuple(types.landed(name, types.described(kind, collations[name]), place) for name, kind in found)
    texts = {column.name for column in columns if column.source_type == "text"}
    return Shape(columns, collations={name: found for name, found in collations.items() if found and name in texts})
