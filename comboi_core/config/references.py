"""References: `{{env:NAME}}` and `{{keyvault:NAME}}` in any string, resolved only when the value is used."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

_REFERENCE = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_USERINFO = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://[^/?#]*@")
_BODY = re.compile(r"^(env|keyvault):([A-Za-z0-9_\-]+)\Z")
ONLY_REFERENCES = r"^(?![\s\S]*\{\{(?!\s*(?:env:[A-Za-z0-9_\-]+|keyvault:[A-Za-z0-9\-]+)\s*\}\})[^{}]*\}\})"
"""For JSON schemas: the beginning of a text in which every `{{...}}` is a reference, as `parse` has it."""


@dataclass(frozen=True)
class Reference:
    """One reference: where the value is kept, and under which name."""

    store: Literal["env", "keyvault"]
    name: str

    def __str__(self) -> str:
        return f"{{{{{self.store}:{self.name}}}}}"


def parse(text: str) -> Iterator[Reference]:
    """Yield the references in a string.

    Raises:
        ValueError: a `{{...}}` that is neither `env:NAME` nor `keyvault:NAME`, or a name that Key Vault cannot have.
    """
    for match in _REFERENCE.finditer(text):
        body = _BODY.match(match[1])
        if not body:
            raise ValueError(f"'{match[0]}' is no reference; write {{{{env:NAME}}}} or {{{{keyvault:NAME}}}}")
        if body[1] == "keyvault" and "_" in body[2]:
            raise ValueError(f"'{match[0]}': the name of a secret in Key Vault has letters, digits and - only")
        yield Reference(body[1], body[2])  # type: ignore[arg-type]


def substitute(text: str, values: dict[Reference, str]) -> str:
    """Put values in the place of references.

    In front of the @ of a URI, as in `postgresql://user:{{keyvault:NAME}}@host`, they are URL-encoded: a password with
    an @ or a / in it would else send the rest of itself out as a host's name.
    """
    userinfo = _USERINFO.match(text)
    end = userinfo.end() if userinfo else 0

    def value(match: re.Match[str]) -> str:
        found = values[next(parse(match[0]))]
        return quote(found, safe="") if match.end() <= end else found

    return _REFERENCE.sub(value, text)


def find(value: Any) -> Iterator[Reference]:
    """Yield every reference in a nested structure of mappings, sequences and strings."""
    if isinstance(value, str):
        yield from parse(value)
    elif isinstance(value, dict):
        for item in value.values():
            yield from find(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from find(item)
