"""Matches paths with templates as ASP.NET Core's `RoutePatternMatcher` does."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from .constraints import Check, ConstraintError, resolve
from .template import Literal, Parameter, Segment, TemplateError, parameters, parse_template

_KEPT = re.compile(r"(%2[fF])")
Values = dict[str, str | None]


@dataclass(frozen=True)
class Path:
    """A request's path as routes see it: decoded, without dot segments; `starts` says where each segment begins."""

    text: str
    segments: tuple[str, ...]
    lowered: tuple[str, ...]
    starts: tuple[int, ...]


def split_path(raw: str) -> Path:
    """The path of a request line, `/api/a%20b`. As in Kestrel, `%2F` stays as it is; a last slash ends no segment."""
    text = "".join(part if _KEPT.fullmatch(part) else unquote(part) for part in _KEPT.split(raw)) if "%" in raw else raw
    if "/." in text:
        text = _without_dots(text)
    segments = text[1:].split("/") if text else []
    if segments and not segments[-1]:
        segments.pop()
    starts, position = [], 1
    for segment in segments:
        starts.append(position)
        position += len(segment) + 1
    return Path(text, tuple(segments), tuple(segment.lower() for segment in segments), tuple(starts))


def _without_dots(text: str) -> str:
    kept: list[str] = []
    parts = text.split("/")[1:]
    for part in parts:
        if part == "..":
            del kept[-1:]
        elif part != ".":
            kept.append(part)
    return "/" + "/".join(kept) + ("/" if kept and parts[-1] in (".", "..") else "")


@dataclass(frozen=True)
class Route:
    """A compiled template, with the route prefix in it. `fixed` are its segments of text alone, by their number."""

    template: str
    segments: tuple[Segment, ...]
    fixed: tuple[tuple[int, str], ...]
    checks: tuple[tuple[Parameter, Check], ...]

    def match(self, path: Path) -> dict[str, str] | None:
        """The parameters that have a value, if the path fits the template and its constraints; else None."""
        values = self._values(path)
        if values is None:
            return None
        for parameter, check in self.checks:
            present = parameter.name in values
            if not (parameter.optional and not present) and not check(values.get(parameter.name)):
                return None
        return {name: value for name, value in values.items() if value is not None}

    def _values(self, path: Path) -> Values | None:
        for index, text in self.fixed:
            if index >= len(path.lowered) or path.lowered[index] != text:
                return None
        values: Values = {}
        for index, found in enumerate(path.segments):
            if not found or index >= len(self.segments):
                return None
            segment = self.segments[index]
            part = segment[0]
            if len(segment) > 1:
                if not _match_parts(segment, found, values):
                    return None
            elif isinstance(part, Literal):
                continue  # it is one of the fixed ones
            elif part.catch_all:
                values[part.name] = path.text[path.starts[index] :]
                return values
            else:
                values[part.name] = found
        return self._fill(values, self.segments[len(path.segments) :])

    @staticmethod
    def _fill(values: Values, rest: tuple[Segment, ...]) -> Values | None:
        """Add what the segments give that the path does not reach, if they can do without it."""
        for segment in rest:
            part = segment[0]
            if len(segment) > 1 or isinstance(part, Literal):
                return None
            if part.catch_all or part.default is not None:
                values[part.name] = part.default
            elif not part.optional:
                return None
        return values


def compile_route(template: str) -> Route:
    """Compile a whole template, prefix included. Raises TemplateError for what stops the Functions host."""
    segments = parse_template(template)
    checks: list[tuple[Parameter, Check]] = []
    for parameter in parameters(segments):
        for constraint in parameter.constraints:
            try:
                checks.append((parameter, resolve(constraint)))
            except ConstraintError as error:
                raise TemplateError(template, str(error)) from error
    fixed = [
        (index, part.text.lower())
        for index, (part, *more) in enumerate(segments)
        if isinstance(part, Literal) and not more
    ]
    return Route(template, segments, tuple(fixed), tuple(checks))


def _match_parts(segment: Segment, text: str, values: Values) -> bool:
    """Match a segment of several parts; `a.b` fits `{x}.{y?}`, and so does `a`."""
    last = segment[-1]
    if isinstance(last, Parameter) and last.optional and isinstance(segment[-2], Literal) and segment[-2].separator:
        if _match_from_right(segment, text, values):
            return True
        return not text.endswith(segment[-2].text) and _match_from_right(segment[:-2], text, values)
    return _match_from_right(segment, text, values)


def _match_from_right(parts: Segment, text: str, values: Values) -> bool:
    """Each literal is looked for from the right, so `{a}-{b}` takes `x-y-z` as `x-y` and `z`."""
    lowered, end = text.lower(), len(text)
    found: Values = {}
    waiting: Parameter | None = None
    for index in range(len(parts) - 1, -1, -1):
        part = parts[index]
        if isinstance(part, Parameter):
            waiting = part
            continue
        # A parameter to the right needs one character at least.
        place = lowered.rfind(part.text.lower(), 0, max(0, end - 1) if waiting else end)
        if place < 0 or (index == len(parts) - 1 and place + len(part.text) != len(text)):
            return False
        if waiting is not None:
            value = text[place + len(part.text) : end]
            if not value:
                return False
            found[waiting.name] = value
            waiting = None
        end = place
    if waiting is not None:
        if not end:
            return False
        found[waiting.name], end = text[:end], 0
    if end and not isinstance(parts[0], Parameter):
        return False
    values.update(found)
    return True
