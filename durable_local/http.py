"""The HTTP side: function routes below the route prefix, the management endpoints, and what a request passes first."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from aiohttp import HttpVersion11, web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_exceptions import HTTPRequestEntityTooLarge

from .connections import Connection, ConnectionServer, Limits
from .guard import HEADERS, Guard, Refused, problem
from .http_messages import read_request, write_response
from .invoke import Invoker
from .loader import FunctionInfo
from .management import Management
from .output import Output, returned
from .routing.match import Path, split_path
from .routing.table import HttpFunction, find

log = logging.getLogger("durable_local")


class HttpServer:
    """Answers requests. `binding` and `guard` are set before the first one comes, when the address is known."""

    def __init__(
        self, functions: Sequence[HttpFunction], invoker: Invoker, management: Management, limits: Limits
    ) -> None:
        self._functions = functions
        self._invoker = invoker
        self._management = management
        self._limits = limits
        self._calls = 0
        self._held = 0
        self.binding = ""
        self.guard = Guard("")

    def connections(self) -> ConnectionServer:
        """What to listen with. Call it on the loop."""
        return ConnectionServer(self._answer, self._limits, _refusal)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        connection: Connection = request.protocol  # type: ignore[assignment]
        connection.work()
        try:
            self.guard.check(request)
            return await self._dispatch(request, connection)
        except Refused as refusal:
            return problem(refusal.status, str(refusal))
        finally:
            connection.answered = True
            connection.wait(self._limits.idle_seconds)

    async def _dispatch(self, request: web.BaseRequest, connection: Connection) -> web.Response:
        path = request.rel_url.raw_path
        if (place := self._management.place(path)) is not None:
            tail, inner = place
            if not inner:
                self.guard.unlock(request, management=True)
            await self._receive(request, connection, self._limits.management_bytes)
            return await self._management.handle(request, tail)
        asked = split_path(path)
        function, parameters = find(self._functions, request.method, asked)
        if function is None or function.locked:
            self.guard.unlock(request)
        if function is None:
            raise Refused(404, "there is no function for this method and path")
        if function.info.disabled:  # it keeps its route: no other function answers in its place
            raise Refused(404, f"the function '{function.info.name}' is turned off by an app setting")
        size = request.content_length or 0
        if self._is_busy(size):
            return problem(503, "the host is busy with as much as it takes at a time", {"Retry-After": "1"})
        self._calls, self._held = self._calls + 1, self._held + size
        try:
            body = await self._receive(request, connection, self._limits.body_bytes, keep=size > 0)
            return await self._call(function.info, request, asked, parameters, body)
        finally:
            self._calls, self._held = self._calls - 1, self._held - size

    def _is_busy(self, size: int) -> bool:
        """Whether one more call, with so many bytes, is too much. The app's own calls to the host need the rest."""
        crowded = self._calls >= max(1, self._limits.connections // 2)
        return crowded or (self._held > 0 and self._held + size > self._limits.bodies_bytes)

    async def _receive(
        self, request: web.BaseRequest, connection: Connection, most: int, *, keep: bool = True
    ) -> bytes:
        """The body. Raises Refused for one that is too large or cut off.

        `keep` False reads it and gives nothing: as in Azure, functions get no body that comes without its length.
        """
        if not request.can_read_body:
            return b""
        if (request.content_length or 0) > most:
            raise _too_large(most)
        connection.wait(self._limits.body_seconds)
        await _expect(request)
        try:
            if keep:
                body = await request.read()
                if len(body) > most:
                    raise _too_large(most)
                return body
            await _skip(request, most)
            return b""
        except HTTPRequestEntityTooLarge:
            raise _too_large(most) from None
        except web.RequestPayloadError:
            raise Refused(400, "the body is incomplete, or is not encoded as its headers say") from None
        finally:
            connection.work()

    async def _call(
        self, info: FunctionInfo, request: web.BaseRequest, path: Path, parameters: dict[str, str], body: bytes
    ) -> web.Response:
        value = read_request(request, path, parameters, body)
        outputs = {name: Output() for name in info.outputs}
        try:
            result = await self._invoker.client_function(info, value, self.binding, outputs)
            return write_response(returned(info, result), [one.get() for one in outputs.values()])
        except Exception as error:
            log.exception("HTTP function '%s' failed", info.name)
            return web.Response(status=500, text=f"{type(error).__name__}: {error}", headers=HEADERS)


def _refusal(request: web.BaseRequest, status: int, cause: BaseException | None) -> web.Response:
    """The answer to what came to no function: it is no HTTP, or the host is at fault."""
    if status < 500:
        reason = "its address or a header is too long" if isinstance(cause, LineTooLong) else "it is no HTTP"
        return problem(status, f"the request cannot be read: {reason}")
    if not isinstance(cause, ConnectionError):  # of a client that went away there is nothing to say
        log.error("request failed", exc_info=cause)
    return problem(status, "the host failed; its log says why")


def _too_large(most: int) -> Refused:
    return Refused(413, f"the body is larger than {most} bytes")


async def _skip(request: web.BaseRequest, most: int) -> None:
    """Read a body away."""
    passed = 0
    async for part in request.content.iter_any():
        passed += len(part)
        if passed > most:
            raise _too_large(most)


async def _expect(request: web.BaseRequest) -> None:
    """Tell a client that waits for it to send its body."""
    if request.version == HttpVersion11 and request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the answer itself has not begun
