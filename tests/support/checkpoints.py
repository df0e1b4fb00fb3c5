"""The checkpoints of a project, read from the task hub's file: a host started to ask costs a second each time."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from comboi_core.app.workspace import Workspace
from comboi_core.web.monitoring import list_tables


class StoredEntities:
    """The part of a hub that reads the state of entities, on the embedded host's file."""

    def __init__(self, file: Path) -> None:
        self._file = file

    async def read(self, name: str, key: str) -> dict[str, Any] | None:
        """Return an entity's state, or None."""
        with closing(sqlite3.connect(self._file)) as hub:
            found = hub.execute("SELECT state FROM entities WHERE sid = ?", [f"@{name}@{key}"]).fetchone()
        return json.loads(found[0]) if found and found[0] else None


def checkpoints(workspace: Workspace, hub: Path) -> dict[str, dict[str, Any]]:
    """Return what the API says of each table that has been landed: `source.table` -> its checkpoint."""
    found = asyncio.run(list_tables(StoredEntities(hub), workspace))["tables"]
    return {f"{table['source']}.{table['table']}": table for table in found if table["manifest"]}
