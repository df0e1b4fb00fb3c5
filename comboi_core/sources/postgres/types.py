"""How PostgreSQL types land: the DuckDB type, and the expression that keeps the value exact.

The scanner reads some values wrongly without a word: NaN in a numeric as 0, an unconstrained numeric as a float, an
interval without its microseconds, timetz without its zone, char(n) without its blanks, a timestamp after 294246 as one
before Christ. So each type that is not known to come through is cast in PostgreSQL, to its own text.
"""

from __future__ import annotations

import re

from comboi_core.domain.load import Column
from comboi_core.domain.sql import identifier, literal
from comboi_core.sources.postgres.errors import GUARD

INTEGERS = frozenset({"smallint", "integer", "bigint"})

_EXACT = {
    "boolean": "BOOLEAN",
    "smallint": "SMALLINT",
    "integer": "INTEGER",
    "bigint": "BIGINT",
    "real": "FLOAT",
    "double precision": "DOUBLE",
    "text": "VARCHAR",
    "character varying": "VARCHAR",
    "date": "DATE",
    "time without time zone": "TIME",
    "timestamp without time zone": "TIMESTAMP",
    "timestamp with time zone": "TIMESTAMPTZ",
    "bytea": "BLOB",
    "uuid": "UUID",
    "jsonb": "VARCHAR",
    "oid": "BIGINT",
}
_MODIFIER = re.compile(r"\((-?\d+)(?:,(-?\d+))?\)")
_SCHEMA = re.compile(r'^(?:"(?:[^"]|"")*"|[^".]+)\.')
_BLANKS = "textin(bpcharout({}))"
_JSON = "array_to_json({})::text"
_TEXT = "{}::text"
_TEMPLATES = {"character": _BLANKS, "bpchar": _BLANKS, "inet": "textin(inet_out({}))", "oid": "{}::int8"}
CANONICAL = {
    "numeric": "trim_scale({})::text",
    "real": "({} + 0::real)",
    "double precision": "({} + 0::double precision)",
    "character": _TEXT,
    "bpchar": _TEXT,
    "interval": "justify_interval({})::text",
}
"""One spelling for all values that are equal: 2.0 and 2.00, -0 and 0, with and without blanks, 24 hours and 1 day."""
_LAST_TIMESTAMP = literal("294247-01-01")


def base_name(source_type: str) -> str:
    """Return a type's name without its modifiers: `numeric(12,2)` gives `numeric`."""
    return re.sub(r"\s+", " ", _MODIFIER.sub("", source_type)).strip()


def unqualified(name: str) -> str:
    """Return a type's name without its schema, which `format_type` adds where the search path does not lead to it."""
    return _SCHEMA.sub("", name)


def modifiers(source_type: str) -> tuple[int, ...]:
    """Return a type's modifiers: `numeric(12,2)` gives (12, 2), `text` gives ()."""
    match = _MODIFIER.search(source_type)
    return tuple(int(part) for part in match.groups() if part is not None) if match else ()


def landed_type(source_type: str) -> str:
    """Return the DuckDB type for a type as `format_type` spells it; VARCHAR for all that has no exact one.

    Arrays land as JSON text, since one PostgreSQL column may hold arrays of different dimensions.
    """
    name = base_name(source_type)
    if name == "numeric" and not source_type.endswith("[]"):
        precision, scale = (*modifiers(source_type), 0, 0)[:2]
        return f"DECIMAL({precision},{scale})" if 0 < precision <= 38 and 0 <= scale <= precision else "VARCHAR"
    return _EXACT.get(name, "VARCHAR")


def expression(column: Column, operand: str) -> str:
    """Return the PostgreSQL expression that gives a column's value in a form that the scanner reads exactly.

    Where no such form exists (NaN, a timestamp after 294246) the expression makes PostgreSQL raise an error that names
    column and value; see `postgres_errors.GUARD`.

    Args:
        operand: The column as the query's FROM clause knows it, quoted.
    """
    name = base_name(column.source_type)
    # A DECIMAL has one scale anyway; and a column that keeps its one spelling may be of another type for a while.
    if column.canonical and name in CANONICAL and not column.type.startswith("DECIMAL"):
        return CANONICAL[name].format(operand)
    if column.type.startswith("DECIMAL"):
        exact = f"numeric{column.type.removeprefix('DECIMAL')}"
        # PostgreSQL skips the outer cast where the column has these digits already; over a domain it has not.
        return _guarded(column, operand, f"{operand} = 'NaN'", exact) + f"::{exact}"
    if column.type.startswith("TIMESTAMP"):
        return _guarded(column, operand, f"{operand} >= {_LAST_TIMESTAMP} AND isfinite({operand})", name)
    if name.endswith("[]"):
        return _JSON.format(operand)
    return _TEMPLATES.get(name, "{}" if name in _EXACT else _TEXT).format(operand)


def _guarded(column: Column, operand: str, bad: str, cast: str) -> str:
    # The text depends on the value, so that PostgreSQL does not evaluate the cast while it plans.
    text = f"({literal(f'{GUARD}[{column.name}]')} || {operand}::text)::{cast}"
    return f"(CASE WHEN {bad} THEN {text} ELSE {operand} END)"


def select_list(columns: tuple[Column, ...], relation: str) -> str:
    """Return PostgreSQL's select list; the results are called c0, c1, ... whatever the columns' names hold."""
    return ", ".join(
        f"{expression(column, f'{relation}.{identifier(column.name)}')} AS c{index}"
        for index, column in enumerate(columns)
    )


def typed_list(columns: tuple[Column, ...]) -> str:
    """Return DuckDB's select list over c0, c1, ...: the columns under their names, in their exact types."""
    return ", ".join(f"c{index}::{column.type} AS {identifier(column.name)}" for index, column in enumerate(columns))
