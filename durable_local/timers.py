"""Timer triggers: each function on its schedule, never beside itself, once and marked past due after downtime."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from azure.functions import get_binding_registry
from azure.functions.meta import Datum

from .clock import Clock, from_micros, to_micros
from .contexts import RetryContext
from .errors import AppLoadError
from .findings import Finding
from .invoke import Invoker
from .loader import FunctionApp, FunctionInfo
from .ncrontab import Schedule, parse_schedule
from .output import returned
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


def timer_functions(app: FunctionApp, settings: Settings) -> tuple[list[TimerFunction], list[Finding]]:
    """The app's timers, without those that the host puts into error for their schedule, and what is to be said."""
    functions: list[TimerFunction] = []
    findings: list[Finding] = []
    for info in app.timers:
        try:
            schedule = parse_schedule(expand(info.trigger.text("schedule") or "", settings.values))
        except AppLoadError as error:
            findings.append(Finding(info.name, "schedule", f"Azure does not run it: {error}.", "Correct the schedule."))
            continue
        monitored = info.trigger.flag("useMonitor", True) and not schedule.is_frequent(datetime.now(UTC))
        functions.append(TimerFunction(info, schedule, monitored))
        if schedule.interval is not None:
            findings.append(_dedicated(info.name, schedule))
        findings += [_turned(info.name, item) for item in schedule.turned]
    return functions, findings


def _dedicated(name: str, schedule: Schedule) -> Finding:
    return Finding(
        name,
        "schedule-interval",
        f"the interval '{schedule.text}' ({schedule.interval}) works on dedicated (App Service) plans only.",
        "Write it as NCRONTAB, six fields.",
        breaks=False,
    )


def _turned(name: str, item: str) -> Finding:
    return Finding(
        name,
        "schedule-range",
        f"the range '{item}' of its schedule is taken from the lower to the higher value, here as there.",
        "Write two ranges, such as 22-23,0-6.",
        breaks=False,
    )


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
        if past_due or function.info.trigger.flag("runOnStartup", False):
            last, due = await self._fire(function, last, due, past_due=past_due)
        while not self._stopping:
            if await self._sleep_until(due):
                last, due = await self._fire(function, last, due)

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
            # Another schedule than before has missed nothing yet.
            due = self._following(function, last or updated)
            due = due if due >= now else self._following(function, now)
            self._save(function, None, due)
            return None, due, False
        return last, due, due < now

    async def _sleep_until(self, due: int) -> bool:
        """Wait; True once `due` is reached, False if told to look again or to stop."""
        self._look_again.clear()
        wait = (due - self._clock.now()) / 1e6
        if self._stopping or wait <= 0:
            return not self._stopping
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._look_again.wait(), min(wait, _LONGEST_NAP))
        return not self._stopping and self._clock.now() >= due

    async def _fire(
        self, function: TimerFunction, last: int | None, slot: int, *, past_due: bool = False
    ) -> tuple[int, int]:
        """Run once, now. A slot that comes while it runs is taken right behind it, so a run never meets itself."""
        started = self._clock.now()
        request = _request(last, slot, past_due=past_due) if function.monitored else _request(None, None)
        await self._call(function.info, request)
        following = self._following(function, started)
        self._save(function, started, following)
        return started, following

    async def _call(self, info: FunctionInfo, request: Any) -> None:
        """Call the function until it succeeds, as often as its retry policy says; then its failure is logged."""
        retried, policy, failure = 0, info.retry, None
        while True:
            try:
                retry = RetryContext(retried, policy, failure)
                returned(info, await self._invoker.client_function(info, request, self._binding(), {}, retry))
                return
            except Exception as error:
                failure = error
                log.exception("timer function '%s' failed", info.name)
            if policy is None or not policy.goes_on(retried):
                return
            due = self._clock.now() + int(policy.wait(retried) * 1e6)
            while not await self._sleep_until(due):
                if self._stopping:
                    return
            retried += 1

    def _following(self, function: TimerFunction, after: int) -> int:
        return to_micros(function.schedule.following(from_micros(after)))

    def _save(self, function: TimerFunction, last: int | None, due: int) -> None:
        if function.monitored:
            with self._store.transaction() as db:
                db.execute(
                    "INSERT OR REPLACE INTO timers(function, schedule, last, next, updated) VALUES(?,?,?,?,?)",
                    (function.info.name, function.schedule.text, last, due, self._clock.now()),
                )


def _request(last: int | None, slot: int | None, *, past_due: bool = False) -> Any:
    """The argument of a timer function. `slot` is when this run was to be; None: nothing is recorded of the timer."""
    last_text = _text(last) if last is not None else "0001-01-01T00:00:00+00:00"
    status = None if slot is None else {"Last": last_text, "LastUpdated": last_text, "Next": _text(slot)}
    document = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": status, "IsPastDue": past_due}
    return get_binding_registry().get("timerTrigger").decode(Datum(json.dumps(document), "json"), trigger_metadata=None)


def _text(moment: int) -> str:
    return from_micros(moment).isoformat()
