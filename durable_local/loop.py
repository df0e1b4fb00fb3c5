"""One event-loop thread for all hosts of a process.

The SDK keeps one HTTP session per process, bound to the loop that made it; client functions of all hosts must therefore
share a loop. The last host to leave closes that session and the loop.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from .sdk import close_client_session

Result = TypeVar("Result")

_guard = threading.Lock()
_shared: _LoopThread | None = None
_holders = 0


class _LoopThread:
    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._work, name="durable-loop", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def close(self) -> None:
        run_on(self.loop, close_client_session())
        run_on(self.loop, _cancel_others())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(timeout=5)
        if not self._thread.is_alive():
            self.loop.close()


def acquire_loop() -> asyncio.AbstractEventLoop:
    """The running shared loop; each call needs one `release_loop`."""
    global _shared, _holders
    with _guard:
        if _shared is None:
            _shared = _LoopThread()
        _holders += 1
        return _shared.loop


def release_loop() -> None:
    """Give the loop back; the last one closes it."""
    global _shared, _holders
    with _guard:
        _holders -= 1
        if _holders == 0 and _shared is not None:
            _shared.close()
            _shared = None


def run_on(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Result], timeout: float = 30.0) -> Result:
    """Run a coroutine on the loop from another thread and wait for its result."""
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result(timeout)


async def _cancel_others() -> None:
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
