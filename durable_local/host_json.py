"""host.json and local.settings.json as the Functions host reads them, and the app settings that go before host.json."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import AppLoadError

OVERRIDE = "AzureFunctionsJobHost"
_STRING = r'"(?:[^"\\]|\\.)*"'
_COMMENT = re.compile(rf"{_STRING}|//[^\n]*|/\*.*?\*/", re.DOTALL)
_COMMA = re.compile(rf"{_STRING}|,(?=\s*[}}\]])", re.DOTALL)

Document = dict[str, Any]


def read_json(path: Path) -> Document:
    """The object in a file, its first level with names in lower case; empty where there is no file.

    Comments and a comma before a closing bracket are allowed, as in the host. Raises AppLoadError.
    """
    if not path.is_file():
        return {}
    try:
        document = json.loads(_plain(path.read_text(encoding="utf-8-sig")))
    except ValueError as error:
        raise AppLoadError(f"{path.name} is not valid JSON: {error}") from error
    if not isinstance(document, dict):
        raise AppLoadError(f"{path.name} has to contain a JSON object")
    return lowered(document)


def lowered(document: Document) -> Document:
    """The object with its names in lower case: the host takes them in any case."""
    return {key.lower(): value for key, value in document.items()}


def section(document: Document, name: str) -> Document:
    """An object in the object, empty if it is not there."""
    found = document.get(name.lower())
    return lowered(found) if isinstance(found, dict) else {}


def overridden(document: Document, values: Mapping[str, str]) -> Document:
    """host.json with the settings `AzureFunctionsJobHost__a__b` of the environment and of `values` put over it."""
    settings = {**values, **os.environ}
    for name, value in settings.items():
        path = re.split("__|:", name)
        if path[0].lower() == OVERRIDE.lower() and len(path) > 1 and all(path):
            document = _put(document, [part.lower() for part in path[1:]], value)
    return document


def _put(document: Document, path: list[str], value: str) -> Document:
    document = lowered(document)
    head, *rest = path
    below = document.get(head)
    return document | {head: _put(below if isinstance(below, dict) else {}, rest, value) if rest else value}


def _plain(text: str) -> str:
    """The text without comments and without commas before brackets. Errors still name the right line and column."""
    uncommented = _COMMENT.sub(_blank, text)
    return _COMMA.sub(_blank, uncommented)


def _blank(found: re.Match[str]) -> str:
    """Blanks in place of what was found, line breaks kept; strings stay."""
    token = found.group()
    return token if token.startswith('"') else re.sub(r"[^\n]", " ", token)
