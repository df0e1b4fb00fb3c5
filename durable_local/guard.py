"""What a request has to pass before the app or the engine sees it, and how the host answers what does not.

The host is for its own user's programs and pages. A page from elsewhere must not reach it through a browser (foreign
origins, names that DNS binds anew), and where the host has a key, neither must another user of the machine.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from urllib.parse import unquote_to_bytes

from aiohttp import web

from .keys import same_key

KEY_HEADER = "x-functions-key"
KEY_PARAMETER = "code"
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Of every answer that is the host's own; a function's answers have the headers that the function gives them."""

_ONCE = ("Host", "Origin", "Content-Length", "Content-Type", "Sec-Fetch-Site", KEY_HEADER)
"""Headers that must not be there twice: two readers could take a different one."""
_OWN_SITES = frozenset({"same-origin", "none"})
_BROKEN_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


class Refused(Exception):
    """The request is answered with a status and a reason, and goes no further."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


def problem(status: int, detail: str, headers: dict[str, str] | None = None, **more: str) -> web.Response:
    """An error as RFC 9457 writes it."""
    body = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    return web.json_response(
        body, status=status, headers={**HEADERS, **(headers or {})}, content_type="application/problem+json"
    )


class Guard:
    """Checks requests to a host at `address` (`127.0.0.1:7071`).

    Args:
        keys: Any of them opens what is locked; none: nothing is locked.
        system_key: Opens the management endpoints as well.
    """

    def __init__(self, address: str, keys: tuple[str, ...] = (), system_key: str = "") -> None:
        port = address.rpartition(":")[2]
        names = {address, f"localhost:{port}"}
        # The port that http has by itself is not written.
        self._hosts = frozenset(names | ({name.rpartition(":")[0] for name in names} if port == "80" else set()))
        self._keys = keys
        self._system_keys = (*keys, system_key) if system_key else keys

    def check(self, request: web.BaseRequest) -> None:
        """Raises Refused for what is no sound request of this machine's own clients."""
        headers = request.headers
        self._check_headers(request)
        host = headers.get("Host")
        if host is None:
            raise Refused(400, "the request has no Host header")
        if host.lower() not in self._hosts:
            raise Refused(403, "this host only answers to loopback names with its port, e.g. 127.0.0.1:7071")
        origin = headers.get("Origin")
        if origin is not None and origin.lower() != f"http://{host.lower()}":
            raise Refused(403, "requests from other origins are refused")
        if headers.get("Sec-Fetch-Site", "none").lower() not in _OWN_SITES:
            raise Refused(403, "requests from pages of other sites are refused")
        check_target(request.raw_path)

    def unlock(self, request: web.BaseRequest, *, management: bool = False) -> None:
        """Raises Refused if the host has keys and the request has none of them."""
        keys = self._system_keys if management else self._keys
        if not keys:
            return
        given = request.headers.get(KEY_HEADER) or request.query.get(KEY_PARAMETER) or ""
        # All are compared, so that the time does not tell which one it is near to.
        if not sum(same_key(given, key) for key in keys):
            raise Refused(401, f"this host requires its key, in the header {KEY_HEADER} or as ?{KEY_PARAMETER}=")

    def _check_headers(self, request: web.BaseRequest) -> None:
        for name in _ONCE:
            if len(request.headers.getall(name, ())) > 1:
                raise Refused(400, f"the header {name} occurs more than once")
        for name, value in request.headers.items():
            if not value.isascii() and not _is_unicode(value):
                raise Refused(400, f"the header {name} is not UTF-8")


def check_target(target: str) -> None:
    """Raises Refused for a target that is no path, or that does not decode to text."""
    if not target.startswith("/"):
        raise Refused(400, "the request's target is not a path")
    if "%" not in target and target.isascii():
        return
    if _BROKEN_PERCENT.search(target):
        raise Refused(400, "the address has a % without two hexadecimal digits after it")
    try:
        decoded = unquote_to_bytes(target.encode()).decode()
    except UnicodeError:
        raise Refused(400, "the address is not UTF-8") from None
    if "\0" in decoded:
        raise Refused(400, "the address contains a NUL character")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # what could not be decoded stands in it as lone surrogates
        return False
    return True
