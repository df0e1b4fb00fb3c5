"""Bruin's materializations as comboi's: one entry of a table per strategy."""

from __future__ import annotations

from collections.abc import Callable

from comboi_core.bruin.header.asset import PYTHON, SEED, Asset
from comboi_core.config.materialization import Materialization

_WINDOWED = (
    "it reads only the run's interval, but its result replaces the whole dataset, so other rows would be lost; "
    "choose time_interval, delete+insert or merge"
)


def _key(asset: Asset) -> tuple[str, ...]:
    if not asset.header.primary_key:
        raise ValueError(f"strategy: {asset.strategy} needs a column with primary_key: true")
    return asset.header.primary_key


def _incremental(asset: Asset) -> str:
    key = asset.header.materialization.incremental_key
    if not key:
        raise ValueError(f"strategy: {asset.strategy} needs incremental_key:")
    return key


def _replace(asset: Asset) -> Materialization:
    if asset.windowed:
        raise ValueError(_WINDOWED)
    return Materialization()


def _merge(asset: Asset) -> Materialization:
    return Materialization(
        strategy="merge",
        unique_key=_key(asset),
        update=tuple(column.name for column in asset.header.columns if column.update_on_merge),
        incremental_key=asset.header.materialization.incremental_key,
    )


def _time_interval(asset: Asset) -> Materialization:
    granularity = asset.header.materialization.time_granularity
    if not granularity:
        raise ValueError("strategy: time_interval needs time_granularity: date or timestamp")
    if asset.type == PYTHON:
        raise ValueError("strategy: time_interval is only for SQL assets; choose delete+insert")
    return Materialization(strategy="delete+insert", incremental_key=_incremental(asset), time_granularity=granularity)


def _scd2(asset: Asset) -> Materialization:
    by_time = asset.strategy == "scd2_by_time"
    return Materialization(
        strategy="scd2",
        unique_key=_key(asset),
        incremental_key=_incremental(asset) if by_time else asset.header.materialization.incremental_key,
        changed_by="time" if by_time else "columns",
    )


def _ddl(asset: Asset) -> Materialization:
    """An empty dataset with the given columns; once it is there, it stays as it is: each run adds no rows."""
    if asset.body.strip():
        raise ValueError("strategy: ddl creates an empty table from columns: and takes no query; remove the query")
    untyped = [column.name for column in asset.header.columns if not column.type]
    if not asset.header.columns or untyped:
        raise ValueError(f"strategy: ddl needs columns:, each with a type{': ' if untyped else ''}{', '.join(untyped)}")
    return Materialization(strategy="append")


_STRATEGIES: dict[str, Callable[[Asset], Materialization]] = {
    "create+replace": _replace,
    "truncate+insert": _replace,
    "append": lambda asset: Materialization(strategy="append"),
    "merge": _merge,
    "delete+insert": lambda asset: Materialization(strategy="delete+insert", incremental_key=_incremental(asset)),
    "time_interval": _time_interval,
    "scd2_by_column": _scd2,
    "scd2_by_time": _scd2,
    "ddl": _ddl,
}


def materialization_of(asset: Asset) -> Materialization:
    """Return how the dataset is kept.

    Raises:
        ValueError: the asset keeps nothing, or the strategy needs something else.
    """
    given = asset.header.materialization
    if asset.type == SEED:
        if given.strategy not in (None, "create+replace", "truncate+insert"):
            raise ValueError(f"a seed replaces its dataset; remove strategy: {given.strategy}")
        return Materialization()
    if given.type in (None, "none"):
        raise ValueError(
            "without materialization: Bruin runs the code and keeps nothing; add `materialization: {type: table}`"
        )
    if given.type == "view" and given.strategy:
        raise ValueError(f"a view has no strategy; write type: table for strategy: {given.strategy}")
    if given.time_granularity and asset.strategy != "time_interval":
        raise ValueError(f"time_granularity: is only for strategy: time_interval, not for {asset.strategy}")
    return _STRATEGIES[asset.strategy](asset)
