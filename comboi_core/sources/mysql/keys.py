"""Keys that MySQL calls equal although they are written differently, and readers of a lake call two.

Most collations do not see blanks at the end of a text (PAD SPACE), so the texts of a merged table's key land without
them. Case and accents that the collation does not see stay as they are written: a key that is written in another way
later is a second row in the lake, which the load tells. Minus zero lands as zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from comboi_core.domain.load import Column
from comboi_core.domain.shortfall import Shortfall
from comboi_core.sources.common.equality import spellings_that_double
from comboi_core.sources.mysql.types import base_name, is_text

_FLOATS = ("float", "double", "real")


def pads(collation: str) -> bool:
    """Tell whether a collation ignores blanks at the end of a text."""
    return collation != "binary" and "_nopad_" not in collation and "_0900_" not in collation


def blind_to(collation: str) -> tuple[str, ...]:
    """Return what a collation does not see; by its name, and by the manual's rule for names that do not say it all:
    one that is `_ci` without saying `_as` does not see accents."""
    pieces = collation.lower().split("_")
    if pieces[-1] in ("bin", "binary") or "cs" in pieces:
        return ()
    return ("case",) if "as" in pieces else ("case", "accents")


def with_canonical(
    columns: tuple[Column, ...],
    committed: tuple[Column, ...],
    key: tuple[str, ...],
    collations: Mapping[str, str],
    *,
    anew: bool,
) -> tuple[Column, ...]:
    """Return the columns with those of a merged table's key in one spelling for equal values.

    A key that was landed as it is written keeps that until the table is read anew: in two spellings it would double.

    Args:
        committed: The columns of the committed load.
        collations: Of the columns that have one.
        anew: Whether the load is the first one or replaces the table.
    """
    before = {column.name.lower() for column in committed if column.canonical}
    names = {name.lower() for name in key}

    def spelled(column: Column) -> bool:
        if not anew:
            return column.name.lower() in before
        text = is_text(column.source_type) and pads(collations.get(column.name, ""))
        return column.name.lower() in names and (text or base_name(column.source_type) in _FLOATS)

    return tuple(replace(column, canonical=True) if spelled(column) else column for column in columns)


def unequal(collations: Mapping[str, str], key: tuple[str, ...]) -> tuple[Shortfall, ...]:
    """Return the shortfall of a merged table's key whose equality in MySQL readers of the lake do not have."""
    found = []
    for name in key:
        unseen = blind_to(collations[name]) if name in collations else ()
        if unseen:
            found.append(f"{name} ({collations[name]}) without regard to {' and '.join(unseen)}")
    return spellings_that_double(found, "UPPER(code) AS code")
