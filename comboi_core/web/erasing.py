"""Starting an erasure: its keys go into a file of the lake, and never into the task hub."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from datetime import UTC, datetime
from typing import Any

from comboi_core.app.workspace import Workspace
from comboi_core.domain.errors import RequestInvalid, RunRefused
from comboi_core.domain.names import did_you_mean, run_id
from comboi_core.erasure.keys import MOST_KEYS, forget_erasure, keep_keys, settle_keys
from comboi_core.state import checkpoint
from comboi_core.telemetry.logs import LOGGER
from comboi_core.web.hub import ENDED, Hub
from comboi_core.web.monitoring import entity_key, find_table
from comboi_core.web.starting import MAX_BODY, BodyTooLarge, refuse_while_running, wait_until

log = logging.getLogger(f"{LOGGER}.web")

REQUEST_KEYS = {"table": str, "keys": list, "columns": list, "by": str}
MOST_NAME = 100

Body = dict[str, Any]


def parse_erasure(body: bytes) -> Body:
    """Read the body of POST /api/erasures; errors never repeat a key.

    Raises:
        RequestInvalid: names the field that is wrong.
    """
    if len(body) > MAX_BODY:
        raise BodyTooLarge(f"the body is larger than {MAX_BODY} bytes")
    try:
        request = json.loads(body)
    except (ValueError, RecursionError):
        request = None
    if not isinstance(request, dict):
        raise RequestInvalid('the body is not a JSON object such as {"table": "shop.customers", "keys": ["42"]}')
    for field, value in request.items():
        if field not in REQUEST_KEYS:
            known = ", ".join(REQUEST_KEYS)
            raise RequestInvalid(f"unknown field '{field}'{did_you_mean(field, REQUEST_KEYS)}; the fields are {known}")
        if not isinstance(value, REQUEST_KEYS[field]):
            raise RequestInvalid(f"{field}: expected {REQUEST_KEYS[field].__name__}, got {type(value).__name__}")
    if not request.get("table"):
        raise RequestInvalid("table: expected source.table")
    keys, columns = request.get("keys") or [], request.get("columns") or []
    if not 1 <= len(keys) <= MOST_KEYS:
        raise RequestInvalid(f"keys: expected 1 to {MOST_KEYS} of them, got {len(keys)}")
    for position, key in enumerate(keys, 1):
        texts = [*key, *key.values()] if isinstance(key, dict) else [key]
        if not texts or not all(isinstance(text, str) for text in texts):
            raise RequestInvalid(f"keys: number {position} is neither a text nor an object column -> text")
    if not all(isinstance(name, str) and name for name in columns):
        raise RequestInvalid("columns: expected a list of names")
    by = request.get("by", "")
    if len(by) > MOST_NAME or not by.isprintable():
        raise RequestInvalid(f"by: expected a name of at most {MOST_NAME} characters")
    return {"table": request["table"], "keys": keys, "columns": columns, "by": by}


async def start_erasure(hub: Hub, workspace: Workspace, request: Body, caller: str) -> str:
    """Start an erasure and wait until it has the lease.

    Args:
        request: What `parse_erasure` gives.
        caller: `http` or `cli`.

    Returns:
        The id of its run.

    Raises:
        RunRefused: a run or another erasure holds the lease.
        TableNotFound, RequestInvalid: the table is not there, or the keys do not fit it.
    """
    pipeline = workspace.project.pipeline
    source, table = find_table(workspace, request["table"])
    state = await hub.read("table", entity_key(workspace, source, table))
    known = checkpoint.get(state or checkpoint.initial(), {})[1]["checkpoint"]
    sought = await asyncio.to_thread(settle_keys, workspace, source, table, known["manifest"], request)
    await refuse_while_running(hub, pipeline)
    now = datetime.now(UTC)
    new_id = run_id(pipeline, now, secrets.token_hex(3))
    by = f"{request['by']} ({caller})" if request["by"] else caller
    path = await asyncio.to_thread(keep_keys, workspace, new_id, sought, {"by": by, "at": now.isoformat()})
    start = {"run_id": new_id, "pipeline": pipeline, "trigger": "erase", "source": source, "table": table}
    try:
        await hub.start("erase_keys", new_id, {**start, "keys": path, "by": by})
    except BaseException:
        await asyncio.to_thread(forget_erasure, workspace, start)
        raise
    begun = await wait_until(lambda: _begun(hub, new_id))
    if begun and begun.get("phase") == "refused":
        await asyncio.to_thread(forget_erasure, workspace, start)
        holder = begun["holder"]
        raise RunRefused(
            f"pipeline '{pipeline}' is being run by {holder['run_id']} since {holder['since']}", holder=holder
        )
    log.warning("erasure from %s asked for by %s", request["table"], by, extra={"run_id": new_id})
    return new_id


async def _begun(hub: Hub, instance_id: str) -> Body | None:
    status = await hub.status(instance_id)
    if not status:
        return None
    return status.get("customStatus") or ({"phase": "ended"} if status["runtimeStatus"] in ENDED else None)
