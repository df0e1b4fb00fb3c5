"""The TCP side of the HTTP server: how many connections there may be, and how long one may keep the server waiting.

A connection waits (for a request's head or body, or for the next request) or works (a handler has the request). Those
that wait have a deadline, and give way to newcomers where the limit is reached; those that work are left alone.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

_SWEEP_SECONDS = 1.0
_MOST = 512
_FEWEST = 16


def default_connections() -> int:
    """Half of the files that the process may open, at most 512: the app needs files of its own."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST if files == resource.RLIM_INFINITY else max(_FEWEST, min(_MOST, files // 2))


@dataclass(frozen=True)
class Limits:
    """What one client may take.

    Attributes:
        connections: How many there are at a time; half of them may be busy with functions.
        head_seconds: From the connection to the end of the first request's head.
        body_seconds: From the end of a head to the end of its body.
        idle_seconds: From an answer to the end of the next request's head; the answer has to be taken in it, too.
        body_bytes: Size of a body; the Functions host takes 100 MiB.
        management_bytes: Size of a body for the management endpoints.
        bodies_bytes: Size of all bodies that functions have at a time, or one body, where that is larger.
    """

    connections: int = field(default_factory=default_connections)
    head_seconds: float = 20.0
    body_seconds: float = 60.0
    idle_seconds: float = 75.0
    body_bytes: int = 100 * 1024 * 1024
    management_bytes: int = 4 * 1024 * 1024
    bodies_bytes: int = 256 * 1024 * 1024


class Connection(web.RequestHandler):
    """One client's connection."""

    __slots__ = ("answered", "deadline", "server")

    def __init__(self, server: ConnectionServer, **options: Any) -> None:
        super().__init__(server, **options)
        self.server = server
        self.answered = False
        self.deadline: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.server.admit(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        self.server.forget(self)
        super().connection_lost(exc)

    def wait(self, seconds: float) -> None:
        """It is the client's turn, for so long."""
        self.deadline = self._loop.time() + seconds

    def work(self) -> None:
        """It is the server's turn."""
        self.deadline = None

    def abort(self) -> None:
        """End it at once, without a word."""
        if self.transport is not None:
            self.transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no HTTP, or a handler that failed."""
        response = self.server.refusal(request, status, exc)
        response.force_close()
        return response


class ConnectionServer(web.Server):
    """Serves `handler`; `refusal` makes the answer to what never came to it, from a status and the cause."""

    def __init__(
        self,
        handler: Handler,
        limits: Limits,
        refusal: Callable[[web.BaseRequest, int, BaseException | None], web.Response],
    ) -> None:
        super().__init__(handler, request_factory=self._request)
        self.limits = limits
        self.refusal = refusal
        self._running = asyncio.get_running_loop()
        self._open: set[Connection] = set()
        self._sweeping: asyncio.TimerHandle | None = None

    def __call__(self) -> Connection:
        # Bodies stay as they were sent, as on Azure: nothing here unpacks a bomb.
        return Connection(self, loop=self._running, access_log=None, auto_decompress=False)

    def _request(self, message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
        most = self.limits.body_bytes
        return web.BaseRequest(message, payload, protocol, writer, task, self._running, client_max_size=most)

    def admit(self, connection: Connection) -> None:
        """Count a new connection; where there are too many, the one that kept the server waiting longest ends."""
        connection.wait(self.limits.head_seconds)
        self._open.add(connection)
        if len(self._open) > self.limits.connections:
            waiting = [one for one in self._open if one.deadline is not None and one is not connection]
            # Those that never sent a whole request go first: clients with a history may be about to send another one.
            leaving = min(waiting, key=lambda one: (one.answered, one.deadline), default=connection)
            self.forget(leaving)
            leaving.abort()
        if self._sweeping is None:
            self._sweeping = self._running.call_later(_SWEEP_SECONDS, self._sweep)

    def forget(self, connection: Connection) -> None:
        """Count a connection no longer."""
        self._open.discard(connection)

    def _sweep(self) -> None:
        now = self._running.time()
        for connection in [one for one in self._open if one.deadline is not None and one.deadline <= now]:
            connection.abort()
        self._sweeping = self._running.call_later(_SWEEP_SECONDS, self._sweep) if self._open else None
