"""Calls functions the way the worker does: through the converters of azure-functions, in a thread or on the loop."""

from __future__ import annotations

import asyncio
import json
import threading
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import azure.functions as func
from azure.functions import get_binding_registry
from azure.functions.meta import Datum

from .contexts import InvocationContext, RetryContext
from .loader import FunctionInfo
from .payload import without_nan
from .worker import Worker

_LABEL = "\n\n$OutOfProcData$:"
_SYNC_LIMIT = 32


@dataclass(frozen=True)
class Answer:
    """What the SDK answered to one episode. `output` is JSON text or None; `broken` means that no state came back."""

    actions: list[dict[str, Any]]
    done: bool
    output: str | None
    error: str | None
    custom_status: str | None
    broken: bool = False


class FunctionFailure(Exception):
    """A user function raised. `exception` is `TypeName: message`; str() is the text a Functions host would carry."""

    def __init__(self, error: BaseException) -> None:
        self.exception = f"{type(error).__name__}: {error}"
        stack = "".join(traceback.format_exception(error))
        super().__init__(f"Result: Failure\nException: {self.exception}\nStack: {stack}")


class Invoker:
    """Runs functions; async ones on `loop`, which also runs all client functions.

    Every call raises WorkerLostError if the worker went away under it or before.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, directory: str, worker: Worker) -> None:
        self._loop = loop
        self._worker = worker
        self._directory = directory
        self._sync_slots = asyncio.Semaphore(_SYNC_LIMIT)
        self._running: set[Any] = set()

    def orchestrator(self, info: FunctionInfo, context: str) -> Answer:
        """One episode: `context` is the protocol's JSON; never raises for what user code does."""
        life = self._worker.begin()
        converter = get_binding_registry().get("orchestrationTrigger")
        argument = converter.decode(Datum(context, "string"), trigger_metadata=None)
        try:
            text = converter.encode(info.call(**{info.trigger.name: argument}), expected_type=None).value
            answer = _answer(json.loads(text))
        except Exception as error:
            answer = _failed_answer(error)
        self._worker.end(life)
        return answer

    def entity(self, info: FunctionInfo, batch: str) -> dict[str, Any]:
        """One batch; raises whatever comes out of the wrapper."""
        life = self._worker.begin()
        converter = get_binding_registry().get("entityTrigger")
        argument = converter.decode(Datum(batch, "string"), trigger_metadata=None)
        try:
            text = converter.encode(info.call(**{info.trigger.name: argument}), expected_type=None).value
        finally:
            self._worker.end(life)
        return json.loads(text)

    def activity(self, info: FunctionInfo, text: str | None) -> str:
        """Run an activity from a pool thread; returns its result's JSON. Raises FunctionFailure."""
        life = self._worker.begin()
        converter = get_binding_registry().get("activityTrigger")
        try:
            value = converter.decode(Datum("null" if text is None else text, "string"), trigger_metadata=None)
            arguments = {info.trigger.name: value, **self._context(info)}
            result = self.on_loop(info.call(**arguments)) if info.is_async else info.call(**arguments)
            return without_nan(converter.encode(result, expected_type=None).value)
        except BaseException as error:
            # SystemExit included: a pool thread must survive user code.
            raise FunctionFailure(error) from error
        finally:
            self._worker.end(life)

    def on_loop(self, coroutine: Awaitable[Any]) -> Any:
        """Run a coroutine on the loop and wait for it, from a pool thread."""
        future = asyncio.run_coroutine_threadsafe(_awaited(coroutine), self._loop)
        self._running.add(future)
        try:
            return future.result()
        finally:
            self._running.discard(future)

    def cancel_running(self) -> None:
        """Cancel the coroutines that pool threads wait for."""
        for future in list(self._running):
            future.cancel()

    async def client_function(
        self,
        info: FunctionInfo,
        trigger_value: Any,
        binding: str,
        outputs: Mapping[str, func.Out[Any]],
        retry: RetryContext | None = None,
    ) -> Any:
        """An HTTP or timer function, with durable clients made from the JSON text `binding`, and with `outputs`.

        Args:
            retry: What its context says of earlier calls; None: this is the first.
        """
        life = self._worker.begin(counted=False)
        client_converter = get_binding_registry().get("durableClient")
        arguments = {info.trigger.name: trigger_value, **self._context(info, retry), **outputs}
        for name in info.client_names:
            arguments[name] = client_converter.decode(Datum(binding, "string"), trigger_metadata=None)
        try:
            if info.is_async:
                return await info.call(**arguments)
            async with self._sync_slots:
                return await _in_thread(lambda: info.call(**arguments))
        finally:
            self._worker.end(life)

    def _context(self, info: FunctionInfo, retry: RetryContext | None = None) -> dict[str, InvocationContext]:
        context = InvocationContext(info, self._directory, retry or RetryContext())
        return {"context": context} if info.wants_context else {}


async def _awaited(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


async def _in_thread(call: Callable[[], Any]) -> Any:
    """Like asyncio.to_thread, but on a daemon thread, so that a function that hangs cannot hold up the exit."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def settle(setter: Callable[[Any], None], value: Any) -> None:
        if not future.done():
            setter(value)

    def run() -> None:
        try:
            result = call()
        except Exception as error:
            outcome: tuple[Callable[[Any], None], Any] = (future.set_exception, error)
        else:
            outcome = (future.set_result, result)
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, *outcome)

    threading.Thread(target=run, name="durable-function", daemon=True).start()
    return await future


def _answer(state: dict[str, Any]) -> Answer:
    custom_status, error = state.get("customStatus"), state.get("error")
    return Answer(
        actions=[action for group in state.get("actions", []) for action in group],
        done=bool(state.get("isDone")),
        output=without_nan(json.dumps(state["output"])) if "output" in state else None,
        error=error,
        custom_status=None if custom_status is None else without_nan(json.dumps(custom_status)),
    )


def _failed_answer(error: Exception) -> Answer:
    text = str(error)
    position = text.find(_LABEL)
    while position >= 0:
        try:
            return _answer(json.loads(text[position + len(_LABEL) :]))
        except ValueError:
            # The user's own text may hold the label as well.
            position = text.find(_LABEL, position + 1)
    return Answer([], False, None, f"{type(error).__name__}: {text}", None, broken=True)
