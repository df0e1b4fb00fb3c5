"""The durable REST interface: one handler serves the SDK's client and the public management endpoints."""

from __future__ import annotations

import asyncio
import logging
import unicodedata
import uuid
from collections.abc import Awaitable, Callable
from urllib.parse import unquote_plus

from aiohttp import web

from . import parameters, queries
from .engine import Engine
from .entity_endpoints import EntityEndpoints
from .errors import PayloadTooLargeError, UnknownFunctionError
from .events import Kind, control, event_raised
from .keys import same_key
from .payload import check_size
from .records import Instance, NewInstance
from .replies import JSON, TOKEN_HEADER, Refused, body_text, empty, error_reply, invalid, json_reply
from .status import INNER_PATH, WEBHOOK_PATH, Addresses, history_events, status_payload

log = logging.getLogger("durable_local")

Handler = Callable[[web.BaseRequest, list[str]], Awaitable[web.Response]]

_ALIVE = frozenset({"Pending", "Running", "ContinuedAsNew", "Suspended"})
_MAX_ID = 256
_LONGEST_WAIT = 86_400


class Management:
    """The endpoints below `/runtime/webhooks/durabletask/`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._store = engine.store
        self.addresses = Addresses()
        entities = EntityEndpoints(engine)
        self._table: dict[tuple[str, str, int], Handler] = {
            ("POST", "orchestrators", 2): self._start,
            ("POST", "orchestrators", 3): self._start,
            ("GET", "instances", 1): self._list,
            ("GET", "instances", 2): self._status,
            ("DELETE", "instances", 1): self._purge_many,
            ("DELETE", "instances", 2): self._purge,
            ("POST", "instances", 3): self._command,
            ("POST", "instances", 4): self._raise_event,
            ("POST", "entities", 2): entities.signal,
            ("POST", "entities", 3): entities.signal,
            ("GET", "entities", 3): entities.read,
            ("DELETE", "entities", 2): entities.delete,
            ("DELETE", "entities", 3): entities.delete,
            ("GET", "entities", 1): entities.list,
            ("GET", "entities", 2): entities.list,
            ("POST", "makeprimary", 1): self._make_primary,
        }

    def place(self, path: str) -> tuple[str, bool] | None:
        """What a raw path says below the endpoints' own, and if only the app's clients know it; None elsewhere."""
        if path.startswith(f"{WEBHOOK_PATH}/"):
            return path[len(WEBHOOK_PATH) + 1 :], False
        if path.startswith(f"{INNER_PATH}/") and self.addresses.inner_key:
            key, _, tail = path[len(INNER_PATH) + 1 :].partition("/")
            return (tail, True) if same_key(key, self.addresses.inner_key) else None
        return None

    async def handle(self, request: web.BaseRequest, tail: str) -> web.Response:
        """Answer one request, whose body has been read; errors carry the extension's error body."""
        segments = [segment for segment in unquote_plus(tail).split("/") if segment]
        handler = self._table.get((request.method, segments[0].lower() if segments else "", len(segments)))
        if handler is None:
            return error_reply(404, "no such endpoint")
        try:
            return await handler(request, segments)
        except Refused as refusal:
            return error_reply(refusal.status, str(refusal), refusal.kind) if str(refusal) else empty(refusal.status)
        except (ValueError, OverflowError, RecursionError, PayloadTooLargeError, UnknownFunctionError) as error:
            return error_reply(400, str(error))

    async def _start(self, request: web.BaseRequest, segments: list[str]) -> web.Response:
        info = self._engine.app.orchestrator(segments[1])
        instance_id = segments[2] if len(segments) > 2 else uuid.uuid4().hex
        check_instance_id(instance_id)
        text = await body_text(request)
        version = parameters.text(request, "version") or self._engine.settings.default_version
        self._create(instance_id, info.name, version, text)
        return await self._started(request, instance_id)

    async def _started(self, request: web.BaseRequest, instance_id: str) -> web.Response:
        """The answer to a start: at once, or with `timeout` and `pollingInterval`, which count together only."""
        timeout = parameters.seconds(request, "timeout")
        interval = parameters.seconds(request, "pollingInterval")
        if timeout is None or interval is None:
            return self._accepted(instance_id)
        if interval > timeout:
            raise ValueError(f"Total timeout {timeout:g} should be bigger than retry timeout {interval:g}")
        finished = await self._finished(instance_id, min(timeout, _LONGEST_WAIT))
        if finished is None:
            return self._accepted(instance_id)
        payload = status_payload(finished)
        return json_reply(200, payload["output"] if finished.status == "Completed" else payload)

    def _create(self, instance_id: str, name: str, version: str | None, text: str | None) -> None:
        check_size(f"the input of orchestrator '{name}'", text)
        existing = self._engine.start_instance(NewInstance(instance_id, uuid.uuid4().hex, name, version, text))
        if existing is not None:
            raise invalid(f"An Orchestration instance with the status {existing.status} already exists.")

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
        urls = self.addresses.links(instance_id)
        shown = {name: url for name, url in urls.items() if name != "rewindPostUri"}
        return json_reply(202, shown, {"Location": urls["statusQueryGetUri"], "Retry-After": "10"})

    async def _status(self, request: web.BaseRequest, segments: list[str]) -> web.Response:
        instance = self._instance(segments[1])
        show_input = parameters.flag(request, "showInput", True)
        payload = status_payload(instance, show_input=show_input)
        if parameters.flag(request, "showHistory", False):
            show_output = parameters.flag(request, "showHistoryOutput", False)
            history = self._store.history(instance.id)
            payload["historyEvents"] = history_events(history, show_input=show_input, show_output=show_output)
        if instance.status in _ALIVE:
            urls = self.addresses.links(instance.id)
            return json_reply(202, payload, {"Location": urls["statusQueryGetUri"], "Retry-After": "5"})
        failed = instance.status == "Failed" and parameters.flag(request, "returnInternalServerErrorOnFailure", False)
        return json_reply(500 if failed else 200, payload)

    async def _list(self, request: web.BaseRequest, segments: list[str]) -> web.Response:
        found, token = queries.list_instances(
            self._store, _filter(request), parameters.page_size(request), request.headers.get(TOKEN_HEADER)
        )
        show_input = parameters.flag(request, "showInput", True)
        payload = [status_payload(instance, show_input=show_input) for instance in found]
        return json_reply(200, payload, {TOKEN_HEADER: token} if token else {})

    async def _purge(self, request: web.BaseRequest, segments: list[str]) -> web.Response:
        instance = self._instance(segments[1])
        if not queries.purge_one(self._store, instance):
            raise Refused(412, f"the instance is {instance.status}; only instances that ended can be purged")
        return json_reply(200, {"instancesDeleted": 1})

    async def _purge_many(self, request: web.BaseRequest, segments: list[str]) -> web.Response:
        wanted = _filter(request)
        if wanted.created_from is None:
            raise Refused(400, "Please provide value for 'createdTimeFrom' parameter.")
        deleted = await asyncio.to_thread(queries.purge, self._store, wanted)  # it may take long: others are answered
        self._engine.purged(deleted)
        return json_reply(200, {"instancesDeleted": len(deleted)}) if deleted else empty(404)

    async def _command(self, request: web.BaseRequest, segments: list[str]) -> web.Response:
        instance_id, command = segments[1], segments[2].lower()
        reason = parameters.text(request, "reason") or ""
        kinds = {"terminate": Kind.EXECUTION_TERMINATED, "suspend": Kind.SUSPENDED, "resume": Kind.RESUMED}
        if command == "rewind":
            return self._rewind(instance_id, reason)
        if command == "restart":
            return await self._restart(request, instance_id)
        if command not in kinds:
            raise Refused(404, f"no such operation '{segments[2]}'")
        instance = self._orchestration(instance_id)
        if instance.terminal:
            return empty(410)
        if (instance.status == "Suspended") != (command == "resume") and command != "terminate":
            raise invalid(
                f"Cannot {command} the orchestration instance {instance_id} because instance is in the "
                f"{instance.status} state."
            )
        if not self._engine.send(instance_id, control(kinds[command], self._engine.clock.now(), reason)):
            return empty(410)
        return empty(202)

    def _rewind(self, instance_id: str, reason: str) -> web.Response:
        instance = self._orchestration(instance_id)
        if instance.terminal and instance.status != "Failed":
            return empty(410)
        if instance.status != "Failed":
            raise invalid("The rewind operation is only supported on failed orchestration instances.")
        for woken in queries.rewind(self._store, instance_id, reason, self._engine.clock.now()):
            self._engine.wake(woken)
        return empty(202)

    async def _restart(self, request: web.BaseRequest, instance_id: str) -> web.Response:
        instance = self._store.instance(instance_id)
        if instance is None:
            raise ValueError("InstanceId does not match a valid orchestration instance.")
        fresh = parameters.flag(request, "restartWithNewInstanceId", True)
        self._engine.app.orchestrator(instance.name)
        new_id = uuid.uuid4().hex if fresh else instance_id
        self._create(new_id, instance.name, instance.version, instance.input)
        return await self._started(request, new_id)

    async def _raise_event(self, request: web.BaseRequest, segments: list[str]) -> web.Response:
        _, instance_id, command, name = segments
        if command.lower() != "raiseevent":
            raise Refused(404, f"no such operation '{command}'")
        if self._orchestration(instance_id).terminal:
            return empty(410)
        if request.content_type.lower() != JSON:
            raise Refused(400, "Only application/json request content is supported")
        text = await body_text(request)
        if text is None:
            raise Refused(400, "Invalid JSON content")
        check_size(f"the payload of event '{name}'", text)
        if not self._engine.send(instance_id, event_raised(self._engine.clock.now(), name, text)):
            return empty(410)
        return empty(202)

    async def _make_primary(self, request: web.BaseRequest, segments: list[str]) -> web.Response:
        return empty(200)

    def _instance(self, instance_id: str) -> Instance:
        """An orchestration's or an entity's instance."""
        found = queries.instance(self._store, instance_id)
        if found is None:
            raise Refused(404)
        return found

    def _orchestration(self, instance_id: str) -> Instance:
        found = self._store.instance(instance_id)
        if found is None:
            raise Refused(404)
        return found


def check_instance_id(instance_id: str) -> None:
    """Raise ValueError for an id that the extension would refuse. Its length counts in UTF-16, as .NET's texts do."""
    bad = set("/\\#?") & set(instance_id) or any(unicodedata.category(one) == "Cc" for one in instance_id)
    length = len(instance_id.encode("utf-16-le", "surrogatepass")) // 2
    if not instance_id or instance_id.startswith("@") or bad or length > _MAX_ID:
        raise ValueError(
            "instance ids have 1 to 256 characters, do not start with '@', and hold no '/', '\\', '#', '?' "
            "or control characters"
        )


def _filter(request: web.BaseRequest) -> queries.InstanceFilter:
    return queries.InstanceFilter(
        created_from=parameters.moment(request, "createdTimeFrom"),
        created_to=parameters.moment(request, "createdTimeTo"),
        statuses=parameters.statuses(request),
        prefix=parameters.text(request, "instanceIdPrefix") or "",
    )
