"""`comboi lineage`: the graph from sources to gold, in the terminal and as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text
from rich.tree import Tree

from comboi_core.cli.options import AsJson, Config, Select, console, print_json, reporting

if TYPE_CHECKING:
    from comboi_core.devtools.catalogue.lineage import Edge, Lineage, Node

Html = Annotated[Path | None, typer.Option("--html", help="Write an HTML page to this file.")]
Svg = Annotated[Path | None, typer.Option("--svg", help="Write a drawing to this file.")]

_STYLES = {"source": "bold", "bronze": "dark_orange3", "silver": "grey62", "gold": "gold3"}


def lineage(
    select: Select = None, html: Html = None, svg: Svg = None, config: Config = None, as_json: AsJson = False
) -> None:
    """Show how datasets depend on tables and on each other, from sources to gold; --select shows only some."""
    with reporting(config):
        from comboi_core.app.loader import load
        from comboi_core.devtools.catalogue.lineage import lineage as graph_of
        from comboi_core.devtools.catalogue.pages import lineage_page
        from comboi_core.devtools.catalogue.svg import svg_file

        project = load(config)
        graph = graph_of(project)
        chosen = graph.find(select or [])
        shown = graph.around(chosen) if chosen else graph
        title = f"Lineage of {project.pipeline}" + (f": {', '.join(select)}" if select else "")
        if svg:
            _write(svg, svg_file(shown, title=title, chosen=chosen))
        if html:
            _write(html, lineage_page(shown, title=title, chosen=chosen))
    if as_json:
        print_json(shown.plain() | {"selected": list(chosen)})
    elif svg or html:
        for file in filter(None, (html, svg)):
            console.print(f"✓ {file}", style="green", markup=False)
    else:
        console.print(around_view(shown, chosen) if chosen else whole_view(shown))


def whole_view(graph: Lineage) -> RenderableType:
    """Return the graph as a tree per source.

    A dataset with several inputs is shown below the last of them, with everything that depends on it. Below its other
    inputs there is only a note.
    """
    branches = [node for node in graph.nodes if not graph.into(node.key)]
    left = {node.key: len(graph.into(node.key)) for node in graph.nodes}
    trees = []
    for node in branches:
        tree = Tree(_label(node), guide_style="dim")
        _grow(tree, graph, node, left)
        trees.append(tree)
    return Group(*trees)


def _grow(tree: Tree, graph: Lineage, node: Node, left: dict[str, int]) -> None:
    for edge in graph.out_of(node.key):
        below = graph.node(edge.downstream)
        left[below.key] -= 1
        if left[below.key]:
            tree.add(_label(below, edge, note="see below"))
            continue
        others = [graph.node(one.upstream).name for one in graph.into(below.key) if one.upstream != node.key]
        branch = tree.add(_label(below, edge, note=f"with {', '.join(others)}" if others else ""))
        _grow(branch, graph, below, left)


def around_view(graph: Lineage, chosen: tuple[str, ...]) -> RenderableType:
    """Return two trees for each chosen node: what it depends on, and what depends on it."""
    parts: list[RenderableType] = []
    for key in chosen:
        node = graph.node(key)
        tree = Tree(_label(node, style="bold reverse"), guide_style="dim")
        for upwards, title, none in ((True, "made from", "nothing"), (False, "used by", "nothing")):
            branch = tree.add(Text(title, style="italic"))
            _follow(branch, graph, node, upwards, set())
            if not branch.children:
                branch.add(Text(none, style="dim"))
        parts += [tree]
    return Group(*parts)


def _follow(tree: Tree, graph: Lineage, node: Node, upwards: bool, seen: set[str]) -> None:
    for edge in graph.into(node.key) if upwards else graph.out_of(node.key):
        other = graph.node(edge.upstream if upwards else edge.downstream)
        again = other.key in seen and bool(graph.into(other.key) if upwards else graph.out_of(other.key))
        branch = tree.add(_label(other, edge, note="see above" if again else ""))
        if not again:
            seen.add(other.key)
            _follow(branch, graph, other, upwards, seen)


def _label(node: Node, edge: Edge | None = None, *, note: str = "", style: str | None = None) -> Text:
    from comboi_core.devtools.catalogue.lineage import said_views

    label = Text(node.name, style=_STYLES[node.stage] if style is None else style)
    label.append(f"  {node.stage}, {node.detail}", style="dim not bold not reverse")
    if edge and said_views(edge):
        label.append(f"  view: {said_views(edge)}", style="cyan")
    if note:
        label.append(f"  ({note})", style="dim")
    return label


def _write(file: Path, text: str) -> None:
    from comboi_core.domain.errors import RequestInvalid

    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RequestInvalid(
            f"{file} cannot be written: {error.strerror}", remedy="Give another file with --html or --svg."
        ) from None
