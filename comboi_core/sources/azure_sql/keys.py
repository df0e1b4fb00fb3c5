"""Keys that SQL Server calls equal although they are written differently, and readers of a lake call two.

A comparison does not see blanks at the end of a text (Microsoft's page of `=`, "String comparison"), so the texts of a
merged table's key land without them. Case and accents that the collation does not see stay as they are written: a key
that is written in another way later is a second row in the lake, which the load tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from comboi_core.domain.load import Column
from comboi_core.domain.shortfall import Shortfall
from comboi_core.sources.azure_sql.types import is_collated
from comboi_core.sources.common.equality import spellings_that_double

_BLIND = {"CI": "case", "AI": "accents"}
"""What a collation that has this part in its name does not see."""


def with_canonical(
    columns: tuple[Column, ...], committed: tuple[Column, ...], key: tuple[str, ...], *, anew: bool
) -> tuple[Column, ...]:
    """Return the columns with the texts of a merged table's key in one spelling for equal values: without blanks at
    their end.

    A key that was landed as it is written keeps that until the table is read anew: in two spellings it would double.

    Args:
        committed: The columns of the committed load.
        anew: Whether the load is the first one or replaces the table.
    """
    before = {column.name.lower() for column in committed if column.canonical}
    keys = {name.lower() for name in key if anew or name.lower() in before}
    return tuple(
        replace(column, canonical=True) if column.name.lower() in keys and is_collated(column.source_type) else column
        for column in columns
    )


def unequal(collations: Mapping[str, str], key: tuple[str, ...]) -> tuple[Shortfall, ...]:
    """Return the shortfall of a merged table's key whose equality in SQL Server readers of the lake do not have.

    Args:
        collations: Of the columns that have one.
    """
    found = []
    for name in key:
        parts = collations.get(name, "").split("_")
        unseen = [what for part, what in _BLIND.items() if part in parts]
        if unseen:
            found.append(f"{name} ({collations[name]}) without regard to {' and '.join(unseen)}")
    return spellings_that_double(found, "UPPER(code) COLLATE Latin1_General_100_BIN2 AS code")
