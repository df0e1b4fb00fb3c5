"""MySQL's SQL as text: the one encoder of identifiers and literals, and what has to be read of names and queries.

Nothing that is encoded here depends on the session's `sql_mode`: names stand in backticks, texts as hexadecimal digits.
"""

from __future__ import annotations

import re

from comboi_core.sources.common import table_names

_TOKEN = re.compile(
    r"""(?P<skip> \s+ | \#[^\n]* | --(?=\s|\Z)[^\n]* | /\*.*?(?:\*/|\Z) )
        | (?P<text> '(?:[^'\\]|\\.|'')*' )
        | (?P<name> `(?:[^`]|``)*` | "(?:[^"\\]|\\.|"")*" | [\w$]+ ) | (?P<sign> . )""",
    re.VERBOSE | re.DOTALL,
)


def identifier(name: str) -> str:
    """Return a quoted identifier.

    Raises:
        ValueError: the name is empty or holds a NUL character.
    """
    if not name or "\x00" in name:
        raise ValueError("an SQL identifier is not empty and holds no NUL character")
    return "`" + name.replace("`", "``") + "`"


def literal(value: str) -> str:
    """Return a text as a literal in utf8mb4."""
    return f"_utf8mb4 X'{value.encode().hex()}'"


def parts(name: str) -> tuple[str, ...]:
    """Split `database.table`; a part may be in backticks. Raises ValueError, see `table_names.parts`."""
    return table_names.parts(name, {"`": "`"})


def relation(name: str) -> str:
    """Return a table's name with each part quoted."""
    return ".".join(identifier(part) for part in parts(name))


def subquery(query: str) -> str:
    """Return a configured query as a derived table, without the semicolon and the comments at its end."""
    return f"({_trimmed(query)}\n)"


def filtered(source: str, where: str) -> str:
    """Return a derived table of the rows that meet a configured condition."""
    return f"(SELECT src.* FROM {source} AS src WHERE ({_trimmed(where)}\n))"


def names(text: str) -> tuple[tuple[str, ...], ...]:
    """Return every name of one or two parts that a query or a condition holds, whatever it names, each once.

    What stands in double quotes is a name for servers with the mode ANSI_QUOTES, for others a text that names nothing.
    """
    found: dict[tuple[str, ...], None] = {}
    chain: list[str] = []
    dotted = False
    for match in [*_tokens(text), None]:
        word = match["name"] if match else None
        if word is not None and (dotted or not chain):
            chain.append(_plain(word))
            dotted = False
        elif match is not None and match[0] == "." and chain and not dotted:
            dotted = True
        else:
            if 1 <= len(chain) <= 2:
                found[tuple(chain)] = None
            chain, dotted = [_plain(word)] if word is not None else [], False
    return tuple(found)


def _plain(word: str) -> str:
    return word[1:-1].replace(word[0] * 2, word[0]) if word[0] in '`"' else word


def _trimmed(text: str) -> str:
    ends = [match.end() for match in _tokens(text) if match[0] != ";"]
    return text[: ends[-1]] if ends else ""


def _tokens(text: str) -> list[re.Match[str]]:
    return [match for match in _TOKEN.finditer(text) if match.lastgroup != "skip"]
