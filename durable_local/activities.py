"""Runs queued activities: at least once, in parallel, the queue row standing until the completion is stored."""

from __future__ import annotations

import json
import logging
import threading
from random import Random
from typing import Any

import aiohttp
from multidict import CIMultiDictProxy

from .clock import Clock
from .errors import DurableLocalError, WorkerLostError
from .events import Event, task_completed, task_failed
from .invoke import FunctionFailure, Invoker
from .loader import FunctionApp
from .payload import check_size, shorten
from .records import ActivityRow
from .replay import HTTP_ACTIVITY

log = logging.getLogger("durable_local")

_HTTP_TIMEOUT_SECONDS = 100
# Those that .NET's HttpContentHeaders has.
_CONTENT_HEADERS = frozenset(
    (
        "allow",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-length",
        "content-location",
        "content-md5",
        "content-range",
        "content-type",
        "expires",
        "last-modified",
    )
)


class ActivityRunner:
    """Turns a queued activity into its completion event."""

    def __init__(self, app: FunctionApp, invoker: Invoker, clock: Clock) -> None:
        self._app = app
        self._invoker = invoker
        self._clock = clock

    def run(self, row: ActivityRow) -> Event:
        """Execute once; a failure of any kind is a TaskFailed event, never an exception."""
        try:
            result = self._result(row)
            check_size(f"the output of activity '{row.name}'", result)
        except FunctionFailure as failure:
            log.debug("activity '%s' of '%s' failed: %s", row.name, row.instance_id, failure)
            return self._failed(row, failure.exception, str(failure))
        except WorkerLostError as error:
            return self._failed(row, str(error), str(error), from_worker=False)
        except DurableLocalError as error:
            log.error("activity '%s' of '%s' failed: %s", row.name, row.instance_id, error)
            text = f"{type(error).__name__}: {error}"
            return self._failed(row, text, text)
        return task_completed(self._clock.now(), row.seq, result)

    def _result(self, row: ActivityRow) -> str:
        if row.name == HTTP_ACTIVITY:
            try:
                return json.dumps(self._invoker.on_loop(call_http(json.loads(row.input or "{}"))))
            except Exception as error:
                raise FunctionFailure(error) from error
        return self._invoker.activity(self._app.activity(row.name), row.input)

    def _failed(self, row: ActivityRow, exception: str, worker_text: str, *, from_worker: bool = True) -> Event:
        # What the worker says comes with a blank of its own: the extension cuts it from a longer text.
        return task_failed(
            self._clock.now(),
            row.seq,
            name=row.name,
            exception=shorten(f" {exception}" if from_worker else exception),
            worker_text=shorten(worker_text),
        )


class Twins:
    """Pairs the two executions of an activity under the `double_activities` fault."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._guard = threading.Lock()
        self._first: dict[int, Event] = {}

    def settle(self, row_id: int, completion: Event) -> Event | None:
        """None for the twin that ends first; for the second, the completion that the seed keeps."""
        with self._guard:
            other = self._first.pop(row_id, None)
            if other is None:
                self._first[row_id] = completion
                return None
            return self._random.choice([other, completion])


async def call_http(request: dict[str, Any]) -> dict[str, Any]:
    """The built-in HTTP activity: one request, no polling, any status is a result."""
    headers = {str(name): str(value) for name, value in (request.get("headers") or {}).items()}
    content = request.get("content")
    if content is not None and "content-type" not in {name.lower() for name in headers}:
        headers["Content-Type"] = "text/plain; charset=utf-8"
    if request.get("tokenSource"):
        headers["Authorization"] = f"Bearer {await _token(request['tokenSource']['resource'])}"
    timeout = aiohttp.ClientTimeout(total=_HTTP_TIMEOUT_SECONDS)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.request(request["method"], request["uri"], data=content, headers=headers) as response,
    ):
        return {
            "statusCode": response.status,
            "headers": _response_headers(response.headers),
            "content": await response.text(),
        }


def _response_headers(headers: CIMultiDictProxy[str]) -> dict[str, str | list[str]]:
    """Those of the response, as the extension passes them on: not those of its content, and repeated ones as lists."""
    found: dict[str, str | list[str]] = {}
    for name in dict.fromkeys(headers):
        if name.lower() not in _CONTENT_HEADERS and name not in found:
            values = headers.getall(name)
            found[name] = values if len(values) > 1 else values[0]
    return found


async def _token(resource: str) -> str:
    from azure.identity.aio import DefaultAzureCredential

    async with DefaultAzureCredential() as credential:
        return (await credential.get_token(f"{resource.rstrip('/')}/.default")).token
