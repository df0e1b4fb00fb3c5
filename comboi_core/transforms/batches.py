"""Checks of a batch of rows for its materialization. A batch that would lose or double rows is refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from comboi_core.config.materialization import Materialization
from comboi_core.domain.errors import MaterializationRefused
from comboi_core.domain.sql import identifier, identifiers, literal
from comboi_core.duckdb.rows import one_row

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_MOST_SHOWN = 5

Columns = Mapping[str, str]
"""Names to DuckDB types, in order."""


@dataclass(frozen=True)
class Moment:
    """When a build happens.

    Attributes:
        started_at: Start of the run, in UTC; the same for every attempt.
        start: Start of the run's interval, in UTC.
        end: Its end, exclusive.
    """

    started_at: datetime
    start: datetime
    end: datetime


def columns_of(con: DuckDBPyConnection, relation: str) -> dict[str, str]:
    """Return a relation's columns with their types, in order."""
    return {name: kind for name, kind, *_ in con.execute(f"DESCRIBE FROM {relation}").fetchall()}


def same(keys: tuple[str, ...], left: str, right: str) -> str:
    """Return the condition that two relations agree on the keys; NULL is a value."""
    return " AND ".join(f"{left}.{identifier(key)} IS NOT DISTINCT FROM {right}.{identifier(key)}" for key in keys)


def inside(how: Materialization, moment: Moment) -> str:
    """Return the condition that a row lies in the run's interval."""
    column = identifier(str(how.incremental_key))
    if how.time_granularity == "date":
        last: date = (moment.end - timedelta(microseconds=1)).date()
        return f"{column}::DATE BETWEEN DATE '{moment.start.date()}' AND DATE '{last}'"
    start, end = (literal(bound.isoformat()) for bound in (moment.start, moment.end))
    return f"{column}::TIMESTAMPTZ >= {start}::TIMESTAMPTZ AND {column}::TIMESTAMPTZ < {end}::TIMESTAMPTZ"


def latest_per_key(
    con: DuckDBPyConnection,
    how: Materialization,
    found: Columns,
    batch: str,
    dataset: str,
    hidden: Collection[str] = (),
) -> str:
    """Return a FROM item with one row per key, the latest by `incremental_key`. Raise if no column decides."""
    key = identifiers(how.unique_key)
    repeated = con.execute(
        f"SELECT {key}, count(*) FROM {batch} GROUP BY {key} HAVING count(*) > 1 ORDER BY ALL LIMIT {_MOST_SHOWN}"
    ).fetchall()
    if not repeated:
        return batch
    if how.incremental_key is None:
        secret = not {name.lower() for name in how.unique_key}.isdisjoint(name.lower() for name in hidden)
        values = ("a value" if secret else ", ".join(map(str, row[:-1])) for row in repeated)
        shown = "; ".join(f"{value} ({row[-1]} times)" for value, row in zip(values, repeated, strict=True))
        raise MaterializationRefused(
            f"{dataset}: the result has several rows with the same {', '.join(how.unique_key)}: {shown}",
            remedy="Make the key unique in the transformation, or give the column that decides which row is "
            "the latest: "
            "incremental_key:.",
        )
    rest = identifiers(name for name in found if name != how.incremental_key)
    return (
        f"(SELECT * FROM {batch} QUALIFY row_number() OVER (PARTITION BY {key} "
        f"ORDER BY {identifier(how.incremental_key)} DESC NULLS LAST, {rest}) = 1)"
    )


def refuse_columns(how: Materialization, found: Columns, dataset: str, *, own: tuple[str, ...]) -> None:
    """Raise MaterializationRefused if a column is missing, or has the name of a column that scd2 adds."""
    lower = {name.lower() for name in found}
    named = {"unique_key": how.unique_key, "update": how.update or (), "incremental_key": (how.incremental_key,)}
    for key, names in named.items():
        for name in filter(None, names):
            if name.lower() not in lower:
                raise MaterializationRefused(
                    f"{dataset}: materialization.{key}: the result has no column '{name}'; it has {', '.join(found)}",
                    remedy="Select the column in the transformation, or correct the materialization.",
                )
    taken = [name for name in found if name.lower() in own] if how.strategy == "scd2" else []
    if taken:
        raise MaterializationRefused(
            f"{dataset}: the result has a column '{taken[0]}', which strategy scd2 adds itself",
            remedy="Rename the column in the transformation.",
        )


def refuse_null_keys(con: DuckDBPyConnection, how: Materialization, batch: str, dataset: str) -> None:
    """Raise MaterializationRefused if a key or the time of a version is NULL."""
    for place, columns in (("unique_key", how.unique_key), ("incremental_key", (how.incremental_key,))):
        if place == "incremental_key" and (how.strategy != "scd2" or how.incremental_key is None):
            continue
        null = " OR ".join(f"{identifier(str(name))} IS NULL" for name in columns)
        count = one_row(con, f"SELECT count(*) FROM {batch} WHERE {null}")[0]
        if count:
            raise MaterializationRefused(
                f"{dataset}: {_rows(count, 'has', 'have')} no {', '.join(map(str, columns))} ({place})",
                remedy="Remove these rows in the transformation, or put them into quarantine: "
                "not_null with on_fail: quarantine.",
            )


def refuse_outside(con: DuckDBPyConnection, how: Materialization, moment: Moment, batch: str, dataset: str) -> None:
    """Raise MaterializationRefused if rows are outside of the run's interval."""
    outside = f"SELECT count(*) FROM {batch} WHERE ({inside(how, moment)}) IS NOT TRUE"
    count = one_row(con, outside)[0]
    if count:
        raise MaterializationRefused(
            f"{dataset}: {_rows(count, 'is', 'are')} outside of the run's interval "
            f"[{moment.start.isoformat()}, {moment.end.isoformat()}) by {how.incremental_key}, and would be doubled",
            remedy="Filter by the interval in the transformation: "
            "getvariable('interval_start'), getvariable('interval_end').",
        )


def _rows(count: int, one: str, many: str) -> str:
    return f"1 row {one}" if count == 1 else f"{count} rows {many}"
