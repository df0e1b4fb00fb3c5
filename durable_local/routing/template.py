"""Reads route templates as ASP.NET Core does: `tables/{name}`, `{id:int?}`, `{page=1}`, `{a}-{b}`, `{*rest}`.

The rules are those of `RoutePatternParser` and `RouteParameterParser` in ASP.NET Core's routing, which the Functions
host uses. What they refuse stops the real host at its start, so it is refused here as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import AppLoadError

_NOT_IN_NAMES = frozenset("/{}?*")


@dataclass(frozen=True)
class Literal:
    """Fixed text. `separator` is the point before an optional parameter, which may be missing together with it."""

    text: str
    separator: bool = False


@dataclass(frozen=True)
class Parameter:
    """A `{...}` part. `constraints` are the texts between the colons, for example `int` or `length(2,4)`."""

    name: str
    constraints: tuple[str, ...] = ()
    default: str | None = None
    optional: bool = False
    catch_all: bool = False


Part = Literal | Parameter
Segment = tuple[Part, ...]


class TemplateError(AppLoadError):
    """The template is not one that ASP.NET Core accepts."""

    def __init__(self, template: str, reason: str) -> None:
        super().__init__(f"route '{template}': {reason}")


def parse_template(template: str) -> tuple[Segment, ...]:
    """The segments between the slashes of a whole template, prefix included. Raises TemplateError."""
    if template.startswith("~") and not template.startswith("~/"):
        raise TemplateError(template, "it must not begin with '~'")
    text = template.removeprefix("~").removeprefix("/")
    names: set[str] = set()
    segments: list[Segment] = []
    position = 0
    while position < len(text):
        if text[position] == "/":
            raise TemplateError(template, "two slashes follow each other")
        parts, position = _segment(template, text, position)
        segments.append(_checked(template, parts, names))
        position += 1
    for segment in segments[:-1]:
        if any(isinstance(part, Parameter) and part.catch_all for part in segment):
            raise TemplateError(template, "a catch-all parameter must be its last part")
    return tuple(segments)


def _segment(template: str, text: str, position: int) -> tuple[list[Part], int]:
    """The parts from `position` to the next slash outside of braces, and where that is."""
    parts: list[Part] = []
    while position < len(text) and text[position] != "/":
        if text[position] == "{" and text[position + 1 : position + 2] != "{":
            end = _parameter_end(template, text, position)
            parts.append(_parameter(template, _undouble(text[position + 1 : end - 1])))
        else:
            end = _literal_end(template, text, position)
            parts.append(Literal(_undouble(text[position:end])))
        position = end
    return parts, position


def _parameter_end(template: str, text: str, position: int) -> int:
    """Where the parameter that opens at `position` is over. Braces in it are doubled."""
    position += 1
    while position < len(text):
        doubled = text[position + 1 : position + 2] == text[position]
        if text[position] == "{" and not doubled:
            raise TemplateError(template, "a brace inside a parameter has to be doubled")
        if text[position] == "}" and not doubled:
            return position + 1
        position += 2 if text[position] in "{}" else 1
    raise TemplateError(template, "a brace is not closed")


def _literal_end(template: str, text: str, position: int) -> int:
    while position < len(text) and text[position] != "/":
        if text[position] in "{}":
            if text[position + 1 : position + 2] != text[position]:
                if text[position] == "{" and position + 1 < len(text):
                    return position
                raise TemplateError(template, "a brace has no counterpart")
            position += 1
        position += 1
    return position


def _undouble(text: str) -> str:
    return text.replace("}}", "}").replace("{{", "{")


def _parameter(template: str, text: str) -> Parameter:
    stars = 2 if text.startswith("**") else 1 if text.startswith("*") else 0
    if stars and text.endswith("?"):
        raise TemplateError(template, "a catch-all parameter cannot be optional")
    optional = text.endswith("?")
    body = text[stars:].removesuffix("?") if optional else text[stars:]
    # A name may begin with the signs that end it.
    end = next((index for index, sign in enumerate(body) if index and sign in ":="), len(body))
    constraints, default = _policies(body[end:])
    if optional and default is not None:
        raise TemplateError(template, f"parameter '{body[:end]}' is optional and has a default value")
    return Parameter(body[:end], tuple(constraints), default, optional, bool(stars))


def _policies(text: str) -> tuple[list[str], str | None]:
    """The constraints and the default value after a parameter's name."""
    constraints: list[str] = []
    while text.startswith(":"):
        end = _constraint_end(text)
        constraints.append(text[1:end])
        text = text[end:]
    return [constraint for constraint in constraints if constraint], text[1:] if text.startswith("=") else None


def _constraint_end(text: str) -> int:
    """Where the constraint that begins with the colon `text[0]` is over."""
    position = 1
    while position < len(text) and text[position] not in ":=(":
        position += 1
    if text[position : position + 1] != "(":
        return position
    position += 1
    while position < len(text):
        sign = text[position]
        # A parenthesis closes the argument only where the constraint may be over.
        if sign == ")" and text[position + 1 : position + 2] in ("", ":", "="):
            return position + 1
        if sign in ":=":
            closing = text.find(")", position + 1)
            if closing < 0:
                return position
            position = closing
        position += 1
    return position


def _checked(template: str, parts: list[Part], names: set[str]) -> Segment:
    """The segment's parts, once they may stand together. Raises TemplateError."""
    for index, part in enumerate(parts):
        previous = parts[index - 1] if index else None
        if isinstance(part, Literal):
            if "?" in part.text:
                raise TemplateError(template, f"the text '{part.text}' must not hold a question mark")
            continue
        _check_name(template, part.name, names)
        if part.catch_all and len(parts) > 1:
            raise TemplateError(template, f"the catch-all parameter '{part.name}' must be a segment of its own")
        if isinstance(previous, Parameter):
            raise TemplateError(template, f"there has to be text between '{previous.name}' and '{part.name}'")
        if part.optional and len(parts) > 1:
            if index != len(parts) - 1 or previous != Literal("."):
                raise TemplateError(
                    template, f"the optional parameter '{part.name}' must end its segment, after a single point"
                )
            parts[index - 1] = Literal(".", separator=True)
    return tuple(parts)


def _check_name(template: str, name: str, names: set[str]) -> None:
    if not name or _NOT_IN_NAMES & set(name):
        raise TemplateError(template, f"'{name}' is not the name of a parameter")
    if name.lower() in names:
        raise TemplateError(template, f"two parameters are called '{name}'")
    names.add(name.lower())


def parameters(segments: Sequence[Segment]) -> list[Parameter]:
    """All parameters, in their order."""
    return [part for segment in segments for part in segment if isinstance(part, Parameter)]
