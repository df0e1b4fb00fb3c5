"""Quality checks as the YAML writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, GetJsonSchemaHandler, model_validator

from comboi_core.config.base import Model, Name, Text
from comboi_core.config.check_forms import OnFail, Severity, check_schema
from comboi_core.config.check_values import (
    AGE,
    BOUND,
    COUNT,
    PERCENT,
    REFERENCE,
    TEXT_VALUE,
    VALUES,
    WHOLE,
    Parameter,
    percent,
    seconds,
)
from comboi_core.config.written import Json, title

__all__ = ["Check", "parse_check", "percent", "seconds"]

Parameters = Mapping[str, Parameter]

_COLUMN_CHECKS = {"not_null", "unique", "positive", "non_negative", "negative"}
_VALUE_CHECKS: dict[str, Parameters] = {
    "accepted_values": {"values": VALUES.about("The values that may occur: one, or a list.")},
    "min": {"value": BOUND.about("The smallest value: a number, a text, a date or a time.")},
    "max": {"value": BOUND.about("The largest value: a number, a text, a date or a time.")},
    "pattern": {"regex": TEXT_VALUE.about("A regular expression (RE2), found anywhere in the value.")},
    "relationships": {
        "to": REFERENCE.about("The dataset, or the table as `source.table`, that has the values."),
        "field": TEXT_VALUE.about("Its column."),
    },
    "freshness": {"max_age": AGE.about("How old the newest value may be: `26h`, `2d`.")},
}
_TABLE_CHECKS: dict[str, Parameters] = {
    "row_count": {
        "min": COUNT.about("The smallest number of rows."),
        "max": COUNT.about("The largest number of rows."),
        "min_change": PERCENT.about("Against the published rows: `-20%` allows 80 rows after 100."),
        "max_change": PERCENT.about("Against the published rows: `50%` allows 150 rows after 100."),
    },
    "sql": {
        "query": TEXT_VALUE.about("One SELECT; the rows that it returns are the failing ones."),
        "description": TEXT_VALUE.about("What is wrong with such rows."),
    },
    "custom": {
        "name": TEXT_VALUE.about("How reports name the check."),
        "query": TEXT_VALUE.about("One SELECT."),
        "value": WHOLE.about("What the first value of its first row has to be; default: 0."),
        "count": COUNT.about("How many rows it has to return, in place of `value`."),
    },
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
    severity: Severity = "error"
    on_fail: OnFail = "stop"

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> Json:
        """Return what `parse_check` takes: nobody writes the one form."""
        forms = check_schema(_COLUMN_CHECKS, _VALUE_CHECKS, _TABLE_CHECKS, _OF_THE_WHOLE)
        said = "A script's name, or a mapping of one check's name to what it takes."
        return {"title": title(cls), "description": said} | forms

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
                    rule.refuse(self.params[key])
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
