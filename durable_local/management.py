"""The durable REST interface: one handler serves the SDK's client and the public management endpoints."""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from . import queries
from .clock import parse_time, to_status
from .engine import Engine
from .entities import scheduler_id, split_scheduler_id
from .errors import PayloadTooLargeError, UnknownFunctionError
from .events import Kind, control, event_raised
from .payload import check_size
from .records import TERMINAL, Instance, NewInstance
from .status import history_events, management_urls, status_payload

log = logging.getLogger("durable_local")

Handler = Callable[[web.Request, list[str]], Awaitable[web.Response]]

_ALIVE = frozenset({"Pending", "Running", "ContinuedAsNew", "Suspended"})
_MAX_ID = 256
_PAGE = 100
_TOKEN_HEADER = "x-ms-continuation-token"


class _Refused(Exception):
    """Ends a request with a status and a message."""

    def __init__(self, status: int, message: str = "") -> None:
        super().__init__(message)
        self.status = status


class Management:
    """The endpoints below `/runtime/webhooks/durabletask/`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._store = engine.store
        self.base_url = ""
        self._table: dict[tuple[str, str, int], Handler] = {
            ("POST", "orchestrators", 2): self._start,
            ("POST", "orchestrators", 3): self._start,
            ("GET", "instances", 1): self._list,
            ("GET", "instances", 2): self._status,
            ("DELETE", "instances", 1): self._purge_many,
            ("DELETE", "instances", 2): self._purge,
            ("POST", "instances", 3): self._command,
            ("POST", "instances", 4): self._raise_event,
            ("POST", "entities", 3): self._signal,
            ("GET", "entities", 3): self._read_entity,
            ("DELETE", "entities", 3): self._delete_entity,
            ("GET", "entities", 1): self._list_entities,
            ("GET", "entities", 2): self._list_entities,
            ("POST", "makeprimary", 1): self._make_primary,
        }

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request; errors carry the extension's error body."""
        tail = request.rel_url.raw_path.split("/durabletask/", 1)[-1]
        segments = [unquote(segment) for segment in tail.split("/") if segment]
        handler = self._table.get((request.method, segments[0].lower() if segments else "", len(segments)))
        if handler is None:
            return _error(404, "no such endpoint")
        try:
            return await handler(request, segments)
        except _Refused as refusal:
            return _error(refusal.status, str(refusal)) if str(refusal) else web.Response(status=refusal.status)
        except (ValueError, PayloadTooLargeError, UnknownFunctionError) as error:
            return _error(400, str(error))

    async def _start(self, request: web.Request, segments: list[str]) -> web.Response:
        info = self._engine.app.orchestrator(segments[1])
        instance_id = segments[2] if len(segments) > 2 else uuid.uuid4().hex
        check_instance_id(instance_id)
        text = await _body(request)
        version = request.query.get("version") or self._engine.settings.default_version
        self._create(instance_id, info.name, version, text)
        wait = request.query.get("timeout")
        if wait is not None:
            finished = await self._finished(instance_id, float(wait))
            if finished is not None:
                return _json(200, status_payload(finished)["output"])
        return self._accepted(instance_id)

    def _create(self, instance_id: str, name: str, version: str | None, text: str | None) -> None:
        check_size(f"the input of orchestrator '{name}'", text)
        existing = self._engine.start_instance(NewInstance(instance_id, uuid.uuid4().hex, name, version, text))
        if existing is not None:
            raise _Refused(409, f"An Orchestration instance with the status {existing.status} already exists.")

    async def _finished(self, instance_id: str, seconds: float) -> Instance | None:
        future = self._engine.terminal(instance_id)
        try:
            await asyncio.wait_for(asyncio.wrap_future(future), seconds)
        except TimeoutError:
            return None
        finally:
            self._engine.forget(instance_id, future)
        return self._store.instance(instance_id)

    def _accepted(self, instance_id: str) -> web.Response:
        urls = management_urls(self.base_url, self._engine.settings.hub_name, instance_id)
        return _json(202, urls, {"Location": urls["statusQueryGetUri"], "Retry-After": "10"})

    async def _status(self, request: web.Request, segments: list[str]) -> web.Response:
        instance = self._instance(segments[1])
        payload = status_payload(instance, show_input=_flag(request, "showInput", True))
        if _flag(request, "showHistory", False):
            history = self._store.history(instance.id)
            payload["historyEvents"] = history_events(history, show_output=_flag(request, "showHistoryOutput", False))
        if instance.status in _ALIVE:
            urls = management_urls(self.base_url, self._engine.settings.hub_name, instance.id)
            return _json(202, payload, {"Location": urls["statusQueryGetUri"], "Retry-After": "5"})
        failed = instance.status == "Failed" and _flag(request, "returnInternalServerErrorOnFailure", False)
        return _json(500 if failed else 200, payload)

    async def _list(self, request: web.Request, segments: list[str]) -> web.Response:
        found, token = queries.list_instances(
            self._store, _filter(request), _top(request), request.headers.get(_TOKEN_HEADER)
        )
        show_input = _flag(request, "showInput", True)
        payload = [status_payload(instance, show_input=show_input) for instance in found]
        return _json(200, payload, {_TOKEN_HEADER: token} if token else {})

    async def _purge(self, request: web.Request, segments: list[str]) -> web.Response:
        instance = self._instance(segments[1])
        if not queries.purge_one(self._store, instance.id):
            raise _Refused(412, f"the instance is {instance.status}; only instances that ended can be purged")
        return _json(200, {"instancesDeleted": 1})

    async def _purge_many(self, request: web.Request, segments: list[str]) -> web.Response:
        wanted = _filter(request)
        if wanted.created_from is None:
            raise _Refused(400, "createdTimeFrom is required")
        deleted = queries.purge(self._store, wanted)
        return _json(200, {"instancesDeleted": deleted}) if deleted else web.Response(status=404)

    async def _command(self, request: web.Request, segments: list[str]) -> web.Response:
        instance_id, command = segments[1], segments[2].lower()
        reason = request.query.get("reason", "")
        kinds = {"terminate": Kind.EXECUTION_TERMINATED, "suspend": Kind.SUSPENDED, "resume": Kind.RESUMED}
        if command == "rewind":
            return self._rewind(instance_id, reason)
        if command == "restart":
            return self._restart(request, instance_id)
        if command not in kinds:
            raise _Refused(404, f"no such operation '{segments[2]}'")
        self._instance(instance_id)
        if not self._engine.send(instance_id, control(kinds[command], self._engine.clock.now(), reason)):
            return web.Response(status=410)
        return web.Response(status=202)

    def _rewind(self, instance_id: str, reason: str) -> web.Response:
        instance = self._instance(instance_id)
        if instance.status != "Failed":
            raise _Refused(412, f"the instance is {instance.status}; only failed instances can be rewound")
        for woken in queries.rewind(self._store, instance_id, reason, self._engine.clock.now()):
            self._engine.wake(woken)
        return web.Response(status=202)

    def _restart(self, request: web.Request, instance_id: str) -> web.Response:
        instance = self._instance(instance_id)
        fresh = _flag(request, "restartWithNewInstanceId", True)
        self._engine.app.orchestrator(instance.name)
        new_id = uuid.uuid4().hex if fresh else instance_id
        self._create(new_id, instance.name, instance.version, instance.input)
        return self._accepted(new_id)

    async def _raise_event(self, request: web.Request, segments: list[str]) -> web.Response:
        _, instance_id, command, name = segments
        if command.lower() != "raiseevent":
            raise _Refused(404, f"no such operation '{command}'")
        self._instance(instance_id)
        text = await _body(request)
        if text is None:
            raise _Refused(400, "Only application/json request content is supported")
        check_size(f"the payload of event '{name}'", text)
        if not self._engine.send(instance_id, event_raised(self._engine.clock.now(), name, text)):
            return web.Response(status=410)
        return web.Response(status=202)

    async def _signal(self, request: web.Request, segments: list[str]) -> web.Response:
        text = await _body(request)
        check_size(f"the input of an operation of entity '{segments[1]}'", text)
        self._send_signal(segments, request.query.get("op", ""), text)
        return web.Response(status=202)

    async def _delete_entity(self, request: web.Request, segments: list[str]) -> web.Response:
        self._send_signal(segments, "delete", None)
        return web.Response(status=202)

    def _send_signal(self, segments: list[str], operation: str, text: str | None) -> None:
        try:
            self._engine.app.entity(segments[1])
        except UnknownFunctionError as error:
            # The SDK's client reports the status alone, so the names are said here as well.
            log.error("signal to %s: %s", scheduler_id(segments[1], segments[2]), error)
            raise
        body = {"op": operation, "signal": True, "input": text, "id": uuid.uuid4().hex}
        self._engine.signal(scheduler_id(segments[1], segments[2]), json.dumps(body))

    async def _read_entity(self, request: web.Request, segments: list[str]) -> web.Response:
        exists, state = self._store.entity_state(scheduler_id(segments[1], segments[2]))
        if not exists:
            raise _Refused(404)
        return web.Response(text=state or "null", content_type="application/json")

    async def _list_entities(self, request: web.Request, segments: list[str]) -> web.Response:
        name = segments[1] if len(segments) > 1 else ""
        since, until = _time(request, "lastOperationTimeFrom"), _time(request, "lastOperationTimeTo")
        token = request.headers.get(_TOKEN_HEADER)
        found, token = queries.list_entities(self._store, name, since, until, _top(request), token)
        with_state = _flag(request, "fetchState", False)
        payload = [_entity_payload(*row, with_state=with_state) for row in found]
        return _json(200, payload, {_TOKEN_HEADER: token} if token else {})

    async def _make_primary(self, request: web.Request, segments: list[str]) -> web.Response:
        return web.Response(status=200)

    def _instance(self, instance_id: str) -> Instance:
        found = self._store.instance(instance_id)
        if found is None:
            raise _Refused(404)
        return found


def check_instance_id(instance_id: str) -> None:
    """Raise ValueError for an id that the extension would refuse."""
    bad = set("/\\#?") & set(instance_id) or any(ord(character) < 32 for character in instance_id)
    if not instance_id or instance_id.startswith("@") or bad or len(instance_id) > _MAX_ID:
        raise ValueError(
            "instance ids have 1 to 256 characters, do not start with '@', and hold no '/', '\\', '#', '?' "
            "or control characters"
        )


def _entity_payload(sid: str, state: str | None, updated: int, *, with_state: bool) -> dict[str, Any]:
    name, key = split_scheduler_id(sid)
    payload: dict[str, Any] = {"entityId": {"name": name, "key": key}, "lastOperationTime": to_status(updated)}
    if with_state:
        payload["state"] = None if state is None else json.loads(state)
    return payload


async def _body(request: web.Request) -> str | None:
    """The body's JSON text, None if empty. Raises ValueError if it is not JSON."""
    text = await request.text()
    if not text:
        return None
    json.loads(text)
    return text


def _filter(request: web.Request) -> queries.InstanceFilter:
    wanted = {status.strip().lower() for status in request.query.get("runtimeStatus", "").split(",")} - {""}
    statuses = tuple(status for status in sorted(_ALIVE | TERMINAL) if status.lower() in wanted)
    if len(statuses) < len(wanted):
        raise ValueError("runtimeStatus names a status that does not exist")
    return queries.InstanceFilter(
        created_from=_time(request, "createdTimeFrom"),
        created_to=_time(request, "createdTimeTo"),
        statuses=statuses,
        prefix=request.query.get("instanceIdPrefix", ""),
    )


def _time(request: web.Request, name: str) -> int | None:
    text = request.query.get(name)
    return parse_time(text) if text else None


def _top(request: web.Request) -> int:
    top = int(request.query.get("top", _PAGE))
    if top < 1:
        raise ValueError("top must be at least 1")
    return top


def _flag(request: web.Request, name: str, default: bool) -> bool:
    return request.query.get(name, str(default)).lower() == "true"


def _json(status: int, payload: Any, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response(payload, status=status, headers=headers)


def _error(status: int, message: str) -> web.Response:
    body = {"Message": message, "ExceptionMessage": message, "ExceptionType": "", "StackTrace": ""}
    return web.json_response(body, status=status)
