"""The monitor page as one document, with the headers that keep it to itself."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import NamedTuple

_SCRIPTS = ("dom", "api", "top", "run", "gantt", "grid", "actions", "item", "main")
"""Order counts for the last one only: it starts what the others define."""


class Page(NamedTuple):
    """An HTML document and its policy, as a response header."""

    html: str
    headers: dict[str, str]


@cache
def page() -> Page:
    """Return the page. It holds no data, so it needs no key: the browser asks the API, with the key that it is given.

    The policy allows the page's own style and script, by their hashes, and requests to the app that served it; no
    other host, no frame around it. What it opens out of its own memory inherits the policy, so a report's style is let
    in as a blob, which nobody else can make.
    """
    parts = files(__package__)
    style = parts.joinpath("page.css").read_text("utf-8")
    scripts = "\n".join(parts.joinpath(f"{name}.js").read_text("utf-8") for name in _SCRIPTS)
    script = f'"use strict";\n(() => {{\n{scripts}\n}})();'
    document = parts.joinpath("page.html").read_text("utf-8")
    html = document.replace("/*style*/", style).replace("/*script*/", script)
    policy = {
        "default-src": "'none'",
        "style-src": f"{_hash(style)} blob:",
        "script-src": _hash(script),
        "connect-src": "'self'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return Page(html, {"Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items())})


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
