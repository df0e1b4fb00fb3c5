"""Checkpoints from the lake: what the manifests say, after the task hub was lost."""

from __future__ import annotations

from typing import Any

from comboi_core.app.workspace import Workspace
from comboi_core.domain.errors import ManifestUnreadable
from comboi_core.domain.manifest import LOADS_FOLDER, Manifest, table_folder
from comboi_core.domain.names import table_id

Payload = dict[str, Any]


def checkpoints_in_lake(workspace: Workspace) -> dict[str, Payload]:
    """Return for each table with loads in the lake the newest checkpoint that is complete.

    The newest manifest counts even if its run was killed before the commit: its files are there, and its watermark with
    them. One that is damaged, or whose files are not all there, is passed over for the one before.

    Returns:
        `source.table` -> `sequence`, `fence`, `watermark`, `manifest`.
    """
    found = {}
    for source in workspace.project.pipeline_file.sources:
        for table in source.tables:
            checkpoint = _newest(workspace, source.name, table.name)
            if checkpoint:
                found[table_id(source.name, table.name)] = checkpoint
    return found


def _newest(workspace: Workspace, source: str, table: str) -> Payload | None:
    from comboi_core.lake.bronze import read_manifest

    lake = workspace.lake("bronze")
    folder = table_folder(source, table)
    there = set(lake.list(folder))
    for path in sorted((path for path in there if path.startswith(f"{folder}/{LOADS_FOLDER}/")), reverse=True):
        try:
            manifest: Manifest = read_manifest(lake, path)
        except ManifestUnreadable:
            continue
        if all(file.path in there for file in manifest.files):
            fields = {"sequence": manifest.sequence, "fence": manifest.fence, "watermark": manifest.watermark}
            return {**fields, "manifest": path}
    return None
