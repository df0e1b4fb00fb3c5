"""References: `{{env:NAME}}` and `{{keyvault:NAME}}` in any text. They are resolved only when the value is used."""

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
"""For JSON schemas: the start of a regular expression that accepts only `{{...}}` that `parse` accepts."""


@dataclass(frozen=True)
class Reference:
    """One reference: the store of the value, and its name there."""

    store: Literal["env", "keyvault"]
    name: str

    def __str__(self) -> str:
        return f"{{{{{self.store}:{self.name}}}}}"


def parse(text: str) -> Iterator[Reference]:
    """Yield the references in a string.

    Raises:
        ValueError: a `{{...}}` is neither `env:NAME` nor `keyvault:NAME`, or Key Vault cannot have such a name.
    """
    for match in _REFERENCE.finditer(text):
        body = _BODY.match(match[1])
        if not body:
            raise ValueError(f"'{match[0]}' is not a valid reference; write {{{{env:NAME}}}} or {{{{keyvault:NAME}}}}")
        if body[1] == "keyvault" and "_" in body[2]:
            raise ValueError(
                f"'{match[0]}': names of secrets in Key Vault have only letters, digits and -; remove the _"
            )
        yield Reference(body[1], body[2])  # type: ignore[arg-type]


def substitute(text: str, values: dict[Reference, str]) -> str:
    """Replace references by their values.

    Before the @ of a URI, as in `postgresql://user:{{keyvault:NAME}}@host`, values are URL-encoded. Otherwise a part of
    a password that contains @ or / would be used as a host name, and would be sent to the name server.
    """
    userinfo = _USERINFO.match(text)
    end = userinfo.end() if userinfo else 0

    def value(match: re.Match[str]) -> str:
        text = values[next(parse(match[0]))]
        return quote(text, safe="") if match.end() <= end else text

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
