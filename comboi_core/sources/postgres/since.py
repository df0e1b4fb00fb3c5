"""What came and went among the relations that are read since the last load, as far as rows are lost by it.

A cursor does not see rows that come along with a partition, a table or a view's new definition: they are old rows,
below the watermark, and new here. Rows that go with a partition stay in the lake, as deleted ones do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from comboi_core.domain.errors import ComboiError
from comboi_core.domain.load import Relation
from comboi_core.domain.shortfall import Shortfall
from comboi_core.sources.postgres.relations import Locked


def came(before: Iterable[Relation], now: Iterable[Locked]) -> tuple[Locked, ...]:
    """Return what was not read by the last load, or showed others of its rows."""
    rules = {relation.id: relation.rules for relation in before}
    return tuple(one for one in now if rules.get(one.relation.id) != one.relation.rules)


def gone(before: Iterable[Relation], now: Iterable[Locked]) -> tuple[str, ...]:
    """Return the warning about what was read by the last load and is not any more."""
    there = {one.relation.id for one in now}
    names = ", ".join(relation.name for relation in before if relation.id not in there)
    return (f"no longer read since the last load: {names}; rows that were landed from there stay",) if names else ()


def shortfalls(new: tuple[Locked, ...], count: Callable[[str | None], int], watermark: str) -> tuple[Shortfall, ...]:
    """Return the shortfall of the rows that came along and that no load reads.

    Args:
        new: What `came`, at least one.
        count: Counts them in a relation of this name, or, with None, in all that is read.
    """
    parts = [one for one in new if one.kind != "p"]
    rows: int | None
    try:
        if all(one.above and one.kind != "v" for one in new):
            rows = sum(count(one.relation.name) for one in parts)
        else:
            rows = count(None)
    except ComboiError as error:
        if error.transient:
            raise
        rows = None  # a query's partitions have columns of their own
    if rows == 0:
        return ()
    names = ", ".join(one.relation.name for one in new)
    told = "its rows" if rows is None else f"{rows:,} rows"
    return (
        Shortfall(
            "attached_rows",
            f"{names}: attached, replaced or defined anew since the last load; {told} up to the watermark {watermark} "
            "are not read",
            "If they are not in the lake yet, run the table with --full-refresh.",
            rows,
        ),
    )
