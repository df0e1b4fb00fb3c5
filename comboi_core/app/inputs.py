"""A dataset's inputs as views in DuckDB: bronze tables as their manifests list them, and published datasets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from comboi_core.app.workspace import Workspace
from comboi_core.config.datasets import DatasetConfig, Input
from comboi_core.domain.errors import LakeNotFound, MaterializationRefused
from comboi_core.domain.names import table_id
from comboi_core.domain.sql import identifier, literal, qualified

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Manifests = Mapping[str, str | None]
"""`source.table` -> path of its committed manifest."""


@dataclass
class Inputs:
    """What a build reads.

    Attributes:
        views: Alias -> quoted name of the view.
        versions: `source.table` -> the load, or dataset -> the build, that is read.
        rows: Rows in the files that are read.
    """

    views: dict[str, str] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    rows: int = 0


def create_inputs(
    workspace: Workspace,
    con: DuckDBPyConnection,
    dataset: DatasetConfig,
    manifests: Manifests,
    *,
    consumed: Mapping[str, int],
    sample: int | None = None,
) -> Inputs:
    """Create a view per input, named as its alias.

    Args:
        consumed: What the dataset's last build has read, for `view: changes`.
        sample: So many rows of each input at most.

    Raises:
        LakeNotFound: an input was not landed or published yet.
        MaterializationRefused: an input is older than what the dataset has consumed, or was read anew since, and the
            dataset would append it a second time.
    """
    inputs = Inputs()
    limit = f" LIMIT {sample}" if sample is not None else ""
    for item in dataset.inputs:
        if item.dataset is not None:
            name = item.dataset
            sql, version, rows = dataset_view(workspace, con, name, reader=dataset.name)
        else:
            name = table_id(str(item.source), str(item.table))
            since = consumed.get(name, 0) if item.view == "changes" else 0
            sql, version, rows = _table_view(workspace, con, dataset, item, manifests.get(name), since)
        con.execute(f"{create_view(con, item.alias)} {sql}{limit}")
        inputs.views[item.alias] = qualified(item.alias)
        inputs.versions[name] = version
        inputs.rows += rows
    return inputs


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
    found = {}
    datasets = {item.name for item in workspace.project.datasets()}
    for name in dataset.references:
        if name in datasets:
            sql, *_ = dataset_view(workspace, con, name, reader=dataset.name)
        else:
            source, _, table = name.partition(".")
            item = Input(alias="referred", source=source, table=table)
            sql, *_ = _table_view(workspace, con, dataset, item, manifests.get(name), 0)
        found[name] = f"({sql})"
    return found


def dataset_view(workspace: Workspace, con: DuckDBPyConnection, name: str, *, reader: str) -> tuple[str, int, int]:
    """Return a SELECT over a published dataset, the number of its build, and its rows."""
    from comboi_core.lake.published import read_published

    stage, _ = workspace.project.dataset(name)
    lake, path = workspace.lake(stage), workspace.project.dataset_path(name)
    published = read_published(con, lake, path)
    if published is None:
        raise LakeNotFound(f"{reader}: its input '{name}' has not been published yet")
    return f"SELECT * FROM read_parquet({literal(lake.uri(path))})", published.build, published.rows


def _table_view(
    workspace: Workspace, con: DuckDBPyConnection, dataset: DatasetConfig, item: Input, path: str | None, since: int
) -> tuple[str, int, int]:
    from comboi_core.lake.bronze import read_manifest, view_sql

    name = table_id(str(item.source), str(item.table))
    if path is None:
        raise LakeNotFound(f"{dataset.name}: its input '{name}' has not been landed yet")
    lake = workspace.lake("bronze")
    lake.attach(con)
    manifest = read_manifest(lake, path)
    if since > manifest.sequence:
        raise MaterializationRefused(
            f"{dataset.name}: it has read {name} up to load {since}, but the table is at load {manifest.sequence}",
            remedy="The table was restored to an older state: build the dataset anew with --full-refresh.",
        )
    if 0 < since < manifest.whole and manifest.mode != "full" and dataset.materialization.strategy == "append":
        raise MaterializationRefused(
            f"{dataset.name}: it has read {name} up to load {since}, and load {manifest.whole} read the whole table "
            "anew: its rows would be appended a second time",
            remedy=f"Build the dataset anew: comboi run --full-refresh --select {dataset.name}.",
        )
    rows = sum(file.rows for file in manifest.files if file.load > since)
    return view_sql(lake, manifest, item.view, since=since), manifest.sequence, rows
