"""Starting a run again whose own orchestration the host has ended.

The parts of a run are called again by the run itself (`orchestrators.disturbed`). Nobody is above the run, so a timer
looks after it. It costs no row either way: the next run carries on from the last committed loads.
"""

from __future__ import annotations

import logging

from comboi_core.app.workspace import Workspace
from comboi_core.domain.contracts.run import RunRequest, RunStart
from comboi_core.domain.host import is_host_fault
from comboi_core.telemetry.logs import LOGGER
from comboi_core.web.hub import Hub
from comboi_core.web.starting import Started, start_run

SCHEDULE = "0 */5 * * * *"
"""NCRONTAB: every five minutes. A look costs one read of an entity."""

log = logging.getLogger(f"{LOGGER}.web")


async def restart_run(hub: Hub, workspace: Workspace) -> Started | None:
    """Start the run that holds the lease again, once, if the host has ended its orchestration.

    Returns:
        The new run, which has the same request; None as a rule: no run is on, it lives, it ended for another reason, or
        it was started in the place of another one already.

    Raises:
        ComboiError: see `start_run`.
    """
    pipeline = workspace.project.pipeline
    state = await hub.read("pipeline", pipeline)
    holder = state["holder"] if state else None
    if not holder:
        return None
    status = await hub.status(holder["run_id"])
    if not status or status["runtimeStatus"] != "Failed" or not is_host_fault(str(status["output"])):
        return None
    asked: RunStart = status["input"]
    if asked.get("in_place_of"):
        return None
    request: RunRequest = {
        "stage": asked["stage"],
        "select": asked["select"],
        "full_refresh": asked["full_refresh"],
        "backfill": asked["backfill"],
        "interval": asked["interval"],
    }
    started = await start_run(hub, workspace, request, asked["trigger"], in_place_of=holder["run_id"])
    text = "the Functions host ended run %s; it is started again as %s"
    log.warning(text, holder["run_id"], started.run_id, extra={"run_id": started.run_id})
    return started
