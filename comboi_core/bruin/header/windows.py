"""How a template uses the run's interval, as far as its text tells.

Bruin's interval ends at 23:59:59.999999999 by default, and at midnight where someone gives the next day; genuine assets
are written for the one or the other. Rendered as the last moment, `< '{{ end_date }}'` would lose a day in silence;
rendered as the end, `BETWEEN` would read a day twice. So the end is what the comparison needs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

_TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_KINDS = "(?:date|date_nodash|datetime|timestamp)"
_START = re.compile(rf"(?<![.\w'\"])start_{_KINDS}\b")
_END = re.compile(rf"(?<![.\w'\"])end_{_KINDS}\b")
_END_ALONE = re.compile(rf"\{{\{{-?\s*end_{_KINDS}\s*-?\}}\}}")
_BELOW = re.compile(
    r"(?:^|[^<>=!])<\s*(?:(?:try_)?cast\s*\(\s*|date\s+|timestamp\s+|timestamptz\s+|\(\s*)*'?$", re.IGNORECASE
)
_ABOVE = re.compile(r"'?\s*(?:::\s*\w+|\s+as\s+\w+\s*\)|\))*\s*>(?![=>])", re.IGNORECASE)
_MACRO = re.compile(r"\{%-?\s*macro\s+(\w+)\s*\(([^)]*)\)(.*?)\{%-?\s*endmacro", re.DOTALL)
_NEAR = 120
"""Characters in front of a variable that are looked at for the comparison."""


def asks_for_start(body: str, macros: Iterable[Path]) -> bool:
    """Whether a template, or a macro that it calls, asks where the interval starts.

    A macro that has the start as a parameter does not: then the template itself asks, or gives something else.
    """
    if any(_START.search(tag[0]) for tag in _TAG.finditer(body)):
        return True
    return any(
        not _START.search(parameters) and any(_START.search(tag[0]) for tag in _TAG.finditer(text))
        for _, parameters, text in _called(body, macros)
    )


def end_is_excluded(body: str, macros: Iterable[Path]) -> bool:
    """Whether everything that a template does with the interval's end is to ask for what lies below it."""
    called = list(_called(body, macros))
    calls = re.compile("|".join(rf"\b{name}\s*\(" for name, *_ in called)) if called else None
    excluded = False
    for text in (body, *(text for *_, text in called)):
        for tag in _TAG.finditer(text):
            if not _END.search(tag[0]) or (calls and calls.search(tag[0])):
                continue  # what is handed to a macro is judged there
            alone = _END_ALONE.fullmatch(tag[0])
            before = text[max(0, tag.start() - _NEAR) : tag.start()]
            if not alone or not (_BELOW.search(before) or _ABOVE.match(text, tag.end())):
                return False
            excluded = True
    return excluded


def _called(body: str, macros: Iterable[Path]) -> Iterator[tuple[str, str, str]]:
    """Yield name, parameters and text of the macros that a template calls."""
    for file in macros:
        for name, parameters, text in _MACRO.findall(file.read_text(encoding="utf-8-sig", errors="replace")):
            if re.search(rf"\b{name}\s*\(", body):
                yield name, parameters, text
