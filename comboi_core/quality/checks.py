"""Running a dataset's checks: what fails is counted and shown, never raised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comboi_core.config.checks import Check
from comboi_core.domain.duckdb_errors import error_details
from comboi_core.domain.errors import ComboiError, ScriptError
from comboi_core.domain.names import did_you_mean
from comboi_core.domain.sql import identifier, identifiers, literal
from comboi_core.domain.userscript import blame, call_script
from comboi_core.quality.catalogue import GROUP_CHECKS, ROW_CHECKS
from comboi_core.quality.samples import sample
from comboi_core.quality.values import comparable, encode, is_number

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_MOST_TEXT = 1000
_QUERY_VIEW = '"_comboi_check"'


@dataclass(frozen=True)
class CheckResult:
    """What one check found.

    Attributes:
        name: The check's label, e.g. `not_null(order_id)`.
        severity: `error` or `warn`.
        failed_rows: How many rows fail; of repeated values all but one. None where the check is not about rows.
        sample: The first failing rows, column to JSON-safe value.
        message: A sentence for people.
    """

    name: str
    severity: str
    passed: bool
    failed_rows: int | None
    sample: list[dict[str, Any]] = field(default_factory=list)
    message: str = ""


@dataclass(frozen=True)
class _Dataset:
    """The view under check: its quoted name and its columns' types, under their own names."""

    con: DuckDBPyConnection
    name: str
    view: str
    types: dict[str, str]
    rows: int = 0


def run_checks(
    con: DuckDBPyConnection, dataset: str, checks: Sequence[Check], *, scripts_folder: Path
) -> list[CheckResult]:
    """Run checks on a view of `con`, in one scan as far as they look at single rows.

    Args:
        dataset: Plain name of the view; `sql` checks and check scripts read it by that name.
        scripts_folder: Where check scripts are: `NAME.py` with `check(con, dataset_name) -> (bool, str)`.

    Returns:
        One result per check, in order.

    Raises:
        ScriptError: a check cannot be run as it is written: unknown column, a value that does not fit the column's
            type, a broken pattern, query or script.
    """
    view = identifier(dataset)
    types = {row[0]: row[1] for row in con.execute(f"DESCRIBE {view}").fetchall()}
    bare = _Dataset(con, dataset, view, types)
    _refuse_unknown_columns(bare, checks)
    conditions = {place: _condition(bare, check) for place, check in enumerate(checks) if check.kind in ROW_CHECKS}
    total, counts = _count(bare, checks, conditions)
    data = _Dataset(con, dataset, view, types, total)
    return [
        _row_result(data, check, conditions[place], counts[place])
        if place in conditions
        else _other_result(data, check, scripts_folder)
        for place, check in enumerate(checks)
    ]


def _refuse_unknown_columns(data: _Dataset, checks: Sequence[Check]) -> None:
    known = {column.lower() for column in data.types}
    unknown = [(check, column) for check in checks for column in check.columns if column.lower() not in known]
    if unknown:
        said = [
            f"{check.label}: there is no column '{column}'{did_you_mean(column, data.types)}"
            for check, column in unknown
        ]
        columns = f"the columns are {', '.join(data.types)}"
        raise ScriptError(
            f"{data.name}: {'; '.join(said)}; {columns}",
            remedy="Correct the check's column, or select it in the script.",
        )


def _condition(data: _Dataset, check: Check) -> str:
    """Return the SQL condition that is true for the rows that fail a row check."""
    kind = ROW_CHECKS[check.kind]
    column = identifier(check.columns[0])
    type_name = next(type_ for name, type_ in data.types.items() if name.lower() == check.columns[0].lower())
    if kind.numeric and not is_number(type_name):
        raise _unfit(data, check, f"the column is of type {type_name}, not a number")
    is_value_check = bool({"value", "values"} & check.params.keys())
    filled = {
        "c": comparable(column, type_name) if is_value_check else column,
        "text": f"CAST({column} AS VARCHAR)",
        "nan": f"isnan({column})" if type_name in ("FLOAT", "DOUBLE") else "false",
    }
    try:
        return kind.fails.format(**filled, **_literals(check, type_name))
    except ValueError as error:
        raise _unfit(data, check, str(error)) from error


def _literals(check: Check, type_name: str) -> dict[str, str]:
    params = check.params
    literals = {}
    if "value" in params:
        literals["value"] = encode(params["value"], type_name, ordered=True)
    if "values" in params:
        values = params["values"] if isinstance(params["values"], list | tuple) else [params["values"]]
        # A NULL in the list would make NOT IN unknown, and let every row pass.
        encoded = [encode(value, type_name, ordered=False) for value in values if value is not None]
        if not encoded:
            raise ValueError("values: lists no value")
        literals["values"] = ", ".join(encoded)
    if "regex" in params:
        literals["regex"] = literal(str(params["regex"]))
    return literals


def _count(data: _Dataset, checks: Sequence[Check], conditions: dict[int, str]) -> tuple[int, dict[int, int]]:
    """Return the number of rows, and for each condition the number of rows that fulfil it."""
    import duckdb

    counters = ["count(*)", *(f"count(*) FILTER (WHERE {condition})" for condition in conditions.values())]
    try:
        total, *counts = data.con.execute(f"SELECT {', '.join(counters)} FROM {data.view}").fetchone()
    except (duckdb.OperationalError, duckdb.InterruptException):
        raise
    except duckdb.Error:
        _find_culprit(data, checks, conditions)
        raise
    return total, dict(zip(conditions, counts, strict=True))


def _find_culprit(data: _Dataset, checks: Sequence[Check], conditions: dict[int, str]) -> None:
    import duckdb

    for place, condition in conditions.items():
        try:
            data.con.execute(f"SELECT count(*) FROM {data.view} WHERE {condition}").fetchall()
        except duckdb.Error as error:
            raise _unfit(data, checks[place], error_details(error)[0].split("\n")[0]) from error


def _row_result(data: _Dataset, check: Check, condition: str, failed: int) -> CheckResult:
    says = ROW_CHECKS[check.kind].says.format(column=check.columns[0], **check.params)
    rows = f"FROM {data.view} WHERE {condition}"
    return _result(data, check, failed, rows, says)


def _other_result(data: _Dataset, check: Check, scripts_folder: Path) -> CheckResult:
    if check.kind in GROUP_CHECKS:
        return _group_result(data, check)
    if check.kind == "row_count":
        return _row_count_result(data, check)
    if check.kind == "sql":
        return _query_result(data, check)
    return _script_result(data, check, scripts_folder / f"{check.script}.py")


def _group_result(data: _Dataset, check: Check) -> CheckResult:
    kind = GROUP_CHECKS[check.kind]
    filled = {
        "d": data.view,
        "columns": identifiers(check.columns),
        "known": " AND ".join(f"{identifier(column)} IS NOT NULL" for column in check.columns),
    }
    failed = int(data.con.execute(kind.count.format(**filled)).fetchone()[0])
    says = kind.says.format(column=", ".join(check.columns))
    return _result(data, check, failed, kind.rows.format(**filled), says)


def _row_count_result(data: _Dataset, check: Check) -> CheckResult:
    least, most = check.params.get("min"), check.params.get("max")
    for bound in (least, most):
        if bound is not None and (isinstance(bound, bool) or not isinstance(bound, int)):
            raise _unfit(data, check, f"{bound!r} is not a whole number")
    short, long = least is not None and data.rows < least, most is not None and data.rows > most
    expected = f", expected at least {least}" if short else f", expected at most {most}" if long else ""
    return CheckResult(check.label, check.severity, not (short or long), None, message=f"{_rows(data.rows)}{expected}")


def _query_result(data: _Dataset, check: Check) -> CheckResult:
    """Run a `sql` check, whose query returns the failing rows."""
    import duckdb

    says = check.params.get("description") or "were found by the query"
    try:
        data.con.execute(f"CREATE TEMP VIEW {_QUERY_VIEW} AS {check.params.get('query', '')}")
        try:
            failed = data.con.execute(f"SELECT count(*) FROM {_QUERY_VIEW}").fetchone()[0]
            return _result(data, check, failed, f"FROM {_QUERY_VIEW}", says, of=False)
        finally:
            data.con.execute(f"DROP VIEW {_QUERY_VIEW}")
    except (duckdb.OperationalError, duckdb.InterruptException):
        raise
    except duckdb.Error as error:
        raise _unfit(data, check, error_details(error)[0]) from error


def _script_result(data: _Dataset, check: Check, script: Path) -> CheckResult:
    try:
        answer = call_script(script, "check", ("con", "dataset_name"), (data.con, data.name))
    except (ComboiError, KeyboardInterrupt):
        raise
    except BaseException as error:
        text = error_details(error)[0] if isinstance(error, Exception) else str(error)
        line = blame(script, error, text)
        if line is None:
            raise
        raise ScriptError(f"{script}:{line}: {type(error).__name__}: {text}", script=str(script), line=line) from error
    if not (isinstance(answer, tuple) and len(answer) == 2 and type(answer[0]) is bool and isinstance(answer[1], str)):
        raise ScriptError(f"{script}:1: check returned {answer!r:.200}; expected (True or False, 'a message')")
    passed, message = answer
    return CheckResult(check.label, check.severity, passed, None, message=message[:_MOST_TEXT])


def _result(data: _Dataset, check: Check, failed: int, rows: str, says: str, *, of: bool = True) -> CheckResult:
    """Return the result for a number of failing rows; `rows` is a query for them, from its FROM clause on."""
    if not failed:
        return CheckResult(check.label, check.severity, True, 0, message=f"{_rows(data.rows)} checked")
    counted = f"{failed} of {_rows(data.rows)}" if of else _rows(failed)
    return CheckResult(
        check.label, check.severity, False, failed, sample(data.con, rows), f"{counted} {says}"[:_MOST_TEXT]
    )


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


def _unfit(data: _Dataset, check: Check, cause: str) -> ScriptError:
    return ScriptError(f"{data.name}: {check.label}: {cause}", remedy="Correct the check in the configuration.")
