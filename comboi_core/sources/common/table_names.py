"""Names of tables as a configuration writes them: `schema.table`, each part plain or quoted."""

from __future__ import annotations

from collections.abc import Mapping


def parts(name: str, quotes: Mapping[str, str]) -> tuple[str, ...]:
    """Split `schema.table`; a quoted part may hold dots, and its closing quote doubled.

    Args:
        quotes: The dialect's opening quotes, and what closes each.

    Raises:
        ValueError: the name has an empty part, an open quote or more than two parts.
    """
    found, rest = [], name.strip()
    while True:
        if close := quotes.get(rest[:1]):
            end = 1
            while (end := rest.find(close, end)) >= 0 and rest[end : end + 2] == close * 2:
                end += 2
            if end < 0:
                raise ValueError("a quote or bracket is left open")
            found.append(rest[1:end].replace(close * 2, close))
            rest = rest[end + 1 :]
        else:
            part, dot, tail = rest.partition(".")
            found.append(part)
            rest = dot + tail
        if not rest:
            break
        if not rest.startswith("."):
            raise ValueError("a closing quote or bracket is followed by something else than a dot")
        rest = rest[1:]
    if not all(found) or len(found) > 2:
        raise ValueError("write a table as table or schema.table")
    return tuple(found)
