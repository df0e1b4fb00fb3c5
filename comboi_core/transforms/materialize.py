"""Materializations: how a build's batch of rows and the published dataset make the next one.

Each strategy is one SELECT over two relations, `batch` and `published`, so that the published dataset streams past
what changed: the hash tables hold the batch's keys. Doing it twice with the same batch gives the same rows, but for
`append`, where the caller has to know. Stricter than Bruin, whose strategies these are: a key that repeats within the
batch never doubles a row, NULL keys are refused, and a change from or to NULL is a change.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from comboi_core.config.materialization import Materialization
from comboi_core.domain.errors import MaterializationRefused
from comboi_core.domain.sql import identifier
from comboi_core.duckdb.rows import one_row
from comboi_core.transforms import batches
from comboi_core.transforms.batches import Columns, Moment, columns_of, same
from comboi_core.transforms.scd2 import VERSIONING, first_versions, next_versions
from comboi_core.transforms.widening import unite

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["Moment", "next_dataset"]


def next_dataset(
    con: DuckDBPyConnection,
    how: Materialization,
    moment: Moment,
    *,
    dataset: str,
    batch: str,
    published: str | None,
    hidden: Collection[str] = (),
    gone: str | None = None,
) -> str:
    """Return a SELECT for the next state of a dataset.

    Args:
        how: Its materialization.
        dataset: Its name, for errors.
        batch: A FROM item that can be read several times: what the transformation gave.
        published: A FROM item: the dataset as it is, or None where there is none, or where all of it is replaced.
        hidden: Columns whose values no error shows.
        gone: A FROM item with the `unique_key` of rows that are deleted: `merge` removes them, `scd2` ends their
            current version.

    Raises:
        MaterializationRefused: keys are missing, NULL or repeated, rows lie outside of the interval, or a column's
            types have none in common.
    """
    found = columns_of(con, batch)
    batches.refuse_columns(how, found, dataset, own=VERSIONING)
    if how.strategy in ("merge", "scd2"):
        batches.refuse_null_keys(con, how, batch, dataset)
        batch = batches.latest_per_key(con, how, found, batch, dataset, hidden)
    if how.time_granularity:
        batches.refuse_outside(con, how, moment, batch, dataset)
    if published is None or how.strategy == "replace":
        return first_versions(how, moment, batch) if how.strategy == "scd2" else f"SELECT * FROM {batch}"
    try:
        remedy = _remedy(how, dataset)
        batch, published = unite(con, batch=batch, published=published, dataset=dataset, remedy=remedy, hidden=hidden)
    except MaterializationRefused:
        if not _replaces_all(con, how, moment, published):
            raise
        return f"SELECT * FROM {batch}"
    before = columns_of(con, published)
    if how.strategy == "scd2":
        return next_versions(how, moment, found=found, before=before, batch=batch, published=published, gone=gone)
    if gone and how.strategy == "merge":
        there = f"SELECT p.* FROM {published} AS p ANTI JOIN {gone} AS g ON {same(how.unique_key, 'p', 'g')}"
        published = f"({there})"
    return f"{_kept(how, moment, published, batch)} UNION ALL BY NAME {_new(how, found, before, batch, published)}"


def _replaces_all(con: DuckDBPyConnection, how: Materialization, moment: Moment, published: str) -> bool:
    """Whether no published row is outside of the run's interval, so that the types of published rows do not matter."""
    if not how.time_granularity:
        return False
    kept = f"SELECT 1 FROM {published} WHERE ({batches.inside(how, moment)}) IS NOT TRUE LIMIT 1"
    return con.execute(kept).fetchone() is None


def _remedy(how: Materialization, dataset: str) -> str | None:
    """Return the remedy if a full refresh would keep rows outside of the run's interval."""
    if not how.time_granularity:
        return None
    return f"rebuild all of it in one interval: comboi run --select {dataset} --from FIRST_DAY --to DAY_AFTER_THE_LAST."


def kept_rows(con: DuckDBPyConnection, how: Materialization, moment: Moment, *, batch: str, published: str) -> int:
    """Return how many published rows a build leaves as they are, wholly or in some of their columns.

    Args:
        batch, published: As for `next_dataset`.
    """
    whole = how.strategy == "scd2" or how.update is not None
    kept = published if whole else f"({_kept(how, moment, published, batch)})"
    return int(one_row(con, f"SELECT count(*) FROM {kept}")[0])


def _kept(how: Materialization, moment: Moment, published: str, batch: str) -> str:
    """Return the published rows that do not change."""
    if how.strategy == "append":
        return f"SELECT * FROM {published}"
    if how.time_granularity:
        return f"SELECT * FROM {published} WHERE ({batches.inside(how, moment)}) IS NOT TRUE"
    keys = how.unique_key or (str(how.incremental_key),)
    return f"SELECT p.* FROM {published} AS p ANTI JOIN {batch} AS b ON {same(keys, 'p', 'b')}"


def _new(how: Materialization, found: Columns, before: Columns, batch: str, published: str) -> str:
    """Return the batch's rows. In a merge, columns that are not in `update` keep the published value."""
    if how.strategy != "merge":
        return f"SELECT * FROM {batch}"
    key = {name.lower() for name in how.unique_key}
    taken = {name.lower() for name in (found if how.update is None else how.update)} | key
    there = {name.lower() for name in found}
    known = {name.lower(): name for name in before}
    if taken >= there >= known.keys():
        return f"SELECT * FROM {batch}"
    matched = f"p.{identifier(how.unique_key[0])} IS NOT NULL"
    columns = [
        f"if({matched}, p.{identifier(known[name.lower()])}, b.{identifier(name)}) AS {identifier(name)}"
        if name.lower() not in taken and name.lower() in known
        else f"b.{identifier(name)}"
        for name in found
    ]
    columns += [f"p.{identifier(name)}" for lower, name in known.items() if lower not in there]
    on = same(how.unique_key, "p", "b")
    return f"SELECT {', '.join(columns)} FROM {batch} AS b LEFT JOIN {published} AS p ON {on}"
