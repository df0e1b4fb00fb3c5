"""Plans that read a range of a table again."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from comboi_core.domain.contracts.record import Range
from comboi_core.domain.errors import BackfillImpossible
from comboi_core.domain.load import Checkpoint, Chunk, LoadPlan
from comboi_core.domain.redaction import redactor


def backfilled(load: LoadPlan, checkpoint: Checkpoint, backfill: Range) -> LoadPlan:
    """Turn a plan into one that reads a range again, as a load of its own.

    Args:
        backfill: `from` and `to`, cursor values as text: rows above `from` up to `to` are read.

    Raises:
        BackfillImpossible: the table has no such ranges, or the values are none of its cursor.
    """
    name = f"{load.source}.{load.table}"
    if load.mode != "merge" or load.window is None:
        why = "a backfill would land rows twice" if load.mode == "append" else "it has no cursor"
        raise BackfillImpossible(f"{name} has mode {load.mode}: {why}")
    if load.window.cursor == "changes":
        raise BackfillImpossible(
            f"{name} follows a change feed, which has no ranges", remedy="Read the table again with --full-refresh."
        )
    if load.replaces and checkpoint.sequence:
        raise BackfillImpossible(
            f"{name} cannot be backfilled now, because its next load reads the whole table",
            remedy="Run the table first: `comboi run bronze`.",
        )
    if not checkpoint.sequence:
        raise BackfillImpossible(f"{name} has not been loaded yet", remedy="Run the table first: `comboi run bronze`.")
    for end, value in (("from", backfill["from"]), ("to", backfill["to"])):
        wanted = _wanted(load.window.cursor_type)
        if wanted and not wanted.fits(value):
            raise BackfillImpossible(
                f"{name}: `{end}` is {redactor.cut(value, 100)!r}, but the cursor {load.window.cursor} is "
                f"{load.window.cursor_type}",
                remedy=f"Give {wanted.told}.",
            )
    if _is_empty(backfill["from"], backfill["to"]):
        raise BackfillImpossible(
            f"{name}: the range above {backfill['from']} up to {backfill['to']} is empty",
            remedy="Give the smaller value as `from` and the larger value as `to`.",
        )
    window = replace(load.window, low=backfill["from"], high=backfill["to"], lag_seconds=0.0)
    return replace(load, window=window, watermark=checkpoint.watermark, unchanged=False, chunks=(Chunk(0),))


@dataclass(frozen=True)
class _Values:
    """What values of some cursors look like.

    Attributes:
        types: A pattern for the names of the cursors' types in their sources.
        told: What to give, in words.
    """

    types: str
    fits: Callable[[str], bool]
    told: str


def _whole(low: int, high: int) -> Callable[[str], bool]:
    return lambda text: bool(re.fullmatch(r"[+-]?[0-9]{1,19}", text)) and low <= int(text) <= high


def _integers(types: str, low: int, high: int) -> _Values:
    return _Values(types, _whole(low, high), f"a whole number from {low} to {high}")


def _is_time(text: str) -> bool:
    """Whether a text is a date, or a date and a time, as the databases print it: a zone may stand apart, and a second
    may have more digits than Python's."""
    with suppress(ValueError):
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            return bool(date.fromisoformat(text))
        if re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}", text):
            return bool(datetime.fromisoformat(re.sub(r" (?=[+-])", "", text)))
    return False


# The first that matches decides; a type that none matches is the source's to judge. SQLite's texts hold times.
_CURSORS = (
    _integers("tinyint", 0, 2**8 - 1),
    _integers("smallint", -(2**15), 2**15 - 1),
    _integers("int|integer", -(2**31), 2**31 - 1),
    _integers("bigint", -(2**63), 2**63 - 1),
    _integers("xid8", 0, 2**63 - 1),
    _Values(
        "timestamp",  # SQL Server's name for rowversion; PostgreSQL's timestamps have a zone, or are said to have none
        lambda text: bool(re.fullmatch(r"0x[0-9A-Fa-f]{16}", text)),
        "a row version, 0x and 16 hexadecimal digits",
    ),
    _Values(
        r"date|(small)?datetime.*|timestamp.*|varchar",
        _is_time,
        "a date or a time (YYYY-MM-DD, YYYY-MM-DD HH:MM:SS, with the zone where the cursor has one: +00:00)",
    ),
)


def _wanted(cursor_type: str) -> _Values | None:
    return next((values for values in _CURSORS if re.fullmatch(values.types, cursor_type.lower())), None)


def _is_empty(low: str, high: str) -> bool:
    """Whether `(low, high]` is empty for sure; what is no number, date or time is the source's to compare."""
    kinds: tuple[Callable[[str], Any], ...] = (int, datetime.fromisoformat)
    for kind in kinds:
        with suppress(ValueError, TypeError):  # TypeError: one of the moments has a zone, the other has none
            return bool(kind(low) >= kind(high))
    return False
