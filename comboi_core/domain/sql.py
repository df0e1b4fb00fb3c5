"""Encodes SQL identifiers and string literals, for PostgreSQL and DuckDB. There is no other encoder.

Both dialects quote identifiers with `"` and strings with `'`, and double the quote inside. A backslash has no special
meaning in DuckDB, nor in PostgreSQL while `standard_conforming_strings` is on (the default since 9.1).
"""

from __future__ import annotations

from collections.abc import Iterable


def identifier(name: str) -> str:
    """Return a quoted identifier.

    Raises:
        ValueError: the name is empty or holds a NUL character, which no database accepts.
    """
    if not name or "\x00" in name:
        raise ValueError("an SQL identifier must not be empty or contain a NUL character")
    return '"' + name.replace('"', '""') + '"'


def identifiers(names: Iterable[str]) -> str:
    """Return quoted identifiers, separated by commas."""
    return ", ".join(identifier(name) for name in names)


def qualified(name: str) -> str:
    """Return `schema.table` with each part quoted; parts are separated by dots."""
    return ".".join(identifier(part) for part in name.split("."))


def literal(value: str | None) -> str:
    """Return a quoted string literal, or NULL.

    Raises:
        ValueError: the value holds a NUL character, which PostgreSQL cannot store.
    """
    if value is None:
        return "NULL"
    if "\x00" in value:
        raise ValueError("an SQL string must not contain a NUL character")
    return "'" + value.replace("'", "''") + "'"
