"""Silver and gold: one build of one dataset."""

from __future__ import annotations

import azure.durable_functions as df

from orchestrators.attempts import attempt, took

bp = df.Blueprint()


@bp.orchestration_trigger(context_name="context")
def build_dataset(context):
    """Build, deduplicate, check and publish a dataset.

    Input: a lane's input plus `item` (`name`, `stage`, `tables`: the bronze tables it reads, as `source.table`).
    Output: the dataset's part of the run record; `status` is succeeded or failed.
    """
    job = context.get_input()
    started = context.current_utc_datetime
    tables = job["item"]["tables"]
    reads = [context.call_entity(df.EntityId("table", f"{job['pipeline']}.{name}"), "get", {"v": 0}) for name in tables]
    found = (yield context.task_all(reads)) if reads else []
    manifests = {name: answer["checkpoint"]["manifest"] for name, answer in zip(tables, found, strict=True)}
    shown = {"phase": "building", "started_at": started.isoformat()}
    context.set_custom_status(shown)
    built = yield from attempt(context, "build", {**job, "manifests": manifests}, job["retry"], shown)
    status = "failed" if "error" in built else "succeeded"
    return {"status": status, **built, **took(started, context.current_utc_datetime)}
