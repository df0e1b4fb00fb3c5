"""After a run: its telemetry, and alerts to those who asked for them. Nothing here makes a run fail."""

from __future__ import annotations

import logging
import secrets
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TypedDict, final

from comboi_core.app import runfiles
from comboi_core.app.codec import decode
from comboi_core.app.logs import telemetry
from comboi_core.app.workspace import Workspace
from comboi_core.config.monitoring import NotificationConfig, Occasion
from comboi_core.domain.contracts.record import Delivery, Notification, RunRecord
from comboi_core.domain.contracts.run import RecordRun
from comboi_core.domain.errors import ComboiError, LakeNotFound, LakeRefused, LakeUnavailable
from comboi_core.domain.interval import seconds_between
from comboi_core.domain.names import table_id
from comboi_core.domain.ports import Lake
from comboi_core.domain.redaction import redactor
from comboi_core.runs.records import RecordUnreadable, begun_record, newest_records, read_record, record_path
from comboi_core.telemetry.alerts import FORMATS, alert_of
from comboi_core.telemetry.logs import LOGGER
from comboi_core.telemetry.occasions import RUN_ITSELF, Memory, advance, ages
from comboi_core.telemetry.runs import run_signals
from comboi_core.telemetry.webhooks import post

log = logging.getLogger(f"{LOGGER}.notifying")

CLAIM_SECONDS = 60.0
"""So long an execution that began to send an alert is believed to be sending it; longer than its attempts can take."""
SEEDS = 20
"""Earlier records that are read where nothing is remembered yet."""


@final
class Claim(TypedDict):
    """The execution that is about to send an alert, and since when."""

    by: str
    at: str


class Told(TypedDict):
    """What `tell_unrecorded` answers."""

    notifications: list[Notification]


def after_run(workspace: Workspace, record: RunRecord, *, unrecorded: str | None = None) -> list[Notification]:
    """Send a finished run's telemetry and alerts, and say in its record what was sent. Never raises.

    An execution that comes after another one of the same run sends nothing twice. Where the lake fails after the record
    is there, a failure is told all the same, and then twice rather than never.

    Args:
        record: The run's record, which is in the lake already; `notifications` is added to it, here and there.
        unrecorded: When the run before started, if that one failed and could not be recorded.

    Returns:
        The record's `notifications`.
    """
    try:
        insights = telemetry(workspace)
        if insights is None and not workspace.project.pipeline_file.notifications:
            return []
        lake = workspace.lake("bronze")
        try:
            memory, repeated = _remembered(workspace, lake, record, unrecorded)
        except (LakeUnavailable, LakeRefused) as down:
            log.warning("%s", redactor.text(down.message), extra={"run_id": record["run_id"], "code": down.code})
            memory, repeated = _unremembered(record), False
        freshness = _freshness(workspace)
        if insights and not repeated:
            insights.send(run_signals(record, ages(memory, record, freshness)))
        delivered = _deliver(workspace, lake, record, memory, freshness)
        if delivered:
            record["notifications"] = delivered
            runfiles.write_json(lake, record_path(record["run_id"]), record)
        return delivered
    except Exception:
        log.warning("%s", redactor.text(traceback.format_exc()), extra={"run_id": record.get("run_id")})
        return []


def tell_unrecorded(workspace: Workspace, run: RecordRun) -> Told:
    """Send telemetry and the `failed` alerts of a run that could not be recorded, without asking the lake for anything.

    What the lake remembers of others is not known here: an execution that is repeated sends them again.

    Args:
        run: Its `error` says why it has no record, or what failed before that.
    """
    record = begun_record(run)
    record["status"], record["finished_at"] = "failed", run["finished_at"]
    record["seconds"] = seconds_between(str(run["started_at"]), run["finished_at"])
    insights = telemetry(workspace)
    if insights:
        insights.send(run_signals(record))
    return {"notifications": _deliver(workspace, None, record, _unremembered(record), {})}


def _unremembered(record: RunRecord) -> Memory:
    """Return what there is to tell of a run where nothing is known of those before: whether it failed."""
    if record["status"] not in ("failed", "partial"):
        return Memory(run_id=record["run_id"])
    return Memory(run_id=record["run_id"], occasions={"failed": []})


def memory_path(pipeline: str) -> str:
    """Return where a pipeline's Memory is kept in the bronze lake; no source's name begins so."""
    return f"_alerts/{pipeline}.json"


def _remembered(
    workspace: Workspace, lake: Lake, record: RunRecord, unrecorded: str | None = None
) -> tuple[Memory, bool]:
    """Take the run in; return the memory after it, and whether it was in there already."""
    path = memory_path(record["pipeline"])
    try:
        before = decode(Memory, runfiles.read_json(lake, path))
    except (LakeNotFound, ValueError):  # none yet, or none that this comboi understands
        before = _seeded(lake, record)
    if unrecorded:  # it has been told without the lake's knowledge; so has to be that it is over
        before = replace(before, failing={RUN_ITSELF: unrecorded, **before.failing})
    project = workspace.project
    freshness = _freshness(workspace)
    names = frozenset(freshness) | {dataset.name for dataset in project.datasets()}
    after = advance(before, record, freshness, names)
    if after is before:
        return before, True
    runfiles.write_work(lake, path, after)
    return after, False


def _seeded(lake: Lake, record: RunRecord) -> Memory:
    """Return what the latest records tell, for a pipeline that ran before anybody asked for alerts."""
    memory = Memory()
    ids = (run.run_id for run in newest_records(lake, record["pipeline"]) if run.run_id != record["run_id"])
    for run_id in reversed(list(islice(ids, SEEDS))):
        try:
            earlier = read_record(lake, run_id)
        except RecordUnreadable as error:
            log.warning("%s", error.message, extra={"run_id": run_id, "code": error.code})
            continue
        if "tables" in earlier:
            names = frozenset([*(item["name"] for item in earlier["datasets"]), *_tables(earlier)])
            memory = advance(memory, earlier, {}, names)
    return memory


def _tables(record: RunRecord) -> list[str]:
    return [table_id(table["source"], table["table"]) for table in record["tables"]]


def _freshness(workspace: Workspace) -> dict[str, float | None]:
    return {table_id(*key): table.freshness for key, table in workspace.project.tables.items()}


def _deliver(
    workspace: Workspace, lake: Lake | None, record: RunRecord, memory: Memory, freshness: dict[str, float | None]
) -> list[Notification]:
    """Send what is asked for on the memory's occasions; without a lake, nobody knows whether another execution did."""
    wanted = [
        (occasion, number, webhook)
        for number, webhook in enumerate(workspace.project.pipeline_file.notifications)
        for occasion in dict.fromkeys(webhook.on)
        if occasion in memory.occasions
    ]
    if not wanted:
        return []
    from concurrent.futures import ThreadPoolExecutor

    def one(item: tuple[Occasion, int, NotificationConfig]) -> Notification:
        occasion, number, webhook = item
        alert = alert_of(occasion, memory.occasions[occasion], record, freshness)
        payload = FORMATS[webhook.format](alert)
        event = f"{record['run_id']}/{occasion}"
        path = f"{runfiles.WORK}/{record['run_id']}/alerts/{number:03d}-{occasion}.json"
        delivery = _once(lake, path, lambda: _send(workspace, webhook, payload, event))
        return {"on": occasion, "webhook": number, "format": webhook.format, **delivery}

    with ThreadPoolExecutor(min(8, len(wanted)), thread_name_prefix="comboi-alerts") as pool:
        return list(pool.map(one, wanted))


def _send(workspace: Workspace, webhook: NotificationConfig, payload: dict[str, Any], event: str) -> Delivery:
    try:
        url = str(workspace.resolved(webhook.webhook, secret=True))
    except ComboiError as missing:
        return {"sent": False, "told": redactor.text(missing.message), "attempts": 0, "at": _now()}
    delivery = post(url, payload, event=event)
    if not delivery.sent:
        log.warning("an alert could not be sent: the webhook %s", delivery.told, extra={"run_id": event.split("/")[0]})
    return {"sent": delivery.sent, "told": delivery.told, "attempts": delivery.attempts, "at": _now()}


def _once(lake: Lake | None, path: str, send: Callable[[], Delivery]) -> Delivery:
    """Send, unless another execution did or is about to; return what came of it, whoever sent it.

    The lake knows no exclusive writing, so two executions that claim in the very same moment may both send. So may they
    where there is no lake to claim in.
    """
    if lake is None:
        return send()
    try:
        earlier = _claimed(lake, path)
    except (LakeUnavailable, LakeRefused) as down:
        log.warning("an alert is sent without a claim: %s", redactor.text(down.message))
        return send()
    if earlier:
        return earlier
    outcome = send()
    with suppress(LakeUnavailable, LakeRefused):
        runfiles.write_json(lake, path, outcome)
    return outcome


def _claimed(lake: Lake, path: str) -> Delivery | None:
    """Return what came of the sending by another execution; None where this one has claimed it."""
    deadline = time.monotonic() + CLAIM_SECONDS
    while (claim := _claim(lake, path)) and time.monotonic() < deadline:
        if "sent" in claim or _age(claim["at"]) > CLAIM_SECONDS:
            break
        time.sleep(0.2)
    if claim and "sent" in claim:
        return claim
    token = secrets.token_hex(8)
    runfiles.write_work(lake, path, {"by": token, "at": _now()})
    if (claim := _claim(lake, path)) and ("sent" in claim or claim["by"] != token):
        return _claimed(lake, path)
    return None


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _claim(lake: Lake, path: str) -> Claim | Delivery | None:
    try:
        claim: Claim | Delivery = runfiles.read_json(lake, path)
    except LakeNotFound:
        return None
    return claim


def _age(at: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds()
