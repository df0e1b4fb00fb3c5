"""A new table of a source: what the source says of its columns, its key and what may serve as a cursor."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from pydantic import ValidationError

from comboi_core.app.workspace import Workspace
from comboi_core.config.base import Name
from comboi_core.config.project import Project
from comboi_core.config.sources import SourceConfig, TableConfig
from comboi_core.devtools.scaffold.carry_out import Files, carry_out, entry, position_of
from comboi_core.devtools.scaffold.pieces import Scaffolded, check_name
from comboi_core.devtools.scaffold.yaml import Item, flow, mapping_lines
from comboi_core.domain.errors import ComboiError, RequestInvalid, SelectionEmpty
from comboi_core.domain.load import Checkpoint, Column, LoadPlan
from comboi_core.domain.names import did_you_mean
from comboi_core.domain.ports import Source
from comboi_core.domain.sql import literal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_CHANGED = re.compile(r"updat|modif|(?<!ex)chang", re.IGNORECASE)
"""How columns are called that say when a row was last changed."""
_MADE = re.compile(r"creat|insert|(^|_)(at|on|date|time|ts|timestamp)$", re.IGNORECASE)
"""How columns are called that say when a row was made."""
_TIMES = ("TIMESTAMP", "DATE")
_TIME_NAME = re.compile(r"(at|on|date|time|ts|stamp|modified|updated|changed)$", re.IGNORECASE)
"""How columns with times are called, where types do not tell."""
_CANDIDATE = "a candidate: make sure that every change of a row sets it"
_APPENDING = "a candidate, if rows are never changed: then only new ones are read (mode append)"


@dataclass(frozen=True)
class Described:
    """What a source says of a table.

    Attributes:
        key: The key as the source declares it; empty if it declares none, or cannot be asked.
        cursor: What every change of a row moves, as far as names tell: `("incremental_column", "updated_at")`, or
            `("cursor", "rowversion")`; the source accepts it.
        changed: A column that says when a row was changed, as its name tells, or None.
        made: One that says when a row was made.
        rows: The source's own estimate, or None.
        notes: What could not be found out.
    """

    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    cursor: tuple[str, str] | None = None
    changed: str | None = None
    made: str | None = None
    rows: int | None = None
    notes: tuple[str, ...] = ()


def new_table(
    workspace: Workspace, config: Path | None, source: str, table: str, *, name: str | None = None
) -> tuple[Described, Scaffolded]:
    """Ask a source for a table, and add it to the source's entry in the YAML.

    Args:
        table: As the source knows it, `schema.table`; of files, a glob below the source's folder.
        name: The table's name in the lake; default: made of `table`.

    Raises:
        ComboiError: what the source says, if it cannot be asked or has no such table; EntryNotPlaced, ConfigError:
            nothing was written.
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
            f"the source '{source}' has a table called '{name}' already", remedy="Give another name with --name."
        )
    where = "path" if found.type == "files" else "table"
    described = describe(workspace, found, {"name": name, where: table})
    value, notes = _value(name, where, table, described)
    files = Files.of(project, config)
    place = ("sources", position_of(files.pipeline, ("sources",), source), "tables")
    lines = (*mapping_lines(value, notes), *_proposals(found, described))
    change = entry(files, files.pipeline, place, Item(value, lines))
    carry_out(files, change)
    return described, Scaffolded((), tuple(files.shown(file) for file in change.edited), described.notes)


def describe(workspace: Workspace, source: SourceConfig, table: dict[str, Any]) -> Described:
    """Ask a source for a table's columns, key and cursor candidates; rows are counted or estimated, not read.

    Args:
        table: Its configuration; with `name` and `table` or `path`.
    """
    with workspace.borrowed_duckdb(source.name) as con:
        asked = _Asked(workspace, con, source)
        plan = asked.plan(table)
        found = Described(plan.columns, rows=plan.estimated_rows)
        if source.type not in _KEYS:
            return found
        try:
            found = replace(found, key=_KEYS[source.type](asked.rows, str(table["table"])))
        except ComboiError as error:
            found = replace(found, notes=(f"the primary key could not be asked for: {error.message}",))
        times = [column for column in plan.columns if column.name not in found.key and _is_time(column, source)]
        changed = [column.name for column in times if _CHANGED.search(column.name)]
        made = [column.name for column in times if _MADE.search(column.name) and column.name not in changed]
        versions = any(column.source_type == "timestamp" for column in plan.columns) and source.type == "azure_sql"
        candidates = [("cursor", "rowversion")] * versions + [("incremental_column", one) for one in changed]
        key = list(found.key)
        accepted = (one for one in candidates if key and asked.accepts({**table, "primary_key": key, one[0]: one[1]}))
        firsts: dict[str, Any] = {"changed": next(iter(changed), None), "made": next(iter(made), None)}
        return replace(found, cursor=next(accepted, None), **firsts)


@dataclass
class _Asked:
    """A source on a connection, asked for tables that are not configured."""

    workspace: Workspace
    con: DuckDBPyConnection
    source: SourceConfig

    def plan(self, table: dict[str, Any]) -> LoadPlan:
        """Return the plan of a first load."""
        with self._open(table) as opened:
            return opened.plan(Checkpoint(), full_refresh=True)

    def accepts(self, table: dict[str, Any]) -> bool:
        """Whether the source can read the table so configured."""
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
            config: TableConfig = kind.model_validate({"mode": None, **table} | _whole(table))
        except ValidationError as invalid:
            told = "; ".join(error["msg"].removeprefix("Value error, ") for error in invalid.errors())
            raise RequestInvalid(f"{self.source.name}: {told}") from None
        source = self.source.model_copy(update={"tables": (config,)})
        file = self.workspace.project.pipeline_file
        others = tuple(source if one.name == source.name else one for one in file.sources)
        # A new project, not a copy: what it has worked out of its sources would be copied too.
        changed = {"pipeline_file": file.model_copy(update={"sources": others})}
        project = Project(**dict(self.workspace.project) | changed)
        with Workspace(project).source(self.con, source.name, config.name) as opened:
            yield opened


def _whole(table: dict[str, Any]) -> dict[str, Any]:
    return {} if {"cursor", "incremental_column"} & table.keys() else {"mode": "full"}


def _is_time(column: Column, source: SourceConfig) -> bool:
    if source.type == "sqlite":  # it has no type for times
        declared = re.search("date|time", column.source_type, re.IGNORECASE)
        return column.type in ("VARCHAR", "BIGINT") and bool(declared or _TIME_NAME.search(column.name))
    return column.type.startswith(_TIMES)


def _name(table: str) -> str:
    """Return a name for the lake: the table's own, or of a glob the folder's or the file's."""
    pieces = [piece for piece in table.split("/") if not re.search(r"[*?\[]", piece)]
    last = pieces[-1].partition(".")[0] if "/" in table and pieces else table.split("/")[-1]
    if "/" not in table:
        last = re.split(r"\*|\.(?:csv|tsv|json|jsonl|ndjson|parquet)\b", table)[0].rpartition(".")[2]
    name = re.sub(r"[^A-Za-z0-9_\-]+", "_", last).strip("_-")[:63]
    if not re.match(r"[A-Za-z]", name):
        raise RequestInvalid(f"no name can be made of '{table}'", remedy="Give one with --name.")
    return name


def _value(name: str, where: str, table: str, described: Described) -> tuple[dict[str, Any], dict[str, str]]:
    value: dict[str, Any] = {"name": name, where: table}
    notes: dict[str, str] = {}
    if described.key:
        value["primary_key"] = list(described.key)
    if described.cursor:
        kind, cursor = described.cursor
        value[kind] = cursor
        if kind == "incremental_column":
            notes[kind] = _CANDIDATE
    return value, notes


def _proposals(source: SourceConfig, described: Described) -> list[str]:
    """Comments below the entry: what only a person can decide."""
    if source.type == "files":
        return ["# primary_key: [...]  # if rows have one: a later file's row then takes an earlier one's place"]
    lines = []
    if not described.key:
        also = f"; with one, incremental_column: {flow(described.changed)} would read changes only"
        lines.append(f"# primary_key: [...]  # none is known{also if described.changed else ''}")
    if described.cursor is None and described.made:
        lines.append(f"# incremental_column: {flow(described.made)}  # {_APPENDING}")
    if described.cursor is None and described.key and source.type == "postgres":
        lines.append("# cursor: xmin  # finds every change by PostgreSQL's own row version")
    return lines


Rows = Callable[[str], list[dict[str, Any]]]
"""Runs a query in the source's SQL."""


def _postgres_key(rows: Rows, table: str) -> tuple[str, ...]:
    from comboi_core.sources.postgres.text import relation

    found = rows(f"""
        SELECT a.attname::text AS name, k.place::int AS place FROM pg_index i
        CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
        WHERE i.indrelid = to_regclass({literal(relation(table))}) AND i.indisprimary AND k.place <= i.indnkeyatts""")
    return tuple(row["name"] for row in sorted(found, key=lambda row: row["place"]))


def _azure_sql_key(rows: Rows, table: str) -> tuple[str, ...]:
    """The first unique index over columns that are never NULL: the primary key's, where there is one."""
    from comboi_core.sources.azure_sql.catalog import indexes
    from comboi_core.sources.azure_sql.sql import find_table

    found = indexes(rows, rows(find_table(table))[0]["oid"])
    return next((index.columns for index in found if index.distinct), ())


def _sqlite_key(rows: Rows, table: str) -> tuple[str, ...]:
    from comboi_core.sources.sqlite.sql import table_columns

    keyed = [row for row in rows(table_columns(table)) if int(row["key"])]
    return tuple(row["name"] for row in sorted(keyed, key=lambda row: int(row["key"])))


_KEYS: dict[str, Callable[[Rows, str], tuple[str, ...]]] = {
    "postgres": _postgres_key,
    "azure_sql": _azure_sql_key,
    "sqlite": _sqlite_key,
}
"""What finds the columns of the key that a source declares for a table; empty if it declares none."""
