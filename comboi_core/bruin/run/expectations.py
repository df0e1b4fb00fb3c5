"""What a unit test expects of rows, against the rows that came.

Rows are compared as Bruin compares them: columns by name in any case, numbers by value, moments as instants, and a
column that an expected row leaves out is not looked at.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

from comboi_core.bruin.header.testing import Expectation

_MOST_SHOWN = 5

Row = dict[str, Any]


def differences(what: str, expected: Expectation, rows: list[Row]) -> Iterator[str]:
    """Yield what is not as expected.

    Args:
        what: What the rows are, for the messages.
        rows: What came; columns by lower-case name.
    """
    if expected.count is not None and len(rows) != expected.count:
        yield f"{what} has {len(rows)} rows, expected {expected.count}"
    if expected.rows is None:
        return
    wanted = [{name.lower(): value for name, value in row.items()} for row in expected.rows]
    unknown = {name for row in wanted for name in row} - set(rows[0] if rows else ())
    if rows and unknown:
        yield f"{what} has no column {', '.join(sorted(unknown))}; it has {', '.join(rows[0])}"
        return
    if expected.order == "strict":
        yield from _in_order(what, expected, wanted, rows)
        return
    pairs = _paired(wanted, rows)
    missing = [row for position, row in enumerate(wanted) if position not in pairs]
    for row in missing[:_MOST_SHOWN]:
        yield f"{what} lacks the row {_shown(row)}"
    if expected.match == "exact":
        found = set(pairs.values())
        for row in [row for position, row in enumerate(rows) if position not in found][:_MOST_SHOWN]:
            yield f"{what} has an unexpected row: {_shown(row)}"


def _in_order(what: str, expected: Expectation, wanted: list[Row], rows: list[Row]) -> Iterator[str]:
    if expected.match == "exact" and len(wanted) != len(rows):
        yield f"{what} has {len(rows)} rows, expected {len(wanted)}"
    remaining = iter(enumerate(rows))
    for position, row in enumerate(wanted):
        if expected.match == "exact":
            if position < len(rows) and not _matches(row, rows[position]):
                yield f"{what}: row {position + 1} is {_shown(rows[position])}, expected {_shown(row)}"
        elif not any(_matches(row, found) for _, found in remaining):
            yield f"{what} lacks the row {_shown(row)}, or has it too early"
            return


def _paired(wanted: list[Row], rows: list[Row]) -> dict[int, int]:
    """Return which row stands for which expected one, as many as can be; a partial row may fit several."""
    fitting = [[number for number, row in enumerate(rows) if _matches(want, row)] for want in wanted]
    taken: dict[int, int] = {}

    def place(position: int, tried: set[int]) -> bool:
        for number in fitting[position]:
            if number not in tried:
                tried.add(number)
                if number not in taken or place(taken[number], tried):
                    taken[number] = position
                    return True
        return False

    for position in range(len(wanted)):
        place(position, set())
    return {position: number for number, position in taken.items()}


def _matches(wanted: Row, row: Row) -> bool:
    return all(_equal(value, row[name]) for name, value in wanted.items())


def _equal(wanted: Any, found: Any) -> bool:
    if wanted is None or found is None:
        return wanted is found
    if isinstance(wanted, dict | list):
        return bool(_json(wanted) == _json(found))
    if isinstance(wanted, bool) or isinstance(found, bool):
        return str(wanted).lower() == str(found).lower()
    if isinstance(found, datetime | date) or isinstance(wanted, datetime | date):
        return instant(wanted) == instant(found) is not None
    numbers = (_number(wanted), _number(found))
    if None not in numbers and not (isinstance(wanted, str) and isinstance(found, str)):
        return numbers[0] == numbers[1]
    return str(wanted) == str(found)


def _json(value: Any) -> Any:
    try:
        return json.loads(value) if isinstance(value, str) else json.loads(json.dumps(value, default=str))
    except ValueError:
        return value


def _number(value: Any) -> Decimal | None:
    """Return a number by its shortest text: 0.1 is 0.1, be it decimal or binary."""
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


def instant(value: Any) -> datetime | None:
    """Return a date or moment, or the text of one, as an instant, in UTC if it has no zone; None if it is none."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            return None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if not isinstance(value, datetime):
        return None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _shown(row: Row) -> str:
    return "{" + ", ".join(f"{name}: {value}" for name, value in row.items()) + "}"
