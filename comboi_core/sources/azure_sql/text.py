"""T-SQL as text: the one encoder of identifiers and literals, and what has to be read of names and queries."""

from __future__ import annotations

import re

from comboi_core.sources.common import table_names


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
    """Split `schema.table`; a part may be in brackets or double quotes. Raises ValueError, see `table_names.parts`."""
    return table_names.parts(name, {"[": "]", '"': '"'})


def names(text: str) -> tuple[tuple[str, ...], ...]:
    """Return every name of one or two parts that a query or a condition holds, whatever it names, each once.

    Three parts are a column's, of a table that is named elsewhere, or of another database.
    """
    found: dict[tuple[str, ...], None] = {}
    chain: list[str] = []
    dotted = False
    for token, _ in [*_tokens(text), ("", 0)]:
        part = _name(token)
        if part is not None and dotted:
            chain.append(part)
        elif token == "." and dotted:
            chain = []  # `database..table`
        elif token != "." or not chain:
            if 1 <= len(chain) <= 2:
                found[tuple(chain)] = None
            chain = [part] if part is not None else []
        dotted = token == "." and bool(chain)
    return tuple(found)


def _name(token: str) -> str | None:
    """The name that a token is, without its quotes; None if it is none."""
    close = {"[": "]", '"': '"'}.get(token[:1])
    part = token[1:-1].replace(f"{close}{close}", close) if close and len(token) > 2 else token
    usable = part == token and re.fullmatch(r"[^\W\d]\w*", token) or part != token and "\x00" not in part
    return part if usable else None


_TOKEN = re.compile(
    r"""(?P<skip> \s+ | --[^\n]* ) | (?P<open_comment> /\* )
        | (?P<quoted> '(?:[^']|'')*' | "(?:[^"]|"")*" | \[(?:[^\]]|\]\])*\] )
        | (?P<word> \w+ ) | (?P<sign> . )""",
    re.VERBOSE | re.DOTALL,
)


def trimmed(text: str) -> str:
    """Return a query or a condition without the semicolons and comments at its beginning and its end.

    Between them it stays as it is. What has no words in it comes back whole, for the server to complain of.
    """
    tokens = _tokens(text)
    while tokens and tokens[0][0] == ";":
        tokens.pop(0)
    while tokens and tokens[-1][0] == ";":
        tokens.pop()
    return text[tokens[0][1] : tokens[-1][1] + len(tokens[-1][0])] if tokens else text


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
