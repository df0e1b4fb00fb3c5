"""Which texts of a landed column its source calls equal: a source with such texts is one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from comboi_core.domain.equal_texts import LETTERS, Kind, Texts
from comboi_core.domain.load import Column
from comboi_core.sources.azure_sql import types as azure_sql_types
from comboi_core.sources.postgres import types as postgres_types

_NUMBERS = ("DECIMAL", "DOUBLE", "FLOAT", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
_POSTGRES: Mapping[str, Kind] = MappingProxyType(
    {
        "numeric": "number",
        "interval": "interval",
        "inet": "inet",
        "cidr": "cidr",
        "macaddr": "macaddr",
        "macaddr8": "macaddr",
        "citext": "caseless",
    }
)


def texts_of(source: str, column: Column) -> Texts:
    """Return how values of a column are compared where they stand as text, in its own table or in what is made of it.

    Args:
        source: The source's type, e.g. `postgres`.
    """
    if column.type.removeprefix("U").startswith(_NUMBERS):
        return Texts("number")
    rule = _OF.get(source)
    return rule(column) if rule and column.type == "VARCHAR" else LETTERS


def _postgres(column: Column) -> Texts:
    name, given = postgres_types.base_name(column.source_type), postgres_types.modifiers(column.source_type)
    if name in ("character", "bpchar"):
        return Texts("padded", given[0] if given else None)
    if name == "character varying":
        return Texts(length=given[0] if given else None)
    if name == "numeric" and len(given) == 2:
        return Texts("number", scale=max(given[1], 0))
    return Texts(_POSTGRES.get(postgres_types.unqualified(name), "letters"))


def _azure_sql(column: Column) -> Texts:
    """The server ignores blanks at the end of a text, of whatever type; what else it does follows from collations."""
    name, given = azure_sql_types.base_name(column.source_type), azure_sql_types.modifiers(column.source_type)
    if name in ("char", "nchar"):
        return Texts("padded", given[0] if given else None)
    return Texts("padded") if name in ("varchar", "nvarchar", "text", "ntext") else LETTERS


_OF: Mapping[str, Callable[[Column], Texts]] = MappingProxyType({"postgres": _postgres, "azure_sql": _azure_sql})
