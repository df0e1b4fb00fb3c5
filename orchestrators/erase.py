"""Erasing a person: lease, bronze files, the datasets that are made of them, run records, record."""

from __future__ import annotations

from typing import Any

import azure.durable_functions as df

from comboi_core.domain.contracts.erasure import ErasureDone
from comboi_core.domain.contracts.run import RetryPolicy
from comboi_core.domain.errors import InternalError
from comboi_core.domain.interval import day_before
from comboi_core.domain.names import table_id
from orchestrators.attempts import attempt, shortened
from orchestrators.disturbed import ask
from orchestrators.run import BOOTSTRAP_RETRY

bp = df.Blueprint()

LAST_RETRY: RetryPolicy = {"attempts": 6, "first_delay": 2, "factor": 3}
"""For the activity that deletes the keys: some minutes."""
STEPS_PER_EXECUTION = 20
"""Activities, or datasets, after which a part's history starts anew."""


@bp.orchestration_trigger(context_name="context")
def erase_keys(context):
    """Erase keys of a table from every layer. No run of the pipeline is on meanwhile.

    Input: `run_id`, `pipeline`, `trigger`, `source`, `table`, `keys` (path of the file that holds them), `by`.
    Output: the summary, or `{"status": "skipped", "holder": ...}` where a run holds the lease.
    """
    request = context.get_input()
    pipeline = df.EntityId("pipeline", request["pipeline"])
    now = context.current_utc_datetime
    (lease,) = yield from ask(context, (pipeline, "begin", {**request, "started_at": now.isoformat()}))
    if not lease["granted"]:
        context.set_custom_status({"phase": "refused", "holder": lease["holder"]})
        yield from attempt(context, "forget_erasure", request, BOOTSTRAP_RETRY)
        return {"run_id": request["run_id"], "status": "skipped", "holder": lease["holder"]}
    job = {**request, "fence": lease["fence"], "started_at": now.isoformat(), "interval": day_before(now)}
    context.set_custom_status({"phase": "planning", "fence": lease["fence"]})
    done: ErasureDone = {"table": {"status": "skipped", "reason": "the erasure stopped before it"}}
    try:
        error = yield from _work(context, job, done)
    except Exception as unforeseen:
        error = InternalError(f"the orchestration failed: {shortened(str(unforeseen))}").record()
    record = {**job, "finished_at": context.current_utc_datetime.isoformat(), "error": error, "done": done}
    recorded = yield from attempt(context, "record_erasure", record, LAST_RETRY)
    unrecorded = {"status": "failed", "finished_at": record["finished_at"], "error": error or recorded.get("error")}
    summary = {"run_id": request["run_id"], **recorded.get("summary", unrecorded)}
    yield from ask(context, (pipeline, "finish", {"run_id": request["run_id"], "summary": summary}))
    context.set_custom_status({"phase": "finished", "fence": lease["fence"]})
    return summary


def _work(context: df.DurableOrchestrationContext, job: dict[str, Any], done: ErasureDone):
    """Go through the layers; put what came of it into `done`; return an error, or None."""
    fence = job["fence"]
    entity = df.EntityId("table", f"{job['pipeline']}.{table_id(job['source'], job['table'])}")
    (opened,) = yield from ask(context, (entity, "open", {"fence": fence}))
    if "error" in opened:
        return opened["error"]
    plan = yield from attempt(context, "plan_erasure", {**job, "checkpoint": opened["checkpoint"]}, BOOTSTRAP_RETRY)
    if "error" in plan:
        return plan["error"]
    kept = {key: plan[key] for key in ("plan", "config_hash", "retry")}
    done |= {"plan": plan["plan"], "config_hash": plan["config_hash"]}
    job = {**job, **kept}
    context.set_custom_status({"phase": "bronze", "fence": fence})
    table = yield from _table(context, entity, job, plan)
    done["table"] = table
    if "error" in table:
        table["status"] = "failed"
        return table["error"]
    context.set_custom_status({"phase": "datasets", "fence": fence})
    versions = {table_id(job["source"], job["table"]): [plan["sequence"], table["sequence"]]}
    share = {**job, "next": 0, "datasets": plan["datasets"], "failed": None, "versions": versions}
    built = yield context.call_sub_orchestrator("erase_datasets", share, f"{job['run_id']}:datasets")
    context.set_custom_status({"phase": "records", "fence": fence})
    done["samples"], done["left"], after = 0, {}, ""
    while after is not None:
        records = yield from attempt(context, "erase_records", {**job, "after": after}, job["retry"])
        if "error" in records:
            return records["error"]
        done["samples"] += records["samples"]
        for owner, rows in records["left"].items():
            done["left"][owner] = done["left"].get(owner, 0) + rows
        after = records["after"]
    return built["failed"]


def _table(context: df.DurableOrchestrationContext, entity: df.EntityId, job: dict[str, Any], plan: dict[str, Any]):
    """Rewrite the files of the table, commit, sweep; return the table's part of the record."""
    share = {**job, **{key: plan[key] for key in ("manifest", "files")}, "next": 0}
    share = {**share, "removed": 0, "elsewhere": 0, "pages": []}
    table = {"mode": "erasure", "sequence": plan["sequence"], "rows": 0, "removed": 0, "removed_elsewhere": 0}
    files = yield context.call_sub_orchestrator("erase_share", share, f"{job['run_id']}:files")
    if "error" in files:
        return {**table, "error": files["error"]}
    if not files["removed"] and not files["elsewhere"]:
        return {**table, "status": "succeeded"}
    removed = {"removed": files["removed"], "pages": files["pages"]}
    published = yield from attempt(
        context, "publish_erasure", {**job, **removed, "manifest": plan["manifest"]}, job["retry"]
    )
    if "error" in published:
        return {**table, "error": published["error"]}
    commit = {**published["commit"], "committed_at": context.current_utc_datetime.isoformat()}
    (committed,) = yield from ask(context, (entity, "commit", commit))
    if "error" in committed:
        return {**table, "error": committed["error"]}
    table |= {key: commit[key] for key in ("sequence", "manifest", "bytes", "removed")}
    table["removed_elsewhere"] = files["elsewhere"]
    swept = yield from attempt(context, "sweep_erased", {**job, "manifest": commit["manifest"]}, job["retry"])
    if "error" in swept:
        return {**table, "error": swept["error"]}
    return {**table, "status": "succeeded"}


@bp.orchestration_trigger(context_name="context")
def erase_share(context):
    """Go through a table's files, some at a time.

    Input: what the activity `erase_files` takes, `files` (how many there are), `removed`, `elsewhere`, `pages` so far.
    Output: `removed`, `elsewhere`, `pages`, or `error`.
    """
    share = context.get_input()
    for _ in range(STEPS_PER_EXECUTION):
        if share["next"] >= share["files"]:
            return {key: share[key] for key in ("removed", "elsewhere", "pages")}
        context.set_custom_status({"phase": "files", "done": share["next"], "of": share["files"]})
        erased = yield from attempt(context, "erase_files", share, share["retry"])
        if "error" in erased:
            return {"error": erased["error"]}
        sums = {key: share[key] + erased[key] for key in ("removed", "elsewhere")}
        pages = [*share["pages"], erased["page"]] if erased["page"] else share["pages"]
        share = {**share, **sums, "next": erased["next"], "pages": pages}
    context.continue_as_new(share)
    return None


@bp.orchestration_trigger(context_name="context")
def erase_datasets(context):
    """Go through the datasets that are made of the table, each after those that it is made of.

    One that fails does not keep the others: each row that goes is gone.

    Input: what the activities take, `next`, `datasets` (how many there are), `failed`: the first error, or None.
    Output: `failed`.
    """
    share = context.get_input()
    for _ in range(STEPS_PER_EXECUTION):
        if share["next"] >= share["datasets"]:
            return {"failed": share["failed"]}
        error = yield from _dataset(context, {**share, "index": share["next"]})
        share = {**share, "next": share["next"] + 1, "failed": share["failed"] or error}
    context.continue_as_new(share)
    return None


def _dataset(context: df.DurableOrchestrationContext, job: dict[str, Any]):
    """Build one dataset anew where that erases, then take out what is left; return its error, or None."""
    opened = yield from attempt(context, "open_dataset", job, job["retry"])
    if "error" in opened:
        return opened["error"]
    item, built = opened["item"], None
    context.set_custom_status({"phase": "building" if opened["rebuild"] else "erasing", "item": item["name"]})
    if opened["rebuild"]:
        build = {**job, "item": item, "full_refresh": False}
        built = yield context.call_sub_orchestrator("build_dataset", build, f"{context.instance_id}:{job['index']}")
        built = {key: built[key] for key in ("status", "error") if key in built}
    erased = yield from attempt(context, "erase_dataset", {**job, "opened": opened, "built": built}, job["retry"])
    return erased.get("error")
