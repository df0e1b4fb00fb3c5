"""Slowly changing dimensions, type 2: every version of a row is kept, with the time in which it was valid."""

from __future__ import annotations

from comboi_core.config.materialization import Materialization
from comboi_core.domain.sql import identifier, identifiers, literal
from comboi_core.transforms.batches import Columns, Moment, same

VALID_FROM, VALID_UNTIL, IS_CURRENT = "_valid_from", "_valid_until", "_is_current"
VERSIONING = (VALID_FROM, VALID_UNTIL, IS_CURRENT)
_FOREVER = "TIMESTAMPTZ '9999-12-31 23:59:59+00'"


def first_versions(how: Materialization, moment: Moment, batch: str) -> str:
    """Return a SELECT that makes each row of the batch the current version of its key."""
    return f"SELECT *, {_FOREVER} AS {VALID_UNTIL}, true AS {IS_CURRENT} FROM {_dated(how, moment, batch)}"


def next_versions(
    how: Materialization,
    moment: Moment,
    *,
    found: Columns,
    before: Columns,
    batch: str,
    published: str,
    gone: str | None = None,
) -> str:
    """Return a SELECT for all versions after a batch.

    Ended versions do not change. A current version ends if the batch has another version of its key, or, with
    `close_missing`, if the batch does not have the key. A version never begins before the version before it ended.

    Args:
        found: The batch's columns.
        before: The published columns.
        gone: A FROM item with keys whose current version ends, as they are deleted.
    """
    key = how.unique_key
    joined, first = same(key, "p", "b"), f"b.{identifier(key[0])}"
    at = f"{literal(moment.started_at.isoformat())}::TIMESTAMPTZ"
    missing = f"{first} IS NULL" if how.close_missing is not False else "false"
    if gone:
        missing += f" OR ({first} IS NULL AND EXISTS (FROM {gone} AS g WHERE {same(key, 'g', 'p')}))"
    newer = f"({first} IS NOT NULL AND ({_changed(how, found, before)}))"
    return f"""
        WITH comboi_batch AS (FROM {_dated(how, moment, batch)}),
        comboi_now AS (SELECT * FROM {published} WHERE {IS_CURRENT}),
        comboi_known AS (
            SELECT {identifiers(key)}, max(if({IS_CURRENT}, {VALID_FROM}, {VALID_UNTIL})) AS comboi_last,
                bool_or({IS_CURRENT}) AS comboi_alive
            FROM {published} GROUP BY ALL
        ),
        comboi_ended AS (
            SELECT {", ".join(f"p.{identifier(name)}" for name in key)},
                greatest(p.{VALID_FROM}, coalesce(b.{VALID_FROM}, {at})) AS comboi_end
            FROM comboi_now AS p LEFT JOIN comboi_batch AS b ON {joined}
            WHERE {missing} OR {newer}
        )
        SELECT * FROM {published} WHERE {IS_CURRENT} IS NOT TRUE
        UNION ALL BY NAME
        SELECT p.* REPLACE (
            coalesce(b.comboi_end, p.{VALID_UNTIL}) AS {VALID_UNTIL}, b.comboi_end IS NULL AS {IS_CURRENT}
        )
        FROM comboi_now AS p LEFT JOIN comboi_ended AS b ON {joined}
        UNION ALL BY NAME
        SELECT b.* REPLACE (greatest(b.{VALID_FROM}, coalesce(p.comboi_last, b.{VALID_FROM})) AS {VALID_FROM}),
            {_FOREVER} AS {VALID_UNTIL}, true AS {IS_CURRENT}
        FROM comboi_batch AS b LEFT JOIN comboi_known AS p ON {joined}
        WHERE p.comboi_alive IS NOT TRUE OR EXISTS (FROM comboi_ended AS e WHERE {same(key, "e", "b")})"""


def _changed(how: Materialization, found: Columns, before: Columns) -> str:
    if how.changed_by == "time":
        return f"b.{VALID_FROM} > p.{VALID_FROM}"
    key, known = {name.lower() for name in how.unique_key}, {name.lower() for name in before}
    tests = [
        f"b.{identifier(name)} IS DISTINCT FROM {f'p.{identifier(name)}' if name.lower() in known else 'NULL'}"
        for name in found
        if name.lower() not in key
    ]
    return " OR ".join(tests) or "false"


def _dated(how: Materialization, moment: Moment, batch: str) -> str:
    told = how.incremental_key and identifier(how.incremental_key)
    begins = told or literal(moment.started_at.isoformat())
    return f"(SELECT *, {begins}::TIMESTAMPTZ AS {VALID_FROM} FROM {batch})"
