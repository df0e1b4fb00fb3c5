"""T-SQL as text: the one encoder of identifiers and literals, and what has to be read of names and queries."""

from __future__ import annotations

import re


def identifier(name: str) -> str:
    """Return a quoted identifier.

    Raises:
        ValueError: the name is empty or holds a NUL character.
    """
    if not name or "\x00" in name:
        raise ValueError("an SQL identifier is not empty and holds no NUL character")
    return "[" + name.replace("]", "]]") + "]"


def literal(value: str | None) -> str:
    """Return a Unicode string literal, or NULL.

    A backslash at the end of a line would continue the literal on the next one and vanish, so the two are taken apart.

    Raises:
        ValueError: the value holds a NUL character.
    """
    if value is None:
        return "NULL"
    if "\x00" in value:
        raise ValueError("an SQL string holds no NUL character")
    pieces = ["N'" + piece.replace("'", "''") + "'" for piece in re.split(r"(?<=\\)(?=\r?\n)", value)]
    # Short pieces joined would be cut at 4,000 characters.
    return pieces[0] if len(pieces) == 1 else f"CONVERT(nvarchar(max), {pieces[0]}) + {' + '.join(pieces[1:])}"


def parts(name: str) -> tuple[str, ...]:
    """Split `schema.table`; a part in brackets or double quotes may hold dots, and its closing quote doubled.

    Raises:
        ValueError: the name has an empty part, an open quote or more than two parts.
    """
    found, rest = [], name.strip()
    while True:
        if rest[:1] in ("[", '"'):
            close = "]" if rest[0] == "[" else '"'
            end = 1
            while (end := rest.find(close, end)) >= 0 and rest[end : end + 2] == close * 2:
                end += 2
            if end < 0:
                raise ValueError("a bracket or quote is left open")
            found.append(rest[1:end].replace(close * 2, close))
            rest = rest[end + 1 :]
        else:
            part, dot, tail = rest.partition(".")
            found.append(part)
            rest = dot + tail
        if not rest:
            break
        if not rest.startswith("."):
            raise ValueError("a closing bracket or quote is followed by something else than a dot")
        rest = rest[1:]
    if not all(found) or len(found) > 2:
        raise ValueError("write a table as table or schema.table")
    return tuple(found)


_TOKEN = re.compile(
    r"""(?P<skip> \s+ | --[^\n]* ) | (?P<open_comment> /\* )
        | (?P<quoted> '(?:[^']|'')*' | "(?:[^"]|"")*" | \[(?:[^\]]|\]\])*\] )
        | (?P<word> \w+ ) | (?P<sign> . )""",
    re.VERBOSE | re.DOTALL,
)


def split_with(query: str) -> tuple[str, str]:
    """Split `WITH a AS (...), b AS (...) SELECT ...` into its common table expressions and its SELECT.

    A query without them comes back whole, with an empty first part; so does one that cannot be understood, for the
    server to complain of.
    """
    tokens = _tokens(query)
    if not tokens or tokens[0][0].upper() != "WITH":
        return "", query
    depth, closed = 0, False
    for word, start in tokens[1:]:
        if depth == 0 and closed and word.upper() == "SELECT":
            return query[:start], query[start:]
        closed = (closed and depth == 0 and word not in (",", "(")) or (word == ")" and depth == 1)
        depth += {"(": 1, ")": -1}.get(word, 0)
    return "", query


def _tokens(query: str) -> list[tuple[str, int]]:
    """Words and signs with their places; comments, which T-SQL nests, and white space are left out."""
    found, place = [], 0
    while match := _TOKEN.match(query, place):
        place = match.end()
        if match.lastgroup == "open_comment":
            place = _after_comment(query, place)
        elif match.lastgroup != "skip":
            found.append((match[0], match.start()))
    return found


def _after_comment(query: str, place: int) -> int:
    depth = 1
    while depth and (mark := re.compile(r"/\*|\*/").search(query, place)):
        depth += 1 if mark[0] == "/*" else -1
        place = mark.end()
    return len(query) if depth else place
