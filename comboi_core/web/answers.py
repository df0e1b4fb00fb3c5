"""Answers: a status, a body (JSON as a rule), headers; errors as `application/problem+json` (RFC 9457)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from comboi_core.domain.errors import ComboiError
from comboi_core.telemetry.redaction import redactor

STATUS_OF_CODE = {
    "request_invalid": 400,
    "selection_empty": 400,
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


class RouteNotFound(ComboiError):
    """The API has no such path."""

    code = "route_not_found"
    remedy = "GET /api/openapi.json lists the paths."


class MethodNotAllowed(ComboiError):
    """The path has other methods; the context's `allow` lists them."""

    code = "method_not_allowed"
    remedy = "GET /api/openapi.json lists the paths and their methods."


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; `body` is text where the content type is HTML, else anything that JSON can express."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"

    @property
    def text(self) -> str:
        """The body as it is sent."""
        if self.content_type == HTML:
            return self.body
        text = json.dumps(self.body, ensure_ascii=False)
        return text.encode(errors="replace").decode()  # a lone surrogate out of a request cannot be sent back


def problem(error: ComboiError) -> Answer:
    """Turn an error into a problem document with code, remedy and the error's context."""
    status = STATUS_OF_CODE.get(error.code, 500)
    body = {
        **redactor.value({key: value for key, value in error.context.items() if isinstance(value, (str, dict, list))}),
        "type": f"urn:comboi:error:{error.code}",
        "title": error.code.replace("_", " "),
        "status": status,
        "detail": redactor.text(error.message),
        "code": error.code,
        "remedy": redactor.text(error.remedy),
        "transient": error.transient,
    }
    headers = {"Allow": ", ".join(error.context["allow"])} if isinstance(error, MethodNotAllowed) else {}
    return Answer(status, body, headers, content_type="application/problem+json")
