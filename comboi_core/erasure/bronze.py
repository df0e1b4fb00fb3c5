"""Erasing keys from a bronze table: its files are rewritten without them, a manifest lists the new ones, old ones go.

An execution that is cut off leaves files that nothing lists, which the next sweep deletes; what readers see changes
with the commit of the manifest, as for a load.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import replace

from comboi_core.app import runfiles
from comboi_core.app.codec import decode
from comboi_core.app.workspace import Workspace
from comboi_core.domain.contracts.erasure import (
    DatasetToErase,
    EraseFiles,
    ErasurePlan,
    ErasurePublished,
    FilesErased,
    FrozenErasure,
    PlanErasure,
    PublishErasure,
    RewrittenFile,
    SweepErased,
    Swept,
)
from comboi_core.domain.contracts.table import TableName
from comboi_core.domain.errors import RequestInvalid
from comboi_core.domain.load import Checkpoint
from comboi_core.domain.manifest import DataFile, Manifest, data_path, table_folder
from comboi_core.domain.names import table_id
from comboi_core.erasure.keys import downstream, read_keys, secret_folder, unspoken
from comboi_core.landing.continuity import refuse_other_table

FIRST_INDEX = 90_000
"""Rewritten files are numbered from here, so that a folder shows which they are; names are unique by their token."""


def plan_erasure(workspace: Workspace, job: PlanErasure) -> ErasurePlan:
    """Freeze what an erasure has to look at: the table's files, and the datasets that are made of it.

    Files that the committed manifest does not list are looked at as well: those of earlier loads that are kept, and
    those of a load that was killed.

    Raises:
        NotOwner, CheckpointLost: another pipeline has loaded the table, or loads that the task hub does not know of.
    """
    from comboi_core.erasure.files import keep_superseding
    from comboi_core.lake.bronze import read_manifest

    project, lake = workspace.project, workspace.lake("bronze")
    if job["pipeline"] != project.pipeline:
        raise RequestInvalid(f"the configuration's pipeline is '{project.pipeline}', not '{job['pipeline']}'")
    committed = job["checkpoint"]["manifest"]
    if committed is None:
        raise RequestInvalid(
            f"{table_id(job['source'], job['table'])} has never been loaded: there is nothing to erase"
        )
    sought = read_keys(workspace, job["keys"])
    manifest = read_manifest(lake, committed)
    name = table_id(manifest.source, manifest.table)
    item: TableName = {"name": name, "source": manifest.source, "table": manifest.table}
    known = decode(Checkpoint, job["checkpoint"])
    refuse_other_table(lake, item, known, manifest, job["fence"], project.owners)
    superseding = f"{secret_folder(job['run_id'])}/superseding-{secrets.token_hex(4)}.parquet"
    with unspoken(sought), workspace.duckdb() as con:
        lake.attach(con)
        superseding_path = keep_superseding(con, lake, manifest, sought, superseding)
    listed = [file.path for file in manifest.files]
    folder = table_folder(manifest.source, manifest.table)
    others = [path for path in lake.list(folder) if path.endswith(".parquet") and path not in set(listed)]
    datasets: list[DatasetToErase] = [
        {
            "name": item.name,
            "stage": project.dataset(item.name)[0],
            "tables": sorted({table_id(str(part.source), str(part.table)) for part in item.inputs if part.source}),
        }
        for item in downstream(workspace, name)
    ]
    path = f"{runfiles.WORK}/{job['run_id']}/erasure-{secrets.token_hex(4)}.json"
    plan: FrozenErasure = {"superseding": superseding_path, "others": others, "datasets": datasets}
    runfiles.write_work(lake, path, plan)
    retry = project.pipeline_file.retry
    return {
        "plan": path,
        "manifest": committed,
        "sequence": manifest.sequence,
        "config_hash": project.config_hash,
        "retry": {"attempts": retry.attempts, "first_delay": retry.first_delay, "factor": retry.factor},
        "files": len(listed) + len(others),
        "datasets": len(datasets),
    }


def erase_files(workspace: Workspace, job: EraseFiles) -> FilesErased:
    """Rewrite the table's files that hold a key, one after the other, until the soft deadline has passed."""
    from comboi_core.erasure.files import rewrite_load_file, select_in_file, select_in_load
    from comboi_core.lake.bronze import read_manifest

    lake, sought = workspace.lake("bronze"), read_keys(workspace, job["keys"])
    plan: FrozenErasure = runfiles.read_json(lake, job["plan"])
    manifest = read_manifest(lake, job["manifest"])
    work: list[DataFile | str] = [*manifest.files, *plan["others"]]
    deadline = time.monotonic() + workspace.project.pipeline_file.engine.soft_deadline
    position, removed, elsewhere = job["next"], 0, 0
    rewritten: list[RewrittenFile] = []
    with unspoken(sought), workspace.duckdb() as con:
        lake.attach(con)
        while position < len(work) and (position == job["next"] or time.monotonic() < deadline):
            file = work[position]
            if isinstance(file, str):
                selection = select_in_file(con, lake, file, sought)
                elsewhere += selection.count(con) if selection else 0
            else:
                selection = select_in_load(con, lake, file, manifest, sought, plan["superseding"])
                count = selection.count(con) if selection else 0
                if selection and count:
                    path = data_path(
                        manifest.source,
                        manifest.table,
                        file.load,
                        FIRST_INDEX + position % 10_000,
                        secrets.token_hex(4),
                    )
                    new = rewrite_load_file(con, lake, file, selection, path)
                    rewritten.append({"path": file.path, "new": new.record() if new else None})
                    removed += count
            position += 1
    page = None
    if rewritten:
        page = f"{runfiles.WORK}/{job['run_id']}/rewritten/{job['next']:06d}-{secrets.token_hex(4)}.json"
        runfiles.write_work(lake, page, rewritten)
    return {"next": position, "removed": removed, "elsewhere": elsewhere, "page": page}


def publish_erasure(workspace: Workspace, job: PublishErasure) -> ErasurePublished:
    """Write the manifest that lists the rewritten files in place of the old ones."""
    from comboi_core.lake.bronze import read_manifest, write_manifest

    lake = workspace.lake("bronze")
    new = {
        entry["path"]: decode(DataFile, entry["new"]) if entry["new"] else None
        for page in job["pages"]
        for entry in runfiles.read_json(lake, page)
    }
    before = read_manifest(lake, job["manifest"])
    files = (new.get(file.path, file) for file in before.files)
    manifest: Manifest = replace(
        before,
        sequence=before.sequence + 1,
        fence=job["fence"],
        run_id=job["run_id"],
        files=tuple(file for file in files if file is not None),
    )
    return {
        "commit": {
            "sequence": manifest.sequence,
            "fence": manifest.fence,
            "run_id": manifest.run_id,
            "watermark": manifest.watermark,
            "manifest": write_manifest(lake, manifest),
            "mode": "erasure",
            "rows": 0,
            "bytes": sum(file.bytes for file in new.values() if file),
            "removed": job["removed"],
            "by": job["by"],
        }
    }


def sweep_erased(workspace: Workspace, job: SweepErased) -> Swept:
    """Delete every manifest of the table before the committed one, and every file that it does not list."""
    from comboi_core.lake.bronze import read_manifest, sweep

    lake = workspace.lake("bronze")
    committed = read_manifest(lake, job["manifest"])
    return {"deleted": sweep(lake, committed.source, committed.table, committed, path=job["manifest"], keep=1)}
