"""The management endpoints of entities: signal, delete, read, list."""

from __future__ import annotations

import json
import logging
import uuid
from typing import Any

from aiohttp import web

from . import parameters, queries
from .clock import to_status
from .engine import Engine
from .entities import scheduler_id, split_scheduler_id
from .errors import UnknownFunctionError
from .guard import HEADERS
from .payload import check_size
from .replies import JSON, TOKEN_HEADER, Refused, body_text, empty, json_reply

log = logging.getLogger("durable_local")

_EMPTY_KEY = "$"


class EntityEndpoints:
    """Handlers of requests to `entities`, a name and a key; a request without a key is for the empty key."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._store = engine.store

    async def signal(self, request: web.BaseRequest, segments: list[str]) -> web.Response:
        if request.content_type.lower() == JSON:
            text = await body_text(request)
        else:
            raw = (await request.read()).decode("utf-8-sig")
            text = json.dumps(raw) if raw else None
        check_size(f"the input of an operation of entity '{segments[1]}'", text)
        self._send_signal(segments, parameters.text(request, "op") or "", text)
        return empty(202)

    async def delete(self, request: web.BaseRequest, segments: list[str]) -> web.Response:
        self._send_signal(segments, "delete", None)
        return empty(202)

    def _send_signal(self, segments: list[str], operation: str, text: str | None) -> None:
        sid = scheduler_id(segments[1], segments[2] if len(segments) > 2 else "")
        try:
            self._engine.app.entity(segments[1])
        except UnknownFunctionError as error:
            # The SDK's client reports the status alone, so the names are said here as well.
            log.error("signal to %s: %s", sid, error)
            raise
        body = {"op": operation, "signal": True, "input": text, "id": str(uuid.uuid4())}
        self._engine.signal(sid, json.dumps(body))

    async def read(self, request: web.BaseRequest, segments: list[str]) -> web.Response:
        key = "" if segments[2] == _EMPTY_KEY else segments[2]
        exists, state = self._store.entity_state(scheduler_id(segments[1], key))
        if not exists:
            raise Refused(404)
        return web.Response(text=state or "null", content_type=JSON, headers=HEADERS)

    async def list(self, request: web.BaseRequest, segments: list[str]) -> web.Response:
        name = segments[1] if len(segments) > 1 else ""
        since, until = (parameters.moment(request, f"lastOperationTime{end}") for end in ("From", "To"))
        token = request.headers.get(TOKEN_HEADER)
        found, token = queries.list_entities(self._store, name, since, until, parameters.page_size(request), token)
        with_state = parameters.flag(request, "fetchState", False)
        payload = [_entity_payload(*row, with_state=with_state) for row in found]
        return json_reply(200, payload, {TOKEN_HEADER: token} if token else {})


def _entity_payload(sid: str, state: str | None, updated: int, *, with_state: bool) -> dict[str, Any]:
    name, key = split_scheduler_id(sid)
    payload: dict[str, Any] = {"entityId": {"name": name, "key": key}, "lastOperationTime": to_status(updated)}
    if with_state:
        payload["state"] = None if state is None else json.loads(state)
    return payload
