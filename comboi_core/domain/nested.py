"""Looking into nested values of DuckDB: lists, arrays, maps and structs, at any depth."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb.sqltypes import DuckDBPyType

Condition = Callable[[str, "DuckDBPyType"], str | None]
"""From an SQL expression and its type to the SQL condition that its value is meant; None where no value can be."""


def parts(kind: DuckDBPyType) -> list[tuple[str, DuckDBPyType]]:
    """Return names and types of what a list, array, map or struct is made of; an array's size is no part of it."""
    return [(name, part) for name, part in kind.children if not isinstance(part, int | list)]


def anywhere(value: str, kind: DuckDBPyType, meant: Condition, depth: int = 0) -> str | None:
    """Return the SQL condition that a value, or anything within it, is meant; None where its type rules that out.

    Args:
        value: An SQL expression.
        kind: Its type.
        meant: Asked for the type itself first; where it says None, for what the type is made of.
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
