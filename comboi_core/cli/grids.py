"""Grids of a terminal: names stay whole where it is narrow, and long lists are cut with a count of the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

from rich.console import Console, ConsoleOptions, JustifyMethod, RenderResult
from rich.table import Table

from comboi_core.domain.contracts.record import ItemRecord

Item = TypeVar("Item", bound=ItemRecord)

MOST_ALIKE, MOST_IDLE = 15, 5
"""Items of one status that a list shows, and of one in which nothing has happened. `--json` has them all."""
_IDLE = ("pending", "queued", "skipped")
_FIRST = ("running", "failed", "partial")
"""Statuses that stand above all others."""


class Grid(Table):
    """A table without lines that leaves out columns where the terminal is too narrow for all of them."""

    def __init__(self, spare: Sequence[str] = ()) -> None:
        """Make an empty grid.

        Args:
            spare: Headers of the columns that may be left out, those first that matter least.
        """
        super().__init__(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        self._spare = spare

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """See rich."""
        unbounded = options.update(max_width=100_000)
        for count in range(len(self._spare) + 1):
            fitting = self._without(self._spare[:count])
            if fitting.__rich_measure__(console, unbounded).maximum <= options.max_width:
                break
        yield from Table.__rich_console__(fitting, console, options)

    def _without(self, headers: Sequence[str]) -> Grid:
        kept = [column for column in self.columns if column.header not in headers]
        shown = Grid()
        for column in kept:
            shown.add_column(column.header, justify=column.justify, overflow=column.overflow, no_wrap=column.no_wrap)
        for cells in zip(*(column.cells for column in kept), strict=True):
            shown.add_row(*cells)
        return shown


def grid(*columns: str, right: str = "", wraps: str = "", spare: str = "") -> Grid:
    """Return an empty grid.

    Args:
        right: The columns that are aligned to the right, separated by commas.
        wraps: The column that is broken into lines where the terminal is too narrow for the others, too.
        spare: The columns that are left out before anything is broken, separated by commas; the first goes first.
    """
    table = Grid(spare.split(",") if spare else ())
    for name in columns:
        justify: JustifyMethod = "right" if name in right.split(",") else "left"
        table.add_column(name, justify=justify, overflow="fold", no_wrap=name != wraps)
    return table


def worth_seeing(items: Sequence[Item]) -> tuple[list[Item], str]:
    """Return the items that a list shows, running and failed ones first, and what to say of those that it leaves out.

    Args:
        items: Each with a `status`; those with `shortfalls` come before others that succeeded.
    """

    def rank(item: Item) -> int:
        if item["status"] in _FIRST:
            return _FIRST.index(item["status"])
        return len(_FIRST) + (not item.get("shortfalls")) + (item["status"] in _IDLE)

    shown = []
    seen, left = Counter[tuple[str, bool]](), Counter[str]()
    for item in sorted(items, key=rank):
        kind = (item["status"], bool(item.get("shortfalls")))
        seen[kind] += 1
        if seen[kind] <= (MOST_IDLE if item["status"] in _IDLE else MOST_ALIKE):
            shown.append(item)
        else:
            left[item["status"]] += 1
    return shown, ", ".join(f"{count:,} more {status}" for status, count in left.items())
