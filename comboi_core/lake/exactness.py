"""Checks whether the landed rows of a table can be read with the column types of its next load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comboi_core.domain.errors import SchemaDrift
from comboi_core.domain.load import LoadPlan
from comboi_core.domain.manifest import Manifest
from comboi_core.domain.ports import Lake
from comboi_core.domain.redaction import redactor
from comboi_core.domain.sql import identifier
from comboi_core.domain.widening import widens
from comboi_core.lake.views import view_sql

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def doubtful(manifest: Manifest, load: LoadPlan) -> dict[str, tuple[str, str]]:
    """Return the columns whose new type may not hold each value that was landed: committed and new type, by name."""
    before = {column.name.lower(): column.landed for column in manifest.columns}
    after = {column.name: column.landed for column in load.columns}
    return {
        name: (before[name.lower()], kind)
        for name, kind in after.items()
        if not load.replaces and name.lower() in before and not widens(before[name.lower()], kind)
    }


def refuse_inexact(con: DuckDBPyConnection, lake: Lake, manifest: Manifest, load: LoadPlan) -> None:
    """Look at the landed values of doubtful columns, whose types then stand for all rows; reads nothing without any.

    Raises:
        SchemaDrift: a value would change in the new type.
    """
    columns = doubtful(manifest, load)
    if not columns:
        return
    lake.attach(con)
    tests = ", ".join(
        f"min({name}::VARCHAR) FILTER (TRY_CAST(TRY_CAST({name} AS {new}) AS {old}) IS DISTINCT FROM {name})"
        for name, (old, new) in ((identifier(name), types) for name, types in columns.items())
    )
    found = con.execute(f"SELECT {tests} FROM ({view_sql(lake, manifest, 'log')})").fetchone()
    for (name, (old, new)), value in zip(columns.items(), found or (), strict=True):
        if value is not None:
            raise SchemaDrift(
                f"{load.source}.{load.table}: column {name} now has type {new}, but earlier rows have values of "
                f"type {old} that are "
                f"not {new}, such as {redactor.cut(value, 60)!r}",
                remedy=f"Change the column back to {old} in the source, or land it as text and run the table with "
                "--full-refresh.",
                column=name,
                value=value,
            )
