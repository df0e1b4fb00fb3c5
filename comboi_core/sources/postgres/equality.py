"""Which texts PostgreSQL calls equal, by the type of their column."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from comboi_core.domain.equal_texts import Kind, Texts
from comboi_core.domain.load import Column
from comboi_core.sources.postgres import types

_KINDS: Mapping[str, Kind] = MappingProxyType(
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


def texts(column: Column) -> Texts:
    """Return how PostgreSQL compares the values of a column that lands as text."""
    name, given = types.base_name(column.source_type), types.modifiers(column.source_type)
    if name in ("character", "bpchar"):
        return Texts("padded", given[0] if given else None)
    if name == "character varying":
        return Texts(length=given[0] if given else None)
    if name == "numeric" and len(given) == 2:
        return Texts("number", scale=max(given[1], 0))
    return Texts(_KINDS.get(types.unqualified(name), "letters"))
