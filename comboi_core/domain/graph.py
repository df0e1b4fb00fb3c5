"""The order in which datasets are built."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from graphlib import CycleError as GraphCycle
from graphlib import TopologicalSorter

from comboi_core.domain.errors import CycleError


def waves(dependencies: Mapping[str, Collection[str]]) -> list[list[str]]:
    """Group names so that each wave depends on earlier waves only; sorted by name within a wave.

    Args:
        dependencies: name -> the names that it needs. Needed names that are not keys are ignored.

    Raises:
        CycleError: the names depend on each other in a circle; the error lists them in order.
    """
    sorter = TopologicalSorter(
        {name: {item for item in needed if item in dependencies} for name, needed in dependencies.items()}
    )
    try:
        sorter.prepare()
    except GraphCycle as circle:
        members = list(reversed(circle.args[1]))
        raise CycleError(
            f"datasets depend on each other in a circle: {' -> '.join(members)}", members=members
        ) from None
    grouped = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        grouped.append(ready)
        sorter.done(*ready)
    return grouped
