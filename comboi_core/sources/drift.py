"""Schema drift: what changed between the committed columns and the source's, and whether a table may carry on."""

from __future__ import annotations

import re
from typing import Literal

from comboi_core.domain.errors import SchemaDrift
from comboi_core.domain.load import Column

_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")

# Every value of the first type is the same value in each of the others.
_WIDER: dict[str, frozenset[str]] = {
    "SMALLINT": frozenset({"INTEGER", "BIGINT"}),
    "INTEGER": frozenset({"BIGINT", "DOUBLE"}),
    "FLOAT": frozenset({"DOUBLE"}),
}
_DIGITS = {"SMALLINT": 5, "INTEGER": 10, "BIGINT": 19}


def widens(old: str, new: str) -> bool:
    """Tell whether every value of DuckDB type `old` is the same value in `new`."""
    if old == new or new in _WIDER.get(old, ()):
        return True
    after = _DECIMAL.fullmatch(new)
    if after is None:
        return False
    precision, scale = int(after[1]), int(after[2])
    if old in _DIGITS:
        return precision - scale >= _DIGITS[old]
    before = _DECIMAL.fullmatch(old)
    return before is not None and scale >= int(before[2]) and precision - scale >= int(before[1]) - int(before[2])


def compare(
    old: tuple[Column, ...],
    new: tuple[Column, ...],
    *,
    policy: Literal["evolve", "freeze"],
    replaces: bool,
    place: str,
) -> tuple[str, ...]:
    """Return what changed, in words, one text per column.

    Args:
        old: The committed columns; empty before the first load, and then nothing has changed.
        replaces: Whether the load is the whole table by itself: then no earlier file has to fit, and `evolve` allows
            every change.

    Raises:
        SchemaDrift: the policy does not allow the change; the message names the columns and their types.
    """
    if not old:
        return ()
    before, after = {column.name: column for column in old}, {column.name: column for column in new}
    changes, refused = [], []
    for column in new:
        known = before.get(column.name)
        if known is None:
            changes.append(f"new column {column.name} ({column.source_type}); earlier rows read NULL")
        elif known.type != column.type:
            told = f"column {column.name} changed from {known.source_type} to {column.source_type}"
            changes.append(told)
            if not widens(known.type, column.type):
                refused.append(told)
    for column in old:
        if column.name not in after:
            changes.append(f"column {column.name} ({column.source_type}) is gone; new rows read NULL")
    if policy == "freeze" and changes:
        raise SchemaDrift(
            f"{place}: schema_policy freeze allows no change: {'; '.join(changes)}",
            remedy="Set `schema_policy: evolve`, or undo the change in the source.",
        )
    if refused and not replaces:
        raise SchemaDrift(
            f"{place}: {'; '.join(refused)}: earlier rows cannot be read as the new type without loss",
            remedy="Run the table with --full-refresh, or cast the column to its earlier type in `query:`.",
        )
    return tuple(changes)
