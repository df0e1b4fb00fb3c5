"""The address of a request as its caller has it, behind whatever ends TLS, has another name or adds a path."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

_FORWARDED = {
    "x-forwarded-proto": re.compile(r"https?", re.IGNORECASE),
    "x-forwarded-host": re.compile(r"([\w-]+(\.[\w-]+)*|\[[0-9a-f:.]+\])(:\d{1,5})?", re.IGNORECASE | re.ASCII),
    "x-forwarded-prefix": re.compile(r"(/[\w.~%-]+)+/?", re.ASCII),
}
"""What Azure's front ends, Front Door, Application Gateway and other proxies add, and what a value of it looks like."""


def own_address(url: str, headers: Mapping[str, str]) -> str:
    """Return the absolute address of a request without its query and without a slash at its end.

    The answer goes to the caller alone and is kept by nobody, so it harms only whoever forges one of the headers.

    Args:
        url: As the Functions host has it; its scheme and name are those of the last hop.
        headers: Of the request, names in lower case. Of a list, the first value counts: it is of the outermost proxy.
    """
    parts = urlsplit(url)
    proto, host, prefix = (_first(headers.get(name, ""), shape) for name, shape in _FORWARDED.items())
    return f"{proto.lower() or parts.scheme}://{host or parts.netloc}{prefix.rstrip('/')}{parts.path}".rstrip("/")


def _first(value: str, shape: re.Pattern[str]) -> str:
    text = value.split(",")[0].strip()
    return text if shape.fullmatch(text) else ""
