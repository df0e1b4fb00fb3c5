"""Bronze: one load of one table, from its checkpoint to the next."""

from __future__ import annotations

from typing import Any

import azure.durable_functions as df

from comboi_core.domain.names import table_id
from orchestrators.attempts import attempt, seconds_between

bp = df.Blueprint()


@bp.orchestration_trigger(context_name="context")
def load_table(context):
    """Land what changed in a table: plan, extract the chunks, publish the manifest, commit, sweep.

    Input: a lane's input plus `item` (`source`, `table`, `name`, `parallel_chunks`).
    Output: the table's part of the run record; `status` is succeeded or failed.
    """
    job = context.get_input()
    started = context.current_utc_datetime
    outcome = yield from _load(context, job)
    status = "failed" if "error" in outcome else "succeeded"
    return {"status": status, **outcome, "seconds": seconds_between(started, context.current_utc_datetime)}


def _load(context: df.DurableOrchestrationContext, job: dict[str, Any]):
    item, retry = job["item"], job["retry"]
    entity = df.EntityId("table", f"{job['pipeline']}.{table_id(item['source'], item['table'])}")
    opened = yield context.call_entity(entity, "open", {"fence": job["fence"]})
    if "error" in opened:
        return opened
    context.set_custom_status({"phase": "planning"})
    plan = yield from attempt(context, "plan_table", {**job, "checkpoint": opened["checkpoint"]}, retry)
    if "error" in plan or plan["unchanged"]:
        return plan
    context.set_custom_status(
        {"phase": "extracting", "chunks": plan["chunks"], "estimated_rows": plan["estimated_rows"]}
    )
    work = {**{key: job[key] for key in ("run_id", "fence", "config_hash", "retry", "item")}, "plan": plan["plan"]}
    lanes = max(1, min(item["parallel_chunks"], plan["chunks"]))
    shares = [{**work, "chunks": list(range(lane, plan["chunks"], lanes))} for lane in range(lanes)]
    if lanes == 1:
        extracted = [(yield from _extract(context, shares[0]))]
    else:
        extracted = yield context.task_all([context.call_sub_orchestrator("extract_chunks", share) for share in shares])
    failure = next((share for share in extracted if "error" in share), None)
    if failure:
        return {**plan, **failure}
    retried = [*plan.pop("retried", ()), *(error for share in extracted for error in share["retried"])]
    context.set_custom_status({"phase": "publishing"})
    files = [file for share in extracted for file in share["files"]]
    published = yield from attempt(
        context, "publish_load", {**work, "checkpoint": opened["checkpoint"], "files": files}, retry
    )
    if "error" in published:
        return {**plan, **published}
    commit = {**published["commit"], "committed_at": context.current_utc_datetime.isoformat()}
    committed = yield context.call_entity(entity, "commit", commit)
    if "error" in committed:
        return {**plan, **committed}
    swept = yield from attempt(context, "sweep_table", {**work, "manifest": commit["manifest"]}, retry)
    attempts = max(plan["attempts"], published["attempts"], *(share["attempts"] for share in extracted))
    landed = {key: commit[key] for key in ("sequence", "watermark", "manifest", "rows", "bytes")}
    warnings = [*plan["warnings"], *([f"sweep: {swept['error']['message']}"] if "error" in swept else [])]
    return {**plan, **landed, "files": len(files), "attempts": attempts, "retried": retried, "warnings": warnings}


@bp.orchestration_trigger(context_name="context")
def extract_chunks(context):
    """Extract a share of a big table's chunks, one after the other.

    Input: `chunks` (indexes) beside what `extract_chunk` takes. Output: `files`, `attempts`, `retried`, or `error`.
    """
    result = yield from _extract(context, context.get_input())
    return result


def _extract(context: df.DurableOrchestrationContext, share: dict[str, Any]):
    files, attempts, retried = [], 1, []
    for chunk in share["chunks"]:
        extracted = yield from attempt(
            context, "extract_chunk", {**share, "chunks": None, "chunk": chunk}, share["retry"]
        )
        attempts = max(attempts, extracted["attempts"])
        retried += extracted.get("retried", [])
        if "error" in extracted:
            return {"error": extracted["error"], "attempts": attempts, "retried": retried}
        files += extracted["files"]
    return {"files": files, "attempts": attempts, "retried": retried}
