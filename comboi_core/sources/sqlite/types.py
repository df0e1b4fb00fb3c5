"""SQLite's values: what a declared type lands as, and how a value of it is read exactly.

In SQLite any column may hold any value. A column lands as its declaration says; a value of another nature is an error
that names it, never NULL. SQLite has no dates: such columns land as the text that they hold.
"""

from __future__ import annotations

import re

from comboi_core.domain.load import Column
from comboi_core.domain.sql import identifier, literal
from comboi_core.sources.common import text_types

# As SQLite itself decides a column's affinity: the first word that the declaration contains.
_DECLARED = (
    ("INT", "BIGINT"),
    ("CHAR", "VARCHAR"),
    ("CLOB", "VARCHAR"),
    ("TEXT", "VARCHAR"),
    ("BLOB", "BLOB"),
    ("REAL", "DOUBLE"),
    ("FLOA", "DOUBLE"),
    ("DOUB", "DOUBLE"),
    ("BOOL", "BOOLEAN"),
)
UNTYPED = frozenset({"", "ANY"})
"""Declarations of columns that keep values of any type as they come (ANY in STRICT tables)."""
_DECIMAL = re.compile(r"(?:DECIMAL|NUMERIC)\s*\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)")
_NATURES = {
    "BIGINT": ("integer",),
    "DOUBLE": ("real", "integer"),
    "BLOB": ("blob",),
    "BOOLEAN": ("integer",),
    "VARCHAR": ("text", "integer", "real"),
}
_NUMBER = ("real", "integer")
_EXACT = 2**53
"""Whole numbers up to here are the same in a DOUBLE."""
_SHOWN = 200


def landed_type(declared: str) -> str:
    """Return the DuckDB type that a declaration lands as; text where it says nothing about the values."""
    name = declared.upper()
    decimal = _DECIMAL.match(name)
    if decimal and 0 < int(decimal[1]) <= 38 and int(decimal[2] or 0) <= int(decimal[1]):
        return f"DECIMAL({int(decimal[1])},{int(decimal[2] or 0)})"
    if name.startswith(("DECIMAL", "NUMERIC")):
        return "DOUBLE"
    return next((landed for word, landed in _DECLARED if word in name), "VARCHAR")


def sampled_type(natures: set[str]) -> str:
    """Return the type for values of these natures, as `typeof` names them: for columns that declare none."""
    natures = natures - {"null"}
    if natures and natures <= set(_NUMBER):
        return "DOUBLE" if "real" in natures else "BIGINT"
    return "BLOB" if natures == {"blob"} else "VARCHAR"


def select_list(columns: tuple[Column, ...]) -> str:
    """Return SQLite's select list over `src`: each value as text c0, c1, ..., and the first value that does not fit as
    `bad_column` and `bad_value`."""
    texts = [f"{_text(column)} AS c{index}" for index, column in enumerate(columns)]
    unfit = [(column, f"NOT ({_fits(column)})") for column in columns]
    names = " ".join(f"WHEN {test} THEN {literal(column.name)}" for column, test in unfit)
    values = " ".join(f"WHEN {test} THEN substr({_quoted(column)}, 1, {_SHOWN})" for column, test in unfit)
    return ", ".join([*texts, f"CASE {names} END AS bad_column", f"CASE {values} END AS bad_value"])


def typed_list(columns: tuple[Column, ...]) -> str:
    """Return DuckDB's select list over what `select_list` gives: the columns under their names, in their types."""
    return ", ".join(
        f"{_typed(column, f'c{index}')} AS {identifier(column.name)}" for index, column in enumerate(columns)
    )


def _operand(column: Column) -> str:
    return f"src.{identifier(column.name)}"


def _fits(column: Column) -> str:
    operand = _operand(column)
    natures = ", ".join(literal(name) for name in ("null", *_NATURES.get(column.type, _NUMBER)))
    test = f"typeof({operand}) IN ({natures})"
    if column.type == "BOOLEAN":
        return f"{test} AND coalesce({operand} IN (0, 1), 1)"
    if column.type == "DOUBLE":
        return f"{test} AND (typeof({operand}) <> 'integer' OR {operand} BETWEEN -{_EXACT} AND {_EXACT})"
    return test


def _text(column: Column) -> str:
    operand = _operand(column)
    if column.type == "BLOB":
        return f"CASE WHEN {operand} IS NOT NULL THEN hex({operand}) END"
    if column.type in ("BIGINT", "BOOLEAN"):
        return f"CAST({operand} AS TEXT)"
    # SQLite prints 15 digits, which are not always enough; the fewest that are tell the number as it was written.
    shorter = " ".join(
        f"WHEN CAST({_digits(operand, n)} AS REAL) = {operand} COLLATE BINARY THEN {_digits(operand, n)}"
        for n in (15, 16)
    )
    real = f"CASE {shorter} ELSE {_digits(operand, 17)} END"
    return f"CASE typeof({operand}) WHEN 'real' THEN {real} WHEN 'blob' THEN NULL ELSE CAST({operand} AS TEXT) END"


def _digits(operand: str, count: int) -> str:
    return f"printf('%!.{count}g', {operand})"


def _quoted(column: Column) -> str:
    operand = _operand(column)
    return f"CASE typeof({operand}) WHEN 'blob' THEN quote({operand}) ELSE CAST({operand} AS TEXT) END"


def _typed(column: Column, text: str) -> str:
    if column.type == "BLOB":
        return f"unhex({text})"
    if column.type.startswith("DECIMAL"):
        return text_types.typed(column.type, text, place="''", column=column.name)
    return f"{text}::{column.type}"


def fitting(load_columns: tuple[Column, ...], source: str) -> str:
    """Return DuckDB's SELECT over a FROM item with `select_list`; it fails at a value that does not fit its column."""
    said = f"json_array('', bad_column, {_kinds(load_columns)}, bad_value)::VARCHAR"
    check = f"CASE WHEN bad_column IS NULL THEN true ELSE error({text_types.guarded(said)})::BOOLEAN END"
    return f"SELECT {typed_list(load_columns)} FROM {source} WHERE {check}"


def _kinds(columns: tuple[Column, ...]) -> str:
    whens = " ".join(f"WHEN {literal(column.name)} THEN {literal(column.type)}" for column in columns)
    return f"CASE bad_column {whens} END"
