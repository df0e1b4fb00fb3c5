"""What a run is doing now: answered from the custom status of its lanes, whose ids follow from the run's."""

from __future__ import annotations

import asyncio
from typing import Any

from comboi_core.domain.manifest import data_path
from comboi_core.domain.ports import Lake
from comboi_core.web.hub import Hub

Body = dict[str, Any]


async def live_items(hub: Hub, lake: Lake, run_id: str, phase: Body) -> dict[str, Body]:
    """Return what the lanes of the wave that is on say of their items: those done, and the one each works on.

    Args:
        phase: The run's own custom status.

    Returns:
        Name of the item -> fields of its part of the record; while it is worked on, `progress` among them.
    """
    lanes = [f"{run_id}:{phase['wave']}:{lane}" for lane in range(phase.get("lanes", 0))]
    found: dict[str, Body] = {}
    current: dict[str, str] = {}
    of_lanes: dict[str, Body] = {}
    for lane, shown in zip(lanes, await _shown(hub, lanes), strict=True):
        found |= {done["name"]: done for done in shown.get("done", [])}
        if shown.get("item") and shown["item"] not in found:
            current[shown["item"]] = f"{lane}:{shown['item']}"
            of_lanes[shown["item"]] = {key: value for key, value in shown.items() if key not in ("item", "done")}
    statuses = await _shown(hub, list(current.values()))
    progress = await asyncio.gather(
        *(
            _progress(hub, lake, *item, shown or of_lanes[item[0]])
            for item, shown in zip(current.items(), statuses, strict=True)
        )
    )
    return found | dict(zip(current, progress, strict=True))


async def _shown(hub: Hub, instances: list[str]) -> list[Body]:
    """Return the custom statuses of instances; empty ones where there is none yet."""
    statuses = await asyncio.gather(*(_latest(hub, instance) for instance in instances))
    return [(status and status["customStatus"]) or {} for status in statuses]


async def _latest(hub: Hub, instance: str) -> Body | None:
    """Return the status of an instance, or of the one that took its place after the host had failed it."""
    status, again = await hub.status(instance), 0
    while status and status["runtimeStatus"] == "Failed":
        again += 1
        later = await hub.status(f"{instance}:again-{again}")
        if not later:
            break
        status = later
    return status


async def _progress(hub: Hub, lake: Lake, name: str, instance: str, shown: Body) -> Body:
    """Return the part of the record of an item that is worked on.

    Rows so far are those of the extracting calls that have returned, or an estimate from chunks in the lake.
    """
    attempts = [shown.get("attempt", 1)]
    progress = {key: value for key, value in shown.items() if key not in ("lanes", "lanes_of", "started_at")}
    chunks = shown.get("chunks", 0)
    if shown.get("phase") == "extracting" and chunks > 1:
        of = shown.get("lanes_of", instance)
        shares = await _shown(hub, [f"{of}:{lane}" for lane in range(shown.get("lanes", 0))])
        retrying = [share for share in shares if "attempt" in share]
        attempts += [share["attempt"] for share in retrying]
        progress |= {key: retrying[0][key] for key in ("attempt", "error")} if retrying else {}
        done = min(chunks, await asyncio.to_thread(_chunks_landed, lake, name, shown["sequence"]))
        expected = int(done * (shown.get("estimated_rows") or 0) / chunks)
        landed = sum(share.get("rows", 0) for share in shares)
        progress |= {"chunks_done": done, "rows": max(landed, expected)}
    fields = {"status": "running", "attempts": max(attempts), "progress": progress}
    fields |= {key: value for key, value in {"rows": progress.get("rows")}.items() if value is not None}
    return fields | ({"started_at": shown["started_at"]} if "started_at" in shown else {})


def _chunks_landed(lake: Lake, name: str, sequence: int) -> int:
    """Return how many chunks of a load have a file; a chunk without rows never gets one."""
    source, _, table = name.partition(".")
    folder = data_path(source, table, sequence, 0, "").rpartition("/")[0]
    files = lake.list(folder)
    return len({path.rsplit("/", 1)[1].split("-")[0] for path in files})
