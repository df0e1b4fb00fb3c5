"""Hosts for the tests: one per test module for what does not disturb others, fresh ones for the rest."""

from __future__ import annotations

import importlib.util
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from durable_local import Host

_helpers = Path(__file__).with_name("helpers.py")
_spec = importlib.util.spec_from_file_location("durable_local_helpers", _helpers)
assert _spec is not None and _spec.loader is not None
helpers = importlib.util.module_from_spec(_spec)
sys.modules["durable_local_helpers"] = helpers
_spec.loader.exec_module(helpers)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """The core app on a store of its own."""
    store = tmp_path_factory.mktemp("hub") / "hub.db"
    with Host(helpers.APPS / "core", store, shutdown_grace=5, strict=True) as running:
        yield running


@pytest.fixture
def new_host(tmp_path: Path) -> Iterator[Callable[..., Host]]:
    """Makes started hosts that are stopped at the end of the test."""
    made: list[Host] = []

    def make(app: str = "core", store: str = "hub.db", **options) -> Host:
        options.setdefault("shutdown_grace", 5)
        options.setdefault("strict", True)
        running = Host(helpers.APPS / app, tmp_path / store, **options)
        made.append(running)
        running.start()
        return running

    yield make
    for running in made:
        running.stop()


@pytest.fixture
def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def web_server() -> Iterator[str]:
    """A server that answers POST /echo/STATUS with what it got."""

    class Echo(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            text = f"POST {body} {self.headers['X-Test']} {self.headers['Content-Type']}".encode()
            self.send_response(int(self.path.rsplit("/", 1)[1]))
            for name, value in (("X-Reply", "there"), ("X-Reply", "again"), ("Expires", "0")):
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *arguments: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
