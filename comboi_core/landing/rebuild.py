"""Restores checkpoints from the manifests in the lake, after the task hub was lost."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from comboi_core.app.workspace import Workspace
from comboi_core.domain.contracts.table import Restorable
from comboi_core.domain.errors import ManifestUnreadable
from comboi_core.domain.manifest import LOADS_FOLDER, Manifest, loads_of, table_folder
from comboi_core.domain.names import table_id
from comboi_core.landing.continuity import refuse_other_owner


def checkpoints_in_lake(workspace: Workspace) -> dict[str, Restorable]:
    """Return for each table with loads in the lake the newest checkpoint that is complete.

    The newest manifest counts even if its run was killed before the commit: its files are there, and its watermark with
    them. One that is damaged, or whose files are not all there, is passed over for the one before. Where no load is
    complete any more, the next one goes on from the newest number, and reads the table anew.

    Raises:
        NotOwner: another pipeline loads a table of this name.
    """
    newest = {table_id(*key): _newest(workspace, *key) for key in workspace.project.tables}
    return {name: checkpoint for name, checkpoint in newest.items() if checkpoint}


def lost_loads(workspace: Workspace, manifests: Mapping[str, str]) -> list[str]:
    """Return the tables whose committed manifest is not in the lake.

    Args:
        manifests: `source.table` -> path of the manifest that the task hub knows of.
    """
    lake = workspace.lake("bronze")
    return sorted(name for name, path in manifests.items() if not lake.exists(path))


def newest_fence(workspace: Workspace) -> int:
    """Return the largest fence that a published dataset holds; 0 where there is none. Files that cannot be read do not
    count.

    Raises:
        LakeUnavailable, LakeRefused: a lake does not answer.
    """
    import duckdb

    from comboi_core.lake.published import read_published

    newest = 0
    with workspace.duckdb() as con:
        for stage in ("silver", "gold"):
            for dataset in workspace.project.datasets(stage):
                with suppress(duckdb.Error):
                    published = read_published(con, workspace.lake(stage), workspace.project.dataset_path(dataset.name))
                    newest = max(newest, published.fence if published else 0)
    return newest


def _newest(workspace: Workspace, source: str, table: str) -> Restorable | None:
    from comboi_core.lake.bronze import read_manifest

    lake = workspace.lake("bronze")
    folder = table_folder(source, table)
    files = set(lake.list(folder))
    loads = sorted((path for path in files if path.startswith(f"{folder}/{LOADS_FOLDER}/")), reverse=True)
    for path in loads:
        try:
            manifest: Manifest = read_manifest(lake, path)
        except ManifestUnreadable:
            continue
        refuse_other_owner(
            manifest.owner,
            workspace.project.owners,
            f"{table_id(source, table)} in the lake {lake.describe()}",
            "the source or the table",
        )
        if all(file.path in files for file in manifest.files):
            return {
                "sequence": manifest.sequence,
                "fence": manifest.fence,
                "watermark": manifest.watermark,
                "manifest": path,
                "reload": False,
            }
    known = loads_of(loads)
    if not known:
        return None
    sequence, fence, _ = known[0]
    return {"sequence": sequence, "fence": fence, "watermark": None, "manifest": None, "reload": True}
