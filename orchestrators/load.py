"""Bronze: one load of one table, from its checkpoint to the next."""

from __future__ import annotations

from typing import Any

import azure.durable_functions as df

from comboi_core.domain.names import table_id
from orchestrators.attempts import attempt, cancellation, took

bp = df.Blueprint()

CALLS_PER_EXECUTION = 20
"""Extracting activities after which a lane's history starts anew."""


@bp.orchestration_trigger(context_name="context")
def load_table(context):
    """Land what changed in a table: plan, extract the chunks, publish the manifest, commit, sweep.

    Input: a lane's input plus `item` (`source`, `table`, `name`, `parallel_chunks`).
    Output: the table's part of the run record; `status` is succeeded, failed or cancelled.
    """
    job = context.get_input()
    started = context.current_utc_datetime
    outcome = yield from _load(context, job, started.isoformat())
    status = "failed" if "error" in outcome else "cancelled" if "cancelled" in outcome else "succeeded"
    return {"status": status, **outcome, **took(started, context.current_utc_datetime)}


def _load(context: df.DurableOrchestrationContext, job: dict[str, Any], started_at: str):
    item, retry = job["item"], job["retry"]
    entity = df.EntityId("table", f"{job['pipeline']}.{table_id(item['source'], item['table'])}")
    opened = yield context.call_entity(entity, "open", {"fence": job["fence"]})
    if "error" in opened:
        return opened
    shown = {"phase": "planning", "started_at": started_at}
    context.set_custom_status(shown)
    plan = yield from attempt(context, "plan_table", {**job, "checkpoint": opened["checkpoint"]}, retry, shown)
    if "error" in plan or plan["unchanged"]:
        return plan
    work = {key: job[key] for key in ("run_id", "pipeline", "fence", "config_hash", "retry", "item")}
    work["plan"] = plan["plan"]
    lanes = max(1, min(item["parallel_chunks"], plan["chunks"]))
    shown = {**shown, "phase": "extracting", "since": context.current_utc_datetime.isoformat()}
    shown |= {"sequence": plan["sequence"] + 1, "chunks": plan["chunks"], "estimated_rows": plan["estimated_rows"]}
    context.set_custom_status({**shown, "lanes": lanes})
    shares = [{**work, "lane": lane, "chunks": list(range(lane, plan["chunks"], lanes))} for lane in range(lanes)]
    if plan["chunks"] == 1:
        extracted = [(yield from _extract(context, shares[0], shown))]
    else:
        extracted = yield context.task_all(
            [
                context.call_sub_orchestrator("extract_share", share, f"{context.instance_id}:{share['lane']}")
                for share in shares
            ]
        )
    failure = next((share for share in extracted if "error" in share), None)
    if failure:
        return {**plan, **{key: failure[key] for key in ("error", "attempts", "retried")}}
    cancelled = next((share["cancelled"] for share in extracted if "cancelled" in share), None)
    if cancelled:
        return {**plan, "cancelled": cancelled, "reason": "the run was cancelled; the next one reads this again"}
    retried = [*plan.pop("retried", ()), *(error for share in extracted for error in share["retried"])]
    context.set_custom_status({**shown, "phase": "publishing"})
    found = {key: [entry for share in extracted for entry in share[key]] for key in ("files", "pages")}
    published = yield from attempt(
        context, "publish_load", {**work, **found, "checkpoint": opened["checkpoint"]}, retry
    )
    if "error" in published:
        return {**plan, **published}
    commit = {**published["commit"], "committed_at": context.current_utc_datetime.isoformat()}
    committed = yield context.call_entity(entity, "commit", commit)
    if "error" in committed:
        return {**plan, **committed}
    manifest, warnings = commit["manifest"], list(plan["warnings"])
    if published["foldable"]:
        manifest = yield from _fold(context, entity, {**work, "manifest": manifest}, warnings)
    swept = yield from attempt(context, "sweep_table", {**work, "manifest": manifest}, retry)
    warnings += [f"sweep: {swept['error']['message']}"] if "error" in swept else []
    attempts = max(plan["attempts"], published["attempts"], *(share["attempts"] for share in extracted))
    landed = {key: commit[key] for key in ("sequence", "watermark", "manifest", "rows", "bytes")}
    landed["files"] = published["files"]
    return {**plan, **landed, "attempts": attempts, "retried": retried, "warnings": warnings}


def _fold(context: df.DurableOrchestrationContext, entity: df.EntityId, work: dict[str, Any], warnings: list[str]):
    """Fold small loads after the commit; what goes wrong is a warning, since the load itself is safe.

    Returns:
        The path of the manifest that is committed now.
    """
    context.set_custom_status({"phase": "compacting"})
    folded = yield from attempt(context, "fold_loads", work, work["retry"])
    if "commit" in folded:
        commit = {**folded["commit"], "committed_at": context.current_utc_datetime.isoformat()}
        folded = yield context.call_entity(entity, "commit", commit)
        if "error" not in folded:
            return commit["manifest"]
    if "error" in folded:
        warnings.append(f"compaction: {folded['error']['message']}")
    return work["manifest"]


@bp.orchestration_trigger(context_name="context")
def extract_share(context):
    """Extract a share of a big table's chunks.

    Input: `lane`, `chunks` (indexes) beside what the activity `extract_chunks` takes; `pages`, `page` and `rows` when
    it continues. Output: `files` and `pages` (paths of lists of files), `attempts`, `retried`, or `error`, or
    `cancelled`.
    """
    share = context.get_input()
    result = yield from _extract(context, share, {"phase": "extracting"})
    if "error" in result or "cancelled" in result or not result["rest"]:
        return result
    page = share.get("page", 0)
    kept = yield from attempt(context, "keep_files", {**share, "page": page, "files": result["files"]}, share["retry"])
    if "error" in kept:
        return {**result, "error": kept["error"]}
    carried = {"chunks": result["rest"], "page": page + 1, "pages": [*share.get("pages", ()), kept["path"]]}
    context.continue_as_new({**share, **carried, "rows": result["rows"], "attempts": result["attempts"]})


def _extract(context: df.DurableOrchestrationContext, share: dict[str, Any], shown: dict[str, Any]):
    """Call the activity until no chunk is left, or so often that the history should start anew.

    Between two calls the pipeline is asked whether the run has been cancelled: a big table takes hours.

    Args:
        shown: What the custom status says beside the rows so far.
    """
    files, attempts, retried, rest = [], share.get("attempts", 1), [], share["chunks"]
    rows, ending = share.get("rows", 0), {}
    for _ in range(CALLS_PER_EXECUTION):
        shown = {**shown, "rows": rows}
        context.set_custom_status(shown)
        extracted = yield from attempt(context, "extract_chunks", {**share, "chunks": rest}, share["retry"], shown)
        attempts = max(attempts, extracted["attempts"])
        retried += extracted.get("retried", [])
        if "error" in extracted:
            ending = {"error": extracted["error"]}
            break
        files += extracted["files"]
        rows += sum(file["rows"] for file in extracted["files"])
        rest = extracted["rest"]
        if not rest:
            break
        cancelled = yield from cancellation(context, share)
        if cancelled:
            ending = {"cancelled": cancelled}
            break
    done = {"files": files, "pages": share.get("pages", []), "rest": rest, "rows": rows}
    return {**done, "attempts": attempts, "retried": retried, **ending}
