"""Looking ahead and repairing: the preview of a run, resetting a table, rebuilding lost checkpoints."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from functools import partial

from typing_extensions import TypedDict

from comboi_core.app.workspace import Workspace
from comboi_core.devtools.preview import preview
from comboi_core.domain.contracts.fields import Count
from comboi_core.domain.contracts.preview import Preview
from comboi_core.domain.contracts.run import RunRequest
from comboi_core.domain.contracts.table import RestoreRequest
from comboi_core.domain.names import table_id
from comboi_core.landing.rebuild import checkpoints_in_lake, lost_loads, newest_fence
from comboi_core.state import checkpoint
from comboi_core.telemetry.logs import LOGGER
from comboi_core.web.hub import Hub
from comboi_core.web.monitoring import TableShown, entity_key, find_table, get_table, list_tables
from comboi_core.web.starting import refuse_while_running, wait_until

log = logging.getLogger(f"{LOGGER}.web")


class Rebuilt(TypedDict):
    """What a rebuild has done.

    `restored`: `source.table` -> sequence, for those that were behind; `reload`: the tables that the next run reads
    anew, as nothing of them in the lake is complete.
    """

    restored: dict[str, Count]
    reload: list[str]


async def plan(hub: Hub, workspace: Workspace, request: RunRequest) -> Preview:
    """Return what a run would do; see `devtools.preview`."""
    names = list(workspace.project.tables)
    states = await asyncio.gather(*(hub.read("table", entity_key(workspace, *name)) for name in names))
    known = {
        table_id(*name): checkpoint.get(state or checkpoint.initial(), {})[1]["checkpoint"]
        for name, state in zip(names, states, strict=True)
    }
    return await asyncio.to_thread(preview, workspace, request, known)


async def reset_table(hub: Hub, workspace: Workspace, name: str, by: str) -> TableShown:
    """Make the next load of a table read it anew, whole; until then readers see what they see now.

    Args:
        by: Who asks, for the audit.

    Raises:
        TableNotFound: the configuration has no such table.
    """
    key = entity_key(workspace, *find_table(workspace, name))
    await hub.signal("table", key, "reset", {"at": datetime.now(UTC).isoformat(), "by": by})

    async def done() -> bool:
        state = await hub.read("table", key)
        return bool(state and state["reload"])

    await wait_until(done)
    log.warning("table %s was reset by %s", name, by)
    return await get_table(hub, workspace, name)


async def rebuild(hub: Hub, workspace: Workspace, by: str) -> Rebuilt:
    """Bring task hub and lake in step after one of them was lost, wholly or in part.

    Where the lake is ahead, checkpoints are restored from its manifests. Where it lacks the committed load, the next
    run reads the table anew. The next run's fence is above all that tables and datasets hold.

    Raises:
        RunRefused: a run is on; it knows better.
        NotOwner: another pipeline loads a table of this name.
    """
    pipeline = workspace.project.pipeline
    await refuse_while_running(hub, pipeline)
    in_lake = await asyncio.to_thread(checkpoints_in_lake, workspace)
    newest = await asyncio.to_thread(newest_fence, workspace)
    fence = max([newest, *(restorable["fence"] for restorable in in_lake.values())])
    if fence:
        await hub.signal("pipeline", pipeline, "raise_fence", {"fence": fence})
    restored: dict[str, int] = {}
    for name, restorable in in_lake.items():
        key = entity_key(workspace, *find_table(workspace, name))
        state = await hub.read("table", key)
        if state and state["sequence"] >= restorable["sequence"]:
            continue
        request: RestoreRequest = {**restorable, "at": datetime.now(UTC).isoformat(), "by": by}
        await hub.signal("table", key, "restore", request)
        await wait_until(partial(_has, hub, key, restorable["sequence"]))
        restored[name] = restorable["sequence"]
        log.warning("the checkpoint of %s was restored to load %s by %s", name, restorable["sequence"], by)
    tables = (await list_tables(hub, workspace))["tables"]
    known = {table_id(one["source"], one["table"]): one["manifest"] for one in tables if one["manifest"]}
    lost = await asyncio.to_thread(lost_loads, workspace, known)
    for name in lost:
        await reset_table(hub, workspace, name, by)
    asked = [table_id(one["source"], one["table"]) for one in tables if one["reload"]]
    return {"restored": restored, "reload": sorted({*lost, *asked})}


async def _has(hub: Hub, key: str, sequence: int) -> bool:
    state = await hub.read("table", key)
    return bool(state and state["sequence"] >= sequence)
