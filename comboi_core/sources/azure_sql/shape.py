"""The columns of a table, view or query in Azure SQL, as the server describes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from comboi_core.config.tables import TableConfig
from comboi_core.domain.errors import SourceObjectMissing, SourceQueryFailed, UnsupportedValue
from comboi_core.domain.load import Column
from comboi_core.sources.azure_sql import sql, types
from comboi_core.sources.azure_sql.errors import refused
from comboi_core.sources.azure_sql.sight import Rows
from comboi_core.sources.common.columns import chosen


@dataclass(frozen=True)
class Shape:
    """The columns that a table lands, and what the server says of them.

    Attributes:
        columns: In the source's order.
        required: The names of those that are never NULL.
        collations: By the names of the columns that have one, which are texts.
    """

    columns: tuple[Column, ...]
    required: frozenset[str]
    collations: Mapping[str, str]


def shape(rows: Rows, relation: sql.Relation, config: TableConfig, place: str) -> Shape:
    """Return the columns to land.

    Args:
        place: What errors name: `source.table`.

    Raises:
        SourceObjectMissing, SourceQueryFailed: the server cannot compile the query, or there is no such column.
        UnsupportedValue: a column cannot be landed.
    """
    described = _described(rows, relation, place)
    found = tuple(Column(str(row["name"]), str(row["type"] or row["clr"]), "") for row in described)
    kept = chosen(found, _with_cursor(config, found, place), place)
    landed = tuple(made for column in kept for made in types.landed(column.name, column.source_type, place))
    names = [column.name.lower() for column in landed]
    double = next((column.name for column in landed if names.count(column.name.lower()) > 1), None)
    if double:
        raise UnsupportedValue(
            f"{place}: the column {double} of the source has the name of a text that comboi puts beside a date or time",
            remedy="Rename the column in `query:`, or leave it out with `columns:`.",
        )
    return Shape(
        landed,
        frozenset(str(row["name"]) for row in described if row["nullable"] == "0"),
        {str(row["name"]): row["collation"] for row in described if row["collation"]},
    )


def cursor_column(columns: tuple[Column, ...], config: TableConfig) -> Column:
    """Return the column that is the cursor; `cursor: rowversion` means the only one of that type."""
    name = config.incremental_column
    return next(
        column
        for column in columns
        if (column.name == name if name else column.source_type == "timestamp") and not types.is_text(column)
    )


def named_columns(config: TableConfig) -> frozenset[str]:
    """Return the columns that the configuration names, and the texts that may stand beside them."""
    names = {*(config.columns or ()), *config.primary_key, *filter(None, [config.incremental_column])}
    return frozenset(names | {name + types.TEXT_SUFFIX for name in names})


def try_condition(rows: Rows, relation: sql.Relation, where: str | None, place: str) -> None:
    """Raise SourceQueryFailed, which names `where:`, if the server does not understand it.

    Args:
        relation: With the condition.
    """
    if where is None:
        return
    try:
        _described(rows, relation, place)
        return
    except (SourceObjectMissing, SourceQueryFailed) as error:
        said = error.message.removeprefix(f"{place}: ")
    raise SourceQueryFailed(
        f"{place}: where: {where}: {said}",
        remedy="Correct `where:`; it is a condition in the source's SQL over the table's columns.",
    )


def _described(rows: Rows, relation: sql.Relation, place: str) -> list[dict[str, str | None]]:
    described = rows(sql.describe(relation))
    failed = next((row for row in described if row["error"] is not None), None)
    if failed:
        raise refused(str(failed["error"]), str(failed["message"]), place)
    return described


def _with_cursor(config: TableConfig, columns: tuple[Column, ...], place: str) -> TableConfig:
    """The configuration, with the column that `cursor: rowversion` means in place of it."""
    if config.cursor is None:
        return config
    version = next((column.name for column in columns if column.source_type == "timestamp"), None)
    if version is None:
        raise SourceObjectMissing(
            f"{place}: cursor: rowversion wants a column of type rowversion, and there is none",
            remedy="Add one to the table (`ALTER TABLE ... ADD version rowversion`), or use incremental_column:.",
        )
    return config.model_copy(update={"incremental_column": version})
