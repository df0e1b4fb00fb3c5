"""Bounds on payloads, warned of or kept as in Azure, and what becomes of JSON on its way through .NET."""

from __future__ import annotations

import json
import logging
import re
from typing import NoReturn

from .errors import PayloadTooLargeError

log = logging.getLogger("durable_local")

WARN_BYTES = 45 * 1024
LARGE_BYTES = 1024 * 1024
MAX_CUSTOM_STATUS_BYTES = 17 * 1024 - 1
"""The extension divides by 1,024, drops the rest, and refuses what is more than 16."""
MAX_ERROR_CHARACTERS = 32 * 1024
MAX_DEPTH = 100
"""Of lists and objects in each other. What is stored is read again at other depths of the stack, so parsing it once is
no proof that it can always be read."""

_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)

_warned: set[tuple[str, int]] = set()


def json_text(body: bytes) -> str | None:
    """The JSON of a request's body as text, None of an empty one.

    Raises ValueError if it is not UTF-8 or not JSON (NaN and Infinity are none), or deeper than MAX_DEPTH.
    """
    text = body.decode("utf-8-sig")
    if not text:
        return None
    if text.count("[") + text.count("{") > MAX_DEPTH:
        _check_depth(text)
    json.loads(text, parse_constant=_no_number)
    return text


def _check_depth(text: str) -> None:
    depth = 0
    for found in _BRACKETS.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(found[0], 0)
        if depth > MAX_DEPTH:
            raise ValueError(f"the body is nested deeper than {MAX_DEPTH} levels")


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def check_size(what: str, text: str | None) -> None:
    """Warn once per `what` over 45 KB, where Azure Storage keeps it in a blob, and again over 1 MB."""
    if text is None or len(text) <= WARN_BYTES // 4:
        return
    size = len(text.encode())
    if size > LARGE_BYTES and (what, LARGE_BYTES) not in _warned:
        _warned.add((what, LARGE_BYTES))
        log.warning(
            "%s is %d bytes; Azure Storage takes it slowly, the Durable Task Scheduler takes %d at most. "
            "Store the data and pass a reference.",
            *(what, size, LARGE_BYTES),
        )
    elif size > WARN_BYTES and (what, WARN_BYTES) not in _warned:
        _warned.add((what, WARN_BYTES))
        log.warning("%s is %d bytes; over %d Azure Storage stores it aside, which is slow", what, size, WARN_BYTES)


def check_custom_status(text: str | None) -> None:
    """Raise PayloadTooLargeError over the extension's limit, which counts compact JSON in UTF-16.

    `text` is the JSON as Python writes it.
    """
    if text is None or len(text) * 2 <= MAX_CUSTOM_STATUS_BYTES:
        return
    compact = json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))
    size = len(compact.encode("utf-16-le", "surrogatepass"))
    if size > MAX_CUSTOM_STATUS_BYTES:
        raise PayloadTooLargeError(
            f"the custom status must not exceed 16 KB of UTF-16 encoded JSON text; it has {size} bytes"
        )


def without_nan(text: str) -> str:
    """JSON as .NET passes it on: NaN and the infinities, which JSON does not have, become strings."""
    if "NaN" not in text and "Infinity" not in text:
        return text
    return json.dumps(json.loads(text, parse_constant=str))


def shorten(text: str) -> str:
    """An error text cut to a length that every backend carries."""
    if len(text) <= MAX_ERROR_CHARACTERS:
        return text
    return text[:MAX_ERROR_CHARACTERS] + f"... ({len(text) - MAX_ERROR_CHARACTERS} more characters)"
