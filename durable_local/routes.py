"""ASP.NET route templates as Azure Functions uses them: `{name}`, `{name:int}`, `{name?}`, `{*rest}`."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from .errors import AppLoadError

_PARAMETER = re.compile(r"\{(\*{0,2})([A-Za-z_]\w*)((?::(?:[^{}]|\{\{|\}\})+)?)(\?)?\}")


def _parses(parse: Callable[[str], Any]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            parse(text)
        except ValueError:
            return False
        return True

    return check


def _bounds(argument: str) -> tuple[int, int]:
    low, _, high = argument.partition(",")
    return int(low), int(high or low)


def _length(argument: str) -> Callable[[str], bool]:
    low, high = _bounds(argument)
    return lambda text: low <= len(text) <= high


def _between(low: int | None, high: int | None) -> Callable[[str], Any]:
    def check(text: str) -> Any:
        return _INTEGER(text) and (low is None or int(text) >= low) and (high is None or int(text) <= high)

    return check


_INTEGER = re.compile(r"[+-]?\d+").fullmatch
_LONGEST = 1 << 30
_CONSTRAINTS: dict[str, Callable[[str], Callable[[str], Any]]] = {
    "int": lambda _: _INTEGER,
    "long": lambda _: _INTEGER,
    "bool": lambda _: lambda text: text.lower() in ("true", "false"),
    "alpha": lambda _: re.compile(r"[A-Za-z]*").fullmatch,
    "guid": lambda _: _parses(uuid.UUID),
    "datetime": lambda _: _parses(datetime.fromisoformat),
    "decimal": lambda _: _parses(float),
    "double": lambda _: _parses(float),
    "float": lambda _: _parses(float),
    "length": _length,
    "minlength": lambda argument: _length(f"{argument},{_LONGEST}"),
    "maxlength": lambda argument: _length(f"0,{argument}"),
    "min": lambda argument: _between(int(argument), None),
    "max": lambda argument: _between(None, int(argument)),
    "range": lambda argument: _between(*_bounds(argument)),
    "regex": lambda argument: re.compile(argument, re.IGNORECASE).search,
}


@dataclass(frozen=True)
class Route:
    """A compiled template. `rank` sorts templates so that the most specific comes first."""

    template: str
    pattern: re.Pattern[str]
    checks: tuple[tuple[str, Callable[[str], Any]], ...]
    rank: tuple[int, ...]

    def match(self, path: str) -> dict[str, str] | None:
        """Route parameters if `path` (raw, without prefix and outer slashes) fits, else None."""
        found = self.pattern.fullmatch(path)
        if found is None:
            return None
        values = {name: unquote(value) for name, value in found.groupdict().items() if value}
        return values if all(check(values[name]) for name, check in self.checks if name in values) else None


def compile_route(template: str) -> Route:
    """Compile a template. Raises AppLoadError for syntax that Azure would refuse."""
    checks: list[tuple[str, Callable[[str], Any]]] = []
    rank: list[int] = []
    pattern = ""
    for segment in filter(None, template.strip("/").split("/")):
        text, segment_rank, optional = _segment(template, segment, checks)
        rank.append(segment_rank)
        slash = "/" if pattern else ""
        pattern += f"(?:{slash}{text})?" if optional else f"{slash}{text}"
    return Route(template, re.compile(pattern, re.IGNORECASE), tuple(checks), tuple(rank))


def _segment(template: str, segment: str, checks: list[tuple[str, Callable[[str], Any]]]) -> tuple[str, int, bool]:
    """The pattern of a segment, its rank (0 literal, 1 mixed or constrained, 2 free, 3 rest), if it is optional."""
    pattern, position, rank, optional = "", 0, 0, False
    for found in _PARAMETER.finditer(segment):
        star, name, constraints, question = found.groups()
        pattern += re.escape(segment[position : found.start()])
        pattern += f"(?P<{name}>.*)" if star else f"(?P<{name}>[^/]+?)"
        checks += [(name, _constraint(template, text)) for text in _split_constraints(constraints)]
        whole = found.group() == segment
        rank = max(rank, 3 if star else 2 if whole and not constraints else 1)
        optional = optional or bool(star) or bool(question)
        position = found.end()
    rest = segment[position:]
    if "{" in rest or "}" in rest:
        raise AppLoadError(f"route '{template}': cannot read segment '{segment}'")
    return pattern + re.escape(rest), rank, optional


def _split_constraints(text: str) -> list[str]:
    return [part for part in re.split(r":(?![^()]*\))", text) if part]


def _constraint(template: str, text: str) -> Callable[[str], Any]:
    name, _, argument = text.partition("(")
    maker = _CONSTRAINTS.get(name.lower())
    if maker is None:
        raise AppLoadError(f"route '{template}': unknown constraint '{name}'")
    try:
        # Braces inside a template are doubled.
        return maker(argument.removesuffix(")").replace("{{", "{").replace("}}", "}"))
    except (ValueError, re.error) as error:
        raise AppLoadError(f"route '{template}': bad constraint '{text}': {error}") from error
