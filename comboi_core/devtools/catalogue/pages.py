"""The catalogue as a folder of pages: an index with a search, and a page per table and dataset."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from comboi_core.devtools.catalogue.gather import Catalogue, CheckInfo, ColumnInfo, Entry, Outcome
from comboi_core.devtools.catalogue.html import Child, Html, grid, join, page, tag
from comboi_core.devtools.catalogue.lineage import STAGE_NAMES, Edge, Lineage, Node, said_views
from comboi_core.devtools.catalogue.svg import drawing

INDEX = "index.html"
FOLDERS = {"bronze": "tables", "silver": "datasets", "gold": "datasets"}
GOOD, BAD = ("succeeded",), ("failed", "partial")


def site(catalogue: Catalogue) -> dict[str, str]:
    """Return every page by its path in the folder."""
    paths = page_paths(catalogue.graph)
    pages = {INDEX: _index(catalogue, paths)}
    for key, entry in catalogue.entries.items():
        pages[paths[key]] = _entry(catalogue, entry, paths)
    return pages


def page_paths(graph: Lineage) -> dict[str, str]:
    """Return the path of each table's and dataset's page. Paths differ in more than case, for Windows and macOS."""
    paths: dict[str, str] = {}
    for node in graph.nodes:
        if node.stage not in FOLDERS:
            continue
        stem = path = f"{FOLDERS[node.stage]}/{node.name}"
        number = 1
        while f"{path}.html".lower() in {taken.lower() for taken in paths.values()}:
            number += 1
            path = f"{stem}-{number}"
        paths[node.key] = f"{path}.html"
    return paths


def lineage_page(graph: Lineage, *, title: str, chosen: Collection[str] = ()) -> str:
    """Return a page with only the lineage: the drawing, and the same as a list."""
    body = [tag("h1", title), _graph(graph, title, {}, "", chosen), _legend(graph), _as_list(graph)]
    return page(title, body, written=datetime.now(UTC).isoformat(timespec="seconds"))


def _index(catalogue: Catalogue, paths: Mapping[str, str]) -> str:
    title = f"Catalogue of {catalogue.pipeline}"
    counts = {stage: sum(entry.stage == stage for entry in catalogue.entries.values()) for stage in FOLDERS}
    summary = f"{counts['bronze']} tables, {counts['silver']} silver and {counts['gold']} gold datasets."
    search = tag(
        "div",
        tag("label", "Search names, descriptions and columns", for_="search"),
        tag("input", type="search", id="search", autocomplete="off"),
        tag("p", role="status", class_="soft"),
        class_="search", role="search", hidden=True,
    )  # fmt: skip
    body: list[Child] = [tag("h1", title), tag("p", summary), _notes(catalogue), search]
    for stage in FOLDERS:
        entries = [entry for entry in catalogue.entries.values() if entry.stage == stage]
        if entries:
            body.append(_group(stage, entries, paths))
    body += [
        tag("h2", "Lineage"),
        _graph(catalogue.graph, title, paths, ""),
        _legend(catalogue.graph),
        _as_list(catalogue.graph),
    ]
    body += [tag("h2", "Latest runs"), _runs(catalogue)]
    return page(title, body, written=catalogue.written)


def _notes(catalogue: Catalogue) -> Html | None:
    if not catalogue.notes:
        return None
    listed = tag("ul", *(tag("li", note) for note in catalogue.notes))
    return tag("div", tag("p", "These could not be read, and are missing from the pages:"), listed, class_="notes")


def _group(stage: str, entries: list[Entry], paths: Mapping[str, str]) -> Html:
    title = "Tables (bronze)" if stage == "bronze" else f"Datasets ({stage})"
    count = "rows read" if stage == "bronze" else "rows"
    heads = ("name", "description", "columns", "latest run", count, "checks")
    rows = [_row(entry, paths) for entry in entries]
    searched = [_searched(entry) for entry in entries]
    table = grid(f"{len(entries)} in {stage}", heads, rows, numbers=("columns", count), searched=searched)
    return tag("section", tag("h2", title), table, data_group=stage)


def _row(entry: Entry, paths: Mapping[str, str]) -> tuple[str, ...]:
    latest = entry.outcomes[0] if entry.outcomes else None
    return (
        tag("a", entry.name, href=paths[entry.key]),
        entry.description or "",
        str(len(entry.columns)) if entry.columns is not None else "",
        _status(latest.status) if latest else tag("span", "none yet", class_="soft"),
        _number(latest.rows) if latest else "",
        _check_counts(entry.checks),
    )


def _searched(entry: Entry) -> str:
    columns = [f"{column.name} {column.description or ''}" for column in entry.columns or ()]
    return " ".join([entry.name, entry.description or "", entry.stage, *columns])


def _entry(catalogue: Catalogue, entry: Entry, paths: Mapping[str, str]) -> str:
    up = "../"
    body: list[Child] = [
        tag("h1", entry.name, " ", tag("span", entry.stage, class_=f"badge {entry.stage}")),
        tag("p", entry.description, class_="text") if entry.description else None,
        tag("dl", *(part for label, value in entry.facts for part in (tag("dt", label), tag("dd", value)))),
        tag("h2", "Columns"),
        _columns(entry.columns),
    ]
    if entry.checks:
        body += [tag("h2", "Checks"), _checks(entry.checks)]
    around = catalogue.graph.around([entry.key])
    body += [tag("h2", "Lineage"), _links("Made from", catalogue.graph, entry.key, paths, into=True)]
    body += [_links("Used by", catalogue.graph, entry.key, paths, into=False)]
    body += [_graph(around, f"Lineage of {entry.name}", paths, up, [entry.key]), _legend(around)]
    if entry.code:
        place, text = entry.code
        body += [tag("h2", "Transformation" if entry.stage != "bronze" else "Query"), tag("p", tag("code", place))]
        body.append(tag("div", tag("pre", tag("code", text)), class_="scroll", tabindex="0", role="region",
                        aria_label=place))  # fmt: skip
    if entry.files:
        body += [
            tag("h2", "Further files in the lake"),
            tag("ul", *(tag("li", tag("code", file)) for file in entry.files)),
        ]
    body += [tag("h2", "Latest runs"), _outcomes(entry.outcomes)]
    trail = [tag("a", f"Catalogue of {catalogue.pipeline}", href=up + INDEX)]
    return page(f"{entry.name} · {catalogue.pipeline}", body, trail=trail, written=catalogue.written)


def _columns(columns: tuple[ColumnInfo, ...] | None) -> Html:
    if columns is None:
        return tag("p", "Not known yet, because it is not in the lake. They appear after a run.", class_="soft")
    rows = [
        (
            tag("code", column.name),
            tag("code", column.type or ""),
            tag("code", column.source_type) if column.source_type else "",
            column.description or "",
            ", ".join(column.remarks),
        )
        for column in columns
    ]
    return grid(f"{len(columns)} columns", ("name", "type", "type in the source", "description", "remarks"), rows)


def _checks(checks: tuple[CheckInfo, ...]) -> Html:
    words = {True: ("passed", "good"), False: ("failed", "bad"), None: ("not run yet", "soft")}
    rows = []
    for check in checks:
        word, style = words[check.passed]
        style = "warn" if check.passed is False and check.severity == "warn" else style
        rows.append((tag("code", check.name), check.severity, tag("span", word, class_=style), check.message))
    return grid("Results of the latest build that ran them", ("check", "severity", "result", "message"), rows)


def _check_counts(checks: tuple[CheckInfo, ...]) -> Html:
    counted = {passed: sum(check.passed is passed for check in checks) for passed in (False, True, None)}
    words = {False: ("failed", "bad"), True: ("passed", "good"), None: ("not run yet", "soft")}
    parts = [
        tag("span", f"{counted[one]} {word}", class_=style) for one, (word, style) in words.items() if counted[one]
    ]
    return Html(", ".join(parts))


def _links(title: str, graph: Lineage, key: str, paths: Mapping[str, str], *, into: bool) -> Html:
    edges = graph.into(key) if into else graph.out_of(key)
    if not edges:
        return tag("p", f"{title}: nothing.")
    items = [
        tag("li", _linked(graph.node(edge.upstream if into else edge.downstream), paths), _view(edge)) for edge in edges
    ]
    return join([tag("h3", title), tag("ul", *items)])


def _linked(node: Node, paths: Mapping[str, str], up: str = "../") -> Html:
    target = paths.get(node.key)
    name = tag("a", node.name, href=up + target) if target else tag("span", node.name)
    return join([name, tag("span", f" ({node.stage})", class_="soft")])


def _view(edge: Edge) -> str:
    return f", view: {', '.join(edge.views)}" if edge.views else ""


def _graph(graph: Lineage, title: str, paths: Mapping[str, str], up: str, chosen: Collection[str] = ()) -> Html:
    def link(node: Node) -> str | None:
        return up + paths[node.key] if node.key in paths else None

    drawn = drawing(graph, title=title, link=link, chosen=chosen)
    return tag("div", drawn, class_="scroll", tabindex="0", role="region", aria_label=f"{title}, drawn")


def _legend(graph: Lineage) -> Html | None:
    """Return what the lines mean, or None if all are alike."""
    if not any(said_views(edge) for edge in graph.edges):
        return None
    lines = (
        "Solid lines read the current rows of a table, dashed lines the rows landed since the last build (changes), "
    )
    return tag("p", lines, "dotted lines every landed version (log).", class_="soft")


def _as_list(graph: Lineage) -> Html:
    """Return the graph as a list, for screen readers and for searching."""
    rows = []
    for node in graph.nodes:
        into = [f"{graph.node(edge.upstream).name}{_view(edge)}" for edge in graph.into(node.key)]
        out = [graph.node(edge.downstream).name for edge in graph.out_of(node.key)]
        rows.append((node.name, node.stage, node.detail, "; ".join(into), "; ".join(out)))
    heads = ("name", "stage", "how", "made from", "used by")
    summary = tag("summary", "The same as a list")
    return tag("details", summary, grid(f"{len(rows)} in {', '.join(STAGE_NAMES.values())}", heads, rows))


def _runs(catalogue: Catalogue) -> Html:
    if not catalogue.runs:
        return tag("p", "No run has been recorded yet.", class_="soft")
    rows = [
        (
            str(run["run_id"]),
            _status(str(run["status"])),
            str(run["trigger"] or ""),
            _time(run["started_at"]),
            _seconds(run["seconds"]),
            _number(run["rows"]),
            ", ".join(run["failed"]),
        )
        for run in catalogue.runs
    ]
    heads = ("run", "status", "trigger", "started (UTC)", "seconds", "rows read", "failed")
    return grid(f"The latest {len(rows)}", heads, rows, numbers=("seconds", "rows read"))


def _outcomes(outcomes: tuple[Outcome, ...]) -> Html:
    if not outcomes:
        return tag("p", "No run has been recorded yet.", class_="soft")
    rows = [
        (
            outcome.run_id,
            _status(outcome.status),
            _time(outcome.at),
            _number(outcome.rows),
            _seconds(outcome.seconds),
            outcome.said,
        )
        for outcome in outcomes
    ]
    heads = ("run", "status", "started (UTC)", "rows", "seconds", "message")
    return grid(f"The latest {len(rows)}", heads, rows, numbers=("rows", "seconds"))


def _status(status: str) -> Html:
    style = "good" if status in GOOD else "bad" if status in BAD else "soft"
    return tag("span", status, class_=style)


def _time(at: object) -> str:
    return str(at or "").partition(".")[0].replace("T", " ").removesuffix("Z").removesuffix("+00:00")


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else ""


def _seconds(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, int | float) else ""
