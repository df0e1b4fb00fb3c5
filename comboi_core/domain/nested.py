"""SQL conditions on nested values of DuckDB: lists, arrays, maps and structs, at any depth."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb.sqltypes import DuckDBPyType

Condition = Callable[[str, "DuckDBPyType"], str | None]
"""A function from an SQL expression and its type to an SQL condition. None if no value of the type can meet it."""


def parts(kind: DuckDBPyType) -> list[tuple[str, DuckDBPyType]]:
    """Return names and types of the parts of a list, array, map or struct, without the size of an array."""
    return [(name, part) for name, part in kind.children if not isinstance(part, int | list)]


def anywhere(value: str, kind: DuckDBPyType, meant: Condition, depth: int = 0) -> str | None:
    """Return the SQL condition that a value, or a value inside it, meets `meant`. None if its type excludes that.

    Args:
        value: An SQL expression.
        kind: Its type.
        meant: Called for the type itself. If it returns None, it is called for the parts of the type.
    """
    own = meant(value, kind)
    if own is not None:
        return own
    if kind.id == "struct":
        fields = [
            anywhere(f"struct_extract_at({value}, {position})", child, meant, depth)
            for position, (_, child) in enumerate(parts(kind), 1)
        ]
        return _any(fields)
    if kind.id == "map":
        sides = zip(("map_keys", "map_values"), (child for _, child in parts(kind)), strict=True)
        return _any([_in_list(f"{function}({value})", child, meant, depth) for function, child in sides])
    if kind.id in ("list", "array"):
        return _in_list(value, parts(kind)[0][1], meant, depth)
    return None


def _in_list(value: str, child: DuckDBPyType, meant: Condition, depth: int) -> str | None:
    inner = anywhere(f"comboi_{depth}", child, meant, depth + 1)
    return inner and f"len(list_filter({value}, lambda comboi_{depth}: {inner})) > 0"


def _any(conditions: list[str | None]) -> str | None:
    return " OR ".join(f"({condition})" for condition in conditions if condition) or None
