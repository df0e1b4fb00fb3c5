"""The types that a header gives its columns, as DuckDB has them, and the assets made of them: DDL."""

from __future__ import annotations

import re

from comboi_core.bruin.header.asset import Asset
from comboi_core.domain.errors import ScriptError
from comboi_core.domain.sql import identifier

_TYPE = re.compile(
    r"[A-Za-z][A-Za-z0-9_ ]*(?:\([A-Za-z0-9_ ,()]*\))?(?: ?with time zone)?(?:\[[0-9]*\])*", re.IGNORECASE
)
_WIDE = {
    "int": "BIGINT",
    "integer": "BIGINT",
    "float": "DOUBLE",
    "real": "DOUBLE",
    "float64": "DOUBLE",
    "int64": "BIGINT",
    "bool": "BOOLEAN",
    "text": "VARCHAR",
    "string": "VARCHAR",
    "bytes": "BLOB",
    "timestamp_tz": "TIMESTAMPTZ",
}
"""Names that people use for a kind of value: the type that holds all of them, and words that are not DuckDB's."""


def declared_types(asset: Asset, *, exact: bool = False) -> dict[str, str]:
    """Return the columns that have a type, in order, with DuckDB's name for it.

    Args:
        exact: Whether `integer` and `float` are DuckDB's 32 bits, as in a table that somebody has laid out; else they
            are wide enough for any value.

    Raises:
        ScriptError: a type is none; with its line.
    """
    found = {}
    for position, column in enumerate(asset.header.columns):
        kind = column.sql_type
        if not kind:
            continue
        if not _TYPE.fullmatch(kind.strip()):
            place = asset.at("columns", position, "type")
            raise ScriptError(f"{place}: '{kind}' is not a DuckDB type", script=str(asset.file))
        words = kind.strip().lower()
        wide = _WIDE.get(words)
        narrow = exact and words in ("int", "integer", "float", "real")
        found[column.name] = kind.strip() if wide is None or narrow else wide
    return found


def ddl_sql(asset: Asset) -> str:
    """Return a SELECT without rows that has the columns of the header."""
    types = declared_types(asset, exact=True)
    columns = ", ".join(f"CAST(NULL AS {kind}) AS {identifier(name)}" for name, kind in types.items())
    return f"SELECT {columns} WHERE false"
