"""The endpoint of a managed identity, as App Service and Functions have it, at the wire, on loopback."""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

PARTS = (64, 1400, 256)
"""Bytes of a token's header, claims and signature: such of a managed identity are of 1.5 to 4 kB."""
OTHERS = ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE")
OTHERS += ("AZURE_TOKEN_CREDENTIALS", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
"""Variables by which azure-identity would find another identity, or this endpoint behind a proxy."""


def a_token() -> str:
    """Return what looks like an access token of Entra ID."""
    header, *rest = (base64.urlsafe_b64encode(secrets.token_bytes(size)).rstrip(b"=").decode() for size in PARTS)
    return ".".join([f"eyJ{header}", *rest])


class IdentityDouble:
    """Stands in for the endpoint that azure-identity asks in Azure; it is the real azure-identity that asks.

    What it does not have: Entra ID behind it, limits of requests.

    Attributes:
        token: What it gives; another value is a renewed one.
        lifetime: Seconds for which a token is said to live.
        status: The answer; 200 is a token.
        delay: Seconds before an answer.
        asked: The resource and the client id of each request.
    """

    def __init__(self) -> None:
        self.token = a_token()
        self.lifetime = 86_400
        self.status = 200
        self.delay = 0.0
        self.asked: list[tuple[str, str | None]] = []
        self.header = secrets.token_hex(8)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def variables(self) -> dict[str, str]:
        """What Functions sets so that azure-identity finds the endpoint."""
        port = self._server.server_port
        return {"IDENTITY_ENDPOINT": f"http://127.0.0.1:{port}/msi/token", "IDENTITY_HEADER": self.header}

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()

    def _handler(double) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                query = dict(parse_qsl(urlsplit(self.path).query))
                if self.headers.get("X-IDENTITY-HEADER") != double.header or query.get("api-version") != "2019-08-01":
                    return self._answer(401, {"message": "not from this app"})
                double.asked.append((query["resource"], query.get("client_id")))
                time.sleep(double.delay)
                if double.status != 200:
                    return self._answer(double.status, {"statusCode": double.status, "message": "no identity"})
                found = {"access_token": double.token, "token_type": "Bearer", "resource": query["resource"]}
                return self._answer(200, found | {"expires_on": str(int(time.time()) + double.lifetime)})

            def _answer(self, status: int, body: dict[str, Any]) -> None:
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        return Handler


@contextmanager
def signed_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[IdentityDouble]:
    """Have azure-identity in this process find a managed identity."""
    double = IdentityDouble()
    for name in OTHERS:
        monkeypatch.delenv(name, raising=False)
    for name, value in double.variables.items():
        monkeypatch.setenv(name, value)
    try:
        yield double
    finally:
        double.close()
