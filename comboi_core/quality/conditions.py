"""Checks of single rows as SQL conditions, each true for the rows that fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from comboi_core.config.checks import Check
from comboi_core.domain.errors import ScriptError
from comboi_core.domain.names import did_you_mean
from comboi_core.domain.sql import identifier, literal
from comboi_core.duckdb.errors import error_details
from comboi_core.duckdb.rows import one_row
from comboi_core.quality.catalogue import ROW_CHECKS
from comboi_core.quality.results import CheckResult, Subject
from comboi_core.quality.values import comparable, encode, is_number


def refuse_unknown_columns(subject: Subject, checks: Sequence[Check]) -> None:
    """Raise ScriptError if checks name columns that do not exist. The error lists all of them."""
    known = {column.lower() for column in subject.types}
    unknown = [(check, column) for check in checks for column in check.columns if column.lower() not in known]
    if unknown:
        said = [
            f"{check.label}: there is no column '{column}'{did_you_mean(column, subject.types)}"
            for check, column in unknown
        ]
        columns = f"the columns are {', '.join(subject.types)}"
        raise ScriptError(
            f"{subject.name}: {'; '.join(said)}; {columns}",
            remedy="Correct the column in the check, or select the column in the script.",
        )


def condition(subject: Subject, check: Check) -> str:
    """Return the SQL condition that is true for the rows that fail a row check.

    Raises:
        ScriptError: the check does not fit the column's type.
    """
    kind = ROW_CHECKS[check.kind]
    column, type_name = identifier(check.columns[0]), subject.type_of(check.columns[0])
    if kind.numeric and not is_number(type_name):
        raise subject.unfit(check, f"the column is of type {type_name}, not a number")
    is_value_check = bool({"value", "values"} & check.params.keys())
    filled = {
        "c": comparable(column, type_name) if is_value_check else column,
        "text": f"CAST({column} AS VARCHAR)",
        "nan": f"isnan({column})" if type_name in ("FLOAT", "DOUBLE") else "false",
    }
    try:
        literals = _literals(check, type_name)
    except ValueError as error:
        raise subject.unfit(check, str(error)) from error
    _try_out(subject, check, literals)
    return kind.fails.format(**filled, **literals)


def _try_out(subject: Subject, check: Check, literals: Mapping[str, str]) -> None:
    """Raise ScriptError if DuckDB does not accept a literal. No data is read, so the message may show everything."""
    import duckdb

    if not literals:
        return
    tried = [f"regexp_matches('', {text})" if key == "regex" else f"[{text}]" for key, text in literals.items()]
    try:
        subject.con.execute(f"SELECT {', '.join(tried)}").fetchall()
    except duckdb.Error as error:
        raise subject.unfit(check, error_details(error)[0].split("\n")[0]) from error


def _literals(check: Check, type_name: str) -> dict[str, str]:
    params = check.params
    literals = {}
    if "value" in params:
        literals["value"] = encode(params["value"], type_name, ordered=True)
    if "values" in params:
        values = params["values"] if isinstance(params["values"], list | tuple) else [params["values"]]
        # A NULL in the list would make NOT IN unknown, and let every row pass.
        encoded = [encode(value, type_name, ordered=False) for value in values if value is not None]
        literals["values"] = ", ".join(encoded)
    if "regex" in params:
        literals["regex"] = literal(params["regex"])
    return literals


def count_rows(subject: Subject, checks: Sequence[Check], conditions: Mapping[int, str]) -> tuple[int, dict[int, int]]:
    """Return the number of rows, and for each condition the number of rows that fulfil it, from one scan.

    Args:
        conditions: By the place of their check in `checks`.
    """
    import duckdb

    counters = ["count(*)", *(f"count(*) FILTER (WHERE {condition})" for condition in conditions.values())]
    try:
        total, *counts = one_row(subject.con, f"SELECT {', '.join(counters)} FROM {subject.source}")
    except (duckdb.OperationalError, duckdb.InterruptException):
        raise
    except duckdb.Error:
        find_culprit(subject, checks, conditions)
        raise
    return total, dict(zip(conditions, counts, strict=True))


def find_culprit(subject: Subject, checks: Sequence[Check], conditions: Mapping[int, str]) -> None:
    """Raise ScriptError for the first condition that DuckDB cannot evaluate; return if there is none."""
    for place, condition in conditions.items():
        with subject.blaming(checks[place]):
            subject.con.execute(f"SELECT count(*) FROM {subject.source} WHERE {condition}").fetchall()


def row_says(check: Check) -> str:
    """Return what is wrong with rows that fail the check."""
    return ROW_CHECKS[check.kind].says.format(column=check.columns[0], **check.params)


def row_result(subject: Subject, check: Check, condition: str, failed: int) -> CheckResult:
    """Return the result of a row check whose failing rows are counted already."""
    return subject.result(check, failed, f"FROM {subject.source} WHERE {condition}", row_says(check))
