"""Schema drift: what changed between the committed columns and the source's, and whether a table may carry on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from comboi_core.domain.errors import SchemaDrift
from comboi_core.domain.load import Column
from comboi_core.domain.widening import widens, widest

Policy = Literal["evolve", "freeze", "discard_columns"]


@dataclass(frozen=True)
class Settled:
    """The columns that a load lands.

    Attributes:
        columns: In the source's order; a narrowed column keeps its committed type.
        changes: What is new since the committed load, in words, one text per column; each is told once, but a column
            that the policy discards as long as it is there.
        altered: Whether readers see other columns after this load, so that it is worth committing without rows.
    """

    columns: tuple[Column, ...]
    changes: tuple[str, ...] = ()
    altered: bool = False


def settle(
    old: tuple[Column, ...],
    new: tuple[Column, ...],
    *,
    policy: Policy,
    replaces: bool,
    place: str,
    named: frozenset[str] = frozenset(),
    checked: bool = False,
) -> Settled:
    """Compare the source's columns with the committed ones; names that differ by case only are one column.

    Args:
        old: The committed columns; empty before the first load, and then nothing has changed.
        new: The source's.
        replaces: Whether the load is the whole table by itself: then no earlier file has to fit, and every change of a
            type is fine.
        named: Columns that the configuration names, which no policy discards.
        checked: Whether every value that lands as a type which may not hold it is looked at, those that were landed
            before as well: then a type is fine that both can land as (`widening.widest`).

    Raises:
        SchemaDrift: the policy does not allow the change; the message names the columns and their types.
    """
    if not old:
        return Settled(new)
    before, after = {column.name.lower(): column for column in old}, {column.name.lower() for column in new}
    columns: list[Column] = []
    changes: list[str] = []
    refused: list[str] = []
    ignored: list[str] = []
    for column in new:
        known = before.get(column.name.lower())
        if known is None and policy == "discard_columns" and column.name not in named:
            ignored.append(f"new column {column.name} ({column.source_type}) is ignored: schema_policy discard_columns")
            continue
        fitted, told, fits = (column, _new(column), True) if known is None else _fit(known, column, replaces, checked)
        columns.append(fitted)
        changes += [told] if told else []
        refused += [] if fits else [told]
    changes += [
        f"column {column.name} ({column.source_type}) is gone; new rows read NULL"
        for column in old
        if column.name.lower() not in after and column.source_type
    ]
    if policy == "freeze" and changes:
        raise SchemaDrift(
            f"{place}: schema_policy freeze allows no change: {'; '.join(changes)}",
            remedy="Set `schema_policy: evolve`, or undo the change in the source.",
        )
    if refused:
        raise SchemaDrift(
            f"{place}: {'; '.join(refused)}: earlier rows cannot be read as the new type without loss",
            remedy="Run the table with --full-refresh, or cast the column to its earlier type in `query:`.",
        )
    return Settled(tuple(columns), (*changes, *ignored), bool(changes))


def _new(column: Column) -> str:
    return f"new column {column.name} ({column.source_type}); earlier rows read NULL"


def _fit(known: Column, column: Column, replaces: bool, checked: bool) -> tuple[Column, str, bool]:
    """Return the column as it lands, what is to be told of it, and whether earlier rows can be read with it."""
    changed = f"column {column.name} changed from {known.source_type} to {column.source_type}"
    if known.type == column.type:
        renamed = f"column {known.name} is now called {column.name}" if known.name != column.name else ""
        back = f"column {column.name} ({column.source_type}) is back"
        return column, renamed if known.source_type else back, True
    if replaces or widens(known.type, column.type):
        return column, changed, True
    if widens(column.type, known.type):
        # Values of the narrower type fit into the committed one; told when it happens, then kept without a word.
        told = "" if known.source_type == column.source_type else f"{changed}; it goes on landing as {known.type}"
        return replace(column, type=known.type), told, True
    both = widest(known.type, column.type)
    if both is not None and (checked or (widens(known.type, both) and widens(column.type, both))):
        return replace(column, type=both), f"{changed}; it lands as {both} from now on", True
    return column, changed, False


def confirm(planned: tuple[Column, ...], now: tuple[Column, ...], place: str) -> None:
    """Check, after rows were read, that the columns were what the load's plan says.

    Args:
        now: The source's columns after the reading.

    Raises:
        SchemaDrift: a column is gone or has another type; what was read is not to be published.
    """
    types = {column.name: column.source_type for column in now}
    moved = [
        f"column {column.name} changed from {column.source_type} to {types[column.name]}"
        if column.name in types
        else f"column {column.name} is gone"
        for column in planned
        if types.get(column.name) != column.source_type
    ]
    if moved:
        raise SchemaDrift(
            f"{place}: {'; '.join(moved)} while the load was read; nothing of it was published",
            remedy="Run again: the next run plans with the columns as they are.",
        )
