"""T-SQL types: what they land as, and the forms in which values travel so that no digit is lost.

Two types hold more than any type of DuckDB and Parquet does: `datetime2(7)` and `time(7)` have a seventh digit, and
`datetimeoffset` keeps the offset of whoever wrote it. Such a column lands twice: as TIMESTAMP, TIME or TIMESTAMPTZ (the
instant), cut to microseconds, to work with; and beside it, as `<column>__text`, exactly as the server prints it.
"""

from __future__ import annotations

import re

from comboi_core.domain.errors import UnsupportedValue
from comboi_core.domain.load import Column
from comboi_core.domain.sql import identifier as duckdb_identifier
from comboi_core.sources.azure_sql.text import identifier

INTEGERS = frozenset({"tinyint", "smallint", "int", "bigint"})
TEXT_SUFFIX = "__text"

_LANDED = {
    "bit": "BOOLEAN",
    "tinyint": "SMALLINT",
    "smallint": "SMALLINT",
    "int": "INTEGER",
    "bigint": "BIGINT",
    "money": "DECIMAL(19,4)",
    "smallmoney": "DECIMAL(10,4)",
    "real": "FLOAT",
    "float": "DOUBLE",
    "date": "DATE",
    "time": "TIME",
    "datetime": "TIMESTAMP",
    "smalldatetime": "TIMESTAMP",
    "datetime2": "TIMESTAMP",
    "datetimeoffset": "TIMESTAMP WITH TIME ZONE",
    "uniqueidentifier": "UUID",
    "binary": "BLOB",
    "varbinary": "BLOB",
    "image": "BLOB",
    "timestamp": "BLOB",
    **dict.fromkeys(("char", "varchar", "text", "nchar", "nvarchar", "ntext"), "VARCHAR"),
    **dict.fromkeys(("xml", "json", "sql_variant", "hierarchyid"), "VARCHAR"),
}

_VARIANT = """(CASE CONVERT(varchar(128), SQL_VARIANT_PROPERTY({0}, 'BaseType'))
    WHEN 'float' THEN CONVERT(nvarchar(max), CONVERT(float, {0}), 3)
    WHEN 'real' THEN CONVERT(nvarchar(max), CONVERT(real, {0}), 3)
    WHEN 'money' THEN CONVERT(nvarchar(max), CONVERT(money, {0}), 2)
    WHEN 'smallmoney' THEN CONVERT(nvarchar(max), CONVERT(smallmoney, {0}), 2)
    WHEN 'date' THEN CONVERT(nvarchar(max), CONVERT(date, {0}), 121)
    WHEN 'time' THEN CONVERT(nvarchar(max), CONVERT(time(7), {0}), 121)
    WHEN 'datetime' THEN CONVERT(nvarchar(max), CONVERT(datetime, {0}), 121)
    WHEN 'smalldatetime' THEN CONVERT(nvarchar(max), CONVERT(smalldatetime, {0}), 121)
    WHEN 'datetime2' THEN CONVERT(nvarchar(max), CONVERT(datetime2(7), {0}), 121)
    WHEN 'datetimeoffset' THEN CONVERT(nvarchar(max), CONVERT(datetimeoffset(7), {0}), 121)
    WHEN 'binary' THEN CONVERT(nvarchar(max), CONVERT(varbinary(8000), {0}), 1)
    WHEN 'varbinary' THEN CONVERT(nvarchar(max), CONVERT(varbinary(8000), {0}), 1)
    WHEN 'char' THEN CONVERT(nvarchar(max), CONVERT(varchar(8000), {0}))
    WHEN 'varchar' THEN CONVERT(nvarchar(max), CONVERT(varchar(8000), {0}))
    ELSE CONVERT(nvarchar(max), CONVERT(nvarchar(4000), {0})) END)"""
"""Each base type in its lossless form: the plain conversion rounds floats, cuts dates and misreads binary."""

# What the driver does not read exactly, or not at all, is put into another form by the server.
_TEMPLATES = {
    "text": "CONVERT(nvarchar(max), {0})",
    "ntext": "CONVERT(nvarchar(max), {0})",
    "xml": "CONVERT(nvarchar(max), {0})",
    "json": "CONVERT(nvarchar(max), {0})",
    "image": "CONVERT(varbinary(max), {0})",
    "timestamp": "CONVERT(binary(8), {0})",
    "uniqueidentifier": "CONVERT(char(36), {0})",
    "time": "CONVERT(varchar(16), {0}, 121)",
    "datetime": "CONVERT(datetime2(3), {0})",
    "smalldatetime": "CONVERT(datetime2(0), {0})",
    "datetimeoffset": "CONVERT(varchar(34), {0}, 121)",
    "sql_variant": _VARIANT,
    "hierarchyid": "{0}.ToString()",
}
_TEXTS = frozenset({"char", "varchar", "nchar", "nvarchar"})
_WITHOUT_BLANKS = "RTRIM({0})"
_DATETIME2_TEXT = "CONVERT(varchar(27), {0}, 121)"
_MODIFIER = re.compile(r"\((\d+)(?:,(\d+))?\)")
_REMEDIES = {
    "geography": "Read it in `query:` as text, e.g. `shape.STAsText() AS shape, shape.STSrid AS srid`, or leave it out "
    "with `columns:`.",
}
_REMEDIES["geometry"] = _REMEDIES["geography"]


def base_name(source_type: str) -> str:
    """Return a type's name without its modifiers: `decimal(12,2)` gives `decimal`."""
    return source_type.partition("(")[0]


def modifiers(source_type: str) -> tuple[int, ...]:
    """Return a type's numbers: `decimal(12,2)` gives (12, 2), `varchar(max)` gives ()."""
    match = _MODIFIER.search(source_type)
    return tuple(int(part) for part in match.groups() if part is not None) if match else ()


def landed(name: str, source_type: str, place: str) -> tuple[Column, ...]:
    """Return what a column lands as: one column, or two where one cannot hold its values.

    Args:
        source_type: As the server spells it; a CLR type by its name.
        place: What errors name: `source.table`.

    Raises:
        UnsupportedValue: there is no exact form for the type.
    """
    base = base_name(source_type)
    if base in ("decimal", "numeric"):
        return (Column(name, source_type, f"DECIMAL({','.join(map(str, modifiers(source_type)))})"),)
    if base not in _LANDED:
        raise UnsupportedValue(
            f"{place}: column {name} is {source_type}, which comboi does not land",
            remedy=_REMEDIES.get(base, UnsupportedValue.remedy),
            column=name,
        )
    main = Column(name, source_type, _LANDED[base])
    return (main, Column(name + TEXT_SUFFIX, source_type, "VARCHAR")) if _doubled(source_type) else (main,)


def is_text(column: Column) -> bool:
    """Tell the `__text` column of two from the one that it stands beside."""
    return _doubled(column.source_type) and column.type == "VARCHAR"


def in_source(column: Column) -> str:
    """Return the name of the source's column that a landed one is made from."""
    return column.name.removesuffix(TEXT_SUFFIX) if is_text(column) else column.name


def _doubled(source_type: str) -> bool:
    return base_name(source_type) == "datetimeoffset" or source_type in ("datetime2(7)", "time(7)")


def expression(column: Column, operand: str) -> str:
    """Return the T-SQL expression that gives a column's value in a form that the driver reads exactly.

    Args:
        operand: The column as the query's FROM clause knows it, quoted.
    """
    if column.canonical:
        return _WITHOUT_BLANKS.format(operand)
    if column.source_type == "datetime2(7)":
        return _DATETIME2_TEXT.format(operand)
    return _TEMPLATES.get(base_name(column.source_type), "{0}").format(operand)


def is_collated(source_type: str) -> bool:
    """Tell whether values of a type are texts that the server compares by a collation."""
    return base_name(source_type) in _TEXTS


def texts(columns: tuple[Column, ...]) -> dict[str, Column]:
    """Return the columns of free text by their names in `select_list`."""
    main = (column for column in columns if not is_text(column))
    return {f"c{index}": column for index, column in enumerate(main) if column.type == "VARCHAR"}


def unbounded(columns: tuple[Column, ...]) -> bool:
    """Tell whether a single value may be of any size."""
    kinds = (column.source_type for column in columns)
    return any("(max)" in kind or base_name(kind) in ("text", "ntext", "image", "xml", "json") for kind in kinds)


def select_list(columns: tuple[Column, ...], relation: str) -> str:
    """Return T-SQL's select list; the results are called c0, c1, ... whatever the columns' names hold."""
    main = [column for column in columns if not is_text(column)]
    return ", ".join(
        f"{expression(column, f'{relation}.{identifier(column.name)}')} AS c{index}"
        for index, column in enumerate(main)
    )


def typed_list(columns: tuple[Column, ...]) -> str:
    """Return DuckDB's select list over c0, c1, ...: the columns under their names, in their exact types."""
    sent = {column.name: f"c{index}" for index, column in enumerate(c for c in columns if not is_text(c))}
    return ", ".join(
        f"{_typed(column, sent[column.name.removesuffix(TEXT_SUFFIX) if is_text(column) else column.name])}"
        f"::{column.type} AS {duckdb_identifier(column.name)}"
        for column in columns
    )


def _typed(column: Column, operand: str) -> str:
    if base_name(column.source_type) == "datetimeoffset" and not is_text(column):
        # DuckDB takes no blank before the offset.
        return f"(left({operand}, -7) || right({operand}, 6))"
    return operand
