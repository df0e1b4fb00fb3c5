"""Bronze: a page of tables, each from its checkpoint to the next.

A table that has not changed takes one operation of its entity and a share of an activity; one whose change fits into a
chunk an activity and the commit. `load_table` is for big ones, and for those that have to be tried again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, cast

import azure.durable_functions as df

from comboi_core.domain.contracts.record import Failure, Retried
from comboi_core.domain.contracts.run import ItemOutcome, PlannedItem, PlannedTable, RetryPolicy
from comboi_core.domain.contracts.table import TableItem, TableName
from comboi_core.domain.errors import SchemaDrift, SourceChanged, SourceFileChanged
from comboi_core.domain.names import table_id
from orchestrators.attempts import attempt, shortened, took
from orchestrators.disturbed import ask, lead

bp = df.Blueprint()

PLANNED_ANEW = frozenset({SourceChanged.code, SchemaDrift.code, SourceFileChanged.code})
"""What ends an extraction because the source is no longer as it was planned: a new plan is worth trying."""
CALLS_PER_EXECUTION = 20
"""Extracting activities after which a lane's history starts anew."""
ONCE: RetryPolicy = {"attempts": 1, "first_delay": 0, "factor": 1}

Job = dict[str, Any]


def _entity(job: Job, item: TableName) -> df.EntityId:
    return df.EntityId("table", f"{job['pipeline']}.{table_id(item['source'], item['table'])}")


def _opening(job: Job, item: TableName) -> tuple[df.EntityId, str, Job]:
    return _entity(job, item), "open", {"fence": job["fence"], "run_id": job["run_id"]}


def land_page(
    context: df.DurableOrchestrationContext, lane: Job, items: list[PlannedTable], results: list[ItemOutcome]
):
    """Land tables one after the other; put each one's outcome into `results` as soon as it is known.

    Args:
        lane: The lane's input.
        items: Tables; those that have an `outcome` are done.

    Returns:
        Who cancelled the run, if that kept tables from being landed, or None.
    """
    waiting = [item for item in items if "outcome" not in item]
    results += [named(item, item["outcome"]) for item in items if "outcome" in item]
    opened = yield from ask(context, *(_opening(lane, item) for item in waiting))
    tables = [{"item": item, **answer} for item, answer in zip(waiting, opened, strict=True)]
    while tables:
        table, started = tables[0], context.current_utc_datetime
        if "error" in table:
            results.append(named(table["item"], {"error": table["error"]} | took(started, started), "failed"))
            tables.pop(0)
            continue
        _show(context, lane, results, table, started)
        batch = [one for one in tables if "error" not in one]
        batch = batch[:1] if "planned" in table else batch
        status = {"item": table["item"]["name"], "done": done_so_far(results)}
        answer = yield from attempt(context, "land_tables", {**_work(lane), "tables": batch}, lane["retry"], status)
        if "error" in answer:  # of the activity itself: it has not come to any table
            failed = {key: answer[key] for key in ("error", "attempts", "retried") if key in answer}
            results.append(named(table["item"], failed | took(started, context.current_utc_datetime), "failed"))
            tables.remove(table)
            continue
        again = {key: answer[key] for key in ("attempts", "retried") if key in answer}
        for one, outcome in zip(batch, answer["outcomes"], strict=False):  # those that it came to
            again["attempts"] = max(again["attempts"], outcome.get("attempts", 1))
            cancelled = yield from _landed(context, lane, one, outcome | again, started, results)
            again = {"attempts": 1}
            if "planned" not in one:
                tables.remove(one)
            if cancelled:
                return cancelled
        if "cancelled" in answer:
            return answer["cancelled"]
    return None


def _work(lane: Job) -> Job:
    keys = ("run_id", "pipeline", "fence", "config_hash", "full_refresh", "backfill")
    return {key: lane[key] for key in keys}


def _landed(
    context: df.DurableOrchestrationContext,
    lane: Job,
    table: Job,
    outcome: Job,
    started: datetime,
    results: list[ItemOutcome],
):
    """Take an outcome of `land_tables` to its end; one that is only planned goes back into the table.

    Returns:
        Who cancelled the run meanwhile, or None.
    """
    item, retry = table["item"], lane["retry"]
    begun = started + timedelta(seconds=outcome.pop("after"))
    ended = begun + timedelta(seconds=outcome.pop("seconds"))
    begun = datetime.fromisoformat(table["begun"]) if "begun" in table else begun
    if "error" not in outcome and not outcome["unchanged"] and "commit" not in outcome and outcome["chunks"] <= 1:
        table |= {"planned": outcome, "begun": begun.isoformat()}
        return None
    table.pop("planned", None)
    failed = outcome.get("error")
    if failed and (retry["attempts"] == 1 or not _worth_a_plan(outcome)):
        results.append(named(item, outcome | took(begun, context.current_utc_datetime), "failed"))
        return None
    if failed or ("commit" not in outcome and not outcome["unchanged"]):
        given = {**lane, "item": item, "begun": begun.isoformat(), "tried": outcome}
        given = {key: value for key, value in given.items() if key != "items"}
        child = ("load_table", given, f"{context.instance_id}:{item['name']}")
        (loaded,) = yield from lead(context, lane, child)
        cancelled = loaded.pop("cancelled", None)
        results.append(named(item, loaded, loaded.pop("status")))
        return cancelled
    if "commit" in outcome:
        _show(context, lane, results, table, begun)
        outcome = yield from _commit(context, lane, item, outcome)
        ended = context.current_utc_datetime
    outcome = _with_earlier(table, outcome)
    results.append(named(item, outcome | took(begun, ended), "failed" if "error" in outcome else "succeeded"))
    return None


def _worth_a_plan(failed: Job) -> bool:
    """Whether another plan may help; what a plan itself meets, such as a drift, the next plan meets as well."""
    error = failed["error"]
    return error["transient"] or (error["code"] in PLANNED_ANEW and "plan" in failed)


def _with_earlier(table: Job, outcome: Job) -> Job:
    """Count what this run has committed of the table before the host made it begin anew."""
    earlier = table.get("landed", {})
    return outcome | {key: outcome.get(key, 0) + count for key, count in earlier.items()}


def named(item: PlannedItem, outcome: Mapping[str, Any], status: str | None = None) -> ItemOutcome:
    """Return an item's outcome with the fields that name the item."""
    names = {"kind": item["kind"], "stage": item["stage"], "name": item["name"], "queued_at": item["queued_at"]}
    return cast(ItemOutcome, {**names, **({"status": status} if status else {}), **outcome})


SHOWN = (
    *("name", "status", "rows", "rows_deleted", "bytes", "queued_at", "started_at", "finished_at", "seconds"),
    "attempts",
)
"""What a lane's custom status says of an item that is done, until the page is recorded."""


def done_so_far(results: list[ItemOutcome]) -> list[Job]:
    """Return what a lane's custom status says of the items that are done."""
    return [{key: value for key, value in result.items() if key in SHOWN} for result in results]


def _show(
    context: df.DurableOrchestrationContext, lane: Job, results: list[ItemOutcome], table: Job, started: datetime
) -> None:
    planned = table.get("planned")
    status: Job = {"phase": "extracting" if planned else "landing"}
    status["started_at"] = table.get("begun", started.isoformat())
    if planned:
        status |= {"sequence": planned["sequence"] + 1, "chunks": 1, "estimated_rows": planned["estimated_rows"]}
    context.set_custom_status({"item": table["item"]["name"], "done": done_so_far(results), **status})


def _commit(context: df.DurableOrchestrationContext, job: Job, item: TableItem, landed: Job):
    """Commit a load whose manifest is there, then fold the table's loads where they are many and small.

    Args:
        landed: What `plan_table` returned, and what `publish_load` returned over it.

    Returns:
        The table's part of the run record, or the same with `error`.
    """
    published = {key: landed.pop(key) for key in ("commit", "foldable", "fallen_short")}
    commit = {**published["commit"], "committed_at": context.current_utc_datetime.isoformat()}
    (committed,) = yield from ask(context, (_entity(job, item), "commit", commit))
    if "error" in committed:
        return {**landed, "files": 0, **committed}
    figures = ("sequence", "watermark", "manifest", "rows", "rows_deleted", "bytes")
    outcome = landed | {key: commit[key] for key in figures if key in commit}
    outcome |= {"shortfalls": [*landed["shortfalls"], *published["fallen_short"]], "landed": True}
    return (yield from _fold(context, job, item, outcome)) if published["foldable"] else outcome


def _fold(context: df.DurableOrchestrationContext, job: Job, item: TableItem, outcome: Job):
    """Fold small loads after the commit; what goes wrong is a warning, since the load itself is safe.

    A large folding takes several calls: each goes on where the one before has stopped at its deadline.
    """
    work = {**_work(job), "item": item, "manifest": outcome["manifest"]}
    folded = yield from attempt(context, "fold_loads", work, job["retry"])
    while "begun" in folded:
        folded = yield from attempt(context, "fold_loads", {**work, "begun": folded["begun"]}, job["retry"])
    if "commit" in folded:
        commit = {**folded["commit"], "committed_at": context.current_utc_datetime.isoformat()}
        (folded,) = yield from ask(context, (_entity(job, item), "commit", commit))
        if "error" not in folded:
            return outcome | {"manifest": commit["manifest"]}
    if "error" in folded:
        return outcome | {"warnings": [*outcome["warnings"], f"compaction: {folded['error']['message']}"]}
    return outcome


@bp.orchestration_trigger(context_name="context")
def load_table(context):
    """Land what changed in a table that is big, or that failed and is tried again.

    Input: a lane's input, with `item` (`source`, `table`, `name`, `parallel_chunks`), `begun` (ISO 8601) and `tried`:
    the outcome of the first try, which the lane has made.
    Output: the table's part of the run record; `status` is succeeded, failed or cancelled.
    """
    job = context.get_input()
    outcome = yield from _load(context, job)
    status = "failed" if "error" in outcome else "cancelled" if "cancelled" in outcome else "succeeded"
    return {"status": status, **outcome, **took(datetime.fromisoformat(job["begun"]), context.current_utc_datetime)}


def _load(context: df.DurableOrchestrationContext, job: Job):
    item, retry = job["item"], job["retry"]
    (opened,) = yield from ask(context, _opening(job, item))
    if "error" in opened:
        return opened
    retried: list[Retried] = []
    delay, since, outcome = float(retry["first_delay"]), job["begun"], Job()
    tried = None if job.get("again") else job["tried"]
    for number in range(1, retry["attempts"] + 1):
        if number > 1:
            now, error = context.current_utc_datetime, outcome["error"]
            failure: Failure = {"code": error["code"], "message": shortened(error["message"])}
            activity = outcome.get("activity", "land_tables")
            retried.append({**failure, "activity": activity, "started_at": since, "failed_at": now.isoformat()})
            again = {"started_at": job["begun"], "attempt": number, "error": failure}
            context.set_custom_status({"phase": "planning", **again})
            yield context.create_timer(now + timedelta(seconds=delay))
            delay, since, tried = delay * retry["factor"], context.current_utc_datetime.isoformat(), None
        outcome = yield from _try(context, job, opened, tried)
        retried += outcome.pop("retried", [])
        if "error" not in outcome or outcome.pop("final", False) or not _worth_a_plan(outcome):
            break
    outcome["attempts"] = max(number, outcome.get("attempts", 1))
    outcome |= {"retried": retried} if retried else {}
    return _with_earlier(opened, outcome)


def _try(context: df.DurableOrchestrationContext, job: Job, opened: Job, tried: Job | None):
    """Plan the load unless the lane has, land it as far as its commit.

    Args:
        tried: The outcome of the lane's own try; None where it is to be planned here.

    Returns:
        The outcome; `final` is true of an error that no new plan helps against, and `cancelled` says who cancelled.
    """
    item = job["item"]
    if tried is None:
        context.set_custom_status({"phase": "planning", "started_at": job["begun"]})
        table = {"item": item, "checkpoint": opened["checkpoint"]}
        answer = yield from attempt(context, "land_tables", {**_work(job), "tables": [table]}, ONCE)
        if "cancelled" in answer:
            return {"cancelled": answer["cancelled"], "reason": "the run was cancelled; the next one reads this again"}
        tried = answer if "error" in answer else answer["outcomes"][0] | {"attempts": answer["attempts"]}
    if "error" in tried or tried["unchanged"]:
        return tried
    if "commit" not in tried:
        tried = yield from _in_shares(context, job, opened, tried)
    if "commit" not in tried:
        return tried
    return (yield from _commit(context, job, item, tried))


def _in_shares(context: df.DurableOrchestrationContext, job: Job, opened: Job, plan: Job):
    """Extract the chunks of a planned load in lanes of their own, and publish its manifest.

    Returns:
        The plan, and what came of it: what `publish_load` returns, `error`, or `cancelled`.
    """
    item, started = job["item"], context.current_utc_datetime
    work = {**_work(job), "retry": job["retry"], "item": item, "plan": plan["plan"]}
    lanes = max(1, min(item["parallel_chunks"], plan["chunks"]))
    status = {"phase": "extracting", "started_at": job["begun"], "since": started.isoformat()}
    status |= {
        "sequence": plan["sequence"] + 1,
        "chunks": plan["chunks"],
        "estimated_rows": plan["estimated_rows"],
    }
    name = f"{context.instance_id}:{plan['plan'].rsplit('-', 1)[-1].removesuffix('.json')}"
    context.set_custom_status({**status, "lanes": lanes, "lanes_of": name})
    shares = [{**work, "lane": lane, "chunks": list(range(lane, plan["chunks"], lanes))} for lane in range(lanes)]
    calls = [("extract_share", share, f"{name}:{share['lane']}") for share in shares]
    extracted = yield from lead(context, job, *calls)
    retried = [*plan.get("retried", ()), *(error for share in extracted for error in share["retried"])]
    attempts = max(share["attempts"] for share in extracted)
    plan = {**plan, "attempts": attempts, "retried": retried}
    failure = next((share["error"] for share in extracted if "error" in share), None)
    if failure:
        final = failure["code"] not in PLANNED_ANEW
        return {**plan, "error": failure, "final": final, "activity": "extract_chunks"}
    cancelled = next((share["cancelled"] for share in extracted if "cancelled" in share), None)
    if cancelled:
        return {**plan, "cancelled": cancelled, "reason": "the run was cancelled; the next one reads this again"}
    context.set_custom_status({**status, "phase": "publishing"})
    landed = {key: [entry for share in extracted for entry in share[key]] for key in ("files", "pages", "states")}
    published = yield from attempt(
        context, "publish_load", {**work, **landed, "checkpoint": opened["checkpoint"]}, job["retry"]
    )
    retried += published.pop("retried", [])
    ending = {"final": True} if "error" in published else {}
    return {**plan, **published, **ending, "attempts": max(attempts, published["attempts"]), "retried": retried}


@bp.orchestration_trigger(context_name="context")
def extract_share(context):
    """Extract a share of a big table's chunks.

    Input: `lane`, `chunks` (indexes) beside what the activity `extract_chunks` takes; `pages`, `page`, `rows`
    and `states` when it continues. Output: `files` and `pages` (paths of lists of files), `states` (those that the
    source was read in, two at most), `attempts`, `retried`, or `error`, or `cancelled`.
    """
    share = context.get_input()
    result = yield from _extract(context, share)
    if "error" in result or "cancelled" in result or not result["rest"]:
        return result
    page = share.get("page", 0)
    kept = yield from attempt(context, "keep_files", {**share, "page": page, "files": result["files"]}, share["retry"])
    if "error" in kept:
        return {**result, "error": kept["error"]}
    carried = {"chunks": result["rest"], "page": page + 1, "pages": [*share.get("pages", ()), kept["path"]]}
    totals = {key: result[key] for key in ("rows", "states", "attempts")}
    context.continue_as_new({**share, **carried, **totals})


def _extract(context: df.DurableOrchestrationContext, share: Job):
    """Call the activity until no chunk is left, or so often that the history should start anew."""
    files, attempts, retried, rest = [], share.get("attempts", 1), [], share["chunks"]
    rows, states, ending = share.get("rows", 0), set(share.get("states", ())), {}
    for _ in range(CALLS_PER_EXECUTION):
        status = {"phase": "extracting", "rows": rows}
        context.set_custom_status(status)
        extracted = yield from attempt(context, "extract_chunks", {**share, "chunks": rest}, share["retry"], status)
        attempts = max(attempts, extracted["attempts"])
        retried += extracted.get("retried", [])
        ending = {key: extracted[key] for key in ("error", "cancelled") if key in extracted}
        if ending:
            break
        files += extracted["files"]
        rows += sum(file["rows"] for file in extracted["files"])
        states |= {extracted["state"]}
        rest = extracted["rest"]
        if not rest:
            break
    done = {"files": files, "pages": share.get("pages", []), "rest": rest, "rows": rows}
    done["states"] = sorted(states)[:2]  # more than one is all that counts
    return {**done, "attempts": attempts, "retried": retried, **ending}
