"""Numbers of JSON that are lost on the way through DuckDB, which reads each with a fraction as the nearest double.

A column of doubles is meant so. One that lands as DECIMAL or as text is not: 12345678901234567.12 would arrive as
12345678901234568.0. Whole numbers of any size, and fractions of up to 15 digits, arrive as they are written.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from math import isinf
from typing import Any

LONG = "[0-9.]{17}|[0-9][eE]-[0-9]{3}"
"""A regular expression that finds each number that may be lost, and others, in the text of a line."""


@dataclass(frozen=True)
class Lost:
    """A number that no double is.

    Attributes:
        text: As it is written.
    """

    text: str


def lost(line: str, names: Iterable[str]) -> tuple[str, str] | None:
    """Return the first of some keys of a JSON object whose number no double is, and the number; None without one.

    Args:
        names: In any case, as columns are named.
    """
    wanted = {name.lower() for name in names}
    value = json.loads(line, parse_float=_parsed)
    found = value.items() if isinstance(value, dict) else ()
    return next(((key, one.text) for key, one in found if isinstance(one, Lost) and key.lower() in wanted), None)


def _parsed(text: str) -> Any:
    nearest = float(text)
    if isinf(nearest):  # DuckDB leaves it as it is written
        return nearest
    return nearest if Decimal(repr(nearest)) == Decimal(text) else Lost(text)
