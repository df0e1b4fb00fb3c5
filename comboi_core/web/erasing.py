"""Starting an erasure: its keys go into a file of the lake, and never into the task hub."""

from __future__ import annotations

import asyncio
import logging
import secrets
from datetime import UTC, datetime

from comboi_core.app.workspace import Workspace
from comboi_core.domain.contracts.erasure import ErasureRequest, StartErasure
from comboi_core.domain.names import run_id
from comboi_core.erasure.keys import forget_erasure, keep_keys, settle_keys
from comboi_core.state import checkpoint
from comboi_core.telemetry.logs import LOGGER
from comboi_core.web.bodies import ErasureBody, read_body
from comboi_core.web.hub import Hub
from comboi_core.web.monitoring import entity_key, find_table
from comboi_core.web.starting import refusal, refuse_while_running, refused_by

log = logging.getLogger(f"{LOGGER}.web")


def parse_erasure(body: bytes) -> ErasureRequest:
    """Read the body of POST /api/erasures; errors never repeat a key.

    Raises:
        RequestInvalid: names the field that is wrong.
        BodyTooLarge: it has more than MAX_BODY bytes.
    """
    asked = read_body(ErasureBody, body, '{"table": "shop.customers", "keys": ["42"]}')
    return {"table": asked.table, "keys": asked.keys, "columns": asked.columns, "by": asked.by}


async def start_erasure(hub: Hub, workspace: Workspace, request: ErasureRequest, caller: str) -> str:
    """Start an erasure and wait until it has the lease.

    Args:
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
    start: StartErasure = {
        "run_id": new_id,
        "pipeline": pipeline,
        "trigger": "erase",
        "source": source,
        "table": table,
        "keys": path,
        "by": by,
    }
    try:
        await hub.start("erase_keys", new_id, start)
    except BaseException:
        await asyncio.to_thread(forget_erasure, workspace, start)
        raise
    if holder := await refused_by(hub, new_id):
        await asyncio.to_thread(forget_erasure, workspace, start)
        raise refusal(pipeline, holder)
    log.warning("erasure from %s asked for by %s", request["table"], by, extra={"run_id": new_id})
    return new_id
