"""The host: one function app on one store, embedded in this process."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
import time
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

from aiohttp import web

from .check import deployment
from .clock import Clock
from .connections import Limits
from .engine import Engine
from .environment import app_environment
from .errors import HostStoppedError
from .faults import Faults
from .findings import Finding, refuse
from .guard import Guard
from .http import HttpServer
from .invoke import Invoker
from .keys import ensure_key, read_key
from .loader import load_app
from .lock import HubLock, find_holder
from .loop import acquire_loop, release_loop, run_on
from .management import Management
from .pool import remaining
from .records import TERMINAL
from .retention import Retention
from .routing.table import http_functions
from .sdk import quieten, remember_timestamps
from .settings import load_settings
from .status import Addresses, status_payload
from .store import Store
from .timers import TimerRunner, timer_functions
from .worker import Worker

log = logging.getLogger("durable_local")

_ADDRESS = "127.0.0.1"


class Host:
    """Serves the app in `app_dir` from the task hub in the SQLite file `store`.

    `port` 0 takes a free one. `timers` False leaves timer triggers alone; durable timers always work. `resume` False
    leaves what an earlier host did not finish where it is. `faults` None reads DURABLE_LOCAL_FAULTS. `clock` may be a
    TravelClock. `shutdown_grace` is how many seconds `stop` waits for what runs. `keyed` True asks every request for a
    key, but for functions with the level anonymous: the one in the file `<store>.key`, which is made if it is not there
    and which only its owner can read; `key` has it after the start. `limits` is what one client may take. `strict`
    True refuses an app of which something does not work in Azure; otherwise the host does as Azure, which serves the
    rest, and logs what it leaves out. `keep` is how long orchestrations stay in the store after their end, with their
    histories; None keeps them for ever, as Azure does.
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
        keyed: bool = False,
        limits: Limits | None = None,
        strict: bool = False,
        keep: timedelta | None = None,
    ) -> None:
        self.app_dir = Path(app_dir).resolve()
        self.store_path = Path(store).resolve()
        self.url = ""
        self.key: str | None = None
        self.unfinished: list[str] = []
        self._port = port
        self._with_timers = timers
        self._resume = resume
        self._faults = faults if faults is not None else Faults.from_environment()
        self._clock = clock or Clock()
        self._grace = shutdown_grace
        self._keyed = keyed
        self._limits = limits or Limits()
        self._worker = Worker(self._faults.worker_death)
        self._strict = strict
        self._keep = keep
        self._cleanup = ExitStack()
        self._deadline = 0.0
        self._engine: Engine | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @staticmethod
    def find(store: Path) -> str | None:
        """The URL of the live host on this store, in whatever process, or None."""
        return find_holder(Path(store).resolve())

    @staticmethod
    def key_of(store: Path) -> str | None:
        """The key that a host on this store asks for, as far as this user may know it; None without one."""
        return read_key(Path(store).resolve())

    def start(self) -> None:
        """Load the app, take up unfinished work, listen. Returns once `url` answers.

        Raises HubLockedError if a live host holds the store, AppLoadError if the app does not load, OSError if the port
        is taken; after an exception nothing of the host is left running.
        """
        if self._engine is not None:
            raise HostStoppedError("a Host can be started only once; create a new one")
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
        listening = _bind(self._port)
        self._cleanup.callback(listening.close)
        address = f"{_ADDRESS}:{listening.getsockname()[1]}"
        self._cleanup.enter_context(app_environment(self.app_dir, settings, address))
        app = load_app(self.app_dir)
        store = Store(self.store_path)
        self._cleanup.callback(store.close)
        loop = self._loop = acquire_loop()
        self._cleanup.callback(release_loop)
        invoker = Invoker(loop, str(self.app_dir), self._worker)
        functions, late = timer_functions(app, settings) if self._with_timers else ([], [])
        routes, unreached = http_functions(app.http, settings.route_prefix)
        self._report([*settings.findings, *app.findings, *unreached, *late])
        if self._strict:
            refuse(deployment(self.app_dir, settings, app))
        self._engine = engine = Engine(store, app, invoker, self._clock, self._faults, settings)
        self._cleanup.callback(lambda: engine.stop(remaining(self._deadline)))
        management = Management(engine)
        server = HttpServer(routes, invoker, management, self._limits)
        timers = TimerRunner(functions, store, invoker, self._clock, lambda: server.binding)
        self.url = f"http://{address}"
        if self._keyed:
            self.key = ensure_key(self.store_path)
        system_key, inner_key = (secrets.token_urlsafe(32) if self._keyed else "" for _ in range(2))
        management.addresses = Addresses(self.url, settings.hub_name, system_key, inner_key)
        server.binding = management.addresses.client_binding()
        server.guard = Guard(address, (self.key,) if self.key else (), system_key)
        runner = run_on(loop, _listen(server, listening, min(0.5, self._grace)))
        self._cleanup.callback(lambda: run_on(loop, runner.cleanup()))
        # Unwound in the opposite order: timers, running functions, the server, the loop, the store, the lock.
        self._cleanup.callback(lambda: engine.stop(remaining(self._deadline)))
        lock.publish(self.url)
        self.unfinished = _unfinished(store)
        if self._resume:
            engine.resume()
        if self._keep is not None:
            self._cleanup.callback(Retention(store, self._clock, self._keep).stop)
        run_on(loop, timers.start())
        self._cleanup.callback(lambda: run_on(loop, timers.stop(remaining(self._deadline)), self._grace + 30))

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

    def kill_worker(self, refused: int | None = 0) -> None:
        """Inject a fault: the language worker dies now, which the host takes for the result of all that runs.

        Orchestrations and activities that run fail, entity operations as `Faults.lost_batch` says, HTTP and timer
        functions likewise; their code runs to its end, but nobody hears of it. The next `refused` calls find no worker
        and fail without running; None: all until `start_worker`.
        """
        self._worker.kill(refused)

    def start_worker(self) -> None:
        """End the fault of `kill_worker`: calls find a worker again."""
        self._worker.start()

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

    def _report(self, findings: list[Finding]) -> None:
        if self._strict:
            refuse(findings)
        for finding in findings:
            log.log(logging.ERROR if finding.breaks else logging.WARNING, "%s", finding)


def _bind(port: int) -> socket.socket:
    listening = socket.socket()
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((_ADDRESS, port))
    except OSError as error:
        listening.close()
        raise OSError(error.errno, f"cannot listen on {_ADDRESS}:{port}: {error.strerror}") from error
    return listening


async def _listen(server: HttpServer, listening: socket.socket, shutdown_timeout: float) -> web.ServerRunner:
    runner = web.ServerRunner(server.connections(), shutdown_timeout=shutdown_timeout)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    return runner


def _unfinished(store: Store) -> list[str]:
    marks = ",".join("?" * len(TERMINAL))
    sql = f"SELECT id FROM instances WHERE parent_id IS NULL AND status NOT IN ({marks}) ORDER BY created"
    return [row[0] for row in store.rows(sql, TERMINAL)]
