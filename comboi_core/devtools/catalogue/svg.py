"""A lineage graph as SVG: as a file, or as a part of a page."""

from __future__ import annotations

from collections.abc import Callable, Collection

from comboi_core.devtools.catalogue.html import GRAPH_STYLE, STAGE_COLOURS, Html, join, tag
from comboi_core.devtools.catalogue.layout import MARGIN, Box, Layout, Point, layout
from comboi_core.devtools.catalogue.lineage import STAGE_NAMES, Edge, Lineage, Node, said_views

LONGEST_NAME = 36
"""How many characters of a name are drawn. The tooltip has the full name."""
_HEAD = 24.0
_NAME_PIXELS, _DETAIL_PIXELS = 7.6, 6.4
_PADDING = 12.0

Link = Callable[[Node], str | None]


def drawing(graph: Lineage, *, title: str, link: Link | None = None, chosen: Collection[str] = ()) -> Html:
    """Return the graph as an `svg` element; its colours come from the page's style.

    Args:
        link: Returns the link of a node, or None.
        chosen: Keys of nodes to highlight.
    """
    placed = layout(graph, _width)
    parts = [
        tag("title", title),
        tag("defs", _arrow()),
        tag(
            "g",
            *_stages(graph, placed),
            *(_edge(graph, edge, points) for edge, points in placed.routes),
            *(_node(graph, node, placed.boxes[node.key], link, node.key in chosen) for node in graph.nodes),
            transform=f"translate(0 {_HEAD:g})",
        ),
    ]
    width, height = round(placed.width), round(placed.height + _HEAD)
    return tag(
        "svg", *parts, xmlns="http://www.w3.org/2000/svg", class_="graph", role="group", aria_label=title,
        width=width, height=height, viewBox=f"0 0 {width} {height}",
    )  # fmt: skip


def svg_file(graph: Lineage, *, title: str, chosen: Collection[str] = ()) -> str:
    """Return the graph as an SVG file with style and background, for light and dark viewers."""
    shown = drawing(graph, title=title, chosen=chosen)
    style = tag("style", Html(STAGE_COLOURS + GRAPH_STYLE + "svg { background: var(--page); }"))
    start = shown.index("<title>")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{shown[:start]}{style}{shown[start:]}\n'


def _width(node: Node) -> float:
    return max(_NAME_PIXELS * len(_short(node.name)), _DETAIL_PIXELS * len(_said(node)), 64.0) + 2 * _PADDING


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"


def _said(node: Node) -> str:
    return f"{node.stage} · {node.detail}"


def _arrow() -> Html:
    head = tag("path", d="M0 0 L8 4 L0 8 z", class_="arrow")
    size = {"markerWidth": 8, "markerHeight": 8, "refX": 8, "refY": 4}
    return tag("marker", head, id="arrow", orient="auto", **size)


def _stages(graph: Lineage, placed: Layout) -> list[Html]:
    """The stages' names, each above its first column."""
    found = []
    for stage, said in STAGE_NAMES.items():
        left = min((placed.boxes[node.key].x for node in graph.nodes if node.stage == stage), default=None)
        if left is not None:
            found.append(tag("text", said, x=f"{left:g}", y=f"{MARGIN - 14:g}", class_="stage", aria_hidden="true"))
    return found


def _edge(graph: Lineage, edge: Edge, points: tuple[Point, ...]) -> Html:
    views = said_views(edge)
    names = f"{graph.node(edge.upstream).name} → {graph.node(edge.downstream).name}"
    told = tag("title", f"{names}, view: {', '.join(edge.views)}" if edge.views else names)
    style = f"edge {views}" if views in ("log", "changes") else "edge"
    line = tag("path", told, d=_path(points), class_=style, marker_end="url(#arrow)")
    label = None
    if views:
        (x, y), (end_x, end_y) = points[:2]  # half way across the first gap, where lines are still apart
        at = {"x": f"{(x + end_x) / 2:g}", "y": f"{(y + end_y) / 2 + 4:g}"}
        label = tag("text", views, text_anchor="middle", class_="view", **at)
    return tag("g", line, label, data_from=edge.upstream, data_to=edge.downstream)


def _path(points: tuple[Point, ...]) -> str:
    """Curves between columns, straight lines through them."""
    (x, y), *rest = points
    drawn = [f"M{x:g} {y:g}"]
    for number, (end_x, end_y) in enumerate(rest):
        if number % 2:
            drawn.append(f"L{end_x:g} {end_y:g}")
        else:
            middle = (x + end_x) / 2
            drawn.append(f"C{middle:g} {y:g} {middle:g} {end_y:g} {end_x:g} {end_y:g}")
        x, y = end_x, end_y
    return " ".join(drawn)


def _node(graph: Lineage, node: Node, box: Box, link: Link | None, chosen: bool) -> Html:
    into = [graph.node(edge.upstream).name for edge in graph.into(node.key)]
    told = f"{node.name}, {node.stage}, {node.detail}" + (f", made from {', '.join(into)}" if into else "")
    x, y = box.x + _PADDING, box.y
    parts = join(
        [
            tag("title", told),
            tag(
                "rect",
                x=f"{box.x:g}",
                y=f"{box.y:g}",
                width=f"{box.width:g}",
                height=f"{box.height:g}",
                rx=6,
            ),  # fmt: skip
            tag("text", _short(node.name), x=f"{x:g}", y=f"{y + 17:g}", class_="name"),
            tag("text", _said(node), x=f"{x:g}", y=f"{y + 32:g}", class_="detail"),
        ]
    )
    common = {"class_": f"node {node.stage}" + " chosen" * chosen, "data_key": node.key, "aria_label": told}
    target = link(node) if link else None
    if target:
        return tag("a", parts, href=target, **common)
    return tag("g", parts, tabindex=0, role="img", **common)
