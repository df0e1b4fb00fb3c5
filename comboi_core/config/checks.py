"""Quality checks as they are written in YAML."""

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
    "accepted_values": {"values": VALUES.about("The allowed values: one value, or a list.")},
    "min": {"value": BOUND.about("The smallest allowed value: a number, text, date or time.")},
    "max": {"value": BOUND.about("The largest allowed value: a number, text, date or time.")},
    "pattern": {
        "regex": TEXT_VALUE.about(
            "A regular expression (RE2 syntax). A match anywhere in the value is enough; use `^` and `$` for the "
            "whole value."
        )
    },
    "relationships": {
        "to": REFERENCE.about("The dataset that has the values, or the table as `SOURCE.TABLE`."),
        "field": TEXT_VALUE.about("The column of `to` that has the values."),
    },
    "freshness": {"max_age": AGE.about("The largest allowed age of the newest value, e.g. `26h`.")},
}
_TABLE_CHECKS: dict[str, Parameters] = {
    "row_count": {
        "min": COUNT.about("The smallest allowed number of rows."),
        "max": COUNT.about("The largest allowed number of rows."),
        "min_change": PERCENT.about(
            "The smallest allowed change from the published number of rows: after 100 rows, `-20%` allows 80."
        ),
        "max_change": PERCENT.about(
            "The largest allowed change from the published number of rows: after 100 rows, `50%` allows 150."
        ),
    },
    "sql": {
        "query": TEXT_VALUE.about("One SELECT that returns the failing rows."),
        "description": TEXT_VALUE.about("What is wrong with these rows, for reports."),
    },
    "custom": {
        "name": TEXT_VALUE.about("The check's name in reports."),
        "query": TEXT_VALUE.about(
            "One SELECT. The first value of its first row is compared with `value`, or its number of rows with `count`."
        ),
        "value": WHOLE.about("The expected first value of the first row. Default: 0."),
        "count": COUNT.about("The expected number of rows, in place of `value`."),
    },
}
_OF_THE_WHOLE = {"script", "freshness", *_TABLE_CHECKS}
"""Checks of the dataset as a whole. They find no single rows that could be put into quarantine."""


class Check(Model):
    """One quality check, in one form for all the ways to write it in YAML.

    Attributes:
        kind: The name of the check, or `script`.
        columns: The columns to check.
        params: Its other parameters as written in the YAML, e.g. `{"value": 0}`, `{"min": 1, "max_change": "50%"}`.
        script: For `script`: NAME of `transformations/quality/NAME.py`.
        on_fail: Whether failing rows stop the publish (with severity `error`), or go to quarantine.
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
        """Return the schema of what people write, i.e. of what `parse_check` accepts."""
        forms = check_schema(_COLUMN_CHECKS, _VALUE_CHECKS, _TABLE_CHECKS, _OF_THE_WHOLE)
        description = "The name of a script, or a mapping from the name of a check to its parameters."
        return {"title": title(cls), "description": description} | forms

    @property
    def label(self) -> str:
        """The check's name in reports: `not_null(order_id)`, or the name that a custom check has."""
        if self.kind == "script":
            return str(self.script)
        if self.kind == "custom" and self.params.get("name"):
            return str(self.params["name"])
        parts = [*self.columns, *(f"{key}={value}" for key, value in self.params.items() if value is not None)]
        return f"{self.kind}({', '.join(map(str, parts))})"

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
        repeated = [
            column for column in self.columns if [other.lower() for other in self.columns].count(column.lower()) > 1
        ]
        if repeated:
            raise ValueError(f"{self.kind} names the column '{repeated[0]}' twice")
        if self.on_fail == "quarantine" and self.kind in _OF_THE_WHOLE:
            raise ValueError(
                f"{self.kind} checks the dataset as a whole, so on_fail: quarantine cannot remove rows; remove on_fail:"
            )
        _fit_together(self.kind, {key: value for key, value in self.params.items() if value is not None})
        return self


def _shape(kind: str) -> str:
    if kind in _VALUE_CHECKS:
        return ", ".join(f"{key}: ..." for key in ("column", *_VALUE_CHECKS[kind]))
    return ", ".join(sorted(_TABLE_CHECKS[kind])) if kind in _TABLE_CHECKS else "columns: [...]"


def _fit_together(kind: str, params: Mapping[str, Any]) -> None:
    """Refuse parameters that contradict each other."""
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
        raise ValueError(f"row_count: min_change: {params['min_change']} can never fail; write a value above -100%")
    if "max_change" in params and percent(params["max_change"]) < -1:
        raise ValueError(f"row_count: max_change: {params['max_change']} always fails; write -100% or more")


def _columns_of(body: Any, kind: str) -> tuple[str, ...]:
    columns = [body] if isinstance(body, str) else body
    if not isinstance(columns, list) or not columns or not all(isinstance(column, str) for column in columns):
        raise ValueError(f"{kind} takes a column or a list of columns")
    return tuple(columns)


def parse_check(entry: Any) -> tuple[Check, ...]:
    """Turn one entry of `quality_checks` into checks; a list of columns becomes one check per column.

    Raises:
        ValueError: the entry is invalid; the message says what is expected.
    """
    if isinstance(entry, str):
        return (Check(kind="script", script=entry),)
    if not isinstance(entry, dict) or len(entry) != 1:
        raise ValueError("write a check as a script's name, or as one mapping such as `not_null: [column]`")
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
