"""The parameters of quality checks: how each value is validated, and its JSON schema."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from pydantic import TypeAdapter, ValidationError

from comboi_core.config.base import SOME_DURATION, Seconds
from comboi_core.config.references import ONLY_REFERENCES
from comboi_core.config.written import TEXT, Json

_REFERENCE = re.compile(r"[A-Za-z][A-Za-z0-9_\-]{0,62}(\.[A-Za-z][A-Za-z0-9_\-]{0,62})?")
_PERCENT = re.compile(r"([+-]?[0-9]{1,9}(?:\.[0-9]{1,9})?)\s*%")
_SECONDS = TypeAdapter(Seconds)


def percent(text: str) -> Fraction:
    """Return `-20%` as the exact share -1/5.

    Raises:
        ValueError: the text is not a percentage.
    """
    match = _PERCENT.fullmatch(text.strip()) if isinstance(text, str) else None
    if not match:
        raise ValueError(f"{text!r} is not a percentage; write for example -20%, 50% or +12.5%")
    return Fraction(Decimal(match[1])) / 100


def seconds(value: Any) -> float:
    """Return a duration such as `26h` in seconds.

    Raises:
        ValueError: the value is not a duration above zero.
    """
    try:
        duration = _SECONDS.validate_python(value)
    except ValidationError:
        duration = 0.0
    if duration <= 0:
        raise ValueError(
            f"{value!r} is not a duration above zero; write a number and a unit: 30m, 26h, 2d (at most 3650d)"
        )
    return duration


def _text(value: Any) -> None:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not text; put it in quotes")
    if not value.strip() or "\x00" in value:
        raise ValueError("the text is empty or contains a NUL character")


def _reference(value: Any) -> None:
    if not isinstance(value, str) or not _REFERENCE.fullmatch(value):
        raise ValueError(
            f"{value!r} is not a name; write a dataset (orders_clean, silver.orders) or a table (shop.orders)"
        )


def _whole(value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{value!r} is not a whole number")


def _count(value: Any) -> None:
    _whole(value)
    if value < 0:
        raise ValueError(f"{value} is negative; a number of rows is 0 or more")


def _scalar(value: Any) -> None:
    if not isinstance(value, str | int | float | Decimal | date):
        raise ValueError(f"{value!r} is not a single value; write a number, text, date or time")
    if isinstance(value, float | Decimal) and not math.isfinite(value):
        raise ValueError(f"{value!r} is not a finite number")
    if isinstance(value, str) and "\x00" in value:
        raise ValueError("the text contains a NUL character")


def _bound(value: Any) -> None:
    if isinstance(value, bool) or value is None or value == "":
        raise ValueError(f"{value!r} is not a limit; write a number, text, date or time")
    _scalar(value)


def _values(value: Any) -> None:
    values = [item for item in (value if isinstance(value, list | tuple) else [value]) if item is not None]
    if not values:
        raise ValueError("the list has no value; give at least one")
    for item in values:
        _scalar(item)


_SCALAR_TEXT = ONLY_REFERENCES + r"[^\u0000]*$"
_SCALAR: Json = {"type": ["string", "number", "boolean"], "pattern": _SCALAR_TEXT}
_SCALARS: Json = {
    "type": "array",
    "contains": {"not": {"type": "null"}},
    "items": {"type": [*_SCALAR["type"], "null"], "pattern": _SCALAR_TEXT},
}


@dataclass(frozen=True)
class Parameter:
    """A parameter of a check.

    Attributes:
        refuse: Raises a ValueError for an invalid value.
        schema: The JSON schema of its values, with a description.
    """

    refuse: Callable[[Any], object]
    schema: Json

    def about(self, description: str) -> Parameter:
        """Return the same parameter with another description."""
        return Parameter(self.refuse, self.schema | {"description": description})


TEXT_VALUE = Parameter(_text, TEXT)
WHOLE = Parameter(_whole, {"type": "integer"})
COUNT = Parameter(_count, {"type": "integer", "minimum": 0})
BOUND = Parameter(_bound, {"type": ["string", "number"], "minLength": 1, "pattern": _SCALAR_TEXT})
VALUES = Parameter(_values, {"anyOf": [_SCALARS, _SCALAR]})
REFERENCE = Parameter(_reference, {"type": "string", "pattern": f"^{_REFERENCE.pattern}$"})
PERCENTAGE: Json = {"type": "string", "pattern": rf"^\s*{_PERCENT.pattern}\s*$"}
AGE = Parameter(seconds, SOME_DURATION | {"exclusiveMinimum": 0})
PERCENT = Parameter(percent, PERCENTAGE)
