"""Bounds on payloads: a warning where Azure Storage slows down, an error where no durable backend goes on."""

from __future__ import annotations

import logging

from .errors import PayloadTooLargeError

log = logging.getLogger("durable_local")

WARN_BYTES = 45 * 1024
MAX_BYTES = 1024 * 1024
MAX_CUSTOM_STATUS_BYTES = 16 * 1024
MAX_ERROR_CHARACTERS = 32 * 1024

_warned: set[str] = set()


def check_size(what: str, text: str | None) -> None:
    """Warn once per `what` over 45 KB; raise PayloadTooLargeError over 1 MB."""
    if text is None or len(text) <= WARN_BYTES // 4:
        return
    size = len(text.encode())
    if size > MAX_BYTES:
        raise PayloadTooLargeError(
            f"{what} is {size} bytes of JSON; durable payloads may have {MAX_BYTES}. "
            "Store the data and pass a reference."
        )
    if size > WARN_BYTES and what not in _warned:
        _warned.add(what)
        log.warning("%s is %d bytes; over %d Azure Storage stores it aside, which is slow", what, size, WARN_BYTES)


def check_custom_status(text: str | None) -> None:
    """Raise PayloadTooLargeError over 16 KB of UTF-16, the extension's limit."""
    if text is not None and len(text.encode("utf-16-le")) > MAX_CUSTOM_STATUS_BYTES:
        raise PayloadTooLargeError("the custom status exceeds 16 KB of UTF-16 JSON text")


def shorten(text: str) -> str:
    """An error text cut to a length that every backend carries."""
    if len(text) <= MAX_ERROR_CHARACTERS:
        return text
    return text[:MAX_ERROR_CHARACTERS] + f"... ({len(text) - MAX_ERROR_CHARACTERS} more characters)"
