"""A proxy in front of Azurite that fails as the network and a busy account do; all other answers are Azurite's own."""

from __future__ import annotations

import http.client
import itertools
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

Fault = int | Literal["reset", "lose", "damage"] | None
"""A status to answer with (the request is not passed on); `reset`: the connection breaks (likewise); `lose`: the
request is carried out, but its answer never arrives; `damage`: a byte of the body changes on the way."""

_CODES = {429: "TooManyRequests", 500: "InternalError", 503: "ServerBusy"}
_HOP = ("connection", "keep-alive", "transfer-encoding")


class FlakyStorage:
    """What the proxy does; `decide` may be replaced at any time.

    Attributes:
        decide: Method and path to the fault of this request.
        faults: The faults so far, with method and path.
    """

    def __init__(self, port: int) -> None:
        self.decide: Callable[[str, str], Fault] = lambda method, path: None
        self.faults: list[tuple[Fault, str, str]] = []
        self.requests: list[tuple[str, str]] = []
        self._behind = port
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.port = self._server.server_port

    def every(self, count: int, *faults: Fault) -> None:
        """From now on, let every `count`-th request fail, with the faults in turn."""
        numbers, turns = itertools.count(1), itertools.cycle(faults)
        self.decide = lambda method, path: next(turns) if next(numbers) % count == 0 else None

    def fault(self, method: str, path: str) -> Fault:
        """Decide about a request and keep the decision."""
        self.requests.append((method, path))
        fault = self.decide(method, path)
        if fault is not None:
            self.faults.append((fault, method, path))
        return fault

    def forward(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, Any, bytes]:
        """Have Azurite answer a request."""
        behind = http.client.HTTPConnection("127.0.0.1", self._behind, timeout=60)
        try:
            behind.request(method, path, body, headers)
            answer = behind.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            behind.close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def pass_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                fault = proxy.fault(self.command, self.path)
                if isinstance(fault, int):
                    code = _CODES[fault]
                    text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()
                    said = self.command != "HEAD"
                    headers = [("x-ms-error-code", code), *([("Content-Type", "application/xml")] if said else [])]
                    self.reply(fault, headers, text if said else b"")
                elif fault == "reset":
                    self.cut()
                else:
                    if fault == "damage":
                        body = bytes([body[0] ^ 1]) + body[1:]
                    answer = proxy.forward(self.command, self.path, dict(self.headers), body)
                    self.cut() if fault == "lose" else self.reply(*answer)

            def reply(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
                self.send_response_only(status)
                for name, value in headers:
                    if name.lower() not in (*_HOP, "content-length"):
                        self.send_header(name, value)
                length = dict(headers).get("content-length") or dict(headers).get("Content-Length")
                self.send_header("Content-Length", str(length if self.command == "HEAD" and length else len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def cut(self) -> None:
                """Close with RST, as a server that died does."""
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                self.connection.close()

            do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = pass_on

            def log_message(self, *_: object) -> None:
                """Stay silent."""

            def handle(self) -> None:
                try:
                    super().handle()
                except (OSError, ValueError):
                    self.close_connection = True

            def finish(self) -> None:
                with suppress(OSError, ValueError):
                    super().finish()

        return Handler


@contextmanager
def flaky_storage(port: int) -> Iterator[FlakyStorage]:
    """Serve on a free port, in front of an Azurite, until the end."""
    proxy = FlakyStorage(port)
    thread = threading.Thread(target=proxy._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy._server.shutdown()
        proxy._server.server_close()
        thread.join()
