"""Checks whether a load may follow the landed rows of a table.

What would lose or double rows is refused before a row is read. What might do so gets a warning.
"""

from __future__ import annotations

from dataclasses import dataclass

from comboi_core.config.tables import BaseTable
from comboi_core.domain.contracts.table import TableName
from comboi_core.domain.errors import (
    CheckpointLost,
    ConfigError,
    LakeNotFound,
    LoadLost,
    ManifestUnreadable,
    NotOwner,
    OriginChanged,
)
from comboi_core.domain.load import Checkpoint, LoadPlan, Mode
from comboi_core.domain.manifest import LOADS_FOLDER, Manifest, loads_of, table_folder
from comboi_core.domain.origin import Origin, changed_parts, told
from comboi_core.domain.ports import Lake
from comboi_core.domain.shortfall import Shortfall


@dataclass(frozen=True)
class Continuation:
    """How a load goes on from the committed one.

    Attributes:
        anew: Whether it reads the whole table, in place of what is there.
    """

    anew: bool = False
    warnings: tuple[str, ...] = ()
    shortfalls: tuple[Shortfall, ...] = ()


def committed(lake: Lake, checkpoint: Checkpoint, name: str, *, anew: bool) -> Manifest | None:
    """Return the manifest of the committed load; None where there is none.

    Args:
        name: `source.table`.
        anew: Whether the whole table is read: then a manifest that is gone or damaged is no loss.

    Raises:
        LoadLost: the lake has no such manifest.
        ManifestUnreadable: it is damaged.
    """
    from comboi_core.lake.bronze import read_manifest

    if not checkpoint.manifest:
        return None
    try:
        return read_manifest(lake, checkpoint.manifest)
    except ManifestUnreadable:
        if not anew:
            raise
    except LakeNotFound:
        if not anew:
            raise LoadLost(
                f"{name}: load {checkpoint.sequence} is committed, but the lake {lake.describe()} has no "
                f"{checkpoint.manifest}",
                remedy="If the lake has moved, correct `stages.bronze.data_lake`. If its files are gone, read the "
                f"sources again with `comboi run --full-refresh`, or only this table with `{_anew(name)}`.",
            ) from None
    return None


def refuse_other_owner(owner: str, accepted: tuple[str, ...], what: str, rename: str) -> None:
    """Raise NotOwner where another pipeline writes what this one is about to write or to read.

    Args:
        owner: Who wrote it last; an empty one is anybody's.
        accepted: This pipeline, and those whose place it takes.
        what: What it is and in which lake.
        rename: What can be given another name.
    """
    if owner and owner not in accepted:
        raise NotOwner(
            f"{what} belongs to the pipeline {owner}; this pipeline is {accepted[0]}",
            remedy=f"Rename {rename}, or use another lake for this pipeline (`stages:`). If this pipeline is "
            f"{owner} under a new name, or replaces it, write `takes_over: [{owner}]` into the pipeline's file and "
            "run `comboi checkpoints rebuild` once.",
        )


def refuse_other_loader(
    lake: Lake,
    item: TableName,
    checkpoint: Checkpoint,
    accepted: tuple[str, ...],
    *,
    fence: int | None = None,
    run_id: str | None = None,
) -> None:
    """Raise where the lake has loads that the checkpoint does not know of, and that no killed run has left.

    A killed run leaves a manifest of the next load at most; later ones mean that the task hub was lost. So does one
    whose fence this run has not passed: a new hub counts fences, like loads, from the beginning. An earlier execution
    of this very run may have been cut off between its manifest and the commit.

    Raises:
        NotOwner: another pipeline has loaded the table.
        CheckpointLost: this one has, and the task hub does not know.
    """
    loads = loads_of(lake.list(f"{table_folder(item['source'], item['table'])}/{LOADS_FOLDER}"))
    unknown = [load for load in loads if load[0] > checkpoint.sequence]
    if unknown:
        refuse_other_owner(
            _written(lake, unknown[0][2], "owner"),
            accepted,
            f"{item['name']} in the lake {lake.describe()}",
            "the source or the table",
        )
    for newest, by, path in unknown:
        overtaken = fence is not None and (by > fence or (by == fence and _written(lake, path, "run_id") != run_id))
        if newest > checkpoint.sequence + 1 or overtaken:
            raise CheckpointLost(
                f"{item['name']}: the lake has load {newest}, but the checkpoint only knows load {checkpoint.sequence}"
            )


def _written(lake: Lake, path: str, field: str) -> str:
    """Return a field of a manifest; an empty text where there is none that can be read."""
    from comboi_core.lake.bronze import read_manifest

    try:
        return str(getattr(read_manifest(lake, path), field))
    except (ManifestUnreadable, LakeNotFound):
        return ""


def refuse_other_table(
    lake: Lake,
    item: TableName,
    checkpoint: Checkpoint,
    previous: Manifest,
    fence: int | None,
    accepted: tuple[str, ...],
) -> None:
    """Raise where the rows of a table, as it is committed or by a later load, are another pipeline's.

    Args:
        previous: The committed manifest.

    Raises:
        NotOwner, CheckpointLost: as `refuse_other_loader`.
    """
    what = f"{item['name']} in the lake {lake.describe()}"
    refuse_other_owner(previous.owner, accepted, what, "the source or the table")
    refuse_other_loader(lake, item, checkpoint, accepted, fence=fence)


def continuation(previous: Manifest, table: BaseTable, origin: Origin) -> Continuation:
    """Decide how a load goes on from the committed one, whose settings may have been others.

    Raises:
        OriginChanged: the table would be made from something else, and `on_change` is `refuse`.
        ConfigError: mode, key or cursor are others, such that rows would be lost or come twice.
    """
    name = f"{previous.source}.{previous.table}"
    parts = changed_parts(previous.origin, origin)
    if "mask" in parts:  # which says it: without `hash` the salt does not count
        parts = tuple(part for part in parts if part != "masking.salt")
    changes = (
        f"the settings that decide its rows have changed since load {previous.sequence}: "
        f"{told(previous.origin, origin, parts)}"
    )
    if table.effective_mode == "full" or previous.mode == "full":
        # The load replaces the table whatever has changed; without a watermark it would land all of it twice.
        switched = previous.mode == "full" != table.effective_mode
        return Continuation(bool(parts) or switched, (f"{changes}; this load replaces the table",) if parts else ())
    try:
        refuse_other_cursor(previous, table.cursor_name)
        refuse_other_versions(previous, table.effective_mode, table.primary_key)
    except ConfigError as changed:
        if table.on_change != "reload":
            raise
        return Continuation(True, (f"{changed.message.removeprefix(f'{name}: ')}; {_RELOADED}",))
    if not parts:
        return Continuation()
    anew = f"`{_anew(name)}`"
    if table.on_change == "refuse":
        raise OriginChanged(
            f"{name}: {changes}",
            remedy=f"Read the table again with {anew}. {'' if 'mask' in parts else _SAME_ROWS}Or restore the former "
            "setting.",
        )
    if table.on_change == "reload":
        return Continuation(True, (f"{changes}; {_RELOADED}",))
    remedy = f"If they are different rows, or rows are missing, read the table again with {anew}."
    return Continuation(
        shortfalls=(Shortfall("origin_changed", f"{changes}; the rows that were landed before do not change", remedy),)
    )


def _anew(name: str) -> str:
    return f"comboi run bronze --select {name} --full-refresh"


_SAME_ROWS = (
    "If the rows are the same, for example because the server has moved, set `on_change: warn` on the table for "
    "one load. "
)
"""Not said of a mask: rows with it and rows without it have no common type, or hide and show the same value."""
_RELOADED = "the whole table is read again (`on_change: reload`)"


def refuse_other_cursor(previous: Manifest, cursor: str | None) -> None:
    """Raise ConfigError where the cursor is another one than before.

    A watermark says nothing about another column: rows below it there would never be read.
    """
    before = previous.window.cursor if previous.window else None
    if before and cursor and before != cursor:
        raise ConfigError(
            f"{previous.source}.{previous.table}: the cursor is {cursor}, but the table was loaded with the "
            f"cursor {before}",
            remedy="Run the table once with --full-refresh, or restore the former cursor.",
        )


def refuse_other_versions(previous: Manifest, mode: Mode, primary_key: tuple[str, ...]) -> None:
    """Raise ConfigError where mode or key would make of earlier versions of a row rows of their own.

    Which landed rows are versions of one row follows from the key; read otherwise, superseded ones would come back.
    """
    if previous.mode != "merge" or mode == "full":
        return
    name = f"{previous.source}.{previous.table}"
    if mode == "append":
        problem = (
            "the mode is append, but the table was loaded with mode merge, so earlier versions of rows would "
            "appear again"
        )
    elif {name.lower() for name in previous.primary_key} != {name.lower() for name in primary_key}:
        before, now = ", ".join(previous.primary_key), ", ".join(primary_key)
        problem = f"the primary key is {now}, but the table was loaded with the primary key {before}"
    else:
        return
    raise ConfigError(
        f"{name}: {problem}", remedy="Run the table once with --full-refresh, or restore the former setting."
    )


def missed(load: LoadPlan, previous: Manifest | None) -> tuple[Shortfall, ...]:
    """Return the source's shortfalls; an empty source is one only where the lake has rows of it."""
    landed = previous is not None and any(file.rows for file in previous.files)
    return tuple(shortfall for shortfall in load.shortfalls if shortfall.code != "source_empty" or landed)


def doubtful_key(load: LoadPlan, previous: Manifest | None, primary_key: tuple[str, ...]) -> tuple[str, ...]:
    """Return the warning that nothing at the source guarantees a merged table's key to be unique.

    It comes with a load that starts the table anew, and with those that find the guarantee gone; not with each load,
    for views and queries never have one. Of files, the later row of a key supersedes the earlier one by design.

    Args:
        previous: The committed load's manifest, if there is one.
    """
    known = previous is not None and not load.replaces and not previous.key_unique
    of_files = any(chunk.kind == "files" for chunk in load.chunks) or (previous is not None and previous.inputs)
    if load.mode != "merge" or load.key_unique or known or of_files:
        return ()
    return (
        f"the source does not guarantee that primary_key: [{', '.join(primary_key)}] is unique and never NULL. If "
        "rows share a key, readers see only one of them. If it is not unique, give the columns that identify a row "
        "and run the table with --full-refresh, or add a unique index on NOT NULL columns in the source",
    )
