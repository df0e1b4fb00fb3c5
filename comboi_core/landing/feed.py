"""Change feeds in a run: read once for all tables of a source, followed by each, let go on when all have committed.

The feed is read by the activity that comes to a table of the source first; it leaves what it read in the run's working
files, where the others find it. Nothing is consumed by that: a run that is killed leaves the feed as it was.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from comboi_core.app import runfiles
from comboi_core.app.codec import decode_json
from comboi_core.app.workspace import Workspace
from comboi_core.config.source_registry import source_type
from comboi_core.config.source_type import Feed
from comboi_core.domain.contracts.record import TableRecord
from comboi_core.domain.contracts.table import TableName
from comboi_core.domain.errors import ComboiError, FeedBusy, LakeNotFound
from comboi_core.domain.feed import Changes, Known
from comboi_core.domain.ports import FollowsFeed, Source

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_POSITION = re.compile(r"[0-9A-Za-z/:.+-]+")
"""No position in which a secret has been replaced: a record may have such ones."""
_LOOK_SECONDS = 0.5
"""How often to look whether another activity has read the feed."""


def follow(workspace: Workspace, con: DuckDBPyConnection, source: Source, item: TableName, run_id: str | None) -> None:
    """Tell a table of a source what its change feed says; does nothing for one that follows none.

    Args:
        con: Where the source is attached.
        run_id: None outside of a run, where nothing is left behind.

    Raises:
        FeedBusy: something else reads the feed, and goes on doing so.
        FeedLost, ConfigError, and what the source and the lake say.
    """
    if not isinstance(source, FollowsFeed):
        return
    name = item["source"]
    config: Any = workspace.project.source(name)
    known = known_positions(workspace, name).get(item["table"])
    source.follow(_changes(workspace, con, name, run_id), known, on_lost=config.changes.on_lost_feed)


def _changes(workspace: Workspace, con: DuckDBPyConnection, name: str, run_id: str | None) -> Changes:
    lake = workspace.lake("bronze")
    deadline = time.monotonic() + workspace.project.pipeline_file.engine.soft_deadline
    while True:
        if run_id:
            with suppress(LakeNotFound):
                return decode_json(Changes, lake.read(runfiles.feed_path(run_id, name)))
        try:
            return _read(workspace, con, name, run_id)
        except FeedBusy:
            if time.monotonic() > deadline:
                raise
        time.sleep(_LOOK_SECONDS)


def _read(workspace: Workspace, con: DuckDBPyConnection, name: str, run_id: str | None) -> Changes:
    lake, token = workspace.lake("bronze"), secrets.token_hex(4)

    def keep(table: str, part: int, data: bytes) -> str:
        if not run_id:
            return ""
        path = runfiles.feed_keys_path(run_id, name, table, part, token)
        runfiles.write_keys(lake, path, data)
        return path

    source, temporary = workspace.project.source(name), workspace.project.pipeline_file.engine.temp_directory
    changes = _feed(workspace, name).read(con, source, workspace.connection(name), keep, temporary=temporary)
    if run_id:
        runfiles.write_work(lake, runfiles.feed_path(run_id, name), changes)
    return changes


def _feed(workspace: Workspace, name: str) -> Feed:
    feed = source_type(workspace.project.source(name).type).feed
    assert feed is not None
    return feed


def known_positions(workspace: Workspace, source: str) -> dict[str, Known]:
    """Return how far the tables of a source are known to be complete: table -> position."""
    with suppress(LakeNotFound):
        return decode_json(dict[str, Known], workspace.lake("bronze").read(runfiles.feed_positions_path(source)))
    return {}


def let_go_on(workspace: Workspace, tables: Iterable[TableRecord]) -> list[ComboiError]:
    """Note how far the tables of a run have come, and let the servers forget what all tables of a source have.

    What is noted comes before what is forgotten.

    Args:
        tables: Those of the run's record.

    Returns:
        What went wrong, a source each at most; the next run catches up.
    """
    failed: list[ComboiError] = []
    come: dict[str, dict[str, Known]] = {}
    for table in tables:
        source, name, window = table["source"], table["table"], table.get("window")
        high = (window["high"] if window else None) or ""
        if table["status"] != "succeeded" or not _POSITION.fullmatch(high):
            continue
        if name in following(workspace, source):
            come.setdefault(source, {})[name] = Known(str(table["watermark"]), high)
    for source, positions in come.items():
        try:
            _settle(workspace, source, positions)
        except ComboiError as error:
            failed.append(error)
    return failed


def following(workspace: Workspace, source: str) -> list[str]:
    """Return the tables of a source that follow its change feed; none where the source is no longer configured."""
    config = next((one for one in workspace.project.pipeline_file.sources if one.name == source), None)
    return [table.name for table in config.tables if table.follows_feed] if config else []


def _settle(workspace: Workspace, source: str, come: Mapping[str, Known]) -> None:
    tables = following(workspace, source)
    known = {name: one for name, one in known_positions(workspace, source).items() if name in tables} | dict(come)
    plain = {name: asdict(one) for name, one in known.items()}
    runfiles.write_work(workspace.lake("bronze"), runfiles.feed_positions_path(source), plain)
    if len(known) < len(tables):
        return  # what a table needs that no load with the feed has landed yet is not known
    config, positions = workspace.project.source(source), [one.through for one in known.values()]
    with workspace.borrowed_duckdb(source) as con:
        _feed(workspace, source).advance(con, config, workspace.connection(source), positions)
