"""What the catalog of an Azure SQL database says of a table or view."""

from __future__ import annotations

from dataclasses import dataclass

from comboi_core.domain.errors import SourceObjectMissing, SourceQueryFailed
from comboi_core.domain.shortfall import Shortfall
from comboi_core.sources.azure_sql import sql
from comboi_core.sources.azure_sql.remarks import of_filters
from comboi_core.sources.azure_sql.sight import Rows

ADVISED_ROWS = 100_000
"""From this size on a table without an index on its cursor is worth a remark."""
_PAGE = 8192


@dataclass(frozen=True)
class Index:
    """An index that holds every row.

    Attributes:
        columns: Its key columns in their order.
        distinct: Whether it is unique and none of its columns may be NULL.
    """

    columns: tuple[str, ...]
    distinct: bool


@dataclass(frozen=True)
class Catalogued:
    """What the catalog says of a table or view; for a query, that there is none.

    Attributes:
        rows: The server's count, or None for a view.
        size: Bytes, 0 if unknown.
        shortfalls: Of what the server hides of it.
    """

    oid: str | None = None
    is_table: bool = False
    rows: int | None = None
    size: int = 0
    shortfalls: tuple[Shortfall, ...] = ()
    indexes: tuple[Index, ...] = ()

    @property
    def row_bytes(self) -> float:
        """Bytes per row, 0 if unknown."""
        return self.size / self.rows if self.rows else 0.0

    def guarantees(self, key: tuple[str, ...]) -> bool:
        """Tell whether an index guarantees that each key is there once."""
        wanted = {name.lower() for name in key}
        return any(index.distinct and wanted.issuperset(map(str.lower, index.columns)) for index in self.indexes)

    def advice(self, cursor: str, table: str) -> tuple[str, ...]:
        """Return the remark that a large table has no index by which its new rows are found."""
        served = any(index.columns[0].lower() == cursor.lower() for index in self.indexes)
        if served or not self.is_table or (self.rows or 0) < ADVISED_ROWS:
            return ()
        return (
            f"no index of {table} begins with the cursor {cursor}: each load scans all {self.rows:,} rows to find what "
            f"is new, and once more to read it; CREATE INDEX ... ON {table} ({cursor}) ends that",
        )


def look_up(rows: Rows, table: str, place: str) -> Catalogued:
    """Return what the catalog says.

    Args:
        table: The table's or view's name, as it is configured.
        place: What errors name: `source.table`.

    Raises:
        SourceObjectMissing: there is no such table, or the login does not see it.
    """
    found = rows(sql.find_table(table))[0]
    if found["oid"] is None:
        raise SourceObjectMissing(f"{place}: the source has no table {table}")
    is_table = found["is_table"] == "1"
    counted = _partitions(rows, found["oid"], is_table=is_table)
    number, pages = (None if count is None else int(count) for count in (counted["rows"], counted["pages"]))
    hidden = (of_filters(int(found["filters"])),) if found["filters"] not in (None, "0") else ()
    return Catalogued(found["oid"], is_table, number, (pages or 0) * _PAGE, hidden, indexes(rows, found["oid"]))


def _partitions(rows: Rows, oid: str, *, is_table: bool) -> dict[str, str | None]:
    """Rows and pages of a table; without the right to see its pages (which may give no row, or an error), its rows."""
    try:
        counted = rows(sql.partition_statistics(oid))[0]
    except (SourceObjectMissing, SourceQueryFailed):
        counted = None
    if counted is None or (is_table and counted["rows"] is None):
        return rows(sql.partition_rows(oid))[0]
    return counted


def indexes(rows: Rows, oid: str) -> tuple[Index, ...]:
    """Return the indexes of a table that hold every row and have an order, in the order of their numbers; a primary key
    comes first where it is clustered."""
    found: dict[str, list[dict[str, str | None]]] = {}
    for row in rows(sql.indexes(oid)):
        found.setdefault(str(row["index_id"]), []).append(row)
    return tuple(
        Index(
            tuple(str(row["name"]) for row in columns),
            all(row["distinct_rows"] == "1" and row["nullable"] == "0" for row in columns),
        )
        for columns in found.values()
    )
