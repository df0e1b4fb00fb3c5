"""Landing a table: plan the load, extract its chunks, publish its manifest, sweep what nothing lists."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

from comboi_core.app import runfiles
from comboi_core.app.codec import decode, decode_json, encode_json
from comboi_core.app.workspace import Workspace
from comboi_core.domain.errors import ComboiError
from comboi_core.domain.load import Checkpoint, LoadPlan
from comboi_core.domain.manifest import DataFile, Manifest, data_path
from comboi_core.domain.ports import Lake, Source

Payload = dict[str, Any]


def plan_table(workspace: Workspace, job: Payload) -> Payload:
    """Decide what the next load of a table reads, and freeze it into the lake.

    Args:
        job: `run_id`, `item` (`source`, `table`, `name`), `checkpoint`, `full_refresh`.

    Returns:
        `plan` (path), `chunks` (how many), `unchanged`, and what the run record shows of the load.
    """
    item, lake = job["item"], workspace.lake("bronze")
    checkpoint = decode(Checkpoint, job["checkpoint"])
    previous = _committed(lake, checkpoint)
    checkpoint = replace(checkpoint, columns=previous.columns if previous else ())
    with workspace.duckdb() as con, workspace.source(con, item["source"], item["table"]) as source:
        load = source.plan(checkpoint, full_refresh=job["full_refresh"])
    path = runfiles.load_plan_path(job["run_id"], item["name"], secrets.token_hex(4))
    lake.write(path, encode_json(load))
    return {
        "plan": path,
        "chunks": len(load.chunks),
        "unchanged": load.unchanged,
        "estimated_rows": load.estimated_rows,
        "mode": load.mode,
        "window": asdict(load.window) if load.window else None,
        "sequence": checkpoint.sequence,
        "watermark": checkpoint.watermark,
        "rows": 0,
        "bytes": 0,
        "files": 0,
        "schema_changes": list(load.schema_changes),
        "warnings": list(load.warnings),
    }


def extract_chunk(workspace: Workspace, job: Payload) -> Payload:
    """Read one chunk from the source into one Parquet file; the file's name is unique to this execution.

    Args:
        job: `item`, `plan` (path), `chunk` (index).

    Returns:
        `{"files": [DataFile]}`; no file if the chunk has no rows.
    """
    from comboi_core.lake.bronze import write_chunk

    item, lake = job["item"], workspace.lake("bronze")
    load = decode_json(LoadPlan, lake.read(job["plan"]))
    chunk = load.chunks[job["chunk"]]
    path = data_path(load.source, load.table, load.sequence, chunk.index, secrets.token_hex(4))
    cursor = load.window.cursor if load.window else None
    with (
        workspace.duckdb() as con,
        workspace.source(con, item["source"], item["table"]) as source,
        _translated(source),
    ):
        rows, size, max_cursor = write_chunk(con, lake, source.select(load, chunk), path, cursor=cursor)
    if not rows:
        return {"files": []}
    return {"files": [asdict(DataFile(path, load.sequence, rows, size, max_cursor))]}


@contextmanager
def _translated(source: Source):
    """Let the source say in comboi's terms what went wrong while its rows were read."""
    try:
        yield
    except ComboiError:
        raise
    except Exception as error:
        raise source.translate(error) from error


def publish_load(workspace: Workspace, job: Payload) -> Payload:
    """Write the load's manifest. A doubled execution writes the same bytes to the same path.

    Args:
        job: `run_id`, `fence`, `item`, `checkpoint`, `plan` (path), `files`.

    Returns:
        `{"commit": ...}`: what the table's entity is asked to commit.
    """
    from comboi_core.lake.bronze import next_manifest, write_manifest

    item, lake = job["item"], workspace.lake("bronze")
    load = decode_json(LoadPlan, lake.read(job["plan"]))
    files = tuple(sorted((decode(DataFile, file) for file in job["files"]), key=lambda file: file.path))
    manifest = next_manifest(
        _committed(lake, decode(Checkpoint, job["checkpoint"])),
        load,
        files,
        fence=job["fence"],
        run_id=job["run_id"],
        primary_key=workspace.project.table(item["source"], item["table"]).primary_key,
    )
    path = write_manifest(lake, manifest)
    return {
        "commit": {
            "sequence": load.sequence,
            "fence": job["fence"],
            "run_id": job["run_id"],
            "watermark": load.watermark,
            "manifest": path,
            "mode": load.mode,
            "rows": sum(file.rows for file in files),
            "bytes": sum(file.bytes for file in files),
        }
    }


def sweep_table(workspace: Workspace, job: Payload) -> Payload:
    """Delete what killed and superseded loads left behind.

    Args:
        job: `item`, `manifest` (path of the committed one).
    """
    from comboi_core.lake.bronze import read_manifest, sweep

    lake = workspace.lake("bronze")
    committed = read_manifest(lake, job["manifest"])
    return {"deleted": sweep(lake, committed.source, committed.table, committed)}


def _committed(lake: Lake, checkpoint: Checkpoint) -> Manifest | None:
    from comboi_core.lake.bronze import read_manifest

    return read_manifest(lake, checkpoint.manifest) if checkpoint.manifest else None
