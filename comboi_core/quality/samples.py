"""A few rows to look at, in values that JSON can hold."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from comboi_core.domain.redaction import ENDING, redactor
from comboi_core.domain.sql import identifier, literal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MOST_ROWS = 5
MOST_TEXT = 200
MOST_READ = 2000
"""Characters that are looked through for secrets before a text is cut."""
MASK = "***"
_LARGEST_EXACT = 2**53 - 1
# Types whose Python values JSON holds as they are; everything else is shown as DuckDB writes it.
_PLAIN = {"BOOLEAN", "FLOAT", "DOUBLE", "TINYINT", "SMALLINT", "INTEGER", "BIGINT"}
_PLAIN |= {"UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"}
_COUNTED = re.compile(r"count(_star|_if)?\(.*\)", re.DOTALL)


def may_show(column: str, *, known: Collection[str], sensitive: Collection[str]) -> bool:
    """Whether a query's column may be shown, of a dataset with the columns `known`, of which some are `sensitive`.

    A query may give a value any name. So where a dataset has sensitive columns, only counts and what has the name of
    one of its other columns is shown.

    Args:
        sensitive: In lower case.
    """
    name = column.lower()
    if not sensitive:
        return True
    return name not in sensitive and (name in {other.lower() for other in known} or bool(_COUNTED.fullmatch(name)))


def sample(
    con: DuckDBPyConnection, rows: str, *, known: Collection[str], sensitive: Collection[str], most: int = MOST_ROWS
) -> list[dict[str, Any]]:
    """Return the first rows of a query that starts with its FROM clause.

    Text is cut to 200 characters. What JSON cannot hold exactly (decimals, moments, bytes, nested values, NaN, integers
    beyond 2**53) becomes text; what may not be shown becomes `***`, NULL excepted.

    Args:
        known, sensitive: See `may_show`.
        most: So many rows at most.
    """
    columns = con.execute(f"DESCRIBE {rows}").fetchall()
    shown = ", ".join(
        _shown(name, type_name) if may_show(name, known=known, sensitive=sensitive) else _masked(name)
        for name, type_name, *_ in columns
    )
    found = con.execute(f"SELECT {shown} FROM ({rows} LIMIT {most})").fetchall()
    names = [column[0] for column in columns]
    return [dict(zip(names, map(_safe, row), strict=True)) for row in found]


def _shown(name: str, type_name: str) -> str:
    column = identifier(name)
    return column if type_name in _PLAIN else f"left(CAST({column} AS VARCHAR), {MOST_READ})"


def _masked(name: str) -> str:
    return f"CASE WHEN {identifier(name)} IS NOT NULL THEN {literal(MASK)} END"


def _safe(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int) and abs(value) > _LARGEST_EXACT:
        return str(value)
    if not isinstance(value, str):
        return value
    return redactor.cut(value if len(value) < MOST_READ else value + ENDING, MOST_TEXT)
