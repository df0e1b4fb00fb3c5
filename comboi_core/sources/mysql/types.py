"""How MySQL's types land: the DuckDB type, and the form in which a value travels so that nothing of it is lost.

DuckDB's extension reads some values otherwise without a word: a date that no calendar has as NULL, a decimal of more
than 38 digits as a float, a text of a binary collation as bytes. So dates, times, decimals and texts travel as text of
one collation, and become values of their type in DuckDB, each of them or none.
"""

from __future__ import annotations

import re

from comboi_core.domain.errors import UnsupportedValue
from comboi_core.domain.load import Column
from comboi_core.domain.sql import identifier as duckdb_identifier
from comboi_core.domain.sql import literal as duckdb_literal
from comboi_core.sources.common import text_types
from comboi_core.sources.mysql.text import identifier

_MODIFIER = re.compile(r"\((\d+)(?:,(\d+))?\)")

_INTEGERS = {
    "tinyint": ("TINYINT", "SMALLINT"),
    "smallint": ("SMALLINT", "INTEGER"),
    "mediumint": ("INTEGER", "INTEGER"),
    "int": ("INTEGER", "BIGINT"),
    "bigint": ("BIGINT", "DECIMAL(20,0)"),
}
"""Signed and unsigned: types that every reader of Parquet has."""
INTEGERS = frozenset(_INTEGERS)
DATES = frozenset({"date", "datetime", "timestamp"})
_LANDED = {
    "float": "FLOAT",
    "double": "DOUBLE",
    "real": "DOUBLE",
    "year": "SMALLINT",
    "date": "DATE",
    "datetime": "TIMESTAMP",
    "timestamp": "TIMESTAMPTZ",
    "uuid": "UUID",
    **dict.fromkeys(("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"), "BLOB"),
}
TEXTS = frozenset({"char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set"})
_AS_TEXT = TEXTS | {"time", "json", "inet4", "inet6"}
_SHAPES = frozenset(
    {
        *("geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon"),
        *("geometrycollection", "geomcollection"),
    }
)
QUERIED_DOUBLE = "real"
"""A query's double, which to DuckDB's extension may as well be a decimal of more than 38 digits."""
_DIGITS = 17
"""So many digits does a double have at most, in its shortest exact spelling."""
_MOST_DIGITS = 38
# What DuckDB's extension says of a query's column, and the type of MySQL that lands the same.
_DESCRIBED = {
    "TINYINT": "tinyint",
    "UTINYINT": "tinyint unsigned",
    "SMALLINT": "smallint",
    "USMALLINT": "smallint unsigned",
    "INTEGER": "int",
    "UINTEGER": "int unsigned",
    "BIGINT": "bigint",
    "UBIGINT": "bigint unsigned",
    "FLOAT": "float",
    "DOUBLE": QUERIED_DOUBLE,
    "DATE": "date",
    "TIMESTAMP": "datetime(6)",
    "VARCHAR": "text",
    "BLOB": "longblob",
}


def base_name(source_type: str) -> str:
    """Return a type's name without its modifiers: `decimal(12,2) unsigned` gives `decimal`."""
    return re.split(r"[(\s]", source_type.lower(), maxsplit=1)[0]


def modifiers(source_type: str) -> tuple[int, ...]:
    """Return a type's numbers: `decimal(12,2)` gives (12, 2), `text` gives ()."""
    match = _MODIFIER.search(source_type) if base_name(source_type) not in ("enum", "set") else None
    return tuple(int(part) for part in match.groups() if part is not None) if match else ()


def landed(name: str, source_type: str, place: str) -> Column:
    """Return what a column lands as.

    Args:
        source_type: As the server spells it, e.g. `int(10) unsigned`.
        place: What errors name: `source.table`.

    Raises:
        UnsupportedValue: there is no exact form for the type.
    """
    base, unsigned = base_name(source_type), " unsigned" in source_type.lower()
    given = modifiers(source_type)
    if base in _INTEGERS:
        return Column(name, source_type, _INTEGERS[base][unsigned])
    if base == "bit":
        size = given[0] if given else 1
        return Column(name, source_type, "BOOLEAN" if size == 1 else "BIGINT" if size < 64 else "DECIMAL(20,0)")
    if base == "decimal":
        precision, scale = (*given, 10, 0)[:2] if len(given) != 1 else (given[0], 0)
        kind = f"DECIMAL({precision},{scale})" if precision <= _MOST_DIGITS else "VARCHAR"
        return Column(name, source_type, kind)
    if base in _LANDED:
        return Column(name, source_type, _LANDED[base])
    if base in _AS_TEXT:
        return Column(name, source_type, "VARCHAR")
    remedy = (
        "Read it in `query:` as text, e.g. `ST_AsText(shape) AS shape, ST_SRID(shape) AS srid`, or leave it out with "
        "`columns:`."
    )
    raise UnsupportedValue(
        f"{place}: column {name} is {source_type}, which comboi does not land",
        remedy=remedy if base in _SHAPES else None,
        column=name,
    )


def described(kind: str, collation: str | None) -> str:
    """Return the type of MySQL for a query's column.

    Args:
        kind: What DuckDB's extension says that it is.
        collation: As the server says, `binary` for what is no text.
    """
    if kind == "BLOB" and collation not in (None, "binary"):
        return "text"  # of a binary collation, or JSON
    if kind.startswith("DECIMAL"):
        precision, scale = modifiers(kind)
        # The extension knows the width of the printed number, with or without a sign and a point.
        return f"decimal({min(precision + (1 if scale else 2), 65)},{scale})"
    return _DESCRIBED.get(kind, "text")


def is_text(source_type: str) -> bool:
    """Tell whether values of a type are texts that the server compares by a collation."""
    return base_name(source_type) in TEXTS


def printed(source_type: str, operand: str) -> str:
    """Return the expression that prints a value as text, with every digit."""
    if base_name(source_type) in _AS_TEXT:
        return f"CONVERT({operand} USING utf8mb4)"
    return f"CAST({operand} AS CHAR)"


def expression(column: Column, operand: str) -> str:
    """Return MySQL's expression that gives a column's value in a form that DuckDB's extension reads exactly.

    Args:
        operand: The column as the query's FROM clause knows it, quoted.
    """
    base = base_name(column.source_type)
    if base in _AS_TEXT or column.type == "VARCHAR":
        text = f"CONVERT({operand} USING utf8mb4)" if base in TEXTS else f"CAST({operand} AS CHAR)"
        # Of whatever collation the column is, also a binary one; and whatever `sql_mode` says of blanks at its end.
        text = f"({text} COLLATE utf8mb4_general_ci)"
        return f"TRIM(TRAILING ' ' FROM {text})" if base == "char" or column.canonical else text
    if base == "bit":
        return f"({operand} + 0)"
    if base in DATES or base in ("decimal", "real", "uuid") or column.type.startswith("DECIMAL"):
        return f"CAST({operand} AS CHAR)"
    return operand


def select_list(columns: tuple[Column, ...], relation: str) -> str:
    """Return MySQL's select list; the results are called c0, c1, ... whatever the columns' names hold."""
    return ", ".join(
        f"{expression(column, f'{relation}.{identifier(column.name)}')} AS c{index}"
        for index, column in enumerate(columns)
    )


def typed_list(columns: tuple[Column, ...], place: str, *, zero_dates: str) -> str:
    """Return DuckDB's select list over c0, c1, ...: the columns under their names, in their exact types.

    Args:
        zero_dates: What becomes of dates that no calendar has: `refuse` or `null`.
    """
    return ", ".join(
        f"{_typed(column, f'c{index}', place, zero_dates)} AS {duckdb_identifier(column.name)}"
        for index, column in enumerate(columns)
    )


def _typed(column: Column, operand: str, place: str, zero_dates: str) -> str:
    base, kind = base_name(column.source_type), column.type
    if base in DATES and kind != "VARCHAR":
        text = f"{operand}::VARCHAR"
        moment = f"({text} || '+00')" if base == "timestamp" else text
        value = f"TRY_CAST({moment} AS {kind})"
        otherwise = "NULL" if zero_dates == "null" else _refused(text, kind, column, place)
        return f"CASE WHEN {operand} IS NULL THEN NULL WHEN {value} IS NOT NULL THEN {value} ELSE {otherwise} END"
    if base == "real" and kind == "DOUBLE":
        text = f"{operand}::VARCHAR"
        digits = f"regexp_replace(regexp_replace({text}, '[eE].*$', ''), '^[-0.]*|[^0-9]', '', 'g')"
        fine = f"length({digits}) <= {_DIGITS} AND isfinite({text}::DOUBLE)"
        refused = _refused(text, kind, column, place)
        exact = f"CASE WHEN {operand} IS NULL THEN NULL WHEN {fine} THEN {text}::DOUBLE ELSE {refused} END"
    else:
        exact = f"{operand}::{kind}"
    # Minus zero equals zero.
    return f"({exact} + 0::{kind})" if column.canonical and kind in ("FLOAT", "DOUBLE") else exact


def _refused(text: str, kind: str, column: Column, place: str) -> str:
    where, name, wanted = map(duckdb_literal, (place, column.name, kind))
    return f"error({text_types.guarded(f'json_array({where}, {name}, {wanted}, left({text}, 200))::VARCHAR')})::{kind}"
