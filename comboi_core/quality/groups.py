"""Checks that compare rows with other rows: repeated values, and values that another dataset lacks."""

from __future__ import annotations

from collections.abc import Mapping

from comboi_core.config.checks import Check
from comboi_core.domain.names import did_you_mean
from comboi_core.domain.sql import identifier, identifiers
from comboi_core.duckdb.rows import one_row
from comboi_core.quality.catalogue import GROUP_CHECKS
from comboi_core.quality.results import CheckResult, Setting, Subject, describe
from comboi_core.quality.values import is_moment, is_number, is_text


def group_result(subject: Subject, check: Check, setting: Setting) -> CheckResult:
    """Return the result of a check in `GROUP_CHECKS`."""
    kind, filled = GROUP_CHECKS[check.kind], group_placeholders(subject, check, setting.relations)
    with subject.blaming(check):
        failed = int(one_row(subject.con, kind.count.format(**filled))[0])
        return subject.result(check, failed, kind.rows.format(**filled), group_says(check))


def group_says(check: Check) -> str:
    """Return what is wrong with rows that fail the check."""
    return GROUP_CHECKS[check.kind].says.format(column=", ".join(check.columns), **check.params)


def group_placeholders(subject: Subject, check: Check, relations: Mapping[str, str]) -> dict[str, str]:
    """Return the values of the placeholders in `GroupCheck`'s queries.

    Raises:
        ScriptError: what the check refers to does not exist, or its type cannot be compared with the column's.
    """
    filled = {
        "d": subject.source,
        "columns": identifiers(check.columns),
        "known": " AND ".join(f"{identifier(column)} IS NOT NULL" for column in check.columns),
    }
    return filled | _parents(subject, check, relations) if check.references else filled


def _parents(subject: Subject, check: Check, relations: Mapping[str, str]) -> dict[str, str]:
    column, field, to = check.columns[0], check.params["field"], str(check.references)
    if to not in relations:
        raise subject.unfit(check, f"there is no dataset or table '{to}' to compare with{did_you_mean(to, relations)}")
    types = describe(subject.con, relations[to])
    found = next((name for name in types if name.lower() == field.lower()), None)
    if found is None:
        hint = did_you_mean(field, types)
        raise subject.unfit(check, f"{to} has no column '{field}'{hint}; its columns are {', '.join(types)}")
    own, other = subject.type_of(column), types[found]
    cast = _comparison(own, other)
    if cast is None:
        raise subject.unfit(
            check,
            f"{column} has type {own}, and {field} of {to} has type {other}; these cannot be compared, so cast "
            "one of them",
        )
    parent = subject.unused("_comboi_parent")
    value = cast.format(identifier(found))
    return {
        "parents": f"(SELECT {value} AS {parent} FROM {relations[to]})",
        "match": f"{cast.format(identifier(column))} = {parent}",
    }


def _comparison(own: str, other: str) -> str | None:
    """Return the form in which values of two types can be compared, with `{}` for the column. None if they cannot.

    Without it, DuckDB would cast text to the other type, and fail at the first text that is not such a value.
    """
    if is_text(own) and is_text(other):
        return "CAST({} AS VARCHAR)"
    if own == other or (is_number(own) and is_number(other)) or (is_moment(own) and is_moment(other)):
        return "{}"
    return None
