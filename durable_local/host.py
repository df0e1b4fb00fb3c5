"""The host: one function app on one store, embedded in this process."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from aiohttp import web

from .clock import Clock
from .engine import Engine
from .errors import HostStoppedError
from .faults import Faults
from .http import HttpServer
from .invoke import Invoker
from .loader import load_app
from .lock import HubLock, find_holder
from .loop import acquire_loop, release_loop, run_on
from .management import Management
from .pool import remaining
from .records import TERMINAL
from .sdk import quieten, remember_timestamps
from .settings import Settings, load_settings
from .status import client_binding, status_payload
from .store import Store
from .timers import TimerRunner, timer_functions

log = logging.getLogger("durable_local")

_ADDRESS = "127.0.0.1"


class Host:
    """Serves the app in `app_dir` from the task hub in the SQLite file `store`.

    `port` 0 takes a free one. `timers` False leaves timer triggers alone; durable timers always work. `resume` False
    leaves what an earlier host did not finish where it is. `faults` None reads DURABLE_LOCAL_FAULTS. `clock` may be a
    TravelClock. `shutdown_grace` is how many seconds `stop` waits for what runs.
    A host starts once; take a new object for another start.
    """

    def __init__(
        self,
        app_dir: Path,
        store: Path,
        *,
        port: int = 0,
        timers: bool = True,
        resume: bool = True,
        faults: Faults | None = None,
        clock: Clock | None = None,
        shutdown_grace: float = 10.0,
    ) -> None:
        self.app_dir = Path(app_dir).resolve()
        self.store_path = Path(store).resolve()
        self.url = ""
        self.unfinished: list[str] = []
        self._port = port
        self._with_timers = timers
        self._resume = resume
        self._faults = faults if faults is not None else Faults.from_environment()
        self._clock = clock or Clock()
        self._grace = shutdown_grace
        self._cleanup = ExitStack()
        self._deadline = 0.0
        self._engine: Engine | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @staticmethod
    def find(store: Path) -> str | None:
        """The URL of the live host on this store, in whatever process, or None."""
        return find_holder(Path(store).resolve())

    def start(self) -> None:
        """Load the app, take up unfinished work, listen. Returns once `url` answers.

        Raises HubLockedError if a live host holds the store, AppLoadError if the app does not load, OSError if the port
        is taken; after an exception nothing of the host is left running.
        """
        if self._engine is not None:
            raise HostStoppedError("a Host starts once; make a new one")
        try:
            self._start()
        except BaseException:
            self._cleanup.close()
            raise

    def _start(self) -> None:
        lock = HubLock(self.store_path)
        self._cleanup.callback(lock.release)
        quieten()
        remember_timestamps()
        settings = load_settings(self.app_dir)
        self._enter_app_environment(settings)
        app = load_app(self.app_dir)
        store = Store(self.store_path)
        self._cleanup.callback(store.close)
        self._loop = acquire_loop()
        self._cleanup.callback(release_loop)
        invoker = Invoker(self._loop, str(self.app_dir))
        functions = timer_functions(app, settings) if self._with_timers else []
        self._engine = engine = Engine(store, app, invoker, self._clock, self._faults, settings)
        self._cleanup.callback(lambda: engine.stop(remaining(self._deadline)))
        management = Management(engine)
        server = HttpServer(app, settings, invoker, management)
        timers = TimerRunner(functions, store, invoker, self._clock, lambda: server.binding)
        runner = web.AppRunner(
            server.application(), access_log=None, handle_signals=False, shutdown_timeout=min(0.5, self._grace)
        )
        self.url = management.base_url = run_on(self._loop, _listen(runner, self._port))
        server.binding = client_binding(self.url, settings.hub_name)
        self._cleanup.callback(lambda: run_on(self._loop, runner.cleanup()))
        # Unwound in the opposite order: timers, running functions, the server, the loop, the store, the lock.
        self._cleanup.callback(lambda: engine.stop(remaining(self._deadline)))
        lock.publish(self.url)
        self.unfinished = _unfinished(store)
        if self._resume:
            engine.resume()
        run_on(self._loop, timers.start())
        self._cleanup.callback(lambda: run_on(self._loop, timers.stop(remaining(self._deadline)), self._grace + 30))

    def stop(self) -> None:
        """Stop timers, give what runs the grace period, close. Safe to call again and from a signal's aftermath."""
        self._deadline = time.monotonic() + self._grace
        self._cleanup.close()

    def wait(self, instance_id: str, timeout: float | None = None) -> dict[str, Any]:
        """The status payload of the instance once it is terminal.

        Raises TimeoutError; UnknownInstanceError for an id that is not in the store; HostStoppedError at `stop`.
        """
        engine = self._running()
        future = engine.terminal(instance_id)
        try:
            future.result(timeout)
        finally:
            engine.forget(instance_id, future)
        instance = engine.store.instance(instance_id)
        if instance is None:
            raise HostStoppedError(f"instance '{instance_id}' was purged while its end was awaited")
        return status_payload(instance)

    def __enter__(self) -> Host:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _running(self) -> Engine:
        if self._engine is None:
            raise HostStoppedError("the host is not running")
        return self._engine

    def _enter_app_environment(self, settings: Settings) -> None:
        """As the Functions host does for the worker: app settings in the environment, the app's folder on the path."""
        added = [name for name in settings.values if name not in os.environ]
        os.environ.update({name: settings.values[name] for name in added})
        self._cleanup.callback(lambda: [os.environ.pop(name, None) for name in added])
        folder = str(self.app_dir)
        if folder not in sys.path:
            sys.path.insert(0, folder)
            self._cleanup.callback(lambda: sys.path.remove(folder) if folder in sys.path else None)


async def _listen(runner: web.AppRunner, port: int) -> str:
    await runner.setup()
    try:
        site = web.TCPSite(runner, _ADDRESS, port)
        await site.start()
    except OSError as error:
        await runner.cleanup()
        raise OSError(error.errno, f"cannot listen on {_ADDRESS}:{port}: {error.strerror}") from error
    return f"http://{_ADDRESS}:{runner.addresses[0][1]}"


def _unfinished(store: Store) -> list[str]:
    marks = ",".join("?" * len(TERMINAL))
    sql = f"SELECT id FROM instances WHERE parent_id IS NULL AND status NOT IN ({marks}) ORDER BY created"
    return [row[0] for row in store.rows(sql, TERMINAL)]
