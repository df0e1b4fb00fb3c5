"""What a run is doing now: answered from the custom status of its lanes, whose ids follow from the run's."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from comboi_core.domain.contracts.hub import InstanceStatus
from comboi_core.domain.contracts.record import Progress
from comboi_core.domain.contracts.run import Outcome
from comboi_core.domain.manifest import data_path
from comboi_core.domain.ports import Lake
from comboi_core.web.hub import Hub

Status = dict[str, Any]
"""The custom status that an orchestration sets."""


async def live_items(hub: Hub, lake: Lake, run_id: str, phase: Status) -> dict[str, Outcome]:
    """Return what the lanes of the wave that is on say of their items: those done, and the one each works on.

    Args:
        phase: The run's own custom status.

    Returns:
        Name of the item -> what is known of it; while it is worked on, `progress` is there.
    """
    lanes = [f"{run_id}:{phase['wave']}:{lane}" for lane in range(phase.get("lanes", 0))]
    outcomes: dict[str, Outcome] = {}
    current: dict[str, str] = {}
    of_lanes: dict[str, Status] = {}
    for lane, status in zip(lanes, await _statuses(hub, lanes), strict=True):
        outcomes |= {done["name"]: done for done in status.get("done", [])}
        if status.get("item") and status["item"] not in outcomes:
            current[status["item"]] = f"{lane}:{status['item']}"
            of_lanes[status["item"]] = {key: value for key, value in status.items() if key not in ("item", "done")}
    statuses = await _statuses(hub, list(current.values()))
    progress = await asyncio.gather(
        *(
            _progress(hub, lake, *item, status or of_lanes[item[0]])
            for item, status in zip(current.items(), statuses, strict=True)
        )
    )
    return outcomes | dict(zip(current, progress, strict=True))


async def _statuses(hub: Hub, instances: list[str]) -> list[Status]:
    """Return the custom statuses of instances; empty ones where there is none yet."""
    statuses = await asyncio.gather(*(_latest(hub, instance) for instance in instances))
    return [(status and status["customStatus"]) or {} for status in statuses]


async def _latest(hub: Hub, instance: str) -> InstanceStatus | None:
    """Return the status of an instance, or of the one that took its place after the host had failed it."""
    status, again = await hub.status(instance), 0
    while status and status["runtimeStatus"] == "Failed":
        again += 1
        later = await hub.status(f"{instance}:again-{again}")
        if not later:
            break
        status = later
    return status


async def _progress(hub: Hub, lake: Lake, name: str, instance: str, status: Status) -> Outcome:
    """Return the part of the record of an item that is worked on.

    Rows so far are those of the extracting calls that have returned, or an estimate from chunks in the lake.
    """
    attempts = [status.get("attempt", 1)]
    progress = {key: value for key, value in status.items() if key not in ("lanes", "lanes_of", "started_at")}
    chunks = status.get("chunks", 0)
    if status.get("phase") == "extracting" and chunks > 1:
        parent = status.get("lanes_of", instance)
        shares = await _statuses(hub, [f"{parent}:{lane}" for lane in range(status.get("lanes", 0))])
        retrying = [share for share in shares if "attempt" in share]
        attempts += [share["attempt"] for share in retrying]
        progress |= {key: retrying[0][key] for key in ("attempt", "error")} if retrying else {}
        done = min(chunks, await asyncio.to_thread(_chunks_landed, lake, name, status["sequence"]))
        expected = int(done * (status.get("estimated_rows") or 0) / chunks)
        landed = sum(share.get("rows", 0) for share in shares)
        progress |= {"chunks_done": done, "rows": max(landed, expected)}
    outcome: Outcome = {"status": "running", "attempts": max(attempts), "progress": cast(Progress, progress)}
    if (rows := progress.get("rows")) is not None:
        outcome["rows"] = rows
    if "started_at" in status:
        outcome["started_at"] = status["started_at"]
    return outcome


def _chunks_landed(lake: Lake, name: str, sequence: int) -> int:
    """Return how many chunks of a load have a file; a chunk without rows never gets one."""
    source, _, table = name.partition(".")
    folder = data_path(source, table, sequence, 0, "").rpartition("/")[0]
    files = lake.list(folder)
    return len({path.rsplit("/", 1)[1].split("-")[0] for path in files})
