"""Query parameters of the management endpoints, read as the Durable extension reads them.

Names are matched without regard to case, a parameter that comes twice is joined with a comma, and what cannot be read
is ignored: a bad filter filters nothing.
"""

from __future__ import annotations

import logging
import math
import re

from aiohttp import web

from .clock import parse_time

log = logging.getLogger("durable_local")

STATUSES = ("Running", "Completed", "ContinuedAsNew", "Failed", "Canceled", "Terminated", "Pending", "Suspended")
_WHOLE = re.compile(r"\s*[+-]?[0-9]{1,10}\s*")
_NUMBER = re.compile(r"\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?\s*")
_PAGE = 100
_INT32 = 2**31


def text(request: web.BaseRequest, name: str) -> str | None:
    """The parameter's text; None if it is not there."""
    wanted = name.lower()
    values = [value for key, value in request.query.items() if key.lower() == wanted]
    return ",".join(values) if values else None


def flag(request: web.BaseRequest, name: str, default: bool) -> bool:
    """`true` or `false` in any case; anything else is the default."""
    return {"true": True, "false": False}.get((text(request, name) or "").strip().lower(), default)


def whole(request: web.BaseRequest, name: str) -> int | None:
    """A whole number of 32 bits, or None."""
    found = text(request, name) or ""
    if not _WHOLE.fullmatch(found) or not -_INT32 <= int(found) < _INT32:
        return None
    return int(found)


def page_size(request: web.BaseRequest) -> int:
    """The parameter `top`. Raises ValueError if it is below 1."""
    top = whole(request, "top")
    if top is not None and top < 1:
        raise ValueError("top must be at least 1")
    return top or _PAGE


def seconds(request: web.BaseRequest, name: str) -> float | None:
    """A number of seconds, or None. Raises ValueError for one that is no span of time."""
    found = text(request, name) or ""
    if not _NUMBER.fullmatch(found):
        return None
    if not math.isfinite(float(found)):
        raise ValueError(f"{name} is too large")
    return float(found)


def moment(request: web.BaseRequest, name: str) -> int | None:
    """Microseconds since 1970, or None."""
    found = (text(request, name) or "").strip()
    try:
        return parse_time(found) if found else None
    except (ValueError, OverflowError):
        log.warning("the filter %s is no moment such as 2026-11-23T06:00:00Z and is ignored, as in Azure", name)
        return None


def statuses(request: web.BaseRequest) -> tuple[str, ...]:
    """The statuses of `runtimeStatus`: names in exactly their own case, or their numbers; others are ignored."""
    words = [word.strip() for word in (text(request, "runtimeStatus") or "").split(",")]
    found = []
    for word in filter(None, words):
        if word in STATUSES:
            found.append(word)
        elif word.isascii() and word.isdigit() and int(word[:3]) < len(STATUSES):
            found.append(STATUSES[int(word[:3])])
        else:
            log.warning("runtimeStatus %r is no status and is ignored, as in Azure", word[:100])
    return tuple(found)
