"""The graph of a project: sources, their tables, and the datasets that are made from them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from comboi_core.config.datasets import DatasetConfig
from comboi_core.config.project import Project
from comboi_core.domain.errors import SelectionEmpty
from comboi_core.domain.graph import waves
from comboi_core.domain.names import did_you_mean, table_id

Layer = Literal["source", "bronze", "silver", "gold"]


@dataclass(frozen=True)
class Node:
    """A source, a table or a dataset.

    Attributes:
        key: Unique in the graph. A table and a dataset can have the same name.
        detail: One word: the source's type, the table's mode, or the dataset's strategy.
        column: Its column from left to right. It is to the right of everything that it is made from.
    """

    key: str
    name: str
    stage: Layer
    detail: str
    column: int


@dataclass(frozen=True)
class Edge:
    """`downstream` is made from `upstream`. Both are keys of nodes.

    Attributes:
        views: The views of a table that are read: `current`, `log`, `changes`. Empty from source to table.
    """

    upstream: str
    downstream: str
    views: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lineage:
    """A project's graph or a part of it; nodes and edges in the order of the configuration."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def node(self, key: str) -> Node:
        """Return a node; StopIteration if there is none."""
        return next(node for node in self.nodes if node.key == key)

    def into(self, key: str) -> tuple[Edge, ...]:
        """Return the edges to a node from what it is made from."""
        return tuple(edge for edge in self.edges if edge.downstream == key)

    def out_of(self, key: str) -> tuple[Edge, ...]:
        """Return the edges from a node to what is made from it."""
        return tuple(edge for edge in self.edges if edge.upstream == key)

    def around(self, keys: Iterable[str]) -> Lineage:
        """Return these nodes, everything that they are made from, and everything that is made from them."""
        up, down = self._reached(keys, upwards=True), self._reached(keys, upwards=False)
        edges = tuple(
            edge
            for edge in self.edges
            if {edge.upstream, edge.downstream} <= up or {edge.upstream, edge.downstream} <= down
        )
        return Lineage(tuple(node for node in self.nodes if node.key in up | down), edges)

    def find(self, names: Collection[str]) -> tuple[str, ...]:
        """Return the keys of nodes by name. The part after the last dot of a name is enough.

        Raises:
            SelectionEmpty: no node has the name.
        """
        found: dict[str, None] = {}
        for name in names:
            matches = [node for node in self.nodes if name in (node.name, node.name.rpartition(".")[2])]
            exact = [node for node in matches if node.name == name]
            if not matches:
                hint = did_you_mean(name, [node.name for node in self.nodes])
                raise SelectionEmpty(f"there is no source, table or dataset '{name}'{hint}")
            found |= dict.fromkeys(node.key for node in exact or matches)
        return tuple(found)

    def plain(self) -> dict[str, Any]:
        """Return the graph as JSON-safe data. Edges refer to nodes by key."""
        nodes = [{"key": one.key, "name": one.name, "stage": one.stage, "detail": one.detail} for one in self.nodes]
        edges = [{"from": one.upstream, "to": one.downstream, "views": list(one.views)} for one in self.edges]
        return {"nodes": nodes, "edges": edges}

    def _reached(self, keys: Iterable[str], *, upwards: bool) -> set[str]:
        steps: dict[str, list[str]] = {}
        for edge in self.edges:
            here, there = (edge.downstream, edge.upstream) if upwards else (edge.upstream, edge.downstream)
            steps.setdefault(here, []).append(there)
        reached, todo = set(), list(keys)
        while todo:
            key = todo.pop()
            if key not in reached:
                reached.add(key)
                todo += steps.get(key, ())
        return reached


def lineage(project: Project) -> Lineage:
    """Return the graph of a project whose inputs all exist, as in projects that `load` returns.

    Columns: sources, tables, then silver and gold. Datasets that read each other are in different columns.
    """
    nodes: list[Node] = []
    edges: list[Edge] = []
    for source in project.pipeline_file.sources:
        nodes.append(Node(source_key(source.name), source.name, "source", source.type, 0))
        for table in source.tables:
            key = table_key(source.name, table.name)
            nodes.append(Node(key, table_id(source.name, table.name), "bronze", table.effective_mode, 1))
            edges.append(Edge(source_key(source.name), key))
    needs = {item.name: {part.dataset for part in item.inputs if part.dataset} for item in project.datasets()}
    first = 2
    for stage in ("silver", "gold"):
        names = [item.name for item in project.datasets(stage)]
        steps = waves({name: needs[name] & set(names) for name in names})
        columns = {name: first + step for step, members in enumerate(steps) for name in members}
        for item in project.datasets(stage):
            nodes.append(
                Node(dataset_key(item.name), item.name, stage, item.materialization.strategy, columns[item.name])
            )
            edges += _inputs(item)
        first += len(steps)
    return Lineage(tuple(nodes), tuple(edges))


def _inputs(dataset: DatasetConfig) -> list[Edge]:
    views: dict[str, dict[str, None]] = {}
    for item in dataset.inputs:
        key = dataset_key(item.dataset) if item.dataset else table_key(str(item.source), str(item.table))
        views.setdefault(key, {})[item.view] = None
    return [Edge(key, dataset_key(dataset.name), tuple(found)) for key, found in views.items()]


def source_key(name: str) -> str:
    """Return the key of a source's node."""
    return f"source:{name}"


def table_key(source: str, table: str) -> str:
    """Return the key of a table's node."""
    return f"table:{table_id(source, table)}"


def dataset_key(name: str) -> str:
    """Return the key of a dataset's node."""
    return f"dataset:{name}"


def said_views(edge: Edge) -> str:
    """Return the label of an edge: the views that it reads. Empty if that is only `current`."""
    return "" if edge.views in ((), ("current",)) else ", ".join(edge.views)


STAGE_NAMES: Mapping[Layer, str] = {"source": "sources", "bronze": "bronze", "silver": "silver", "gold": "gold"}
"""The names of the stages above a drawing."""
