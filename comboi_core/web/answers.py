"""Answers: a status, a body (JSON as a rule), headers; errors as `application/problem+json` (RFC 9457)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, NotRequired

from typing_extensions import TypedDict

from comboi_core.domain.contracts.fields import Described
from comboi_core.domain.contracts.pipeline import Holder
from comboi_core.domain.errors import ComboiError
from comboi_core.domain.redaction import redactor

STATUS_OF_CODE = {
    "request_invalid": 400,
    "selection_empty": 400,
    "request_foreign": 403,
    "dataset_not_found": 404,
    "report_not_found": 404,
    "route_not_found": 404,
    "run_not_found": 404,
    "table_not_found": 404,
    "method_not_allowed": 405,
    "erasure_not_cancelled": 409,
    "run_ended": 409,
    "run_in_progress": 409,
    "request_too_large": 413,
    "idempotency_key_reused": 422,
    "config_invalid": 503,
    "lake_refused": 503,
    "lake_unavailable": 503,
    "record_unreadable": 503,
    "reference_missing": 503,
    "vault_unavailable": 503,
}


HTML = "text/html"

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Of every answer, in Azure as on the embedded host: kept by nobody, run and framed by nobody, taken for what it is.
The page and the reports have a policy of their own, under which they can be read."""

OTHER_SITES = frozenset({"cross-site", "same-site"})


class RouteNotFound(ComboiError):
    """The API has no such path."""

    code = "route_not_found"
    remedy = "GET /api/openapi.json lists the paths."


class RequestForeign(ComboiError):
    """A page of another site makes the request."""

    code = "request_foreign"
    remedy = "Call the API from the app's own page, or from a program; with the key in its header a page may, too."


class MethodNotAllowed(ComboiError):
    """The path has other methods; the context's `allow` lists them."""

    code = "method_not_allowed"
    remedy = "GET /api/openapi.json lists the paths and their methods."


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; `body` is text where the content type is HTML, else anything that JSON can express.

    What is sent holds no secret, whatever the body does.
    """

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"

    @property
    def all_headers(self) -> dict[str, str]:
        """Its headers and those of every answer."""
        return HEADERS | self.headers

    @property
    def text(self) -> str:
        """The body as it is sent."""
        if self.content_type == HTML:
            return redactor.text(self.body)
        text = json.dumps(redactor.value(self.body), ensure_ascii=False)
        return text.encode(errors="replace").decode()  # a lone surrogate out of a request cannot be sent back


def refuse_foreign(headers: Mapping[str, str]) -> None:
    """Refuse what a browser sends for a page of another site before any work is done for it.

    A browser may add a cookie to such a request by itself, but never this header: with it, the app's owner has allowed
    the site (CORS).

    Raises:
        RequestForeign: it is such a request.
    """
    if headers.get("sec-fetch-site", "").lower() in OTHER_SITES and not headers.get("x-functions-key"):
        raise RequestForeign("requests that a page of another site makes are refused")


class Problem(TypedDict):
    """An error (RFC 9457), with what its context has beyond that: `holder` says which run is on."""

    type: str
    title: str
    status: Annotated[int, Described(enum=sorted({*STATUS_OF_CODE.values(), 500}))]
    detail: str
    code: str
    remedy: str
    transient: bool
    holder: NotRequired[Holder]


def problem(error: ComboiError) -> Answer:
    """Turn an error into a problem document with code, remedy and the error's context."""
    status = STATUS_OF_CODE.get(error.code, 500)
    document: Problem = {
        "type": f"urn:comboi:error:{error.code}",
        "title": error.code.replace("_", " "),
        "status": status,
        "detail": error.message,
        "code": error.code,
        "remedy": error.remedy,
        "transient": error.transient,
    }
    context = {key: value for key, value in error.context.items() if isinstance(value, (str, dict, list))}
    headers = {"Allow": ", ".join(error.context["allow"])} if isinstance(error, MethodNotAllowed) else {}
    return Answer(status, {**context, **document}, headers, content_type="application/problem+json")
