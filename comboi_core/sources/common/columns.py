"""Which of a source's columns a table lands."""

from __future__ import annotations

from comboi_core.config.tables import BaseTable
from comboi_core.domain.errors import SourceObjectMissing, UnsupportedValue
from comboi_core.domain.load import Column
from comboi_core.domain.manifest import RESERVED_COLUMNS
from comboi_core.domain.names import did_you_mean


def chosen(columns: tuple[Column, ...], config: BaseTable, place: str) -> tuple[Column, ...]:
    """Return the columns that `columns:` names, and always the key and the cursor; all of them without `columns:`.

    Args:
        columns: What the source has, in its order.
        place: What errors name: `source.table`.

    Raises:
        SourceObjectMissing: the configuration names a column that the source does not have.
        UnsupportedValue: two names differ by case only, which Parquet's readers cannot tell apart, or a name is
            reserved, or there are no columns.
    """
    names = {column.name: column for column in columns}
    needed = (*(config.columns or ()), *config.primary_key, *filter(None, [config.cursor_column]))
    for name in needed:
        if name not in names:
            raise SourceObjectMissing(
                f"{place}: the source has no column {name}{did_you_mean(name, names)}", column=name
            )
    if config.columns is not None:
        kept = {*needed}
        columns = tuple(column for column in columns if column.name in kept)
    if not columns:
        raise UnsupportedValue(f"{place}: the source has no columns", remedy="Check the table's rights.")
    seen: dict[str, str] = {}
    for column in columns:
        other = seen.setdefault(column.name.lower(), column.name)
        reason = f"differs from {other} only by case" if other != column.name else None
        if column.name.lower() in RESERVED_COLUMNS:
            reason = "is comboi's own"
        if reason:
            raise UnsupportedValue(
                f"{place}: the name of column {column.name} {reason}",
                remedy="Rename the column in `query:`, or leave it out with `columns:`.",
            )
    return columns
