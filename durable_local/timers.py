"""Timer triggers: each function on its schedule, never beside itself, once and marked past due after downtime."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from azure.functions import get_binding_registry
from azure.functions.meta import Datum

from .clock import Clock, from_micros, to_micros
from .invoke import Invoker
from .loader import FunctionApp, FunctionInfo
from .ncrontab import Schedule, parse_schedule
from .settings import Settings, expand
from .store import Store

log = logging.getLogger("durable_local")

# A sleeping laptop stops the loop's clock: look at the wall clock at least this often.
_LONGEST_NAP = 30.0


@dataclass(frozen=True)
class TimerFunction:
    """A timer function with its parsed schedule."""

    info: FunctionInfo
    schedule: Schedule
    monitored: bool


def timer_functions(app: FunctionApp, settings: Settings) -> list[TimerFunction]:
    """The app's timers. Raises AppLoadError for a schedule that cannot be read or never fires."""
    return [
        TimerFunction(
            info, parse_schedule(expand(info.trigger.schedule, settings.values)), info.trigger.use_monitor is not False
        )
        for info in app.timers
    ]


class TimerRunner:
    """Runs timer functions as tasks of the event loop, from `start` to `stop`, both called on the loop."""

    def __init__(
        self, functions: list[TimerFunction], store: Store, invoker: Invoker, clock: Clock, binding: Callable[[], str]
    ) -> None:
        self._functions = functions
        self._store = store
        self._invoker = invoker
        self._clock = clock
        self._binding = binding
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        self._look_again = asyncio.Event()
        self._forget_clock: Callable[[], None] = lambda: None

    async def start(self) -> None:
        """Begin to fire; on return every timer has its next time."""
        loop = asyncio.get_running_loop()
        self._forget_clock = self._clock.on_jump(lambda: loop.call_soon_threadsafe(self._look_again.set))
        self._tasks = [loop.create_task(self._run(function, *self._begin(function))) for function in self._functions]

    async def stop(self, grace: float) -> None:
        """Fire no more; give running functions `grace` seconds, then cancel them."""
        self._stopping = True
        self._look_again.set()
        self._forget_clock()
        if self._tasks:
            _, running = await asyncio.wait(self._tasks, timeout=grace)
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _run(self, function: TimerFunction, last: int | None, due: int, past_due: bool) -> None:
        if function.info.trigger.run_on_startup and not past_due:
            last, due = await self._fire(function, last, self._clock.now(), past_due=False)
        while not self._stopping:
            if await self._sleep_until(due):
                last, due = await self._fire(function, last, due, past_due=past_due)
                past_due = False

    def _begin(self, function: TimerFunction) -> tuple[int | None, int, bool]:
        """Last run, next run, and whether that one was missed while no host was up."""
        now = self._clock.now()
        sql = "SELECT schedule, last, next, updated FROM timers WHERE function=?"
        rows = self._store.rows(sql, (function.info.name,)) if function.monitored else []
        if not rows:
            due = self._following(function, now)
            self._save(function, None, due)
            return None, due, False
        schedule, last, due, updated = rows[0]
        if schedule != function.schedule.text:
            due = self._following(function, last or updated)
        return (last, now, True) if due < now else (last, due, False)

    async def _sleep_until(self, due: int) -> bool:
        """Wait; True once `due` is reached, False if told to look again or to stop."""
        self._look_again.clear()
        wait = (due - self._clock.now()) / 1e6
        if self._stopping or wait <= 0:
            return not self._stopping
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._look_again.wait(), min(wait, _LONGEST_NAP))
        return not self._stopping and self._clock.now() >= due

    async def _fire(self, function: TimerFunction, last: int | None, due: int, *, past_due: bool) -> tuple[int, int]:
        """Run once. The next occurrence is computed after the run, so a run never meets itself."""
        request = _request(last, due, self._following(function, due), past_due=past_due)
        try:
            await self._invoker.client_function(function.info, request, self._binding())
        except Exception:
            log.exception("timer function '%s' failed", function.info.name)
        following = self._following(function, max(due, self._clock.now()))
        self._save(function, due, following)
        return due, following

    def _following(self, function: TimerFunction, after: int) -> int:
        return to_micros(function.schedule.following(from_micros(after)))

    def _save(self, function: TimerFunction, last: int | None, due: int) -> None:
        if function.monitored:
            with self._store.transaction() as db:
                db.execute(
                    "INSERT OR REPLACE INTO timers(function, schedule, last, next, updated) VALUES(?,?,?,?,?)",
                    (function.info.name, function.schedule.text, last, due, self._clock.now()),
                )


def _request(last: int | None, due: int, following: int, *, past_due: bool) -> Any:
    last_text = from_micros(last).isoformat() if last is not None else "0001-01-01T00:00:00+00:00"
    document = {
        "Schedule": {"AdjustForDST": True},
        "ScheduleStatus": {
            "Last": last_text,
            "LastUpdated": from_micros(due).isoformat(),
            "Next": from_micros(following).isoformat(),
        },
        "IsPastDue": past_due,
    }
    return get_binding_registry().get("timerTrigger").decode(Datum(json.dumps(document), "json"), trigger_metadata=None)
