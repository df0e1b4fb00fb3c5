"""Parameters of checks as SQL literals that compare exactly with a column of a given type."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from comboi_core.domain.sql import literal

_NUMBER = re.compile(r"^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL\(.*\)|BIGNUM)$")
_TEXT = re.compile(r"^(VARCHAR|JSON|ENUM\(.*\))$", re.DOTALL)
_INSTANT = re.compile(r"^(DATE|TIMESTAMP[A-Z_ ]*)$")
_MOMENT = re.compile(r"^(DATE|TIME|TIMESTAMP|INTERVAL)[A-Z_ ]*$")


def is_number(type_name: str) -> bool:
    """Whether DuckDB's type is one of numbers."""
    return bool(_NUMBER.match(type_name))


def is_text(type_name: str) -> bool:
    """Whether DuckDB's type holds text."""
    return bool(_TEXT.match(type_name))


def is_moment(type_name: str) -> bool:
    """Whether DuckDB's type is a date or a timestamp, with or without a zone."""
    return bool(_INSTANT.match(type_name))


def comparable(column: str, type_name: str) -> str:
    """Return a quoted column as the expression to compare with the literals that `encode` makes for its type."""
    return column if is_number(type_name) or _MOMENT.match(type_name) else f"CAST({column} AS VARCHAR)"


def encode(value: Any, type_name: str, *, ordered: bool) -> str:
    """Return a YAML value as a literal to compare with a column of type `type_name`.

    Numbers go through Decimal, so that nothing is rounded; dates and times are cast to the column's type; everything
    else is compared as text.

    Args:
        ordered: Whether the comparison is by size, in which text and numbers do not mix.

    Raises:
        ValueError: the value cannot be compared with such a column.
    """
    if is_number(type_name):
        return _number(value, type_name)
    if _MOMENT.match(type_name):
        # Cast to a DATE, a bound within the day would be cut down to midnight.
        return f"CAST({literal(str(value))} AS {'TIMESTAMP' if type_name == 'DATE' else type_name})"
    if ordered and not isinstance(value, str):
        raise ValueError(
            f"{value} cannot be compared by size with a column of type {type_name}; cast the column in the "
            "transformation"
        )
    return literal(str(value).lower() if isinstance(value, bool) else str(value))


def _number(value: Any, type_name: str) -> str:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite():
        raise ValueError(f"{value!r} is not a number, and the column is of type {type_name}")
    return f"{number:f}"
