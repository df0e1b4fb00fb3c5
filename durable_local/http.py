"""The HTTP side: function routes below the route prefix, the management endpoints, and the guard for both."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from urllib.parse import urlsplit

from aiohttp import web
from azure.functions import get_binding_registry
from azure.functions.meta import Datum

from .errors import AppLoadError
from .invoke import Invoker
from .loader import FunctionApp, FunctionInfo
from .management import Management
from .routes import Route, compile_route
from .settings import Settings
from .status import WEBHOOK_PATH

log = logging.getLogger("durable_local")

MAX_BODY_BYTES = 4 * 1024 * 1024
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class HttpFunction:
    """A function with its compiled route and methods; an empty set means all."""

    info: FunctionInfo
    route: Route
    methods: frozenset[str]


def http_functions(app: FunctionApp) -> list[HttpFunction]:
    """The app's HTTP functions, most specific route first. Raises AppLoadError for two on one route and method."""
    functions = []
    for info in app.http:
        methods = frozenset(str(getattr(method, "value", method)).upper() for method in info.trigger.methods or ())
        functions.append(HttpFunction(info, compile_route(info.trigger.route or info.name), methods))
    seen: dict[tuple[str, str], str] = {}
    for function in functions:
        for method in function.methods or {"*"}:
            other = seen.setdefault((function.route.template.lower().strip("/"), method), function.info.name)
            if other != function.info.name:
                raise AppLoadError(f"functions '{other}' and '{function.info.name}' have the same route and method")
    return sorted(functions, key=lambda function: (function.route.rank, function.route.template))


class HttpServer:
    """Builds the aiohttp application. `binding` is set once the address is known."""

    def __init__(self, app: FunctionApp, settings: Settings, invoker: Invoker, management: Management) -> None:
        self._functions = http_functions(app)
        self._prefix = f"/{settings.route_prefix}/" if settings.route_prefix else "/"
        self._invoker = invoker
        self._management = management
        self.binding = ""

    def application(self) -> web.Application:
        """The application to serve; bodies are bounded."""
        application = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[_guard])
        application.router.add_route("*", WEBHOOK_PATH + "/{tail:.*}", self._management.handle)
        application.router.add_route("*", "/{tail:(?s:.*)}", self._dispatch)
        return application

    async def _dispatch(self, request: web.Request) -> web.Response:
        path = request.rel_url.raw_path
        if not path.lower().startswith(self._prefix.lower()):
            return web.Response(status=404)
        for function in self._functions:
            parameters = function.route.match(path[len(self._prefix) :].strip("/"))
            if parameters is not None and (not function.methods or request.method in function.methods):
                return await self._call(function.info, request, parameters)
        return web.Response(status=404)

    async def _call(self, info: FunctionInfo, request: web.Request, parameters: dict[str, str]) -> web.Response:
        value = await _http_request(request, parameters)
        try:
            result = await self._invoker.client_function(info, value, self.binding)
            return web.Response(status=204) if result is None else _http_response(result)
        except Exception as error:
            log.exception("HTTP function '%s' failed", info.name)
            return web.Response(status=500, text=f"{type(error).__name__}: {error}")


@web.middleware
async def _guard(request: web.Request, handler: web.RequestHandler) -> web.StreamResponse:
    """Only for this machine's own clients: a page from elsewhere must not reach the host through a browser.

    Host names other than loopback (DNS rebinding) and foreign origins are refused.
    """
    origin = request.headers.get("Origin")
    if urlsplit(f"//{request.host}").hostname not in _LOOPBACK:
        return _forbidden("this host answers to loopback names only")
    if origin is not None and urlsplit(origin).netloc != request.host:
        return _forbidden("requests from other origins are refused")
    return await handler(request)


def _forbidden(detail: str) -> web.Response:
    """A problem as RFC 9457 writes it."""
    problem = {"title": "Forbidden", "status": 403, "detail": detail}
    return web.json_response(problem, status=403, content_type="application/problem+json")


async def _http_request(request: web.Request, parameters: dict[str, str]) -> object:
    body = await request.read()
    datum = Datum(
        {
            "method": Datum(request.method, "string"),
            "url": Datum(str(request.url), "string"),
            "headers": {name: Datum(value, "string") for name, value in request.headers.items()},
            "query": {name: Datum(value, "string") for name, value in request.query.items()},
            "params": {name: Datum(value, "string") for name, value in parameters.items()},
            "body": Datum(body, "bytes"),
        },
        "http",
    )
    return get_binding_registry().get("httpTrigger").decode(datum, trigger_metadata=None)


def _http_response(result: object) -> web.Response:
    datum = get_binding_registry().get("http").encode(result, expected_type=None)
    if datum.type == "string":
        return web.Response(text=datum.value)
    value = datum.value
    response = web.Response(status=int(value["status_code"].value), body=value["body"].value)
    for name, header in value["headers"].items():
        response.headers[name] = header.value
    for cookie in value["cookies"] or ():
        for morsel in cookie.values():
            response.headers.add("Set-Cookie", morsel.OutputString())
    return response
