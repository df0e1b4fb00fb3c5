"""A reverse proxy in front of an app, as Front Door, Application Gateway or nginx: another address, a path added."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

HOP = frozenset({"host", "connection", "keep-alive", "transfer-encoding", "origin"})
"""Not passed on: the proxy's own, and `Origin`, which the embedded host, unlike Azure's, compares with its address."""


@contextmanager
def proxied(app: str, prefix: str) -> Iterator[str]:
    """Pass what comes below `prefix` on to the app, without the prefix; give the address of the proxy with it.

    Args:
        app: `http://host:port` of the app.
    """
    target = urlsplit(app).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if not self.path.startswith(f"{prefix}/"):
                return self._answer(404, {}, b"")
            passed = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
            outer = {"Proto": "http", "Host": self.headers["Host"], "Prefix": prefix}
            passed |= {f"X-Forwarded-{name}": value for name, value in outer.items()}
            inner = HTTPConnection(target, timeout=60)
            inner.request(self.command, self.path.removeprefix(prefix), body or None, passed)
            answer = inner.getresponse()
            content = answer.read()
            kept = {name: value for name, value in answer.getheaders() if name.lower() not in (*HOP, "content-length")}
            self._answer(answer.status, kept, content)
            inner.close()

        do_POST = do_GET

        def _answer(self, status: int, said: dict[str, str], content: bytes) -> None:
            self.send_response(status)
            for name, value in {**said, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{prefix}"
    finally:
        server.shutdown()
        server.server_close()
