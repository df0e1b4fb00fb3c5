"""Parts of the JSON schemas of the YAML files: descriptions taken from docstrings, and rules over several keys."""

from __future__ import annotations

import inspect
import re
from itertools import combinations
from typing import Any

from comboi_core.config.references import ONLY_REFERENCES

Json = dict[str, Any]

ANY_TEXT: Json = {"type": "string", "pattern": ONLY_REFERENCES}
SOME_TEXT = ONLY_REFERENCES + r"(?=[^\u0000]*[^\s\u0000][^\u0000]*$)"
"""The start of the regular expression of a text that is not blank."""
TEXT: Json = {
    "type": "string",
    "pattern": SOME_TEXT,
    "patternErrorMessage": (
        "The text is empty, or contains a {{...}} that is neither {{env:NAME}} nor {{keyvault:NAME}}."
    ),
}
"""Text that is not blank. VS Code and similar editors show `patternErrorMessage`."""

_ATTRIBUTES = re.compile(r"\n\s*Attributes:\n")
_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])")
_ENTRY = re.compile(r"^    (\w+): ", re.MULTILINE)


def text_like(pattern: str, message: str) -> Json:
    """Return the schema of a text whose start matches a pattern. Editors show the message if it does not match."""
    return {"pattern": SOME_TEXT + pattern, "patternErrorMessage": message}


def reference_or(pattern: str, message: str) -> Json:
    """Return the schema of a text that contains a reference, or matches a regular expression as a whole."""
    return text_like(rf"(?:[\s\S]*\{{\{{|(?:{pattern})$)", message)


def title(model: type) -> str:
    """Return a model's name in words: `Azure SQL connection`."""
    words = " ".join(_WORDS.split(model.__name__.removesuffix("Config"))).capitalize()
    for plain, spelled in (("sql", "SQL"), ("Sqlite", "SQLite"), ("Csv", "CSV"), ("Postgres", "PostgreSQL")):
        words = words.replace(plain, spelled)
    return words


def summary(model: type) -> str:
    """Return the docstring of a model without its attributes, one line per paragraph."""
    text = _ATTRIBUTES.split(inspect.cleandoc(model.__doc__ or ""))[0]
    return "\n".join(" ".join(paragraph.split()) for paragraph in text.strip().split("\n\n"))


def attributes(model: type) -> dict[str, str]:
    """Return the descriptions of a model's attributes, from its docstring and those of its bases."""
    descriptions: dict[str, str] = {}
    for one in reversed(model.__mro__):
        _, *sections = _ATTRIBUTES.split(inspect.cleandoc(one.__dict__.get("__doc__") or ""))
        for section in sections:
            _, *pieces = _ENTRY.split(section)
            entries = zip(pieces[::2], pieces[1::2], strict=True)
            descriptions |= {name: " ".join(text.split()) for name, text in entries}
    return descriptions


def given(key: str, *nothing: Any) -> Json:
    """Return the schema of a mapping in which a key has a value that is neither null nor one of `nothing`."""
    return {"required": [key], "properties": {key: {"not": {"enum": [None, *nothing]}}}}


def exactly_one(*keys: str) -> Json:
    """Return the schema of a mapping in which exactly one of the keys has a value."""
    return {"oneOf": [given(key) for key in keys]}


def at_most_one(*keys: str) -> Json:
    """Return the schema of a mapping in which at most one of the keys has a value."""
    return {"not": {"anyOf": [{"allOf": [given(one), given(other)]} for one, other in combinations(keys, 2)]}}


def together(*keys: str) -> Json:
    """Return the schema of a mapping in which all of the keys have a value, or none has."""
    return {"oneOf": [{"allOf": [*map(given, keys)]}, {"not": {"anyOf": [*map(given, keys)]}}]}


def without(*keys: str) -> Json:
    """Return the schema of a mapping that has none of the keys, not even with null."""
    return {"not": {"anyOf": [{"required": [key]} for key in keys]}}


def is_one_of(key: str, *values: Any) -> Json:
    """Return the schema of a mapping in which a key has one of the given values."""
    return {"required": [key], "properties": {key: {"enum": [*values]}}}


def where(condition: Json, then: Json) -> Json:
    """Return the schema that requires `then` wherever `condition` holds."""
    return {"if": condition, "then": then}
