"""Silver and gold: one build of one dataset."""

from __future__ import annotations

from typing import Any

import azure.durable_functions as df

from orchestrators.attempts import attempt, took
from orchestrators.disturbed import ask

bp = df.Blueprint()


@bp.orchestration_trigger(context_name="context")
def build_dataset(context):
    """Build, deduplicate, check and publish a dataset; for an erasure. A run's lanes do it themselves.

    Input: a lane's input plus `item` (`name`, `stage`, `tables`: the bronze tables it reads, as `source.table`).
    Output: the dataset's part of the run record; `status` is succeeded or failed.
    """
    return (yield from build_one(context, context.get_input(), {}))


def build_one(context: df.DurableOrchestrationContext, job: dict[str, Any], custom_status: dict[str, Any]):
    """Build a dataset from the committed loads; use with `yield from`.

    Args:
        job: See `build_dataset`; the item's `manifests` are those that need not be asked for.
        custom_status: What the custom status says beside the phase.

    Returns:
        The dataset's part of the run record; `cancelled` where the run was cancelled before.
    """
    item, started = job["item"], context.current_utc_datetime
    manifests = dict(item.get("manifests", {}))
    asked = [name for name in item["tables"] if name not in manifests]
    if asked:
        entities = [df.EntityId("table", f"{job['pipeline']}.{name}") for name in asked]
        answers = yield from ask(context, *((entity, "get", {"v": 0}) for entity in entities))
        manifests |= {name: answer["checkpoint"]["manifest"] for name, answer in zip(asked, answers, strict=True)}
    custom_status = {**custom_status, "phase": "building", "started_at": started.isoformat()}
    context.set_custom_status(custom_status)
    work = {key: value for key, value in job.items() if key != "items"}
    built = yield from attempt(context, "build", {**work, "manifests": manifests}, job["retry"], custom_status)
    status = "failed" if "error" in built else "succeeded"
    return {"status": status, **built, **took(started, context.current_utc_datetime)}
