"""Starting a run: refuse at once while another one holds the lease, and say who does. One idempotency key, one run."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NotRequired, TypeVar

from typing_extensions import TypedDict

from comboi_core.app.workspace import Workspace
from comboi_core.domain.contracts.pipeline import Holder, ReleaseRequest
from comboi_core.domain.contracts.run import RunRequest, RunStart
from comboi_core.domain.errors import ComboiError, RequestInvalid, RunRefused
from comboi_core.domain.interval import parse
from comboi_core.domain.names import run_id
from comboi_core.runs.planning import plan_waves
from comboi_core.runs.records import newest_records
from comboi_core.telemetry.logs import LOGGER
from comboi_core.web.bodies import RunBody, read_body
from comboi_core.web.hub import ENDED, Hub, why_ended

log = logging.getLogger(f"{LOGGER}.web")
T = TypeVar("T")

PATIENCE = 10.0
"""Seconds that a start waits to learn whether its run got the lease; after that the run's own status tells."""
MOST_KEY = 255
KEY_DIGITS = 12
"""Hexadecimal digits of a run id that come from an idempotency key; without one there are half as many."""


class KeyReused(ComboiError):
    """The idempotency key belongs to a run that was started with another request."""

    code = "idempotency_key_reused"
    remedy = "Use a new key for a new request."


class RunStarted(TypedDict):
    """A run, or an erasure, that has begun; with Durable's management links where they are asked for."""

    run_id: str
    statusQueryGetUri: NotRequired[str]


@dataclass(frozen=True)
class Started:
    """A run that has been started; `replayed` if an earlier request with the same idempotency key did so."""

    run_id: str
    replayed: bool = False


def parse_key(value: str | None) -> str | None:
    """Return the digits by which a run id shows its idempotency key, or None without one.

    Raises:
        RequestInvalid: the header is empty, too long, or no printable ASCII.
    """
    if value is None:
        return None
    if not 1 <= len(value) <= MOST_KEY or not (value.isascii() and value.isprintable()) or not value.strip():
        raise RequestInvalid(f"Idempotency-Key: expected 1 to {MOST_KEY} printable ASCII characters")
    return hashlib.sha256(value.encode()).hexdigest()[:KEY_DIGITS]


def parse_links(params: Mapping[str, str]) -> bool:
    """Tell whether Durable's management links are asked for (`links=true`); they hold a key, so none is sent unasked.

    Raises:
        RequestInvalid: the value is neither `true` nor `false`.
    """
    value = params.get("links", "false").lower()
    if value not in ("true", "false"):
        raise RequestInvalid("links: expected true or false")
    return value == "true"


def parse_request(body: bytes) -> RunRequest:
    """Read the body of POST /api/runs; an empty one asks for everything.

    Raises:
        RequestInvalid: names the field that is wrong.
        BodyTooLarge: it has more than MAX_BODY bytes.
    """
    asked = read_body(RunBody, body, '{} or {"stage": "bronze"}')
    try:
        interval = parse(asked.interval.start, asked.interval.end) if asked.interval else None
    except ValueError as error:
        raise RequestInvalid(f"interval: {error}") from None
    return {
        "stage": asked.stage,
        "select": asked.select or [],
        "full_refresh": bool(asked.full_refresh),
        "backfill": {"from": asked.backfill.start, "to": asked.backfill.end} if asked.backfill else None,
        "interval": interval,
    }


async def start_run(
    hub: Hub,
    workspace: Workspace,
    request: RunRequest,
    trigger: str,
    key: str | None = None,
    *,
    in_place_of: str | None = None,
) -> Started:
    """Start a run and wait until it has the lease.

    Args:
        trigger: `http`, `timer` or `cli`.
        key: What `parse_key` gives: however often it is asked for, there is one run of it.
        in_place_of: The run that the host has ended, which this one repeats; its record says so.

    Raises:
        RunRefused: another run holds the lease; the context's `holder` says which and since when.
        KeyReused: the key's run was started with another request.
        RequestInvalid, SelectionEmpty: stage or select name what is not there.
    """
    project = workspace.project
    plan_waves(project, request["stage"], request["select"])  # a wrong name is refused here, before a run is made of it
    earlier = await _run_of_key(hub, workspace, key) if key else None
    if earlier:
        return await _replay(hub, earlier, request)
    try:
        await refuse_while_running(hub, project.pipeline)
    except RunRefused as refused:
        if not key or not _has_key(refused.context["holder"]["run_id"], key):
            raise
        return await _replay(hub, refused.context["holder"]["run_id"], request)
    new_id = run_id(project.pipeline, datetime.now(UTC), key or secrets.token_hex(KEY_DIGITS // 4))
    start: RunStart = {
        "stage": request["stage"],
        "select": request["select"],
        "full_refresh": request["full_refresh"],
        "backfill": request["backfill"],
        "interval": request["interval"],
        "run_id": new_id,
        "pipeline": project.pipeline,
        "trigger": trigger,
        "keyed": bool(key),
    }
    if in_place_of:
        start["in_place_of"] = in_place_of
    replayed = False
    try:
        await hub.start("run_pipeline", new_id, start)
    except Exception:
        replayed = bool(key and await hub.status(new_id))
        if not replayed:  # else the same request was sent twice within the same second
            raise
    if holder := await refused_by(hub, new_id):
        if key and _has_key(holder["run_id"], key):
            return await _replay(hub, holder["run_id"], request)
        raise refusal(project.pipeline, holder)
    if replayed:
        return await _replay(hub, new_id, request)
    log.info("run started", extra={"run_id": new_id})
    return Started(new_id)


def _has_key(run: str, key: str) -> bool:
    return run.endswith(f"-{key}")


async def _run_of_key(hub: Hub, workspace: Workspace, key: str) -> str | None:
    """Return the run that a key has started: one that the pipeline remembers, or an older one in the lake."""
    pipeline = workspace.project.pipeline
    state = await hub.read("pipeline", pipeline)
    known = [run["run_id"] for run in state["runs"]] if state else []
    return next((run for run in known if _has_key(run, key)), None) or await asyncio.to_thread(
        _recorded_run_of_key, workspace, key
    )


def _recorded_run_of_key(workspace: Workspace, key: str) -> str | None:
    runs = newest_records(workspace.lake("bronze"), workspace.project.pipeline)
    return next((run.run_id for run in runs if _has_key(run.run_id, key)), None)


async def _replay(hub: Hub, earlier: str, request: RunRequest) -> Started:
    """Answer with the key's run, unless the task hub still knows that another one was asked for."""
    status = await hub.status(earlier)
    asked = status["input"] if status and isinstance(status["input"], dict) else request
    if any(asked.get(field) != value for field, value in request.items()):
        raise KeyReused(f"the key belongs to run {earlier}, which was started with another request", run_id=earlier)
    return Started(earlier, replayed=True)


async def refused_by(hub: Hub, run_id: str) -> Holder | None:
    """Wait until a run that was started has begun, or has ended; return who holds the lease, where it was refused."""

    async def begun() -> dict[str, Any] | None:
        status = await hub.status(run_id)
        if not status:
            return None
        return status["customStatus"] or ({"phase": "ended"} if status["runtimeStatus"] in ENDED else None)

    phase = await wait_until(begun)
    holder: Holder | None = phase["holder"] if phase and phase.get("phase") == "refused" else None
    return holder


async def refuse_while_running(hub: Hub, pipeline: str) -> None:
    """Refuse if the lease is held by a run that lives; take it from one that ended without giving it back."""
    state = await hub.read("pipeline", pipeline)
    holder = state["holder"] if state else None
    if not holder:
        return
    status = await hub.status(holder["run_id"])
    if status and status["runtimeStatus"] not in ENDED:
        raise refusal(pipeline, holder)
    reason = why_ended(status)
    finished_at = datetime.now(UTC).isoformat()
    release: ReleaseRequest = {"run_id": holder["run_id"], "finished_at": finished_at, "reason": reason}
    await hub.signal("pipeline", pipeline, "release", release)

    async def released() -> bool:
        after = await hub.read("pipeline", pipeline)
        return after is None or after["holder"] != holder

    await wait_until(released)


def refusal(pipeline: str, holder: Holder) -> RunRefused:
    """Return the error that says who holds the lease, and since when."""
    return RunRefused(
        f"pipeline '{pipeline}' is being run by {holder['run_id']} since {holder['since']}", holder=holder
    )


async def wait_until(probe: Callable[[], Awaitable[T]]) -> T:
    """Call an async probe until it gives something true or PATIENCE is over; return what it gave last."""
    clock = asyncio.get_running_loop().time
    deadline, pause = clock() + PATIENCE, 0.01
    while not (result := await probe()) and clock() < deadline:
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 0.5)
    return result
