"""YAML with line numbers: parsed safely and validated by a model. Every problem names file and line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from comboi_core.config import references
from comboi_core.config.secrecy import SECRET_KEYS
from comboi_core.config.sources import brought_model
from comboi_core.config.tables import SourceBase
from comboi_core.domain.errors import ConfigError
from comboi_core.domain.names import did_you_mean
from comboi_core.domain.redaction import HIDDEN, redactor

MAX_BYTES = 2_000_000
MAX_PLACES = 200_000
"""Keys and items of one file. Aliases count at each use: a small file of aliases can expand to billions of items."""
KEY_TAGS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge")
BOOL_TAG = "tag:yaml.org,2002:bool"
"""YAML 1.1 reads the key `on:` as a boolean; here keys are text."""

_CHECKS = frozenset({"quality_checks", "checks", "custom_checks"})
"""Keys below which values are compared with data, so that a value that YAML misreads would matter."""

M = TypeVar("M", bound=BaseModel)
Place = tuple[str | int, ...]


class _Loader(yaml.SafeLoader):
    """The safe loader. It reports the line of an invalid date, number or text: `2026-13-45`, `"\\ud800"`."""

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        value = super().construct_scalar(node)
        value.encode()
        return value

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep=deep)
        except ValueError as error:
            raise yaml.constructor.ConstructorError(None, None, str(error), node.start_mark) from None


class _Loader12(_Loader):
    """Reads scalars as YAML 1.2 and Go do: `yes`, `no`, `on`, `off` and `12:30` are text, `1e3` is a number."""


_SCALARS = ("bool", "int", "float")
_Loader12.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.rpartition(":")[2] not in _SCALARS]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}
for _kind, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(?:0|[1-9][0-9_]*|0o?[0-7_]+|0x[0-9a-fA-F_]+|0b[01_]+)", "-+0123456789"),
    (
        "float",
        r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+"
        r"|\.(?:inf|Inf|INF))|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
):
    _Loader12.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(f"^(?:{_pattern})$"), list(_first))


class Document:
    """Parsed YAML that remembers the line of each key and item.

    Args:
        text: The file's text. If the YAML is only a part of it, the lines before it are empty.
        shown: The file's name in messages.
        yaml12: Whether to read scalars as YAML 1.2 does.

    Raises:
        ConfigError: the text is not valid YAML or too large; the message names file and line.
    """

    def __init__(self, text: str, shown: str, *, yaml12: bool = False) -> None:
        self.shown = shown
        self.lines: dict[Place, int] = {}
        self.surprises: dict[Place, str] = {}
        self._places = 0
        if len(text) > MAX_BYTES:
            raise ConfigError(f"{shown}: the file is larger than {MAX_BYTES} characters")
        try:
            loader = (_Loader12 if yaml12 else _Loader)(text)
            node = loader.get_single_node()
            if node is not None:
                self._index(node, ())
            self.value = loader.construct_document(node) if node is not None else None
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            where = f"{shown}:{mark.line + 1}" if mark else shown
            raise ConfigError(f"{where}: not valid YAML: {_problem(error, text)}") from None
        except yaml.YAMLError as error:
            raise ConfigError(f"{shown}: not valid YAML: {' '.join(str(error).split())}") from None
        except RecursionError:
            raise ConfigError(f"{shown}: the YAML is nested too deeply, or an alias contains itself") from None

    def _index(self, node: yaml.Node, path: Place) -> None:
        self._places += 1
        if self._places > MAX_PLACES:
            raise ConfigError(
                f"{self.shown}: the file has more than {MAX_PLACES} keys and items (aliases count at each use)"
            )
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            seen: dict[str, int] = {}
            for key, value in node.value:
                line = key.start_mark.line + 1
                if key.tag == BOOL_TAG:
                    key.tag = KEY_TAGS[0]
                if key.tag not in KEY_TAGS:
                    shown = f"'{key.value}'" if isinstance(key, yaml.ScalarNode) else "a list or a mapping"
                    raise ConfigError(f"{self.shown}:{line}: a key has to be text, not {shown}; put it in quotes")
                if key.value in seen:
                    raise ConfigError(
                        f"{self.shown}:{line}: the key '{key.value}' is already given in line {seen[key.value]}; "
                        "remove one of them"
                    )
                seen[key.value] = line
                self.lines[(*path, key.value)] = line
                self._index(value, (*path, key.value))
        elif isinstance(node, yaml.ScalarNode):
            if node.style is None and _surprises(node):
                self.surprises[path] = node.value
        elif isinstance(node, yaml.SequenceNode):
            for position, item in enumerate(node.value):
                self._index(item, (*path, position))

    @classmethod
    def read(cls, path: Path, shown: str, *, yaml12: bool = False) -> Document:
        """Read a file of YAML; see the class.

        Raises:
            ConfigError: the file does not exist, cannot be read, or is not valid YAML.
        """
        try:
            return cls(path.read_text(encoding="utf-8"), shown, yaml12=yaml12)
        except FileNotFoundError:
            raise ConfigError(
                f"{shown}: no such file",
                remedy="Change to the project's folder, the one that contains configs/, or give the file with --config "
                "or COMBOI_CONFIG. `comboi init NAME` makes a new project.",
            ) from None
        except (OSError, ValueError) as error:
            raise ConfigError(f"{shown}: cannot be read: {error}") from None

    def line(self, path: Place) -> int:
        """Return the line of the nearest place at or above `path`."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def reference_places(self) -> dict[str, str]:
        """Return every reference as written, with its first place as `file:line`.

        Raises:
            ValueError: a reference is not valid. `validate` reports it.
        """
        places: dict[str, str] = {}
        for path, text in _texts(self.value):
            for reference in references.parse(text):
                places.setdefault(str(reference), f"{self.shown}:{self.line(path)}")
        return places


def _surprises(node: yaml.ScalarNode) -> bool:
    """Whether YAML reads an unquoted scalar as something else than its text: NO, 012, 1_000, 12:30."""
    kind = node.tag.rpartition(":")[2]
    if kind == "bool":
        return node.value.lower() not in ("true", "false")
    if kind == "int":
        return re.fullmatch(r"-?(0|[1-9][0-9]*)", node.value) is None
    return kind == "float" and re.search("[_:]", node.value) is not None


def _held(value: Any, path: Place) -> Any:
    for part in path:
        value = value[part]
    return value


def _known_keys(model: Any, path: Place, value: Any) -> list[str]:
    """Return the keys of the model at `path` of `value`. Fields are followed through lists and unions."""
    for part in path:
        value = value[part] if _holds(value, part) else None
        if isinstance(part, str):
            found = list(_models(model.model_fields[part].annotation)) if model and part in model.model_fields else []
            model = found[0] if len(found) == 1 else None
        elif model is None:  # a union: the item's `type:` selects the model
            kind = value.get("type") if isinstance(value, dict) else None
            model = next((one for one in found if kind in _tags(one)), None)
            if model is None and any(issubclass(one, SourceBase) for one in found):
                model = brought_model(kind)
    return [name for name, field in model.model_fields.items() if not field.exclude] if model else []


def _holds(value: Any, part: str | int) -> bool:
    return (isinstance(value, list) and isinstance(part, int)) or (isinstance(value, dict) and part in value)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _models(argument)


def _tags(model: type[BaseModel]) -> tuple[str, ...]:
    return getattr(model.model_fields["type"].annotation, "__args__", ()) if "type" in model.model_fields else ()


def _placed(error: dict[str, Any], value: Any) -> dict[str, Any]:
    """Return pydantic's error with the path that the file has: without tags of unions, and at `type:` itself."""
    loc: Place = ()
    for part in error["loc"]:
        if isinstance(value, dict) and part not in value and value.get("type") == part:
            continue
        loc = (*loc, part)
        value = value[part] if _holds(value, part) else None
    if error["type"] == "union_tag_not_found":
        return error | {"loc": (*loc, "type"), "type": "missing"}
    if error["type"] == "union_tag_invalid":
        expected = error["ctx"]["expected_tags"].replace("', '", "' or '")
        given = {"ctx": {"expected": expected}, "input": error["ctx"]["tag"]}
        return error | {"loc": (*loc, "type"), "type": "literal_error"} | given
    return error | {"loc": loc}


def _problem(error: yaml.MarkedYAMLError, text: str) -> str:
    """Return the problem. A secret is hidden: YAML reads `password: *x` as an alias and quotes it in its error."""
    problem = str(error.problem or error.context)
    mark = error.problem_mark or error.context_mark
    line = text.splitlines()[mark.line] if mark and mark.line < len(text.splitlines()) else ""
    if any(re.search(rf"\b{key}\W*:", line) for key in SECRET_KEYS):
        return re.sub(r"'.{2,}'", f"'{HIDDEN}'", problem) + "; put the value in quotes"
    return problem


_EXPECTED = {
    "model_type": "expected a mapping (key: value)",
    "dict_type": "expected a mapping (key: value)",
    "tuple_type": "expected a list ([a, b], or [] for none)",
    "string_type": "expected text; put it in quotes",
    "int_type": "expected a whole number",
    "int_parsing": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_type": "expected a number",
    "float_parsing": "expected a number",
    "bool_type": "expected true or false",
    "bool_parsing": "expected true or false",
    "too_short": "expected a list with at least one item",
}
"""Pydantic's error types, in the words of someone who writes YAML."""


def _given(value: Any) -> str:
    """Return a value for a message: on one line, shortened."""
    return repr(redactor.cut(str(value), 76))


def _message(error: dict[str, Any], model: type[BaseModel], value: Any) -> str:
    path: Place = error["loc"]
    field = ".".join(str(part) for part in path) or "the file"
    if error["type"] == "extra_forbidden":
        known = _known_keys(model, path[:-1], value)
        return f"unknown key '{path[-1]}'{did_you_mean(str(path[-1]), known)}; known keys: {', '.join(known)}"
    if error["type"] == "missing":
        return f"{field}: this key is missing"
    if error["type"] == "string_pattern_mismatch":
        given = _given(error["input"])
        return f"{field}: {given} is not a valid name; begin with a letter, and use only letters, digits, _ and -"
    if error["type"] == "literal_error":
        close = did_you_mean(
            str(error["input"]), str(error["ctx"]["expected"]).replace("'", "").replace(" or ", ", ").split(", ")
        )
        return f"{field}: {_given(error['input'])} is not allowed{close}; expected {error['ctx']['expected']}"
    if error["type"] in _EXPECTED:
        return f"{field}: {_EXPECTED[error['type']]}"
    return f"{field}: {error['msg'].removeprefix('Value error, ').replace('Input should be ', 'has to be ', 1)}"


def _texts(value: Any, path: Place = ()) -> Iterator[tuple[Place, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, (*path, key))
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from _texts(item, (*path, position))


def _bad_references(value: Any) -> Iterator[tuple[Place, str]]:
    for path, text in _texts(value):
        try:
            list(references.parse(text))
        except ValueError as error:
            yield path, str(error)


def validate(document: Document, model: type[M], problems: list[str], *, with_references: bool = True) -> M | None:
    """Return the document as a model, or None. Problems are added to `problems`, as `file:line: text`.

    Args:
        with_references: Whether `{{...}}` is a reference. If not, it is plain text.
    """
    for path, message in _bad_references(document.value) if with_references else ():
        problems.append(f"{document.shown}:{document.line(path)}: {message}")
    for path, text in document.surprises.items():
        if _CHECKS.intersection(path):
            field, value = ".".join(map(str, path)), _held(document.value, path)
            shown = str(value).lower() if isinstance(value, bool) else value
            problems.append(
                f"{document.shown}:{document.line(path)}: {field}: YAML reads {text} as {shown}; "
                f"put it in quotes: '{text}', or write {shown}"
            )
    if not isinstance(document.value, dict):
        problems.append(f"{document.shown}:1: expected a mapping with the keys {', '.join(model.model_fields)}")
        return None
    try:
        return model.model_validate(document.value)
    except ValidationError as invalid:
        errors = [_placed(dict(error), document.value) for error in invalid.errors()]
        for error in errors:
            inside = any(
                len(other["loc"]) > len(error["loc"]) and other["loc"][: len(error["loc"])] == error["loc"]
                for other in errors
            )
            if error["type"] == "too_short" and inside:
                continue  # pydantic drops invalid items first, and then reports that the list is too short
            problems.append(f"{document.shown}:{document.line(error['loc'])}: {_message(error, model, document.value)}")
    return None
