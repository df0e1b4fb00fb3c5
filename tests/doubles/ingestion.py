"""The ingestion endpoint of Application Insights at the wire, on loopback."""

from __future__ import annotations

import gzip
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "11111111-2222-3333-4444-555555555555"
REQUIRED = {"ver", "name", "time", "iKey", "data"}

TABLES = {
    "MessageData": "traces",
    "MetricData": "customMetrics",
    "RequestData": "requests",
    "RemoteDependencyData": "dependencies",
}
"""Base type -> the table that the service puts it in."""


class IngestionDouble:
    """Stands in for the endpoint: POST /v2.1/track with a list of envelopes, answered with what it made of them.

    What it does not have: sampling, quotas, the time that the service takes until rows can be queried.

    Attributes:
        envelopes: What was taken, in order.
        statuses: Answers to the next requests, one each; then 200.
        delay: Seconds before an answer.
        requests: How many came.
        tokens: The bearer tokens that are taken; None: none is asked for.
        redirect: Where requests are sent on to; None: nowhere.
        authorizations: The header `Authorization` of each request.
    """

    def __init__(self) -> None:
        self.envelopes: list[dict[str, Any]] = []
        self.statuses: list[int] = []
        self.delay = 0.0
        self.requests = 0
        self.tokens: set[str] | None = None
        self.redirect: str | None = None
        self.authorizations: list[str | None] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.connection_string = f"InstrumentationKey={KEY};IngestionEndpoint={self.url}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Return what a query of a table would: its columns by name, `customDimensions` among them."""
        return [row(envelope) for envelope in self.envelopes if TABLES[envelope["data"]["baseType"]] == table]

    def _handler(double) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                double.requests += 1
                authorization = self.headers.get("Authorization")
                double.authorizations.append(authorization)
                data = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    data = gzip.decompress(data)
                time.sleep(double.delay)
                status = double.statuses.pop(0) if double.statuses else 200
                envelopes = json.loads(data, parse_constant=_no_number)
                if double.tokens is not None and authorization not in {f"Bearer {token}" for token in double.tokens}:
                    status = 403 if authorization else 401
                elif double.redirect is not None:
                    status = 308
                elif self.path != "/v2.1/track":
                    status = 404
                elif status == 200 and any(item["iKey"] != KEY or set(item) < REQUIRED for item in envelopes):
                    status = 400
                if status == 200:
                    double.envelopes += envelopes
                answer = {"itemsReceived": len(envelopes), "itemsAccepted": len(envelopes), "errors": []}
                body = json.dumps(answer).encode()
                self.send_response(status)
                if status == 308:
                    self.send_header("Location", str(double.redirect))
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        return Handler


def row(envelope: dict[str, Any]) -> dict[str, Any]:
    """Return an envelope as the row that the service makes of it."""
    data, tags = envelope["data"]["baseData"], envelope["tags"]
    shared = {
        "timestamp": envelope["time"],
        "operation_Id": tags.get("ai.operation.id"),
        "operation_ParentId": tags.get("ai.operation.parentId"),
        "operation_Name": tags.get("ai.operation.name"),
        "cloud_RoleName": tags.get("ai.cloud.role"),
        "customDimensions": data.get("properties") or {},
        "customMeasurements": data.get("measurements") or {},
    }
    renamed = {"responseCode": "resultCode"}
    plain = {renamed.get(key, key): value for key, value in data.items() if key not in ("properties", "measurements")}
    if "metrics" in plain:
        (point,) = plain.pop("metrics")
        plain |= {"name": point["name"], "value": point["value"]}
    return shared | plain


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no JSON")
