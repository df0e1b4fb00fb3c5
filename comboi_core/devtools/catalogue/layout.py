"""Places a lineage graph on a plane: columns from left to right, with few crossings.

The method is Sugiyama's: an edge over several columns passes through a waypoint in each; the order within the columns
follows the neighbours' mean position (barycentre), swept to and fro; then each thing is moved as near to its
neighbours' mean height as its place in the column allows.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from comboi_core.devtools.catalogue.lineage import Edge, Lineage, Node

SWEEPS = 12
"""Of the order; more change next to nothing."""

BOX_HEIGHT = 40.0
ROW_GAP = 14.0
WAYPOINT_HEIGHT = 6.0
COLUMN_GAP = 80.0
MARGIN = 16.0

Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """Where a node is drawn: its upper left corner and its size, in pixels."""

    x: float
    y: float
    width: float
    height: float = BOX_HEIGHT


@dataclass(frozen=True)
class Layout:
    """A placed graph.

    Attributes:
        boxes: By node key.
        routes: Each edge with the points that it passes, from the right side of a box to the left side of another.
    """

    width: float
    height: float
    boxes: Mapping[str, Box]
    routes: tuple[tuple[Edge, tuple[Point, ...]], ...]


@dataclass
class _Column:
    """The things in one column, from top to bottom: keys of nodes, and waypoints."""

    things: list[str]
    x: float = 0.0
    width: float = 0.0


def layout(graph: Lineage, width_of: Callable[[Node], float]) -> Layout:
    """Place a graph; the same graph gives the same places.

    Args:
        width_of: The width in pixels that a node's text needs.
    """
    numbers = {column: place for place, column in enumerate(sorted({node.column for node in graph.nodes}))}
    place = {node.key: numbers[node.column] for node in graph.nodes}
    widths = {node.key: width_of(node) for node in graph.nodes}
    columns = [_Column([node.key for node in graph.nodes if place[node.key] == n]) for n in range(len(numbers))]
    chains = {edge: _chain(edge, place, columns, index) for index, edge in enumerate(graph.edges)}
    links = [pair for chain in chains.values() for pair in zip(chain, chain[1:], strict=False)]
    before, after = _neighbours(links)
    _order(columns, before, after)
    x = MARGIN
    for column in columns:
        column.width = max(widths[key] for key in column.things if key in widths)
        column.x, x = x, x + column.width + COLUMN_GAP
    heights = {
        thing: BOX_HEIGHT if thing in place else WAYPOINT_HEIGHT for column in columns for thing in column.things
    }
    middles = _middles(columns, before, after, heights)
    boxes = {key: Box(columns[place[key]].x, middles[key] - BOX_HEIGHT / 2, columns[place[key]].width) for key in place}
    routes = tuple((edge, _route(chain, boxes, middles, columns, place)) for edge, chain in chains.items())
    bottom = max((middles[thing] + heights[thing] / 2 for thing in heights), default=0.0)
    return Layout(max(x - COLUMN_GAP, MARGIN) + MARGIN, bottom + MARGIN, boxes, routes)


def _chain(edge: Edge, place: Mapping[str, int], columns: list[_Column], index: int) -> tuple[str, ...]:
    """Return an edge's things in order, its waypoints put into the columns between."""
    waypoints = []
    for column in range(place[edge.upstream] + 1, place[edge.downstream]):
        waypoint = f"\x00{index}:{column}"  # no node's key begins so
        columns[column].things.append(waypoint)
        waypoints.append(waypoint)
    return (edge.upstream, *waypoints, edge.downstream)


def _neighbours(links: Sequence[tuple[str, str]]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    before: dict[str, list[str]] = {}
    after: dict[str, list[str]] = {}
    for left, right in links:
        after.setdefault(left, []).append(right)
        before.setdefault(right, []).append(left)
    return before, after


def _order(columns: list[_Column], before: Mapping[str, list[str]], after: Mapping[str, list[str]]) -> None:
    best, fewest = [list(column.things) for column in columns], _crossings(columns, after)
    for sweep in range(SWEEPS):
        forwards = sweep % 2 == 0
        known = before if forwards else after
        for number in range(1, len(columns)) if forwards else range(len(columns) - 2, -1, -1):
            beside = columns[number - 1 if forwards else number + 1].things
            _sort(columns[number], {thing: position for position, thing in enumerate(beside)}, known)
        crossings = _crossings(columns, after)
        if crossings < fewest:
            best, fewest = [list(column.things) for column in columns], crossings
    for column, things in zip(columns, best, strict=True):
        column.things = things


def _sort(column: _Column, positions: Mapping[str, int], known: Mapping[str, list[str]]) -> None:
    def mean(entry: tuple[int, str]) -> float:
        at, thing = entry
        found = [positions[other] for other in known.get(thing, ())]
        return sum(found) / len(found) if found else float(at)

    column.things = [thing for _, thing in sorted(enumerate(column.things), key=mean)]


def _crossings(columns: list[_Column], after: Mapping[str, list[str]]) -> int:
    """Count pairs of links that cross: the inversions of their right ends, taken in the order of their left ones."""
    total = 0
    for left, right in zip(columns, columns[1:], strict=False):
        positions = {thing: position for position, thing in enumerate(right.things)}
        seen: list[int] = []
        for thing in left.things:
            ends = sorted(positions[other] for other in after.get(thing, ()))
            total += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return total


def _middles(
    columns: list[_Column],
    before: Mapping[str, list[str]],
    after: Mapping[str, list[str]],
    heights: Mapping[str, float],
) -> dict[str, float]:
    """Return the height of each thing's middle, counted from the top."""
    middles: dict[str, float] = {}
    for column in columns:
        middles |= _spread(column.things, heights, [0.0] * len(column.things))
    forwards = list(range(len(columns)))
    for numbers, known in ((forwards, before), (forwards[::-1], after)) * 2 + ((forwards, before),):
        for number in numbers:
            things = columns[number].things
            near = [[middles[other] for other in known.get(thing, ())] or [middles[thing]] for thing in things]
            middles |= _spread(things, heights, [sum(places) / len(places) for places in near])
    top = min((middles[thing] - heights[thing] / 2 for thing in middles), default=0.0)
    return {thing: middle - top + MARGIN for thing, middle in middles.items()}


def _spread(things: Sequence[str], heights: Mapping[str, float], wanted: Sequence[float]) -> dict[str, float]:
    """Return the middles nearest to the wanted ones (least squares) that keep order and distance.

    With the distances taken off, it is an increasing sequence that is sought: neighbours that are out of order are
    pooled at their mean.
    """
    offsets, offset = [], 0.0
    for number, thing in enumerate(things):
        if number:
            offset += heights[things[number - 1]] / 2 + ROW_GAP + heights[thing] / 2
        offsets.append(offset)
    pools: list[tuple[float, int]] = []
    for want, taken in zip(wanted, offsets, strict=True):
        mean, count = want - taken, 1
        while pools and pools[-1][0] >= mean:
            other, members = pools.pop()
            mean, count = (other * members + mean * count) / (members + count), members + count
        pools.append((mean, count))
    settled = [mean for mean, count in pools for _ in range(count)]
    return {thing: mean + taken for thing, mean, taken in zip(things, settled, offsets, strict=True)}


def _route(
    chain: Sequence[str],
    boxes: Mapping[str, Box],
    middles: Mapping[str, float],
    columns: Sequence[_Column],
    place: Mapping[str, int],
) -> tuple[Point, ...]:
    start, end = boxes[chain[0]], boxes[chain[-1]]
    points = [(start.x + start.width, middles[chain[0]])]
    for number, waypoint in enumerate(chain[1:-1], start=place[chain[0]] + 1):
        column = columns[number]
        points += [(column.x, middles[waypoint]), (column.x + column.width, middles[waypoint])]
    return (*points, (end.x, middles[chain[-1]]))
