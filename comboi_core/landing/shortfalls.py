"""Shortfalls of a load that can be found for every source: keys, columns, and empty tables.

Shortfalls that only a source can find (rows in the future, open writers) are in its plan.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from comboi_core.app.workspace import Workspace
from comboi_core.config.tables import BaseTable
from comboi_core.domain.errors import UnsupportedValue
from comboi_core.domain.load import Column, EarlierRows, LoadPlan
from comboi_core.domain.manifest import DELETED, DataFile, Manifest
from comboi_core.domain.names import table_id
from comboi_core.domain.ports import Lake, LooksBack, Source
from comboi_core.domain.shortfall import Shortfall
from comboi_core.domain.sql import identifier

if TYPE_CHECKING:
    from comboi_core.lake.keys import Keys


@dataclass(frozen=True)
class Landed:
    """What the files of a load show.

    Attributes:
        shortfalls: What they keep from readers: `duplicate_keys`, `null_keys`, `source_empty`.
        key_unique: Whether the load holds each key once: by the source's guarantee, or of files by what was landed.
    """

    shortfalls: tuple[Shortfall, ...]
    key_unique: bool


def of_landed(
    workspace: Workspace,
    lake: Lake,
    load: LoadPlan,
    table: BaseTable,
    files: tuple[DataFile, ...],
    before: Manifest | None,
) -> Landed:
    """Look at the files of a load before it is committed.

    The key is looked at where the source does not guarantee it and somebody depends on it: readers of a merged table,
    or `on_null_key: fail`.

    Args:
        before: The manifest that the load follows, if there is one.

    Raises:
        UnsupportedValue: rows have no key, and the table says `on_null_key: fail`; nothing of the load is committed.
        LakeUnavailable, LakeRefused: the lake does not answer.
    """
    emptied, unique = _emptied(load, files, before), load.key_unique
    wanted = load.mode == "merge" or table.on_null_key == "fail"
    if not table.primary_key or not files or not wanted or unique:
        return Landed(emptied, unique)
    from comboi_core.lake.keys import count_keys

    # What was appended is merged from this load on, too: readers saw all of it until now.
    appended = before.files if before and load.mode == "merge" and not load.replaces and before.mode != "merge" else ()
    from_files = any(chunk.kind == "files" for chunk in load.chunks)
    with workspace.duckdb() as con:
        keys = count_keys(con, lake, (*appended, *files), table.primary_key, per_file=from_files)
    unique = from_files and load.mode == "merge" and keys.unique
    return Landed((*_of_keys(load, table, keys, from_files, bool(appended)), *emptied), unique)


def _of_keys(load: LoadPlan, table: BaseTable, keys: Keys, from_files: bool, appended: bool) -> list[Shortfall]:
    key = ", ".join(table.primary_key)
    if keys.without and table.on_null_key == "fail":
        raise UnsupportedValue(
            f"{load.source}.{load.table}: {keys.without:,} of {keys.rows:,} rows have NULL in the primary key ({key}), "
            "and on_null_key is fail; nothing of the load was committed",
            remedy="Fill the column in the source, choose other columns for the primary key, or set "
            "`on_null_key: keep`.",
            column=key,
            rows=keys.without,
        )
    found = []
    if keys.hidden and load.mode == "merge":
        found.append(
            Shortfall(
                "duplicate_keys",
                f"{keys.hidden:,} of {keys.rows:,} rows are hidden because they share their primary key ({key}) "
                "with another "
                f"row of {'the same file' if from_files else 'this load'}{' or of those appended before' * appended}",
                "Write the columns that identify a row into primary_key: and run the table with --full-refresh, or use "
                "`mode: append` or `mode: full`, with which readers see every row.",
                keys.hidden,
            )
        )
    if keys.without and load.mode == "merge":
        found.append(
            Shortfall(
                "null_keys",
                f"{keys.without:,} of {keys.rows:,} rows have NULL in the primary key ({key}). Readers see all of "
                "them, and after a change also the former version",
                "Fill the column in the source, or choose other columns for the primary key. `on_null_key: fail` "
                "refuses "
                "such rows.",
                keys.without,
            )
        )
    return found


def _emptied(load: LoadPlan, files: tuple[DataFile, ...], before: Manifest | None) -> tuple[Shortfall, ...]:
    """A load that replaces a table with rows by one without any."""
    if before is None or files or not load.replaces or not before.files:
        return ()
    rows = sum(file.rows for file in before.files)
    return (
        Shortfall(
            "source_empty",
            f"the source has no rows: the table had {rows:,} landed rows and now has none",
            "Check whether it was emptied, or whether a policy, a missing right or `where:` hides its rows. "
            "When they are back, the next run lands them.",
            rows,
        ),
    )


def of_states(load: LoadPlan, states: int) -> tuple[Shortfall, ...]:
    """Return `mixed_state` for chunks that were read in several states of the source; appended rows have only one.

    Args:
        states: How many are known of; 0 or 1 where the source does not tell.
    """
    if states < 2 or load.mode == "append":
        return ()
    return (
        Shortfall(
            "mixed_state",
            f"the {len(load.chunks)} chunks of this load were read by several activities, and the database was written "
            "to between them: of rows that were changed together some may be as before and some as after, and a row "
            "whose key was changed may be there twice or not at all",
            "The next load reads changed rows again. For one state, `parallel_chunks: 1` reads chunks in one snapshot "
            "as far as an activity gets, and a larger `chunk_rows:` gives the load one chunk.",
        ),
    )


def of_added_columns(
    workspace: Workspace, lake: Lake, source: Source, load: LoadPlan, table: BaseTable, before: Manifest | None
) -> tuple[Shortfall, ...]:
    """Return `null_before` for each column that a load adds and that earlier rows may have values in at the source.

    Earlier rows are those that were landed without the column and that the load does not read again. Files are left
    out: an earlier file lacks the column itself.

    Args:
        before: The manifest that the load follows, if there is one.

    Raises:
        LakeUnavailable, LakeRefused, and what the source says.
    """
    if before is None or load.replaces or before.inputs or not any(file.rows for file in before.files):
        return ()
    had = {column.name.lower(): column for column in before.columns if table.mask.get(column.name) != "drop"}
    added = [column for column in load.columns if table.mask.get(column.name) != "drop"]
    new = tuple(column for column in added if column.name.lower() not in had)
    back = tuple(column for column in added if column.name.lower() in had and not had[column.name.lower()].source_type)
    back = tuple(column for column in back if _reads_null(workspace, lake, before, had[column.name.lower()]))
    if not new and not back:
        return ()
    rows = EarlierRows()
    if isinstance(source, LooksBack) and load.window is not None and before.watermark is not None:
        rows = source.look_back(load, (*new, *back), before.watermark)
    remedy = f"comboi run bronze --select {table_id(load.source, load.table)} --full-refresh"
    return (
        *_null_before(new, rows, "earlier rows read NULL in the new column {}", remedy),
        *_null_before(back, rows, "rows that were landed while the column {} was missing read NULL", remedy),
    )


def _null_before(columns: tuple[Column, ...], rows: EarlierRows, template: str, remedy: str) -> list[Shortfall]:
    shortfalls = []
    for column in columns:
        filled = rows.filled.get(column.name, 0)
        if not filled and rows.complete:
            continue
        least = "" if rows.complete else "at least "
        there = f", but in the source {least}{filled:,} of {rows.looked:,} earlier rows have a value there"
        unsure = ", if the source has values there"
        shortfalls.append(
            Shortfall(
                "null_before",
                template.format(column.name) + (there if filled else unsure),
                f"Read the whole table again, so that earlier rows get their values: `{remedy}`.",
                filled if filled and rows.complete else None,
            )
        )
    return shortfalls


def _reads_null(workspace: Workspace, lake: Lake, before: Manifest, column: Column) -> bool:
    """Whether some row of the lake has NULL in a column: else nothing was landed while it was gone."""
    from comboi_core.lake.views import view_sql

    rows = view_sql(lake, before, "log")
    null = f"{identifier(column.name)} IS NULL" + (f" AND NOT {DELETED}" if before.deletes else "")
    with workspace.duckdb() as con:
        lake.attach(con)
        return bool(con.execute(f"SELECT 1 FROM ({rows}) WHERE {null} LIMIT 1").fetchall())
