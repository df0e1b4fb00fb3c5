"""Running an asset in a build's DuckDB: the door to this package."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from comboi_core.bruin.header.asset import PYTHON, SEED, SQL, Asset
from comboi_core.bruin.header.loading import read_asset
from comboi_core.bruin.run.context import AssetContext, Moment, environment, moment_of
from comboi_core.bruin.run.hooks import hook_problems, run_hooks
from comboi_core.bruin.run.queries import Query, query_errors
from comboi_core.bruin.run.seeds import create_seed
from comboi_core.bruin.run.templates import render
from comboi_core.bruin.run.types import ddl_sql, declared_types
from comboi_core.config.checks import Check
from comboi_core.config.datasets import DatasetConfig
from comboi_core.domain.errors import ConfigError, ScriptError
from comboi_core.domain.sql import identifier

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["AssetContext", "asset_errors", "interval_of", "post_hooks", "render_checks", "run_asset", "validate_asset"]


def run_asset(
    con: DuckDBPyConnection, file: Path, context: AssetContext, inputs: Mapping[str, str], *, into: str
) -> None:
    """Run an asset: its pre hooks, then its code, and make the result readable as `into`.

    Args:
        inputs: Alias to quoted view name; the views exist, in their schemas.
        into: Plain name of the view to create, or of the table where DuckDB allows no view. Must not exist yet.

    Raises:
        ConfigError: the file is no asset any more.
        ScriptError: with the asset's file and line, also for what arises after rendering. A view is only bound here:
            read it within `asset_errors`.
    """
    asset = read_asset(file, context.folder)
    moment = moment_of(asset, context)
    query = Query(asset, moment) if _has_query(asset) else None
    with query_errors(query, asset, con, inputs):
        run_hooks(con, asset, moment, "pre")
        if query is not None:
            query.create(con, inputs, into)
        elif asset.type == PYTHON:
            from comboi_core.bruin.run.python_assets import run_python

            run_python(con, asset, environment(asset, context, moment), inputs, into)
        elif asset.type == SEED:
            create_seed(con, asset, into)
        else:
            con.execute(f"CREATE VIEW {identifier(into)} AS {ddl_sql(asset)}")


@contextmanager
def asset_errors(
    con: DuckDBPyConnection, file: Path, context: AssetContext, inputs: Mapping[str, str]
) -> Iterator[None]:
    """Turn what arises while an asset's result is read into ScriptError with the asset's file and line.

    What `comboi_core.transforms.blame.user_errors` is for native scripts; it knows the lines of templates, too.
    """
    asset = read_asset(file, context.folder)
    query = Query(asset, moment_of(asset, context)) if _has_query(asset) else None
    with query_errors(query, asset, con, inputs):
        yield


def post_hooks(con: DuckDBPyConnection, file: Path, context: AssetContext) -> None:
    """Run an asset's post hooks: once the staged result can be read by the asset's name, before it is checked.

    Raises:
        ScriptError: one failed; then nothing may be published.
    """
    asset = read_asset(file, context.folder)
    if asset.header.hooks.post:
        run_hooks(con, asset, moment_of(asset, context), "post")


def interval_of(file: Path, context: AssetContext) -> Moment:
    """Return the asset's own interval, and whether it is refreshed: what `delete+insert` by time has to replace."""
    return moment_of(read_asset(file, context.folder), context)


def render_checks(dataset: DatasetConfig, context: AssetContext) -> DatasetConfig:
    """Return an asset's dataset with the Jinja of its custom checks filled in; other datasets as they are.

    Raises:
        ScriptError: a template is none; with its line.
    """
    if dataset.asset is None or not any(check.kind == "custom" for check in dataset.checks):
        return dataset
    asset = read_asset(context.folder / dataset.asset, context.folder)
    moment = moment_of(asset, context)
    positions = {check.name: position for position, check in enumerate(asset.header.custom_checks)}

    def filled(check: Check) -> Check:
        if check.kind != "custom":
            return check
        place = asset.at("custom_checks", positions.get(check.params["name"], 0), "query")
        query = render(asset, check.params["query"], moment.variables, place=place)
        return check.model_copy(update={"params": {**check.params, "query": query}})

    entries = tuple(tuple(filled(check) for check in entry) for entry in dataset.quality_checks)
    return dataset.model_copy(update={"quality_checks": entries})


def validate_asset(con: DuckDBPyConnection, file: Path, context: AssetContext) -> list[str]:
    """Return what is wrong with an asset's code, as `file:line: text`, without running it or knowing its inputs.

    Args:
        con: Any connection, to parse with.
        context: That of a run as it could be now.
    """
    try:
        asset = read_asset(file, context.folder)
        moment = moment_of(asset, context)
        if asset.type == PYTHON:
            from comboi_core.bruin.run.python_assets import python_problems

            return python_problems(asset)
        declared_types(asset)
        for position, check in enumerate(asset.header.custom_checks):
            render(asset, check.query, moment.variables, place=asset.at("custom_checks", position, "query"))
        if _has_query(asset):
            Query(asset, moment).refuse_unless_select(con)
        return hook_problems(con, asset, moment)
    except ConfigError as error:
        return error.context.get("problems") or [error.message]
    except ScriptError as error:
        return [error.message]


def _has_query(asset: Asset) -> bool:
    return asset.type == SQL and not asset.is_ddl
