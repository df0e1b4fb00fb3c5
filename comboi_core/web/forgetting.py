"""Letting the task hub forget runs that ended long ago, so that it does not grow for ever.

Azure keeps them until somebody deletes them. The embedded host does the same for a project on this machine
(`durable_local.retention`), also where no timer runs.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from comboi_core.app.workspace import Workspace
from comboi_core.telemetry.logs import LOGGER
from comboi_core.web.hub import Hub

SCHEDULE = "0 23 * * * *"
"""NCRONTAB: every hour, so that a call has little to delete; off the full hour, when most runs start."""

log = logging.getLogger(f"{LOGGER}.web")


async def forget_runs(hub: Hub, workspace: Workspace) -> int:
    """Delete from the task hub what ended and was started longer ago than `history: {keep}`.

    The records of the runs stay in the lake.

    Returns:
        How many orchestrations were deleted.
    """
    keep = timedelta(seconds=workspace.project.pipeline_file.history.keep)
    deleted = await hub.purge(datetime.now(UTC) - keep)
    if deleted:
        log.info("deleted %d orchestrations that ended more than %s ago", deleted, keep)
    return deleted
