"""A dataset's inputs as views in DuckDB: bronze tables as their manifests list them, and published datasets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from comboi_core.app.workspace import Workspace
from comboi_core.config.datasets import DatasetConfig, Input
from comboi_core.domain.errors import LakeNotFound, LoadLost, MaterializationRefused
from comboi_core.domain.names import table_id
from comboi_core.domain.sql import identifier, literal, qualified
from comboi_core.landing.continuity import refuse_other_owner

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from comboi_core.lake.published import Published

Manifests = Mapping[str, str | None]
"""`source.table` -> path of its committed manifest."""


@dataclass
class Inputs:
    """What a build reads.

    Attributes:
        views: Alias -> quoted name of the view.
        versions: `source.table` -> the load, or dataset -> the build, that is read.
        born: The same names -> the run that began the count of loads or builds.
        rows: Rows in the files that are read.
        deletes: Whether a view of changes has tombstones; see `domain.manifest.DELETED`.
    """

    views: dict[str, str] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    born: dict[str, str] = field(default_factory=dict)
    rows: int = 0
    deletes: bool = False


@dataclass(frozen=True)
class View:
    """One input as a SELECT, with the number of the load or build that it reads, and who began that count.

    Attributes:
        files: Of a bronze table: the files in the lake that it reads.
        deletes: Whether it has tombstones.
    """

    sql: str
    version: int
    born: str
    rows: int
    files: tuple[str, ...] = ()
    deletes: bool = False


def create_inputs(
    workspace: Workspace,
    con: DuckDBPyConnection,
    dataset: DatasetConfig,
    manifests: Manifests,
    *,
    published: Published | None,
    sample: int | None = None,
) -> Inputs:
    """Create a view per input, named as its alias.

    Args:
        published: What the dataset's last build has read, for `view: changes`; None where it is built anew.
        sample: So many rows of each input at most.

    Raises:
        LakeNotFound: an input was not landed or published yet.
        MaterializationRefused: an input is older than what the dataset has consumed, or was read anew since, and the
            dataset would append it a second time, or deletes that the dataset has not seen are not in the lake any
            more.
    """
    inputs = Inputs()
    limit = f" LIMIT {sample}" if sample is not None else ""
    for item in dataset.inputs:
        if item.dataset is not None:
            name = item.dataset
            view = dataset_view(workspace, con, name, reader=dataset.name)
        else:
            name = table_id(str(item.source), str(item.table))
            before = published if item.view == "changes" else None
            view = _table_view(workspace, con, dataset, item, manifests.get(name), before)
        with _lost_files_named(workspace, dataset.name, name, view):
            con.execute(f"{create_view(con, item.alias)} {view.sql}{limit}")
        inputs.views[item.alias] = qualified(item.alias)
        inputs.versions[name] = view.version
        inputs.born[name] = view.born
        inputs.rows += view.rows
        inputs.deletes |= view.deletes
    return inputs


@contextmanager
def _lost_files_named(workspace: Workspace, reader: str, name: str, view: View) -> Iterator[None]:
    """Say which file is lost, and what brings it back, where DuckDB cannot open what a manifest lists."""
    import duckdb

    try:
        yield
        return
    except duckdb.Error as error:
        lake = workspace.lake("bronze")
        lost = [path for path in view.files if not lake.exists(path)]
        if not lost:
            raise
        failed = LoadLost(
            f"{reader}: of its input '{name}', {len(lost)} of {len(view.files)} files are not in the lake "
            f"{lake.describe()} any more, {lost[0]} for one",
            remedy=f"Restore them from a backup, or read the table anew: `comboi run --full-refresh --select {name}`.",
        )
        failed.__cause__ = error
    raise failed


def create_view(con: DuckDBPyConnection, name: str) -> str:
    """Return the beginning of a statement that creates a view; its schema, where the name has one, is made."""
    schema, _, _ = name.rpartition(".")
    if schema:
        con.execute(f"CREATE SCHEMA IF NOT EXISTS {identifier(schema)}")
    return f"CREATE VIEW {qualified(name)} AS"


def relations(
    workspace: Workspace, con: DuckDBPyConnection, dataset: DatasetConfig, manifests: Manifests
) -> dict[str, str]:
    """Return a FROM item for each dataset or table that the checks refer to."""
    items = {}
    datasets = {item.name for item in workspace.project.datasets()}
    for name in dataset.references:
        if name in datasets:
            view = dataset_view(workspace, con, name, reader=dataset.name)
        else:
            source, _, table = name.partition(".")
            item = Input(alias="referred", source=source, table=table)
            view = _table_view(workspace, con, dataset, item, manifests.get(name), None)
        items[name] = f"({view.sql})"
    return items


def dataset_view(workspace: Workspace, con: DuckDBPyConnection, name: str, *, reader: str) -> View:
    """Return a SELECT over a published dataset.

    Raises:
        LakeNotFound: it has not been published yet.
        NotOwner: it is another pipeline's.
    """
    from comboi_core.lake.published import read_published

    stage, _ = workspace.project.dataset(name)
    lake, path = workspace.lake(stage), workspace.project.dataset_path(name)
    published = read_published(con, lake, path)
    if published is None:
        raise LakeNotFound(f"{reader}: its input '{name}' has not been published yet")
    refuse_foreign(workspace, name, published)
    sql = f"SELECT * FROM read_parquet({literal(lake.uri(path))})"
    return View(sql, published.build, published.born, published.rows)


def refuse_foreign(workspace: Workspace, name: str, published: Published | None) -> None:
    """Raise NotOwner where a published dataset is another pipeline's: it has the same name, and not the same rows."""
    if published:
        stage, _ = workspace.project.dataset(name)
        what = f"{name} in the lake {workspace.lake(stage).describe()}"
        refuse_other_owner(published.owner, workspace.project.owners, what, "the dataset")


def _table_view(
    workspace: Workspace,
    con: DuckDBPyConnection,
    dataset: DatasetConfig,
    item: Input,
    path: str | None,
    before: Published | None,
) -> View:
    from comboi_core.lake.bronze import read_manifest, view_sql

    name = table_id(str(item.source), str(item.table))
    if path is None:
        raise LakeNotFound(f"{dataset.name}: its input '{name}' has not been landed yet")
    lake = workspace.lake("bronze")
    lake.attach(con)
    try:
        manifest = read_manifest(lake, path)
    except LakeNotFound:
        raise LakeNotFound(
            f"{dataset.name}: its input '{name}' is not in the lake {lake.describe()} any more: there is no {path}",
            remedy="If the lake has moved, correct `stages.bronze.data_lake`. If its files are gone, read the sources "
            "anew with `comboi run --full-refresh`.",
        ) from None
    anew = f"Build the dataset anew: `comboi run --full-refresh --select {dataset.name}`."
    since = before.inputs.get(name, 0) if before else 0
    again = 0 < since < manifest.whole
    if before and manifest.mode != "full" and others(before.born_inputs.get(name), manifest.born):
        # Lake and task hub were lost since: loads are counted anew, and what was read has nothing to do with them.
        again, since = since > 0, 0
    if since > manifest.sequence:
        raise MaterializationRefused(
            f"{dataset.name}: it has read {name} up to load {since}, but the table is at load {manifest.sequence}",
            remedy=f"The table was restored to an older state. {anew}",
        )
    if 0 < since < manifest.forgotten:
        raise MaterializationRefused(
            f"{dataset.name}: it has read {name} up to load {since}, but deletes up to load {manifest.forgotten} are "
            "not in the lake any more",
            remedy=f"It has not been built for long, and would keep rows that the source has deleted. {anew}",
        )
    if again and manifest.mode != "full" and dataset.materialization.strategy == "append":
        raise MaterializationRefused(
            f"{dataset.name}: it has read {name} before load {manifest.whole}, which read the whole table anew: its "
            "rows would be appended a second time",
            remedy=anew,
        )
    if again and manifest.deletes and dataset.materialization.strategy in ("merge", "scd2"):
        raise MaterializationRefused(
            f"{dataset.name}: it has read {name} before load {manifest.whole}, which read the whole table anew and "
            "does not tell which rows the source has deleted meanwhile",
            remedy=anew,
        )
    rows = sum(file.rows for file in manifest.files if file.load > since)
    files = tuple(file.path for file in manifest.files if file.load > since)
    sql, deletes = view_sql(lake, manifest, item.view, since=since), manifest.deletes and item.view == "changes"
    return View(sql, manifest.sequence, manifest.born, rows, files, deletes)


def others(before: str | None, now: str) -> bool:
    """Whether two counts of loads or builds were begun by different runs; what is not known is no difference."""
    return bool(before and now and before != now)
