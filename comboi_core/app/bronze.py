"""Landing a table: plan the load, extract its chunks, publish its manifest, sweep what nothing lists."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from comboi_core.app import continuity, runfiles
from comboi_core.app.backfill import backfilled
from comboi_core.app.codec import decode, decode_json, encode_json
from comboi_core.app.workspace import Workspace
from comboi_core.domain.errors import ComboiError, SchemaDrift, SourceFileChanged
from comboi_core.domain.load import Checkpoint, LoadPlan
from comboi_core.domain.manifest import DataFile, Manifest, data_path
from comboi_core.domain.ports import Lake, Source

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Payload = dict[str, Any]

FILES_PER_CALL = 20
"""Chunks that one execution extracts at most, so that its result stays small."""


def plan_table(workspace: Workspace, job: Payload) -> Payload:
    """Decide what the next load of a table reads, and freeze it into the lake.

    Args:
        job: `run_id`, `fence`, `item` (`source`, `table`, `name`), `checkpoint`, `full_refresh`, `backfill` (or None).

    Returns:
        `plan` (path), `chunks` (how many), `unchanged`, and what the run record shows of the load.
    """
    item, lake = job["item"], workspace.lake("bronze")
    load = plan_load(workspace, item, job["checkpoint"], job["full_refresh"], job.get("backfill"), fence=job["fence"])
    path = runfiles.load_plan_path(job["run_id"], item["name"], secrets.token_hex(4))
    lake.write(path, encode_json(load))
    return {
        "plan": path,
        "chunks": len(load.chunks),
        "unchanged": load.unchanged,
        "estimated_rows": load.estimated_rows,
        "mode": load.mode,
        "window": asdict(load.window) if load.window else None,
        "sequence": load.sequence - 1,
        "watermark": job["checkpoint"]["watermark"],
        "reloaded": load.replaces,
        "rows": 0,
        "bytes": 0,
        "files": 0,
        "schema_changes": list(load.schema_changes),
        "warnings": list(load.warnings),
    }


def plan_load(
    workspace: Workspace,
    item: Payload,
    known: Payload,
    full_refresh: bool,
    backfill: Payload | None = None,
    *,
    fence: int | None = None,
) -> LoadPlan:
    """Plan the next load of a table; writes nothing.

    Args:
        known: The checkpoint as the table's entity has it.
        backfill: `from` and `to`, cursor values as text: the load reads rows above `from` up to `to`, once more, and
            leaves the watermark where it is.
        fence: The run's; None outside of a run.

    Raises:
        CheckpointLost, BackfillImpossible, ConfigError, and what the source says.
    """
    from comboi_core.lake.masking import masked_columns

    lake, table = workspace.lake("bronze"), workspace.project.table(item["source"], item["table"])
    checkpoint = decode(Checkpoint, known)
    continuity.refuse_lost_checkpoint(lake, item, checkpoint, fence)
    previous = _committed(lake, checkpoint)
    if previous:
        checkpoint = replace(checkpoint, columns=previous.columns, inputs=previous.inputs)
    full_refresh = full_refresh or checkpoint.reload
    if previous and not full_refresh:
        continuity.refuse_other_cursor(previous, table.cursor_name)
        continuity.refuse_other_versions(previous, table.effective_mode, table.primary_key)
        # Without a watermark the load reads the whole table: what is there already would be there twice.
        full_refresh = previous.mode == "full" != table.effective_mode
    with (
        workspace.borrowed_duckdb(item["source"]) as con,
        workspace.source(con, item["source"], item["table"]) as source,
    ):
        load = source.plan(checkpoint, full_refresh=full_refresh)
    columns = masked_columns(
        load.columns, table.mask, checkpoint.columns, replaces=load.replaces, place=f"{load.source}.{load.table}"
    )
    doubts = continuity.doubtful_key(load, previous, table.primary_key)
    load = replace(load, columns=columns, warnings=load.warnings + doubts)
    return backfilled(load, checkpoint, backfill) if backfill else load


def extract_chunks(workspace: Workspace, job: Payload) -> Payload:
    """Read chunks from the source, each into a Parquet file of its own, until the soft deadline has passed.

    A file's name is unique to this execution. Whoever calls again with the rest loses nothing, and an execution that is
    cut off costs no more than the deadline.

    Args:
        job: `item`, `plan` (path), `chunks` (indexes, at least one).

    Returns:
        `files` (a chunk without rows has none), and `rest`: the chunks that are left to do.
    """
    from comboi_core.lake.bronze import write_chunk
    from comboi_core.lake.masking import keyed, masked_rows

    item, lake = job["item"], workspace.lake("bronze")
    load = decode_json(LoadPlan, lake.read(job["plan"]))
    cursor = load.window.cursor if load.window else None
    salt = workspace.salt() if any(column.masked == "hash" for column in load.columns) else None
    deadline = time.monotonic() + workspace.project.pipeline_file.engine.soft_deadline
    files, rest = [], list(job["chunks"])
    with (
        workspace.borrowed_duckdb(item["source"]) as con,
        workspace.source(con, item["source"], item["table"]) as source,
        _translated(source, load),
    ):
        with keyed(con, salt), _one_snapshot(con):
            while rest and len(files) < FILES_PER_CALL and (not files or time.monotonic() < deadline):
                chunk = load.chunks[rest[0]]
                path = data_path(load.source, load.table, load.sequence, chunk.index, secrets.token_hex(4))
                select = masked_rows(source.select(load, chunk), load.columns)
                rows, size, max_cursor = write_chunk(con, lake, select, path, cursor=cursor)
                files += [asdict(DataFile(path, load.sequence, rows, size, max_cursor))] if rows else []
                rest.pop(0)
        source.confirm(load)
    return {"files": files, "rest": rest}


def keep_files(workspace: Workspace, job: Payload) -> Payload:
    """Keep a list of files in the lake, where an orchestration's history would grow too long with it.

    Args:
        job: `run_id`, `item`, `lane`, `page`, `files`.
    """
    path = runfiles.files_path(job["run_id"], job["item"]["name"], job["lane"], job["page"])
    runfiles.write_json(workspace.lake("bronze"), path, job["files"])
    return {"path": path}


@contextmanager
def _one_snapshot(con: DuckDBPyConnection) -> Iterator[None]:
    """Read all chunks of an execution in one transaction: PostgreSQL and SQLite then show them one snapshot."""
    con.begin()
    try:
        yield
    except BaseException:
        with suppress(Exception):  # what went wrong within counts, not that the session is gone as well
            con.rollback()
        raise
    con.commit()


@contextmanager
def _translated(source: Source, load: LoadPlan):
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
        except (SchemaDrift, SourceFileChanged) as drift:
            failed = drift
        except ComboiError:
            pass
    raise failed


def publish_load(workspace: Workspace, job: Payload) -> Payload:
    """Write the load's manifest. A doubled execution writes the same bytes to the same path.

    Args:
        job: `run_id`, `fence`, `item`, `checkpoint`, `plan` (path), `files`, and `pages` (paths of kept files).

    Returns:
        `commit`: what the table's entity is asked to commit; `files`: how many there are; `foldable`: whether the
        table has many small loads by now.
    """
    from comboi_core.lake.bronze import next_manifest, write_manifest
    from comboi_core.lake.compaction import foldable

    item, lake = job["item"], workspace.lake("bronze")
    load = decode_json(LoadPlan, lake.read(job["plan"]))
    listed = [*job["files"], *(file for page in job["pages"] for file in runfiles.read_json(lake, page))]
    files = tuple(sorted((decode(DataFile, file) for file in listed), key=lambda file: file.path))
    manifest = next_manifest(
        _committed(lake, decode(Checkpoint, job["checkpoint"])),
        load,
        files,
        fence=job["fence"],
        run_id=job["run_id"],
        primary_key=workspace.project.table(item["source"], item["table"]).primary_key,
    )
    path = write_manifest(lake, manifest)
    commit = {**_commit(manifest, path, load.mode), "reloaded": load.replaces}
    return {"files": len(files), "foldable": bool(foldable(manifest)), "commit": commit}


def fold_loads(workspace: Workspace, job: Payload) -> Payload:
    """Fold a table's newest loads into one where that is worth it; see `lake.compaction`.

    Args:
        job: `run_id`, `fence`, `manifest` (path of the committed one).

    Returns:
        `{"commit": ...}` for the table's entity, or nothing where there is nothing to fold.
    """
    from comboi_core.lake.bronze import read_manifest, write_manifest
    from comboi_core.lake.compaction import fold

    lake = workspace.lake("bronze")
    with workspace.duckdb() as con:
        folded = fold(
            con,
            lake,
            read_manifest(lake, job["manifest"]),
            fence=job["fence"],
            run_id=job["run_id"],
            attempt=secrets.token_hex(4),
        )
    return {"commit": _commit(folded, write_manifest(lake, folded), "compaction")} if folded else {}


def _commit(manifest: Manifest, path: str, mode: str) -> Payload:
    written = [file for file in manifest.files if file.load == manifest.sequence]
    return {
        "sequence": manifest.sequence,
        "fence": manifest.fence,
        "run_id": manifest.run_id,
        "watermark": manifest.watermark,
        "manifest": path,
        "mode": mode,
        "rows": sum(file.rows for file in written),
        "bytes": sum(file.bytes for file in written),
    }


def sweep_table(workspace: Workspace, job: Payload) -> Payload:
    """Delete what killed and superseded loads left behind.

    Args:
        job: `item`, `manifest` (path of the committed one).
    """
    from comboi_core.lake.bronze import read_manifest, sweep

    lake = workspace.lake("bronze")
    committed = read_manifest(lake, job["manifest"])
    keep = workspace.project.pipeline_file.stages.bronze.keep_loads
    return {"deleted": sweep(lake, committed.source, committed.table, committed, keep=keep)}


def _committed(lake: Lake, checkpoint: Checkpoint) -> Manifest | None:
    from comboi_core.lake.bronze import read_manifest

    return read_manifest(lake, checkpoint.manifest) if checkpoint.manifest else None
