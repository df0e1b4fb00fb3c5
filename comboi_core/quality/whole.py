"""Checks of a dataset as a whole: the number of its rows, and the age of its newest value."""

from __future__ import annotations

import operator
from datetime import UTC
from fractions import Fraction
from typing import Any

from comboi_core.config.checks import Check, percent, seconds
from comboi_core.domain.sql import identifier
from comboi_core.duckdb.rows import one_row
from comboi_core.quality.results import CheckResult, Setting, Subject, counted
from comboi_core.quality.values import is_moment

_UNITS = (("d", 86400), ("h", 3600), ("m", 60))


def row_count_result(subject: Subject, check: Check, setting: Setting) -> CheckResult:
    """Compare the number of rows with bounds, and with the rows that are published at the moment."""
    rows, params = subject.rows, {key: value for key, value in check.params.items() if value is not None}
    said, passed = counted(rows), True
    for key, outside, expected in (("min", operator.lt, "at least"), ("max", operator.gt, "at most")):
        if key in params and outside(rows, params[key]):
            said, passed = f"{said}, expected {expected} {params[key]}", False
    if {"min_change", "max_change"} & params.keys():
        change, fits = _change(rows, setting.previous_rows, params)
        said, passed = f"{said}, {change}", passed and fits
    return CheckResult(check.label, check.severity, passed, None, message=said)


def _change(rows: int, before: int | None, params: dict[str, Any]) -> tuple[str, bool]:
    """Return what is said of the change, and whether it is within the bounds."""
    if before is None:
        return "no dataset is published yet to compare with", True
    if before == 0:
        return "the published dataset has no rows, so there is no percentage", True
    change = Fraction(rows - before, before)
    said = f"{_signed(change)} compared with the published {before}"
    if "min_change" in params and change < percent(params["min_change"]):
        return f"{said}, expected at least {params['min_change']}", False
    if "max_change" in params and change > percent(params["max_change"]):
        return f"{said}, expected at most {params['max_change']}", False
    return said, True


def _signed(share: Fraction) -> str:
    return f"{float(share * 100):+.2f}".rstrip("0").rstrip(".") + "%"


def freshness_result(subject: Subject, check: Check, setting: Setting) -> CheckResult:
    """Compare the newest value of a column with the time of the run. Infinity does not count as a time."""
    column, type_name = check.columns[0], subject.type_of(check.columns[0])
    if not is_moment(type_name):
        raise subject.unfit(check, f"the column has type {type_name}; freshness needs a date or a timestamp")
    quoted = identifier(column)
    newest = f"max({quoted}) FILTER (WHERE isfinite({quoted}))"
    moment, shown = one_row(subject.con, f"SELECT epoch({newest}), CAST({newest} AS VARCHAR) FROM {subject.source}")
    if moment is None:
        said = "the dataset has no rows" if not subject.rows else f"no row has a time in {column}"
        return CheckResult(check.label, check.severity, False, None, message=said)
    now = setting.now if setting.now.tzinfo else setting.now.replace(tzinfo=UTC)
    age = now.timestamp() - moment
    passed = age <= seconds(check.params["max_age"])
    if column.lower() in subject.sensitive:
        said = f"the newest {column} is {'young enough' if passed else 'too old'}"
    else:
        said = f"the newest {column}, {shown}, is {f'{_span(age)} old' if age >= 0 else 'in the future'}"
    expected = "" if passed else f", expected at most {check.params['max_age']}"
    return CheckResult(check.label, check.severity, passed, None, message=said + expected)


def _span(age: float) -> str:
    unit, size = next(((unit, size) for unit, size in _UNITS if age >= 2 * size), ("s", 1))
    return f"{age / size:.1f}".removesuffix(".0") + f" {unit}"
