"""Quality checks as the YAML writes them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from comboi_core.config.base import Model, Name, Seconds, Text

_REFERENCE = re.compile(r"[A-Za-z][A-Za-z0-9_\-]{0,62}(\.[A-Za-z][A-Za-z0-9_\-]{0,62})?")
_PERCENT = re.compile(r"([+-]?[0-9]{1,9}(?:\.[0-9]{1,9})?)\s*%")
_SECONDS = TypeAdapter(Seconds)


def percent(text: str) -> Fraction:
    """Return `-20%` as the exact share -1/5.

    Raises:
        ValueError: with what is expected.
    """
    match = _PERCENT.fullmatch(text.strip()) if isinstance(text, str) else None
    if not match:
        raise ValueError(f"{text!r} is no percentage; write -20%, 50% or +12.5%")
    return Fraction(Decimal(match[1])) / 100


def seconds(value: Any) -> float:
    """Return a duration such as `26h` in seconds.

    Raises:
        ValueError: it is no duration, or not above zero.
    """
    try:
        found = _SECONDS.validate_python(value)
    except ValidationError:
        found = 0.0
    if found <= 0:
        raise ValueError(f"{value!r} is no duration; write a number and a unit: 30m, 26h, 2d (at most 3650d)")
    return found


def _text(value: Any) -> None:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not text; put it in quotes")
    if not value.strip() or "\x00" in value:
        raise ValueError("is empty or holds a NUL character")


def _reference(value: Any) -> None:
    if not isinstance(value, str) or not _REFERENCE.fullmatch(value):
        raise ValueError(f"{value!r} names no dataset (orders_clean, silver.orders) and no table (shop.orders)")


def _whole(value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{value!r} is not a whole number")


def _count(value: Any) -> None:
    _whole(value)
    if value < 0:
        raise ValueError(f"{value} rows are less than none")


def _scalar(value: Any) -> None:
    if not isinstance(value, str | int | float | Decimal | date):
        raise ValueError(f"{value!r} is not a single value")
    if isinstance(value, float | Decimal) and not math.isfinite(value):
        raise ValueError(f"{value!r} is not a number that values can be compared with")
    if isinstance(value, str) and "\x00" in value:
        raise ValueError("holds a NUL character")


def _bound(value: Any) -> None:
    if isinstance(value, bool) or value is None or value == "":
        raise ValueError(f"{value!r} is no bound; give a number, a text, a date or a time")
    _scalar(value)


def _values(value: Any) -> None:
    values = [item for item in (value if isinstance(value, list | tuple) else [value]) if item is not None]
    if not values:
        raise ValueError("lists no value")
    for item in values:
        _scalar(item)


Rules = Mapping[str, Callable[[Any], object]]
"""Parameters that a check takes, and what refuses a value that makes no sense, with a ValueError."""

_COLUMN_CHECKS = {"not_null", "unique", "positive", "non_negative", "negative"}
_VALUE_CHECKS: dict[str, Rules] = {
    "accepted_values": {"values": _values},
    "min": {"value": _bound},
    "max": {"value": _bound},
    "pattern": {"regex": _text},
    "relationships": {"to": _reference, "field": _text},
    "freshness": {"max_age": seconds},
}
_TABLE_CHECKS: dict[str, Rules] = {
    "row_count": {"min": _count, "max": _count, "min_change": percent, "max_change": percent},
    "sql": {"query": _text, "description": _text},
    "custom": {"name": _text, "query": _text, "value": _whole, "count": _count},
}
_OF_THE_WHOLE = {"script", "freshness", *_TABLE_CHECKS}
"""Checks that tell nothing of single rows, so that there is nothing to put into quarantine."""


class Check(Model):
    """One quality check, brought to one form whatever the YAML said.

    Attributes:
        kind: A declarative check's name, or `script`.
        columns: The columns it looks at.
        params: What else it needs, as the YAML has it, e.g. `{"value": 0}`, `{"min": 1, "max_change": "50%"}`.
        script: For `script`: the name of `transformations/quality/NAME.py`.
        on_fail: Whether failing rows stop the publish (with severity `error`), or are taken out of the dataset.
    """

    kind: Literal[
        "script",
        "not_null",
        "unique",
        "unique_combination",
        "accepted_values",
        "min",
        "max",
        "positive",
        "non_negative",
        "negative",
        "pattern",
        "relationships",
        "freshness",
        "row_count",
        "sql",
        "custom",
    ]
    columns: tuple[Text, ...] = ()
    params: dict[str, Any] = Field(default_factory=dict)
    script: Name | None = None
    severity: Literal["error", "warn"] = "error"
    on_fail: Literal["stop", "quarantine"] = "stop"

    @property
    def label(self) -> str:
        """How reports name the check, e.g. `not_null(order_id)`; a custom check by its own name, if it has one."""
        if self.kind == "script":
            return str(self.script)
        if self.kind == "custom" and self.params.get("name"):
            return str(self.params["name"])
        shown = [*self.columns, *(f"{key}={value}" for key, value in self.params.items() if value is not None)]
        return f"{self.kind}({', '.join(map(str, shown))})"

    @property
    def references(self) -> str | None:
        """The dataset, or the table as `source.table`, that the check looks values up in."""
        return str(self.params["to"]) if self.kind == "relationships" else None

    @model_validator(mode="after")
    def _sensible(self) -> Check:
        rules = _VALUE_CHECKS.get(self.kind) or _TABLE_CHECKS.get(self.kind, {})
        required = rules if self.kind in _VALUE_CHECKS else {"query"} & rules.keys()
        if self.params.keys() - rules.keys() or required - self.params.keys():
            raise ValueError(f"{self.kind} takes {{{_shape(self.kind)}}}")
        for key, rule in rules.items():
            if key in required or self.params.get(key) is not None:
                try:
                    rule(self.params[key])
                except ValueError as error:
                    raise ValueError(f"{self.kind}: {key}: {error}") from None
        twice = [
            column for column in self.columns if [other.lower() for other in self.columns].count(column.lower()) > 1
        ]
        if twice:
            raise ValueError(f"{self.kind} names the column '{twice[0]}' twice")
        if self.on_fail == "quarantine" and self.kind in _OF_THE_WHOLE:
            raise ValueError(
                f"{self.kind} tells nothing of single rows, so on_fail: quarantine has nothing to take out"
            )
        _fit_together(self.kind, {key: value for key, value in self.params.items() if value is not None})
        return self


def _shape(kind: str) -> str:
    if kind in _VALUE_CHECKS:
        return ", ".join(f"{key}: ..." for key in ("column", *_VALUE_CHECKS[kind]))
    return ", ".join(sorted(_TABLE_CHECKS[kind])) if kind in _TABLE_CHECKS else "columns: [...]"


def _fit_together(kind: str, params: Mapping[str, Any]) -> None:
    """Refuse parameters that make no sense beside each other."""
    if kind == "custom" and {"value", "count"} <= params.keys():
        raise ValueError("custom takes value: or count:, not both")
    if kind != "row_count":
        return
    if not params:
        raise ValueError(f"row_count takes {{{_shape(kind)}}}")
    for low, high, read in (("min", "max", int), ("min_change", "max_change", percent)):
        if {low, high} <= params.keys() and read(params[low]) > read(params[high]):
            raise ValueError(f"row_count: {low}: {params[low]} is above {high}: {params[high]}")
    if "min_change" in params and percent(params["min_change"]) <= -1:
        raise ValueError(
            f"row_count: min_change: {params['min_change']} never fails; no dataset loses more than all rows"
        )
    if "max_change" in params and percent(params["max_change"]) < -1:
        raise ValueError(
            f"row_count: max_change: {params['max_change']} always fails; no dataset loses more than all rows"
        )


def _columns_of(body: Any, kind: str) -> tuple[str, ...]:
    columns = [body] if isinstance(body, str) else body
    if not isinstance(columns, list) or not columns or not all(isinstance(column, str) for column in columns):
        raise ValueError(f"{kind} takes a column or a list of columns")
    return tuple(columns)


def parse_check(entry: Any) -> tuple[Check, ...]:
    """Turn one entry of `quality_checks` into checks; a list of columns becomes one check per column.

    Raises:
        ValueError: with what is wrong and what is expected.
    """
    if isinstance(entry, str):
        return (Check(kind="script", script=entry),)
    if not isinstance(entry, dict) or len(entry) != 1:
        raise ValueError("a check is a script's name or one mapping such as `not_null: [column]`")
    kind, body = next(iter(entry.items()))
    options: dict[str, Any] = {}
    if isinstance(body, dict):
        body = dict(body)
        options = {option: body.pop(option) for option in ("severity", "on_fail") if option in body}
    if kind in _COLUMN_CHECKS or kind == "unique_combination":
        if isinstance(body, dict):
            if len(body) != 1 or not set(body) <= {"column", "columns"}:
                raise ValueError(
                    f"{kind} takes a column, a list of columns, or {{columns: [...], severity: ..., on_fail: ...}}"
                )
            body = next(iter(body.values()))
        columns = _columns_of(body, kind)
        if kind == "unique_combination":
            return (Check(kind=kind, columns=columns, **options),)
        return tuple(Check(kind=kind, columns=(column,), **options) for column in columns)
    if kind in _VALUE_CHECKS:
        if not isinstance(body, dict) or "column" not in body:
            raise ValueError(f"{kind} takes {{{_shape(kind)}}}")
        column = body.pop("column")
        return (Check(kind=kind, columns=(column,), params=body, **options),)
    if kind in _TABLE_CHECKS:
        if not isinstance(body, dict):
            raise ValueError(f"{kind} takes {{{_shape(kind)}}}")
        return (Check(kind=kind, params=body, **options),)
    known = sorted({*_COLUMN_CHECKS, "unique_combination", *_VALUE_CHECKS, *_TABLE_CHECKS})
    raise ValueError(f"unknown check '{kind}'; the checks are {', '.join(known)}, or the name of a script")
