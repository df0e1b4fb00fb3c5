"""The answers of the management endpoints, and how a request ends early."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from .guard import HEADERS, problem
from .payload import json_text

TOKEN_HEADER = "x-ms-continuation-token"
JSON = "application/json"


class Refused(Exception):
    """Ends a request with a status and a message; `kind` is the .NET exception that Azure would name."""

    def __init__(self, status: int, message: str = "", kind: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind


def invalid(message: str) -> Refused:
    """What the extension's own client forbids: nobody there catches it, so it is an internal error."""
    return Refused(500, message, "System.InvalidOperationException")


def json_reply(status: int, payload: Any, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response(payload, status=status, headers={**HEADERS, **(headers or {})})


def empty(status: int) -> web.Response:
    return web.Response(status=status, headers=HEADERS)


def error_reply(status: int, message: str, kind: str = "") -> web.Response:
    """A problem as RFC 9457 writes it, with the members of the extension's own errors."""
    said = "Something went wrong while processing your request" if status == 500 else message
    own: dict[str, Any] = {"Message": said, "ExceptionMessage": message, "ExceptionType": kind, "StackTrace": ""}
    return problem(status, message, **own)


async def body_text(request: web.BaseRequest) -> str | None:
    """The body's JSON text, None if empty. Raises ValueError if it is not JSON."""
    return json_text(await request.read())
