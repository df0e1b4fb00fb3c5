"""Requests as HTTP functions get them, and answers as the Functions host sends them.

Read in azure-functions-host (`GrpcMessageConversionExtensions.cs`, `HttpBinding.cs`) and in the worker (`datumdef.py`):
values of one query name are joined, empty ones are left out, header names are in lower case, and a returned text that
is JSON is an answer in JSON, or even describes the whole answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC
from http.cookies import Morsel
from typing import Any
from urllib.parse import quote, unquote_plus

from aiohttp import web
from azure.functions import get_binding_registry
from azure.functions.meta import Datum
from dateutil import parser as dates

from .output import Returned, encode_http
from .routing.match import Path

_LOOSE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SAME_SITE = ("lax", "strict", "none")


def read_request(request: web.BaseRequest, path: Path, parameters: dict[str, str], body: bytes) -> object:
    """The argument of an HTTP function."""
    datum = Datum(
        {
            "method": Datum(request.method, "string"),
            "url": Datum(_url(request, path), "string"),
            "headers": _texts(_headers(request)),
            "query": _texts(read_query(request.rel_url.raw_query_string)),
            "params": _texts(parameters),
            "body": Datum(body, "bytes"),
        },
        "http",
    )
    return get_binding_registry().get("httpTrigger").decode(datum, trigger_metadata=None)


def read_query(text: str) -> dict[str, str]:
    """The values of each name, in any case, joined by commas; names without a value are left out."""
    values: dict[str, list[str]] = {}
    spelled: dict[str, str] = {}
    for pair in text.split("&"):
        if pair:
            name, _, value = pair.partition("=")
            name = unquote_plus(name)
            values.setdefault(spelled.setdefault(name.lower(), name), []).append(unquote_plus(value))
    joined = {name: _joined(found) for name, found in values.items()}
    return {name: value for name, value in joined.items() if value}


def _headers(request: web.BaseRequest) -> dict[str, str]:
    """Repeated headers become one, joined by commas."""
    values: dict[str, list[str]] = {}
    for name, value in request.headers.items():
        values.setdefault(name.lower(), []).append(value)
    return {name: _joined(found) for name, found in values.items()}


def _joined(values: Sequence[str]) -> str:
    """Several values of one name as .NET writes them: empty ones do not count."""
    return ",".join(value for value in values if value)


def _url(request: web.BaseRequest, path: Path) -> str:
    place = _LOOSE_PERCENT.sub("%25", quote(path.text, safe="/%:@!$&'()*+,;=~"))
    query = request.rel_url.raw_query_string
    return f"{request.scheme}://{request.host}{place}{f'?{query}' if query else ''}"


def _texts(values: dict[str, str]) -> dict[str, Datum]:
    return {name: Datum(value, "string") for name, value in values.items()}


def write_response(result: Returned, outputs: Sequence[Any]) -> web.Response:
    """The answer to a request, from what the function returned and wrote. Raises TypeError or ValueError for no answer.

    Where a function has no `$return` binding, the value that it wrote counts; nothing at all is 204.
    """
    written = [value for value in outputs if value is not None]
    if result.bound:
        return _respond(encode_http(result.value))
    return _respond(encode_http(written[-1])) if written else web.Response(status=204)


def _respond(datum: Datum) -> web.Response:
    if datum.type == "string":
        return _from_text(datum.value)
    value = datum.value
    response = web.Response(status=int(value["status_code"].value), body=value["body"].value)
    for name, header in value["headers"].items():
        response.headers[name] = header.value
    for cookie in value["cookies"] or ():
        for morsel in cookie.values():
            response.headers.add("Set-Cookie", _cookie(morsel))
    return response


def _from_text(text: str) -> web.Response:
    """A returned text. The host reads it as JSON first; an object with a `body` describes the answer."""
    if not text:
        return web.Response(status=204)
    try:
        content = json.loads(text)
    except ValueError:
        return web.Response(text=text)
    status, headers = 200, dict[str, Any]()
    if isinstance(content, dict):
        fields = {name.lower(): value for name, value in content.items()}
        if "body" in fields:
            content, given = fields["body"], fields.get("headers")
            headers = given if isinstance(given, dict) else {}
            status = _status(fields.get("statuscode", fields.get("status")))
    named = {name: str(value) for name, value in headers.items()}
    if content is None:
        return web.Response(status=204 if status == 200 else status, headers=named)
    plain = isinstance(content, str)
    body = content if plain else json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    response = web.Response(status=status, text=body, content_type="text/plain" if plain else "application/json")
    response.headers.update(named)
    return response


def _status(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return 200


def _cookie(morsel: Morsel[str]) -> str:
    """A cookie as the host writes it. Raises ValueError for an expiry or an age that the worker cannot read."""
    parts = [f"{morsel.key}={quote(morsel.value, safe='~')}"]
    if morsel["expires"]:
        moment = dates.parse(morsel["expires"])
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        parts.append(f"expires={moment:%a, %d %b %Y %H:%M:%S} GMT")
    if morsel["max-age"] != "":
        parts.append(f"max-age={int(float(morsel['max-age']))}")
    parts += [f"{name}={morsel[name]}" for name in ("domain", "path") if morsel[name]]
    site = str(morsel["samesite"]).lower()
    parts += ["secure"] if morsel["secure"] else []
    parts += [f"samesite={site}"] if site in _SAME_SITE else []
    parts += ["httponly"] if morsel["httponly"] else []
    return "; ".join(parts)
