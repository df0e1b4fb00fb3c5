"""The graph of a project, its parts, and its drawing: boxes apart, lines to the right, well-formed."""

from __future__ import annotations

import itertools
import random
from xml.etree import ElementTree

import pytest

from comboi_core.devtools.catalogue.layout import BOX_HEIGHT, layout
from comboi_core.devtools.catalogue.lineage import Edge, Lineage, Node, lineage
from comboi_core.devtools.catalogue.svg import drawing, svg_file
from comboi_core.domain.errors import SelectionEmpty

SVG = "{http://www.w3.org/2000/svg}"


def edges_of(graph: Lineage) -> set[tuple[str, str, tuple[str, ...]]]:
    return {(edge.upstream, edge.downstream, edge.views) for edge in graph.edges}


def test_everything_stands_right_of_what_it_is_made_of_and_gold_right_of_all_silver(workspace):
    graph = lineage(workspace.project)

    columns = {node.key: node.column for node in graph.nodes}
    assert all(columns[edge.upstream] < columns[edge.downstream] for edge in graph.edges)
    silver = [node.column for node in graph.nodes if node.stage == "silver"]
    assert max(silver) < min(node.column for node in graph.nodes if node.stage == "gold")
    assert {node.stage: node.column for node in graph.nodes if node.stage in ("source", "bronze")} == {
        "source": 0,
        "bronze": 1,
    }


def test_two_views_of_one_table_are_one_edge_that_names_both(make):
    def read_twice(_pipeline, datasets):
        datasets["silver"][1]["inputs"].append({"alias": "all", "source": "shop", "table": "orders", "view": "log"})

    graph = lineage(make(read_twice).project)

    assert ("table:shop.orders", "dataset:a", ("current", "log")) in edges_of(graph)


def test_a_dataset_may_have_a_tables_name(make):
    def called_alike(_pipeline, datasets):
        datasets["silver"][1]["name"] = "shop.orders"
        datasets["silver"][0]["inputs"][0]["dataset"] = "shop.orders"

    graph = lineage(make(called_alike).project)

    assert ("table:shop.orders", "dataset:shop.orders", ("current",)) in edges_of(graph)
    assert set(graph.find(["shop.orders"])) == {"table:shop.orders", "dataset:shop.orders"}


def test_the_part_around_a_node_holds_its_ancestors_and_descendants_only(workspace):
    graph = lineage(workspace.project)

    around = graph.around(graph.find(["a"]))

    assert [node.key for node in around.nodes] == [
        "source:shop",
        "table:shop.orders",
        "dataset:c",
        "dataset:a",
        "dataset:top",
    ]
    assert not any("dataset:b" in edge for edge in edges_of(around))


def test_a_short_name_means_every_table_of_that_name_and_a_full_one_that_alone(workspace):
    graph = lineage(workspace.project)

    assert graph.find(["customers"]) == ("table:shop.customers", "table:crm.customers")
    assert graph.find(["crm.customers", "crm.customers"]) == ("table:crm.customers",)
    with pytest.raises(SelectionEmpty, match="did you mean 'shop.orders'"):
        graph.find(["shop.order"])


def test_a_project_without_datasets_has_a_graph(make):
    def nothing_made(_pipeline, datasets):
        datasets.update(silver=[], gold=[])

    graph = lineage(make(nothing_made).project)

    assert {node.stage for node in graph.nodes} == {"source", "bronze"}
    ElementTree.fromstring(svg_file(graph, title="t"))


def some_graph(seed: int, size: int) -> Lineage:
    """Columns of a random width, and edges that span one or more of them."""
    chance = random.Random(seed)
    nodes = [Node(f"n{n}", f"node_{'x' * chance.randint(0, 60)}{n}", "silver", "merge", n % 6) for n in range(size)]
    pairs = [(a, b) for a, b in itertools.permutations(nodes, 2) if a.column < b.column]
    chosen = chance.sample(pairs, min(len(pairs), 2 * size))
    return Lineage(tuple(nodes), tuple(Edge(a.key, b.key, ("current",)) for a, b in chosen))


@pytest.mark.parametrize("seed", range(5))
def test_boxes_never_overlap_and_every_line_goes_from_its_box_to_its_box(seed):
    graph = some_graph(seed, 40)

    placed = layout(graph, lambda node: 8.0 * len(node.name))

    for one, other in itertools.combinations(placed.boxes.values(), 2):
        beside = one.x + one.width <= other.x or other.x + other.width <= one.x
        assert beside or abs(one.y - other.y) >= BOX_HEIGHT
    for edge, points in placed.routes:
        start, end = placed.boxes[edge.upstream], placed.boxes[edge.downstream]
        assert points[0] == (start.x + start.width, pytest.approx(start.y + BOX_HEIGHT / 2))
        assert points[-1] == (end.x, pytest.approx(end.y + BOX_HEIGHT / 2))
        assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert all(box.x >= 0 and box.y >= 0 for box in placed.boxes.values())
    assert max(box.y + box.height for box in placed.boxes.values()) <= placed.height
    assert max(box.x + box.width for box in placed.boxes.values()) <= placed.width


def test_the_same_graph_gives_the_same_drawing():
    assert drawing(some_graph(1, 30), title="t") == drawing(some_graph(1, 30), title="t")


def test_two_chains_in_crossed_order_are_drawn_without_a_crossing():
    left = [Node(f"l{n}", f"l{n}", "bronze", "full", 0) for n in range(6)]
    right = [Node(f"r{n}", f"r{n}", "silver", "merge", 1) for n in range(6)]
    graph = Lineage((*left, *right), tuple(Edge(f"l{n}", f"r{5 - n}", ("current",)) for n in range(6)))

    boxes = layout(graph, lambda _: 50.0).boxes

    order = sorted(range(6), key=lambda n: boxes[f"l{n}"].y)
    assert order == sorted(range(6), key=lambda n: boxes[f"r{5 - n}"].y)


def test_an_empty_graph_is_a_drawing_too():
    root = ElementTree.fromstring(svg_file(Lineage((), ()), title="nothing"))

    assert root.tag.endswith("svg") and "nothing" in "".join(root.itertext())


HOSTILE = "<script>&\"' ]]> \x00\x01\x9f\ud800 {braces} --> ünïcode 漢字 \u202e"


def test_hostile_texts_neither_break_the_drawing_nor_become_markup():
    nodes = (Node("a" + HOSTILE, HOSTILE, "bronze", HOSTILE, 0), Node("b", "b", "gold", "x", 1))
    graph = Lineage(nodes, (Edge(nodes[0].key, "b", (HOSTILE,)),))

    root = ElementTree.fromstring(svg_file(graph, title=HOSTILE, chosen=["b"]).encode())

    assert {part.tag.removeprefix(SVG) for part in root.iter()} <= {
        "svg", "title", "style", "defs", "marker", "path", "g", "text", "rect",
    }  # fmt: skip
    assert any("<script>" in (part.text or "") for part in root.iter(f"{SVG}title"))


def test_lines_show_the_view_they_read(make):
    def views(_pipeline, datasets):
        datasets["silver"][1]["inputs"][0]["view"] = "changes"
        datasets["silver"][2]["inputs"][0]["view"] = "log"

    root = ElementTree.fromstring(svg_file(lineage(make(views).project), title="t"))

    styles = [path.get("class") for path in root.iter(f"{SVG}path")]
    assert styles.count("edge changes") == styles.count("edge log") == 1
    assert {"changes", "log"} <= {part.text for part in root.iter(f"{SVG}text")}
    told = [part.text for part in root.iter(f"{SVG}title")]
    assert "shop.orders → a, view: changes" in told
