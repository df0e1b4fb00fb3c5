"""After a run: its telemetry, and alerts to those who asked for them. Nothing here makes a run fail."""

from __future__ import annotations

import logging
import os
import secrets
import time
import traceback
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from comboi_core.app import runfiles
from comboi_core.app.codec import decode, encode_json
from comboi_core.app.workspace import Workspace
from comboi_core.config.monitoring import NotificationConfig, Occasion
from comboi_core.domain.errors import ComboiError, LakeNotFound
from comboi_core.domain.names import table_id
from comboi_core.domain.ports import Lake
from comboi_core.secrets.stores import resolve, stores_of
from comboi_core.telemetry.alerts import FORMATS, alert_of
from comboi_core.telemetry.insights import Insights, insights_of
from comboi_core.telemetry.logs import LOGGER, log_to_insights
from comboi_core.telemetry.occasions import Memory, advance, ages
from comboi_core.telemetry.redaction import redactor
from comboi_core.telemetry.runs import run_signals
from comboi_core.telemetry.webhooks import post

log = logging.getLogger(f"{LOGGER}.notifying")

VARIABLE = "APPLICATIONINSIGHTS_CONNECTION_STRING"
CLAIM_SECONDS = 60.0
"""So long an execution that began to send an alert is believed to be sending it; longer than its attempts can take."""
SEEDS = 20
"""Earlier records that are read where nothing is remembered yet."""

Payload = dict[str, Any]


def after_run(workspace: Workspace, record: Payload) -> list[Payload]:
    """Send a finished run's telemetry and alerts, and say in its record what was sent. Never raises.

    An execution that comes after another one of the same run sends nothing twice.

    Args:
        record: The run's record, which is in the lake already; `notifications` is added to it, here and there.

    Returns:
        The record's `notifications`: `on`, `webhook` (its place in the configuration), `format`, `sent`, `told`,
        `attempts`, `at`.
    """
    try:
        insights = telemetry(workspace)
        if insights is None and not workspace.project.pipeline_file.notifications:
            return []
        lake = workspace.lake("bronze")
        memory, repeated = _remembered(workspace, lake, record)
        freshness = _freshness(workspace)
        if insights and not repeated:
            insights.send(run_signals(record, ages(memory, record, freshness)))
        delivered = _deliver(workspace, lake, record, memory, freshness)
        if delivered:
            record["notifications"] = delivered
            runfiles.write_json(lake, runfiles.record_path(record["run_id"]), record)
        return delivered
    except Exception:
        log.warning("%s", redactor.text(traceback.format_exc()), extra={"run_id": record.get("run_id")})
        return []


def send_logs(workspace: Workspace) -> None:
    """Have this process's logs go to Application Insights too, where it is configured."""
    insights = telemetry(workspace)
    if insights:
        log_to_insights(insights)


def telemetry(workspace: Workspace) -> Insights | None:
    """Return where telemetry goes; None where nothing names a place, or the name cannot be resolved (it is logged)."""
    configured = workspace.project.pipeline_file.monitoring.azure_connection_string
    if configured is None:
        given = os.environ.get(VARIABLE)
        return insights_of(given) if given else None
    try:
        return insights_of(str(resolved(workspace, configured)))
    except ComboiError as missing:
        _warn_once(f"telemetry is off: monitoring.azure_connection_string: {redactor.text(missing.message)}")
        return None


@lru_cache(maxsize=64)
def _warn_once(text: str) -> None:
    """Every activity asks for telemetry; one line per process is enough to say that there is none."""
    log.warning("%s", text)


def resolved(workspace: Workspace, value: Any) -> Any:
    """Return a structure of the configuration with its references resolved; their values are secrets from now on.

    Raises:
        ReferenceMissing, VaultUnavailable: a value cannot be had.
    """
    filled, values = resolve(value, stores_of(workspace.project.pipeline_file.key_vault))
    for secret in values:
        redactor.add(secret)
    return filled


def memory_path(pipeline: str) -> str:
    """Return where a pipeline's Memory is kept in the bronze lake; no source's name begins so."""
    return f"_alerts/{pipeline}.json"


def _remembered(workspace: Workspace, lake: Lake, record: Payload) -> tuple[Memory, bool]:
    """Take the run in; return the memory after it, and whether it was in there already."""
    path = memory_path(record["pipeline"])
    try:
        before = decode(Memory, runfiles.read_json(lake, path))
    except (LakeNotFound, ValueError):  # none yet, or none that this comboi understands
        before = _seeded(lake, record)
    project = workspace.project
    freshness = _freshness(workspace)
    names = frozenset(freshness) | {dataset.name for dataset in project.datasets()}
    after = advance(before, record, freshness, names)
    if after is before:
        return before, True
    lake.write(path, encode_json(after))
    return after, False


def _seeded(lake: Lake, record: Payload) -> Memory:
    """Return what the latest records tell, for a pipeline that ran before anybody asked for alerts."""
    memory = Memory()
    ids = sorted(runfiles.run_ids(lake, runfiles.RECORDS) - {record["run_id"]})[-SEEDS:]
    for run_id in ids:
        earlier = runfiles.read_json(lake, runfiles.record_path(run_id))
        if earlier.get("pipeline") == record["pipeline"] and "tables" in earlier:
            names = frozenset([*(item["name"] for item in earlier["datasets"]), *_tables(earlier)])
            memory = advance(memory, earlier, {}, names)
    return memory


def _tables(record: Payload) -> list[str]:
    return [table_id(table["source"], table["table"]) for table in record["tables"]]


def _freshness(workspace: Workspace) -> dict[str, float | None]:
    return {
        table_id(source.name, table.name): table.freshness
        for source in workspace.project.pipeline_file.sources
        for table in source.tables
    }


def _deliver(
    workspace: Workspace, lake: Lake, record: Payload, memory: Memory, freshness: dict[str, float | None]
) -> list[Payload]:
    wanted = [
        (occasion, number, webhook)
        for number, webhook in enumerate(workspace.project.pipeline_file.notifications)
        for occasion in dict.fromkeys(webhook.on)
        if occasion in memory.occasions
    ]
    if not wanted:
        return []
    from concurrent.futures import ThreadPoolExecutor

    def one(item: tuple[Occasion, int, NotificationConfig]) -> Payload:
        occasion, number, webhook = item
        alert = alert_of(occasion, memory.occasions[occasion], record, freshness)
        payload = FORMATS[webhook.format](alert)
        event = f"{record['run_id']}/{occasion}"
        path = f"{runfiles.WORK}/{record['run_id']}/alerts/{number:03d}-{occasion}.json"
        shown = {"on": occasion, "webhook": number, "format": webhook.format}
        return shown | _once(lake, path, lambda: _send(workspace, webhook, payload, event))

    with ThreadPoolExecutor(min(8, len(wanted)), thread_name_prefix="comboi-alerts") as pool:
        return list(pool.map(one, wanted))


def _send(workspace: Workspace, webhook: NotificationConfig, payload: Payload, event: str) -> Payload:
    try:
        url = str(resolved(workspace, webhook.webhook))
    except ComboiError as missing:
        return {"sent": False, "told": redactor.text(missing.message), "attempts": 0}
    delivery = post(url, payload, event=event)
    if not delivery.sent:
        log.warning("an alert could not be sent: the webhook %s", delivery.told, extra={"run_id": event.split("/")[0]})
    return {"sent": delivery.sent, "told": delivery.told, "attempts": delivery.attempts}


def _once(lake: Lake, path: str, send: Any) -> Payload:
    """Send, unless another execution did or is about to; return what came of it, whoever sent it.

    The lake knows no exclusive writing, so two executions that claim in the very same moment may both send.
    """
    deadline = time.monotonic() + CLAIM_SECONDS
    while (claim := _claim(lake, path)) and time.monotonic() < deadline:
        if "sent" in claim or _age(claim["at"]) > CLAIM_SECONDS:
            break
        time.sleep(0.2)
    if claim and "sent" in claim:
        return claim
    token = secrets.token_hex(8)
    runfiles.write_json(lake, path, {"by": token, "at": datetime.now(UTC).isoformat()})
    if (claim := _claim(lake, path)) and claim.get("by") != token:
        return _once(lake, path, send)
    outcome = {**send(), "at": datetime.now(UTC).isoformat()}
    runfiles.write_json(lake, path, outcome)
    return outcome


def _claim(lake: Lake, path: str) -> Payload | None:
    try:
        return runfiles.read_json(lake, path)
    except LakeNotFound:
        return None


def _age(at: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds()
