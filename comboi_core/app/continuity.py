"""Whether a load may follow what a table has: what would lose or double rows is refused before a row is read,
and what might is told."""

from __future__ import annotations

from typing import Any

from comboi_core.domain.errors import CheckpointLost, ConfigError
from comboi_core.domain.load import Checkpoint, LoadPlan, Mode
from comboi_core.domain.manifest import LOADS_FOLDER, Manifest, load_numbers, table_folder
from comboi_core.domain.ports import Lake

Payload = dict[str, Any]


def refuse_lost_checkpoint(lake: Lake, item: Payload, checkpoint: Checkpoint, fence: int | None) -> None:
    """Raise CheckpointLost where the lake has loads that the checkpoint should know of.

    A killed run leaves a manifest of the next load at most; later ones mean that the task hub was lost. So does one
    whose fence this run has not passed: a new hub counts fences, like loads, from the beginning.
    """
    loads = load_numbers(lake.list(f"{table_folder(item['source'], item['table'])}/{LOADS_FOLDER}"))
    for newest, by in loads:
        if newest > checkpoint.sequence + 1 or (fence is not None and newest > checkpoint.sequence and by >= fence):
            raise CheckpointLost(
                f"{item['name']}: the lake holds load {newest}, but the checkpoint knows of {checkpoint.sequence} only"
            )


def refuse_other_cursor(previous: Manifest, cursor: str | None) -> None:
    """Raise ConfigError where the cursor is another one than before.

    A watermark says nothing about another column: rows below it there would never be read.
    """
    before = previous.window.cursor if previous.window else None
    if before and cursor and before != cursor:
        raise ConfigError(
            f"{previous.source}.{previous.table}: the cursor is {cursor}, but the table was loaded by {before}",
            remedy="Run the table once with --full-refresh, or go back to the former cursor.",
        )


def refuse_other_versions(previous: Manifest, mode: Mode, primary_key: tuple[str, ...]) -> None:
    """Raise ConfigError where mode or key would make of earlier versions of a row rows of their own.

    Which landed rows are versions of one row follows from the key; read otherwise, superseded ones would come back.
    """
    if previous.mode != "merge" or mode == "full":
        return
    place = f"{previous.source}.{previous.table}"
    if mode == "append":
        told = "the mode is append, but the table was merged: earlier versions of its rows would be doubled"
    elif {name.lower() for name in previous.primary_key} != {name.lower() for name in primary_key}:
        before, now = ", ".join(previous.primary_key), ", ".join(primary_key)
        told = f"the primary key is {now}, but the table was merged by {before}"
    else:
        return
    raise ConfigError(
        f"{place}: {told}", remedy="Run the table once with --full-refresh, or go back to the former setting."
    )


def doubtful_key(load: LoadPlan, previous: Manifest | None, primary_key: tuple[str, ...]) -> tuple[str, ...]:
    """Return the warning that nothing at the source guarantees a merged table's key to be unique.

    It comes with a load that starts the table anew, and with those that find the guarantee gone; not with each load,
    for views and queries never have one. Of files, the later row of a key supersedes the earlier one by design.

    Args:
        previous: The committed load's manifest, if there is one.
    """
    known = previous is not None and not load.replaces and not previous.key_unique
    from_files = any(chunk.kind == "files" for chunk in load.chunks)
    if load.mode != "merge" or load.key_unique or known or from_files:
        return ()
    return (
        f"nothing at the source guarantees that primary_key: [{', '.join(primary_key)}] is unique and never NULL; of "
        "rows that share a key, readers see one only. Unless you know that it is, name the columns that identify a row "
        "and run the table with --full-refresh, or add a unique index over NOT NULL columns at the source",
    )
