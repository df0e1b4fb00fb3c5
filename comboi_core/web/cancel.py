"""Cancelling a run: the pipeline's entity notes it, and a file tells the run's activities, which look before each item.

Nothing is cut off: what is in flight is finished, so that the lake is as after any run, and the run itself gives its
lease back and writes its record.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import Annotated

from typing_extensions import TypedDict

from comboi_core.app import runfiles
from comboi_core.app.workspace import Workspace
from comboi_core.domain.contracts.fields import Described
from comboi_core.domain.contracts.pipeline import Cancelled, CancelRequest
from comboi_core.domain.contracts.record import RunRecord
from comboi_core.domain.errors import ComboiError
from comboi_core.telemetry.logs import LOGGER
from comboi_core.web.hub import ENDED, Hub
from comboi_core.web.monitoring import get_run
from comboi_core.web.starting import refuse_while_running, wait_until

log = logging.getLogger(f"{LOGGER}.web")


class Cancelling(TypedDict):
    """A run that will end before its next item; `cancelled`: who asked first."""

    run_id: str
    status: Annotated[str, Described(enum=["cancelling"])]
    cancelled: Cancelled


class RunEnded(ComboiError):
    """There is nothing to cancel: the run has ended."""

    code = "run_ended"
    remedy = "Nothing to do; `comboi status` shows what came of the run."


class ErasureNotCancelled(ComboiError):
    """An erasure goes on to its end: half of one would leave a person in some layers."""

    code = "erasure_not_cancelled"
    remedy = "Wait until it has finished; `comboi status` shows how far it is."


async def cancel_run(hub: Hub, workspace: Workspace, run_id: str, by: str) -> Cancelling:
    """Ask a run to end before its next item; asked again, the answer is the same.

    Args:
        by: Who asks, for the record: `http` or `cli`.

    Raises:
        RunNotFound: no run has this id.
        RunEnded: it is over.
        ErasureNotCancelled: it is an erasure.
    """
    pipeline = workspace.project.pipeline
    state = await hub.read("pipeline", pipeline)
    if state is None or not state["holder"] or state["holder"]["run_id"] != run_id:
        raise _ended(await get_run(hub, workspace, run_id))
    if any(run["run_id"] == run_id and run.get("trigger") == "erase" for run in state["runs"]):
        raise ErasureNotCancelled(f"{run_id} is an erasure, which cannot be cancelled")
    status = await hub.status(run_id)
    if not status or status["runtimeStatus"] in ENDED:
        await refuse_while_running(hub, pipeline)  # takes the lease from what ended without giving it back
        raise RunEnded(f"run {run_id} was ended from outside before; its lease has been taken back")
    request: CancelRequest = {"run_id": run_id, "at": datetime.now(UTC).isoformat(), "by": by}
    await hub.signal("pipeline", pipeline, "cancel", request)

    async def noted() -> Cancelled | None:
        after = await hub.read("pipeline", pipeline)
        holder = after["holder"] if after else None
        if not holder or holder["run_id"] != run_id:
            raise _ended(await get_run(hub, workspace, run_id))
        return holder.get("cancelled")

    cancelled = await wait_until(noted) or Cancelled(at=request["at"], by=by)
    await asyncio.to_thread(_tell_activities, workspace, run_id, cancelled)
    log.warning("run cancelled by %s", by, extra={"run_id": run_id})
    return {"run_id": run_id, "status": "cancelling", "cancelled": cancelled}


def _tell_activities(workspace: Workspace, run_id: str, cancelled: Cancelled) -> None:
    runfiles.write_json(workspace.lake("bronze"), runfiles.cancellation_path(run_id), cancelled)


def _ended(record: RunRecord) -> RunEnded:
    return RunEnded(f"run {record['run_id']} is not on: it is {record['status']}", run_id=record["run_id"])
