"""Landing tables: plan the load, extract its chunks, publish its manifest, remove files that no manifest lists.

One activity does all of this for tables without changes, and for a table whose changes fit into one chunk. For a larger
load it only plans, and further activities extract.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from comboi_core.app import runfiles
from comboi_core.app.answers import part
from comboi_core.app.codec import decode, decode_json
from comboi_core.app.origin import origin_of
from comboi_core.app.workspace import Workspace
from comboi_core.domain.contracts.landing import (
    ExtractChunks,
    Extracted,
    FilesKept,
    Folded,
    FoldLoads,
    KeepFiles,
    LandPlanned,
    LandTables,
    Planned,
    PlanTable,
    Published,
    PublishLoad,
    RunWork,
    TableOutcome,
    TablesLanded,
)
from comboi_core.domain.contracts.record import Range
from comboi_core.domain.contracts.run import ItemOutcome
from comboi_core.domain.contracts.table import CheckpointRecord, Commit, TableItem, TableName
from comboi_core.domain.errors import ComboiError, SchemaDrift, SourceChanged, SourceFileChanged
from comboi_core.domain.load import Checkpoint, Chunk, LoadPlan
from comboi_core.domain.manifest import DataFile, FileRecord, Manifest, data_path
from comboi_core.domain.ports import FollowsFeed, Lake, Source, TellsState
from comboi_core.landing import continuity, feed, shortfalls
from comboi_core.landing.backfill import backfilled
from comboi_core.sources.common.chunks import PER_ACTIVITY

PLANNING_SECONDS = 5.0
"""After this many seconds an execution begins no further table, so that the progress of the run is shown in time."""


def land_tables(workspace: Workspace, job: LandTables) -> TablesLanded:
    """Land tables one after the other: up to the first that has changed, fails, or would be begun too late.

    A table that has changed is landed as far as its manifest, if it comes first and needs no more than one chunk. One
    that comes later is left planned, so that it comes first in the next execution: what is slow is then known by name.

    """
    lake, began = workspace.lake("bronze"), time.monotonic()
    outcomes: list[TableOutcome] = []
    for number, table in enumerate(job["tables"]):
        after = time.monotonic() - began
        if number and after >= PLANNING_SECONDS:
            break
        if cancelled := runfiles.cancellation(lake, job["run_id"]):
            return {"outcomes": outcomes, "cancelled": cancelled}
        work: PlanTable = {**_run_work(job), "item": table["item"], "checkpoint": table["checkpoint"]}
        outcome: TableOutcome = table["planned"] if "planned" in table else part(plan_table, workspace, work)
        if "error" not in outcome and _fits(outcome) and not number:
            asked: LandPlanned = {**work, "plan": outcome["plan"]}
            outcome = {**outcome, **part(land_planned, workspace, asked)}
        seconds = time.monotonic() - began - after
        outcomes.append({**outcome, "after": round(after, 3), "seconds": round(seconds, 3)})
        if "error" in outcome or not outcome["unchanged"]:
            break
    return {"outcomes": outcomes}


def _run_work(job: RunWork) -> RunWork:
    work: RunWork = {
        "run_id": job["run_id"],
        "pipeline": job["pipeline"],
        "fence": job["fence"],
        "config_hash": job["config_hash"],
        "full_refresh": job["full_refresh"],
        "backfill": job["backfill"],
    }
    return {**work, "attempt": job["attempt"]} if "attempt" in job else work


def _fits(planned: TableOutcome) -> bool:
    return not planned["unchanged"] and planned["chunks"] <= 1


def land_planned(workspace: Workspace, job: LandPlanned) -> Published:
    """Extract the one chunk of a planned load and publish its manifest, in this execution.

    The manifest's name is unique to the execution, as those of its files are: another execution has another plan, whose
    window may end elsewhere, and the table's entity commits one of the two manifests.
    """
    load = decode_json(LoadPlan, workspace.lake("bronze").read(job["plan"]))
    extracted = _extracted(workspace, job["item"], load, [chunk.index for chunk in load.chunks])
    work: PublishLoad = {
        **job,
        "files": extracted["files"],
        "pages": [],
        "states": [extracted["state"]],
        "token": secrets.token_hex(4),
    }
    return publish_load(workspace, work)


def plan_table(workspace: Workspace, job: PlanTable) -> Planned:
    """Decide what the next load of a table reads, and freeze it into the lake."""
    item, lake = job["item"], workspace.lake("bronze")
    load = plan_load(
        workspace,
        item,
        job["checkpoint"],
        job["full_refresh"],
        job.get("backfill"),
        fence=job["fence"],
        run_id=job["run_id"],
    )
    path = runfiles.load_plan_path(job["run_id"], item["name"], secrets.token_hex(4))
    runfiles.write_work(lake, path, load)
    return {
        "plan": path,
        "chunks": len(load.chunks),
        "unchanged": load.unchanged,
        "estimated_rows": load.estimated_rows,
        "mode": load.mode,
        "window": load.window.record() if load.window else None,
        "sequence": load.sequence - 1,
        "watermark": job["checkpoint"]["watermark"],
        "manifest": job["checkpoint"]["manifest"],
        "reloaded": load.replaces,
        "rows": 0,
        "bytes": 0,
        "files": 0,
        "schema_changes": list(load.schema_changes),
        "warnings": list(load.warnings),
        "shortfalls": [shortfall.record() for shortfall in load.shortfalls],
    }


def plan_load(
    workspace: Workspace,
    item: TableName,
    known: CheckpointRecord,
    full_refresh: bool,
    backfill: Range | None = None,
    *,
    fence: int | None = None,
    run_id: str | None = None,
) -> LoadPlan:
    """Plan the next load of a table; writes nothing.

    Args:
        known: The checkpoint as the table's entity has it.
        backfill: `from` and `to`, cursor values as text: the load reads rows above `from` up to `to`, once more, and
            leaves the watermark where it is.
        fence: The run's; None outside of a run, as is `run_id`.

    Raises:
        CheckpointLost, LoadLost, NotOwner, OriginChanged, BackfillImpossible, ConfigError, and what the source says.
    """
    from comboi_core.lake.exactness import doubtful, refuse_inexact
    from comboi_core.lake.masking import masked_columns

    lake, table = workspace.lake("bronze"), workspace.project.table(item["source"], item["table"])
    checkpoint = decode(Checkpoint, known)
    continuity.refuse_other_loader(lake, item, checkpoint, workspace.project.owners, fence=fence, run_id=run_id)
    full_refresh = full_refresh or checkpoint.reload
    previous = continuity.committed(lake, checkpoint, item["name"], anew=full_refresh)
    if previous:
        checkpoint = replace(checkpoint, columns=previous.columns, inputs=previous.inputs, relations=previous.relations)
    origin = origin_of(workspace, item["source"], item["table"])
    goes_on = continuity.Continuation()
    if previous and not full_refresh:
        goes_on = continuity.continuation(previous, table, origin)
        full_refresh = goes_on.anew
    with (
        workspace.borrowed_duckdb(item["source"]) as con,
        workspace.source(con, item["source"], item["table"]) as source,
    ):
        feed.follow(workspace, con, source, item, run_id)
        load = source.plan(checkpoint, full_refresh=full_refresh)
        load = backfilled(load, checkpoint, backfill) if backfill else load
        nulls = shortfalls.of_added_columns(workspace, lake, source, load, table, previous)
    columns = masked_columns(
        load.columns, table.mask, checkpoint.columns, replaces=load.replaces, place=f"{load.source}.{load.table}"
    )
    masked = replace(load, columns=columns)
    if previous and doubtful(previous, masked):
        with workspace.duckdb() as con:
            refuse_inexact(con, lake, previous, masked)
    doubts = continuity.doubtful_key(load, previous, table.primary_key)
    return replace(
        masked,
        warnings=goes_on.warnings + load.warnings + doubts,
        shortfalls=goes_on.shortfalls + continuity.missed(load, previous) + nulls,
        origin=origin,
    )


def extract_chunks(workspace: Workspace, job: ExtractChunks) -> Extracted:
    """Read chunks from the source, each into a Parquet file of its own, until the soft deadline has passed.

    A file's name is unique to this execution. Whoever calls again with the rest loses nothing, and an execution that is
    cut off costs no more than the deadline.
    """
    lake = workspace.lake("bronze")
    if cancelled := runfiles.cancellation(lake, job["run_id"]):
        return {"files": [], "rest": job["chunks"], "state": "", "cancelled": cancelled}
    return _extracted(workspace, job["item"], decode_json(LoadPlan, lake.read(job["plan"])), job["chunks"])


def _extracted(workspace: Workspace, item: TableItem, load: LoadPlan, chunks: list[int]) -> Extracted:
    from comboi_core.lake.bronze import count_deleted, write_chunk
    from comboi_core.lake.masking import keyed, masked_rows

    lake = workspace.lake("bronze")
    salt = workspace.salt() if any(column.masked == "hash" for column in load.columns) else None
    deadline = time.monotonic() + workspace.project.pipeline_file.engine.soft_deadline
    files: list[FileRecord] = []
    rest = list(chunks)
    with (
        workspace.borrowed_duckdb(item["source"]) as con,
        workspace.source(con, item["source"], item["table"]) as source,
        _translated(source, load),
    ):
        with keyed(con, salt), source.reading(load):
            while rest and len(files) < PER_ACTIVITY and (not files or time.monotonic() < deadline):
                chunk = load.chunks[rest[0]]
                path = data_path(load.source, load.table, load.sequence, chunk.index, secrets.token_hex(4))
                select = masked_rows(_selected(lake, source, load, chunk), load.columns)
                rows, size = write_chunk(con, lake, select, path)
                deleted = count_deleted(con, lake, path) if rows and load.deletes else 0
                file = DataFile(path, load.sequence, rows, size, deleted=deleted)
                files += [file.record()] if rows else []
                rest.pop(0)
        source.confirm(load)
        state = source.state if isinstance(source, TellsState) else ""
    return {"files": files, "rest": rest, "state": state}


def _selected(lake: Lake, source: Source, load: LoadPlan, chunk: Chunk) -> str:
    if isinstance(source, FollowsFeed) and chunk.kind == "keys":
        return source.select_keys(load, lake.read(chunk.keys))
    return source.select(load, chunk)


def keep_files(workspace: Workspace, job: KeepFiles) -> FilesKept:
    """Keep a list of files in the lake, where an orchestration's history would grow too long with it."""
    path = runfiles.files_path(job["run_id"], job["item"]["name"], job["lane"], job["page"], secrets.token_hex(4))
    runfiles.write_work(workspace.lake("bronze"), path, job["files"])
    return {"path": path}


@contextmanager
def _translated(source: Source, load: LoadPlan) -> Iterator[None]:
    """Let the source say in comboi's terms what went wrong while its rows were read; a change of the columns meanwhile
    explains more than what reading them ran into.

    Raised outside of the handler: the original error may hold the connection string, and would go along as its context.
    """
    from comboi_core.lake.masking import discreet

    try:
        yield
        return
    except ComboiError:
        raise
    except Exception as error:
        failed = discreet(source.translate(error), load.columns)
    if not failed.transient:
        try:
            source.confirm(load)
        except (SchemaDrift, SourceChanged, SourceFileChanged) as drift:
            failed = drift
        except ComboiError:
            pass
    raise failed


def publish_load(workspace: Workspace, job: PublishLoad) -> Published:
    """Write the load's manifest. A doubled execution writes the same bytes to the same path.

    Raises:
        UnsupportedValue: rows have no key, and the table says `on_null_key: fail`.
    """
    from comboi_core.lake.bronze import next_manifest, write_manifest
    from comboi_core.lake.compaction import foldable

    item, lake = job["item"], workspace.lake("bronze")
    load = decode_json(LoadPlan, lake.read(job["plan"]))
    listed = [*job["files"], *(file for page in job["pages"] for file in runfiles.read_json(lake, page))]
    files = tuple(sorted((decode(DataFile, file) for file in listed), key=lambda file: file.path))
    table = workspace.project.table(item["source"], item["table"])
    previous = continuity.committed(lake, decode(Checkpoint, job["checkpoint"]), item["name"], anew=load.replaces)
    landed = shortfalls.of_landed(workspace, lake, load, table, files, previous)
    fallen_short = landed.shortfalls + shortfalls.of_states(load, len(set(job["states"])))
    manifest = next_manifest(
        None if load.replaces else previous,
        replace(load, key_unique=landed.key_unique),
        files,
        fence=job["fence"],
        run_id=job["run_id"],
        primary_key=table.primary_key,
        owner=workspace.project.pipeline,
    )
    path = write_manifest(lake, manifest, job.get("token", ""))
    commit: Commit = {**_commit(manifest, path, load.mode), "reloaded": load.replaces}
    return {
        "files": len(files),
        "foldable": bool(foldable(manifest)),
        "commit": commit,
        "fallen_short": [shortfall.record() for shortfall in fallen_short],
    }


def fold_loads(workspace: Workspace, job: FoldLoads) -> Folded:
    """Fold a table's newest loads into one where that is worth it, until the soft deadline; see `lake.compaction`."""
    from comboi_core.lake.bronze import read_manifest, write_manifest
    from comboi_core.lake.compaction import Folding, fold

    lake, token = workspace.lake("bronze"), secrets.token_hex(4)
    with workspace.duckdb() as con:
        folded = fold(
            con,
            lake,
            read_manifest(lake, job["manifest"]),
            fence=job["fence"],
            run_id=job["run_id"],
            attempt=token,
            begun=decode_json(Folding, lake.read(job["begun"])) if "begun" in job else None,
            deadline=time.monotonic() + workspace.project.pipeline_file.engine.soft_deadline,
        )
    if isinstance(folded, Folding):
        path = runfiles.folding_path(job["run_id"], job["item"]["name"], token)
        runfiles.write_work(lake, path, folded)
        return {"begun": path}
    return {"commit": _commit(folded, write_manifest(lake, folded), "compaction")} if folded else {}


def _commit(manifest: Manifest, path: str, mode: str) -> Commit:
    written = [file for file in manifest.files if file.load == manifest.sequence]
    deleted = sum(file.deleted for file in written)
    commit: Commit = {
        "sequence": manifest.sequence,
        "fence": manifest.fence,
        "run_id": manifest.run_id,
        "watermark": manifest.watermark,
        "manifest": path,
        "mode": mode,
        "rows": manifest.rows - deleted,
        "bytes": sum(file.bytes for file in written),
    }
    return {**commit, "rows_deleted": deleted} if deleted else commit


def sweep_landed(workspace: Workspace, landed: list[ItemOutcome]) -> None:
    """Delete what killed and superseded loads have left of tables that have just been landed.

    Where that fails, the table's outcome gets a warning: the next load tries again.
    """
    from comboi_core.lake.bronze import read_manifest, sweep

    lake, keep = workspace.lake("bronze"), workspace.project.pipeline_file.stages.bronze.keep_loads
    for outcome in landed:
        try:
            path = str(outcome["manifest"])
            committed = read_manifest(lake, path)
            sweep(lake, committed.source, committed.table, committed, path=path, keep=keep)
        except ComboiError as error:
            outcome["warnings"] = [*outcome["warnings"], f"sweep: {error.message}"]
