"""Reads the lake: the current rows of a table, the published rows of a dataset, or SQL on both.

Only the lake is needed, so no host has to run. Readers see the newest complete load or build.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comboi_core.app.workspace import Workspace
from comboi_core.building.datasets import sensitive
from comboi_core.building.inputs import create_view, dataset_view
from comboi_core.config.project import Project
from comboi_core.domain.errors import ComboiError, LakeNotFound, SelectionEmpty
from comboi_core.domain.names import did_you_mean
from comboi_core.domain.sql import literal
from comboi_core.duckdb.parsing import parsed
from comboi_core.landing.rebuild import checkpoints_in_lake

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

FORMATS = {".parquet": "FORMAT parquet, COMPRESSION zstd", ".csv": "FORMAT csv, HEADER", ".json": "FORMAT json"}
"""Ending of a file -> options of the COPY that writes it; `.json` has one object per line."""

_NAMES = "`comboi lineage` lists all tables and datasets."


class QueryFailed(ComboiError):
    """DuckDB refused a user's query."""

    code = "query_failed"
    remedy = (
        "Correct the query. It is DuckDB's SQL; tables are called SOURCE.TABLE, and datasets by their name. `comboi "
        "lineage` lists them all."
    )


class Reader:
    """Reads one project's lake with one DuckDB connection, which `open_reader` opens and closes."""

    def __init__(self, workspace: Workspace, con: DuckDBPyConnection) -> None:
        self._workspace = workspace
        self._con = con
        self._manifests: dict[str, str | None] | None = None
        self._views: set[str] = set()

    def select(self, name: str) -> str:
        """Return a SELECT over the rows of a table (`source.table`) or dataset; `full_name` gives such a name.

        Raises:
            LakeNotFound: it is not in the lake yet.
        """
        if name in {dataset.name for dataset in self._workspace.project.datasets()}:
            return dataset_view(self._workspace, self._con, name, reader="the query").sql
        from comboi_core.lake.bronze import read_manifest, view_sql

        if self._manifests is None:
            known = checkpoints_in_lake(self._workspace)
            self._manifests = {table: checkpoint["manifest"] for table, checkpoint in known.items()}
        path = self._manifests.get(name)
        if path is None:
            raise LakeNotFound(f"'{name}' has not been landed yet", remedy="Land it with `comboi run`.")
        lake = self._workspace.lake("bronze")
        lake.attach(self._con)
        return view_sql(lake, read_manifest(lake, path), "current")

    def prepare(self, sql: str) -> str:
        """Make a view of each table and dataset that a query names; return the query as a FROM clause.

        Raises:
            QueryFailed: it is not one statement that only reads, or DuckDB cannot parse it.
            SelectionEmpty: it names a table that its source does not have.
            LakeNotFound: it reads a table or dataset that is not in the lake yet.
        """
        project = self._workspace.project
        names = {name.lower(): name for name in project.names}
        sources = {source.name.lower() for source in project.pipeline_file.sources}
        query = parsed(self._con, sql)
        if query["error"] and query["error_type"] == "parser":
            raise QueryFailed(query["error_message"])
        if query["error"] or len(query["statements"]) != 1:
            raise QueryFailed("the query has to be one SELECT")
        # DuckDB ignores the case of names.
        for one in sorted({name.lower() for name in _tables(query["statements"])} - self._views):
            if one in names:
                self._con.execute(f"{create_view(self._con, names[one])} {self.select(names[one])}")
                self._views.add(one)
            elif one.partition(".")[0] in sources and "." in one:
                raise SelectionEmpty(f"there is no table '{one}'{did_you_mean(one, names)}", remedy=_NAMES)
        return f"FROM query({literal(sql)})"

    def head(self, select: str, *, limit: int, dataset: str | None = None) -> list[dict[str, Any]]:
        """Return the first rows of a SELECT in values that JSON can hold; see `quality.samples.sample`.

        Args:
            dataset: The dataset whose rows they are; its sensitive columns are shown as `***`.

        Raises:
            QueryFailed: DuckDB cannot run it.
        """
        from comboi_core.quality.samples import sample

        hidden: frozenset[str] = frozenset()
        known: list[str] = []
        with _refused():
            if dataset is not None:
                hidden = frozenset(column.lower() for column in sensitive(self._workspace.project.dataset(dataset)[1]))
                known = [column for column, *_ in self._con.execute(f"DESCRIBE {select}").fetchall()]
            return sample(self._con, f"FROM ({select})", known=known, sensitive=hidden, most=limit)

    def count(self, select: str) -> int:
        """Return the number of rows of a SELECT."""
        with _refused():
            return int(self._con.execute(f"SELECT count(*) FROM ({select})").fetchall()[0][0])

    def columns(self, select: str) -> dict[str, str]:
        """Return the columns of a SELECT: name -> type as DuckDB writes it."""
        with _refused():
            return {name: kind for name, kind, *_ in self._con.execute(f"DESCRIBE {select}").fetchall()}

    def arrow(self, select: str) -> pa.Table:
        """Return all rows of a SELECT, in memory."""
        with _refused():
            return self._con.sql(select).to_arrow_table()

    def batches(self, select: str, rows: int) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a SELECT in batches of about so many rows."""
        with _refused():
            yield from self._con.sql(select).to_arrow_reader(rows)

    def write(self, select: str, file: Path) -> int:
        """Write all rows of a SELECT into a file in the format of its ending; return their number.

        Raises:
            QueryFailed: the ending is none of `FORMATS`, or DuckDB cannot run the query or write the file.
            OSError: the file's folder does not exist.
        """
        options = FORMATS.get(file.suffix.lower())
        if options is None:
            raise QueryFailed(
                f"'{file.name}' does not say its format", remedy=f"End the file's name in {', '.join(FORMATS)}."
            )
        file.parent.stat()
        with _refused():
            return int(self._con.execute(f"COPY ({select}) TO {literal(str(file))} ({options})").fetchall()[0][0])


@contextmanager
def open_reader(workspace: Workspace) -> Iterator[Reader]:
    """Open a DuckDB with the configured limits over the lake of a project."""
    with workspace.duckdb() as con:
        con.execute("SET python_enable_replacements = false")  # names in a query must not mean variables of this module
        yield Reader(workspace, con)


def full_name(project: Project, name: str) -> str:
    """Return the full name of a table or dataset. A table can be given by its own name if that is unique.

    Raises:
        SelectionEmpty: there is no such name, or more than one.
    """
    known = project.names
    alike = project.meant_by(name)
    if len(alike) > 1:
        raise SelectionEmpty(f"'{name}' is not unique: it can be {' or '.join(alike)}", remedy="Write the full name.")
    if not alike:
        hint = did_you_mean(name, [*known, *(full.rpartition(".")[2] for full in known)])
        raise SelectionEmpty(f"there is no table or dataset '{name}'{hint}", remedy=_NAMES)
    return alike[0]


def _tables(node: Any) -> Iterator[str]:
    """Yield the tables that a parsed query names. `get_table_names` of DuckDB binds the query: a join with USING of two
    tables that are not there yet is an error to it."""
    if isinstance(node, dict):
        if node.get("type") == "BASE_TABLE":
            yield ".".join(filter(None, (node["schema_name"], node["table_name"])))
        node = list(node.values())
    if isinstance(node, list):
        for part in node:
            yield from _tables(part)


@contextmanager
def _refused() -> Iterator[None]:
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        raise QueryFailed(str(error).partition("\n\n")[0]) from None  # without the excerpt of the query
