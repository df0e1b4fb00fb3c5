"""What a configuration writes in PostgreSQL's SQL: names of tables, queries and conditions."""

from __future__ import annotations

import re

from comboi_core.domain.sql import identifier
from comboi_core.sources.common import table_names

# Everything in which a semicolon or two dashes mean nothing: strings, quoted names, dollar quotes; then comments.
_OPAQUE = re.compile(
    r"""[eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | "(?:[^"]|"")*" | (\$(?:[A-Za-z_]\w*)?\$).*?\1""",
    re.DOTALL | re.VERBOSE,
)
_BLANK = re.compile(r"\s+|--[^\n]*|/\*.*?\*/", re.DOTALL)


def parts(name: str) -> tuple[str, ...]:
    """Split `schema.table`; a part may be in double quotes. Raises ValueError, see `table_names.parts`."""
    return table_names.parts(name, {'"': '"'})


def relation(name: str) -> str:
    """Return a table's name with each part quoted."""
    return ".".join(identifier(part) for part in parts(name))


def subquery(query: str) -> str:
    """Return a configured query as a FROM item, without the semicolon and the comments at its end."""
    return f"({_trimmed(query)}\n)"


def filtered(source: str, where: str, *, versions: bool) -> str:
    """Return a FROM item for the rows that meet a configured condition.

    Args:
        versions: Whether the rows' `xmin` has to come along.
    """
    names = "src.xmin, src.*" if versions else "src.*"
    return f"(SELECT {names} FROM {source} AS src WHERE ({_trimmed(where)}\n))"


def _trimmed(text: str) -> str:
    position, end = 0, 0
    while position < len(text):
        blank = _BLANK.match(text, position)
        if blank:
            position = blank.end()
            continue
        opaque = _OPAQUE.match(text, position)
        position = opaque.end() if opaque else position + 1
        if text[position - 1] != ";" or opaque:
            end = position
    return text[:end]
