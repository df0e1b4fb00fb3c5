"""Markup that is safe by construction, and what all pages share: frame, style, script.

Pages are self-contained: no request leaves them, and a policy in each page forbids any. They are well-formed XML at the
same time, so that a test can read them strictly.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Collection, Iterable, Sequence
from html import escape
from typing import Any

GENERATOR = "comboi docs"

_VOID = frozenset({"meta", "input"})
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")

STAGE_COLOURS = """
:root { color-scheme: light dark; --page: #ffffff; --ink: #1b2230; --soft: #566074; --line: #d3d9e3; --card: #f5f7fa;
  --link: #0a57a8; --good: #1a7037; --bad: #b42318; --warn: #8a5a00; --source: #eceff4; --source-line: #8a94a6;
  --bronze: #f8ece0; --bronze-line: #b0703a; --silver: #e9eef6; --silver-line: #6f84a6; --gold: #fbf2cf;
  --gold-line: #b08c00; }
@media (prefers-color-scheme: dark) {
  :root { --page: #12161d; --ink: #e4e8ef; --soft: #a0abbd; --line: #333c4b; --card: #1a2029; --link: #7db7ff;
    --good: #6fd08c; --bad: #ff9a8f; --warn: #f0c060; --source: #232a35; --source-line: #77839a; --bronze: #33261a;
    --bronze-line: #c98b55; --silver: #222c3c; --silver-line: #8fa6cc; --gold: #332c10; --gold-line: #d5b13a; }
}
"""
GRAPH_STYLE = """
.graph text { font: 13px system-ui, sans-serif; fill: var(--ink); }
.graph .detail, .graph .view, .graph .stage { font-size: 11px; fill: var(--soft); }
.graph .stage { font-weight: 600; letter-spacing: .04em; text-transform: uppercase; }
.graph rect { stroke-width: 1.2; }
.graph .source rect { fill: var(--source); stroke: var(--source-line); }
.graph .bronze rect { fill: var(--bronze); stroke: var(--bronze-line); }
.graph .silver rect { fill: var(--silver); stroke: var(--silver-line); }
.graph .gold rect { fill: var(--gold); stroke: var(--gold-line); }
.graph .edge { fill: none; stroke: var(--source-line); stroke-width: 1.3; }
.graph .log { stroke-dasharray: 2 4; }
.graph .changes { stroke-dasharray: 8 4; }
.graph .arrow { fill: var(--source-line); }
.graph .view { paint-order: stroke; stroke: var(--page); stroke-width: 4px; }
.graph .chosen rect { stroke-width: 3; }
.graph .chosen .name { font-weight: 700; }
.graph .node:focus { outline: none; }
.graph .node:focus rect, .graph .node:hover rect { stroke: var(--link); stroke-width: 2.5; }
.graph .dim { opacity: .25; }
"""
_STYLE = """
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
header, main, footer { max-width: 76rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 1rem; } footer { padding: 2rem 1.25rem; color: var(--soft); font-size: .875rem; }
h1 { font-size: 1.6rem; margin: .5rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; } h3 { font-size: 1rem; margin: 1.25rem 0 .5rem; }
a { color: var(--link); } a:focus-visible, .scroll:focus-visible, input:focus-visible, summary:focus-visible {
  outline: 3px solid var(--link); outline-offset: 2px; }
.skip { position: absolute; left: -100rem; } .skip:focus { position: static; }
.soft { color: var(--soft); } .good { color: var(--good); } .bad { color: var(--bad); } .warn { color: var(--warn); }
.scroll { overflow: auto; border: 1px solid var(--line); border-radius: .5rem; }
table { border-collapse: collapse; width: 100%; font-size: .925rem; }
caption { text-align: left; padding: .4rem .75rem; color: var(--soft); }
th, td { text-align: left; vertical-align: top; padding: .4rem .75rem; border-top: 1px solid var(--line); }
thead th { border-top: 0; background: var(--card); } td { overflow-wrap: anywhere; } .number { text-align: right; }
tbody th { font-weight: 500; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.5rem; margin: .5rem 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; } dd, p.text { white-space: pre-line; }
code, pre { font: .875rem/1.5 ui-monospace, monospace; } pre { margin: 0; padding: .75rem 1rem; }
.badge { display: inline-block; border: 1px solid; border-radius: 1rem; padding: 0 .6rem; font-size: .8rem;
  vertical-align: middle; }
.badge.source { border-color: var(--source-line); background: var(--source); }
.badge.bronze { border-color: var(--bronze-line); background: var(--bronze); }
.badge.silver { border-color: var(--silver-line); background: var(--silver); }
.badge.gold { border-color: var(--gold-line); background: var(--gold); }
.notes { border-left: 4px solid var(--warn); padding: .25rem 1rem; background: var(--card); }
input { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--line); border-radius: .4rem;
  padding: .35rem .6rem; width: min(30rem, 100%); } label { display: block; }
details { margin: .75rem 0; } [hidden] { display: none; }
@media print { .scroll { overflow: visible; } .search { display: none; } }
"""
# Without `<` and `&`, so that the page stays well-formed.
_SCRIPT = """
(function () {
  var each = function (query, act) { Array.prototype.forEach.call(document.querySelectorAll(query), act); };
  each(".search", function (form) {
    var box = form.querySelector("input"), said = form.querySelector("[role=status]");
    form.hidden = false;
    box.addEventListener("input", function () {
      var words = box.value.toLowerCase().split(" "), found = 0;
      each("[data-text]", function (row) {
        var text = row.getAttribute("data-text");
        row.hidden = !words.every(function (word) { return text.indexOf(word) !== -1; });
        if (!row.hidden) found += 1;
      });
      each("[data-group]", function (group) { group.hidden = !group.querySelector("[data-text]:not([hidden])"); });
      said.textContent = box.value ? found + " found" : "";
    });
  });
  each(".graph", function (graph) {
    var nodes = graph.querySelectorAll(".node"), edges = graph.querySelectorAll("[data-from]");
    var reach = function (start, from, to) {
      var reached = [start], grown = true;
      while (grown) {
        grown = false;
        Array.prototype.forEach.call(edges, function (edge) {
          var here = edge.getAttribute(from), there = edge.getAttribute(to);
          if (reached.indexOf(here) === -1) return;
          if (reached.indexOf(there) !== -1) return;
          reached.push(there);
          grown = true;
        });
      }
      return reached;
    };
    var show = function (key) {
      var up = key ? reach(key, "data-to", "data-from") : [], down = key ? reach(key, "data-from", "data-to") : [];
      var within = function (set, one) { return set.indexOf(one) !== -1; };
      Array.prototype.forEach.call(nodes, function (node) {
        var one = node.getAttribute("data-key");
        node.classList.toggle("dim", key ? !(within(up, one) || within(down, one)) : false);
      });
      Array.prototype.forEach.call(edges, function (edge) {
        var from = edge.getAttribute("data-from"), to = edge.getAttribute("data-to");
        var upwards = within(up, from) ? within(up, to) : false;
        var downwards = within(down, from) ? within(down, to) : false;
        edge.classList.toggle("dim", key ? !(upwards || downwards) : false);
      });
    };
    Array.prototype.forEach.call(nodes, function (node) {
      var on = function () { show(node.getAttribute("data-key")); }, off = function () { show(null); };
      node.addEventListener("mouseenter", on);
      node.addEventListener("focus", on);
      node.addEventListener("mouseleave", off);
      node.addEventListener("blur", off);
    });
  });
})();
"""


class Html(str):
    """Markup: put into a page as it is."""


Child = str | None
"""Text, which is escaped, unless it is Html."""


def text(value: str) -> Html:
    """Return text as markup; what no page may hold (control characters, half surrogates) is replaced."""
    return value if isinstance(value, Html) else Html(escape(_NOT_XML.sub("\ufffd", value)))


def tag(name: str, /, *children: Child, **attributes: Any) -> Html:
    """Return an element.

    Args:
        children: None is left out.
        attributes: `_` stands for `-`, one at the end is dropped (`class_`); None and False leave the attribute out,
            True gives one without a value.
    """
    given = [(key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items()]
    kept = [
        (key, "" if value is True else str(value)) for key, value in given if value is not None and value is not False
    ]
    shown = "".join(f' {key}="{text(value)}"' for key, value in kept)
    if name in _VOID:
        return Html(f"<{name}{shown} />")
    return Html(f"<{name}{shown}>{join(children)}</{name}>")


def join(parts: Iterable[Child]) -> Html:
    """Return parts one after the other."""
    return Html("".join(text(part) for part in parts if part is not None))


def page(title: str, body: Iterable[Child], *, trail: Iterable[Child] = (), written: str) -> str:
    """Return a whole page.

    Args:
        body: What stands below the title.
        trail: Links to the pages above this one.
        written: When the page was written, ISO 8601 in UTC, for its foot.
    """
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{_hash(_SCRIPT)}'; base-uri 'none'"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="generator", content=GENERATOR),
        tag("title", title),
        tag("style", Html(STAGE_COLOURS + GRAPH_STYLE + _STYLE)),
    )
    shown = tag(
        "body",
        tag("a", "Skip to the content", href="#content", class_="skip"),
        tag("header", tag("nav", *trail, aria_label="Pages above")),
        tag("main", *body, id="content", tabindex="-1"),
        tag("footer", f"Written by comboi, {written[:16].replace('T', ' ')} UTC."),
        tag("script", Html(_SCRIPT)),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, shown, lang='en')}\n"


def grid(
    caption: str,
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    numbers: Collection[str] = (),
    searched: Sequence[str] = (),
) -> Html:
    """Return a table that scrolls where it is wide; a column with nothing in it is left out.

    Args:
        rows: Cells, as text or markup; the first one is the row's head.
        numbers: The heads of the columns that are aligned to the right.
        searched: For each row, the text that the search looks at.
    """
    shown = [place for place, _ in enumerate(heads) if any(row[place] for row in rows)]
    style = {place: "number" if heads[place] in numbers else None for place in shown}
    body = []
    for number, row in enumerate(rows):
        cells = [
            tag("td" if place else "th", row[place], scope=None if place else "row", class_=style[place])
            for place in shown
        ]
        body.append(tag("tr", *cells, data_text=searched[number].lower() if searched else None))
    names = [tag("th", heads[place], scope="col", class_=style[place]) for place in shown]
    table = tag("table", tag("caption", caption), tag("thead", tag("tr", *names)), tag("tbody", *body))
    return tag("div", table, class_="scroll", tabindex="0", role="region", aria_label=caption)


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
