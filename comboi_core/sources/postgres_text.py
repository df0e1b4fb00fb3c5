"""What a configuration writes in PostgreSQL's SQL: names of tables, queries and conditions."""

from __future__ import annotations

import re

from comboi_core.domain.sql import identifier

# Everything in which a semicolon or two dashes mean nothing: strings, quoted names, dollar quotes; then comments.
_OPAQUE = re.compile(
    r"""[eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | "(?:[^"]|"")*" | (\$(?:[A-Za-z_]\w*)?\$).*?\1""",
    re.DOTALL | re.VERBOSE,
)
_BLANK = re.compile(r"\s+|--[^\n]*|/\*.*?\*/", re.DOTALL)


def parts(name: str) -> tuple[str, ...]:
    """Split `schema.table`; a part in double quotes may hold dots and doubled quotes.

    Raises:
        ValueError: the name has an empty part, an open quote or more than two parts.
    """
    found, rest = [], name.strip()
    while True:
        if rest.startswith('"'):
            end = 1
            while (end := rest.find('"', end)) >= 0 and rest[end : end + 2] == '""':
                end += 2
            if end < 0:
                raise ValueError("a quote is left open")
            found.append(rest[1:end].replace('""', '"'))
            rest = rest[end + 1 :]
        else:
            part, dot, tail = rest.partition(".")
            found.append(part)
            rest = dot + tail
        if not rest:
            break
        if not rest.startswith("."):
            raise ValueError("a closing quote is followed by something else than a dot")
        rest = rest[1:]
    if not all(found) or len(found) > 2:
        raise ValueError("write a table as table or schema.table")
    return tuple(found)


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
