"""A webhook's service on loopback: takes JSON, answers as it is told."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class WebhookDouble:
    """Stands in for Teams' workflows, Slack and others.

    Attributes:
        payloads: What came, in order.
        events: The X-Comboi-Event of each.
        statuses: Answers to the next requests, one each; then 202.
        headers: Headers of the answers.
    """

    def __init__(self) -> None:
        self.payloads: list[dict[str, Any]] = []
        self.events: list[str | None] = []
        self.statuses: list[int] = []
        self.headers: dict[str, str] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}/hooks/the-secret-path"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()

    def _handler(double) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                double.payloads.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                double.events.append(self.headers.get("X-Comboi-Event"))
                self.send_response(double.statuses.pop(0) if double.statuses else 202)
                for name, value in double.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        return Handler
