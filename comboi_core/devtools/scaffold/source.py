"""A new table of a source, with its columns, its primary key, and a possible cursor."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from pydantic import ValidationError

from comboi_core.app.workspace import Workspace
from comboi_core.config.base import Name
from comboi_core.config.project import Project
from comboi_core.config.source_registry import source_type
from comboi_core.config.source_type import NewTable
from comboi_core.config.tables import BaseTable, SourceBase
from comboi_core.devtools.scaffold.carry_out import Files, carry_out, entry, position_of
from comboi_core.devtools.scaffold.pieces import Scaffolded, check_name
from comboi_core.devtools.scaffold.yaml import Item, flow, mapping_lines
from comboi_core.domain.errors import ComboiError, RequestInvalid, SelectionEmpty
from comboi_core.domain.load import Checkpoint, Column, LoadPlan
from comboi_core.domain.names import did_you_mean
from comboi_core.domain.ports import Source

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_CHANGED = re.compile(r"updat|modif|(?<!ex)chang", re.IGNORECASE)
"""Names of columns that say when a row was last changed."""
_MADE = re.compile(r"creat|insert|(^|_)(at|on|date|time|ts|timestamp)$", re.IGNORECASE)
"""Names of columns that say when a row was created."""
_CANDIDATE = "a guess: make sure that every change of a row updates this column"
_APPENDING = "possible if rows never change: then each load reads only new rows (mode append)"


@dataclass(frozen=True)
class Cursor:
    """What may serve as a cursor.

    Attributes:
        key: The key of the configuration: `incremental_column`, or `cursor`.
        value: Its value: a column's name, or a row version such as `rowversion`.
        column: The column that holds it.
    """

    key: Literal["incremental_column", "cursor"]
    value: str
    column: str


@dataclass(frozen=True)
class Described:
    """What a source knows about a table.

    Attributes:
        key: The primary key in the source. Empty if there is none, or if it could not be read.
        cursor: What every change of a row moves, as far as names tell; the source accepts it.
        changed: A column that says when a row was changed, as its name tells, or None.
        made: One that says when a row was made.
        rows: The source's own estimate, or None.
        notes: What could not be read, with the reason.
    """

    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    cursor: Cursor | None = None
    changed: str | None = None
    made: str | None = None
    rows: int | None = None
    notes: tuple[str, ...] = ()


def new_table(
    workspace: Workspace, config: Path | None, source: str, table: str, *, name: str | None = None
) -> tuple[Described, Scaffolded]:
    """Read what a source knows about a table, and add the table to the source's entry in the YAML.

    Args:
        table: Its name in the source, `schema.table`. For files, a glob below the source's folder.
        name: The table's name in the lake. Default: made from `table`.

    Raises:
        ComboiError: the source cannot be read, or has no such table.
        EntryNotPlaced, ConfigError: nothing was written.
    """
    project = workspace.project
    names = [item.name for item in project.pipeline_file.sources]
    if source not in names:
        raise SelectionEmpty(f"there is no source '{source}'{did_you_mean(source, names)}")
    found = project.source(source)
    name = name or _name(table)
    check_name(name, Name, "table")
    if any(item.name == name for item in found.tables):
        raise RequestInvalid(
            f"the source '{source}' already has a table called '{name}'", remedy="Give another name with --name."
        )
    kind = source_type(found.type).new_table
    described = describe(workspace, found, {"name": name, kind.place: table})
    value, notes = _value(name, kind.place, table, described)
    files = Files.of(project, config)
    place = ("sources", position_of(files.pipeline, ("sources",), source), "tables")
    lines = (*mapping_lines(value, notes), *_proposals(kind, described))
    change = entry(files, files.pipeline, place, Item(value, lines))
    carry_out(files, change)
    return described, Scaffolded((), tuple(files.shown(file) for file in change.edited), described.notes)


def describe(workspace: Workspace, source: SourceBase, table: dict[str, Any]) -> Described:
    """Read a table's columns, key and possible cursors from a source. Rows are counted or estimated, not read.

    Args:
        table: Its configuration; with `name` and what says which table it is.
    """
    with workspace.borrowed_duckdb(source.name) as con:
        asked = _Asked(workspace, con, source)
        plan = asked.plan(table)
        found = Described(plan.columns, rows=plan.estimated_rows)
        kind = source_type(source.type).new_table
        if kind.key is None:
            return found
        try:
            found = replace(found, key=kind.key(asked.rows, str(table[kind.place])))
        except ComboiError as error:
            found = replace(found, notes=(f"the primary key could not be read: {error.message}",))
        times = [column for column in plan.columns if column.name not in found.key and kind.is_time(column)]
        changed = [column.name for column in times if _CHANGED.search(column.name)]
        made = [column.name for column in times if _MADE.search(column.name) and column.name not in changed]
        version = kind.row_version(plan.columns)
        candidates = [Cursor("cursor", *version)] if version else []
        candidates += [Cursor("incremental_column", one, one) for one in changed]
        key = list(found.key)
        accepted = (
            one for one in candidates if key and asked.accepts({**table, "primary_key": key, one.key: one.value})
        )
        firsts: dict[str, Any] = {"changed": next(iter(changed), None), "made": next(iter(made), None)}
        return replace(found, cursor=next(accepted, None), **firsts)


@dataclass
class _Asked:
    """A source on a connection. Reads tables that are not configured."""

    workspace: Workspace
    con: DuckDBPyConnection
    source: SourceBase

    def plan(self, table: dict[str, Any]) -> LoadPlan:
        """Return the plan of a first load."""
        with self._open(table) as opened:
            return opened.plan(Checkpoint(), full_refresh=True)

    def accepts(self, table: dict[str, Any]) -> bool:
        """Whether the source can read the table with this configuration."""
        try:
            self.plan(table)
        except ComboiError:
            return False
        return True

    def rows(self, query: str) -> list[dict[str, Any]]:
        """Return the rows of a query in the source's SQL, by name."""
        with self._open({"name": "comboi_key", "query": query}) as opened:
            plan = opened.plan(Checkpoint(), full_refresh=True)
            found: list[tuple[Any, ...]] = []
            for chunk in plan.chunks:
                try:
                    found += self.con.execute(opened.select(plan, chunk)).fetchall()
                except Exception as error:
                    failed = opened.translate(error)
                else:
                    continue
                raise failed
        return [dict(zip((column.name for column in plan.columns), row, strict=True)) for row in found]

    @contextmanager
    def _open(self, table: dict[str, Any]) -> Iterator[Source]:
        (kind, _) = get_args(type(self.source).model_fields["tables"].annotation)
        try:
            config: BaseTable = kind.model_validate({"mode": None, **table} | _whole(table))
        except ValidationError as invalid:
            problems = "; ".join(error["msg"].removeprefix("Value error, ") for error in invalid.errors())
            raise RequestInvalid(f"{self.source.name}: {problems}") from None
        source = self.source.model_copy(update={"tables": (config,)})
        file = self.workspace.project.pipeline_file
        others = tuple(source if one.name == source.name else one for one in file.sources)
        # A new project, not a copy, because a copy would keep cached properties of the old sources.
        changed = {"pipeline_file": file.model_copy(update={"sources": others})}
        project = Project(**dict(self.workspace.project) | changed)
        with Workspace(project).source(self.con, source.name, config.name) as opened:
            yield opened


def _whole(table: dict[str, Any]) -> dict[str, Any]:
    return {} if {"cursor", "incremental_column"} & table.keys() else {"mode": "full"}


def _name(table: str) -> str:
    """Return a name for the lake: the table's own name, or for a glob the folder's or the file's name."""
    pieces = [piece for piece in table.split("/") if not re.search(r"[*?\[]", piece)]
    last = pieces[-1].partition(".")[0] if "/" in table and pieces else table.split("/")[-1]
    if "/" not in table:
        last = re.split(r"\*|\.(?:csv|tsv|json|jsonl|ndjson|parquet)\b", table)[0].rpartition(".")[2]
    name = re.sub(r"[^A-Za-z0-9_\-]+", "_", last).strip("_-")[:63]
    if not re.match(r"[A-Za-z]", name):
        raise RequestInvalid(f"comboi cannot make a name from '{table}'", remedy="Give a name with --name.")
    return name


def _value(name: str, place: str, table: str, described: Described) -> tuple[dict[str, Any], dict[str, str]]:
    value: dict[str, Any] = {"name": name, place: table}
    notes: dict[str, str] = {}
    if described.key:
        value["primary_key"] = list(described.key)
    if described.cursor:
        value[described.cursor.key] = described.cursor.value
        if described.cursor.key == "incremental_column":
            notes["incremental_column"] = _CANDIDATE
    return value, notes


def _proposals(kind: NewTable, described: Described) -> list[str]:
    """Return comments below the entry, for decisions that only a person can make."""
    lines = []
    if not described.key:
        also = f"; with one, incremental_column: {flow(described.changed)} would read changes only"
        usual = f"primary_key: [...]  # the source has none{also if described.changed else ''}"
        lines.append(kind.without_key or usual)
    if described.cursor is None and described.made:
        lines.append(f"incremental_column: {flow(described.made)}  # {_APPENDING}")
    if described.cursor is None and described.key and kind.without_cursor:
        lines.append(kind.without_cursor)
    return [f"# {line}" for line in lines]
