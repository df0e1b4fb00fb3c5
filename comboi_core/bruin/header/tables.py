"""The tables that an SQL text names, found without running it.

The text may hold Jinja, so it is not parsed but read word by word: what follows FROM, JOIN or a comma among the tables
is a table, if it is one that is known; everything else (CTEs, functions, columns after `EXTRACT(... FROM`) is not. What
Jinja puts together at run time is not seen here; such a table has to stand in `depends`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
    (?P<skip> \s+ | --[^\n]* | /\*.*?(?:\*/|\Z) | \{\#.*?(?:\#\}|\Z) | \{\{.*?(?:\}\}|\Z) | \{%.*?(?:%\}|\Z))
  | (?P<string> '(?:[^']|'')*(?:'|\Z) | \$\$.*?(?:\$\$|\Z))
  | (?P<name> (?:"(?:[^"]|"")+" | [^\W\d]\w*) (?:\s*\.\s*(?:"(?:[^"]|"")+" | [^\W\d]\w*))*)
  | (?P<other> .)
    """,
    re.VERBOSE | re.DOTALL,
)
_PART = re.compile(r'"(?:[^"]|"")+"|[^\W\d]\w*')
_OPENS = {"from", "join"}
_ENDS = {
    "where", "group", "order", "having", "limit", "offset", "union", "intersect", "except", "select", "on", "using",
    "window", "qualify", "sample", "set", "values", "returning", "when", "with", "pivot", "unpivot",
}  # fmt: skip
_BETWEEN = {"lateral", "only", "as", "inner", "left", "right", "full", "outer", "cross", "natural", "semi", "anti",
            "positional", "asof"}  # fmt: skip


@dataclass(frozen=True)
class TableName:
    """A name where a table stands.

    Attributes:
        name: Its parts without quotes, joined with dots.
        line: Where, counted from 1.
    """

    name: str
    line: int


def table_names(text: str) -> Iterator[TableName]:
    """Yield what stands in an SQL text where a table would, in order: names that are followed by `(` are functions."""
    tokens = list(_tokens(text))
    expecting: list[bool] = [False]  # per parenthesis: whether the next name is a table
    listing: list[bool] = [False]  # per parenthesis: whether a comma leads to another table
    for position, (kind, value, line) in enumerate(tokens):
        if kind == "other":
            if value == "(":
                expecting.append(expecting[-1])
                listing.append(expecting[-1])
            elif value == ")" and len(expecting) > 1:
                expecting.pop()
                listing.pop()
                expecting[-1] = False
            elif value == ",":
                expecting[-1] = listing[-1]
            elif value == ";":
                expecting, listing = [False], [False]
            continue
        word = value.lower()
        if kind == "name" and word == "from" and position and tokens[position - 1][1].lower() == "distinct":
            continue  # IS DISTINCT FROM
        if kind == "name" and word in _OPENS:
            expecting[-1] = listing[-1] = True
        elif kind == "name" and word in _ENDS:
            expecting[-1] = listing[-1] = False
        elif kind == "name" and expecting[-1] and word not in _BETWEEN:
            expecting[-1] = False
            following = tokens[position + 1][:2] if position + 1 < len(tokens) else ("", "")
            if following != ("other", "("):
                yield TableName(".".join(_parts(value)), line)


def cte_names(text: str) -> frozenset[str]:
    """Return the lower-case names that a text gives to CTEs: `NAME AS (`, `NAME(a, b) AS MATERIALIZED (`."""
    tokens = [(kind, value.lower()) for kind, value, _ in _tokens(text)]
    found: set[str] = set()
    for position, (kind, value) in enumerate(tokens):
        if kind != "name" or value != "as":
            continue
        after = [item for item in tokens[position + 1 : position + 4] if item not in _MATERIALIZED]
        name = _before(tokens, position)
        if name and after and after[0] == ("other", "("):
            found.add(name.strip('"'))
    return frozenset(found)


_MATERIALIZED = {("name", "not"), ("name", "materialized")}


def _before(tokens: list[tuple[str, str]], position: int) -> str | None:
    """Return the name in front of `AS`, over a list of columns in parentheses."""
    before = position - 1
    if before >= 0 and tokens[before] == ("other", ")"):
        while before >= 0 and tokens[before] != ("other", "("):
            before -= 1
        before -= 1
    return tokens[before][1] if before >= 0 and tokens[before][0] == "name" else None


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    line = 1
    for match in _TOKEN.finditer(text):
        kind, value = str(match.lastgroup), match[0]
        if kind != "skip":
            yield kind, value, line
        line += value.count("\n")


def _parts(value: str) -> list[str]:
    return [part[1:-1].replace('""', '"') if part.startswith('"') else part for part in _PART.findall(value)]
