"""Runs a dataset's checks. Failing rows are counted and shown; a failed check raises no error."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from comboi_core.config.checks import Check
from comboi_core.domain.errors import ComboiError, ScriptError
from comboi_core.domain.redaction import redactor
from comboi_core.domain.sql import qualified
from comboi_core.domain.userscript import blame, call_script, said_by
from comboi_core.duckdb.errors import error_details
from comboi_core.quality.catalogue import GROUP_CHECKS, ROW_CHECKS
from comboi_core.quality.conditions import condition, count_rows, refuse_unknown_columns, row_result
from comboi_core.quality.groups import group_result
from comboi_core.quality.quarantine import quarantine
from comboi_core.quality.queries import custom_result, sql_result
from comboi_core.quality.results import MOST_TEXT, CheckResult, Setting, Subject, describe
from comboi_core.quality.whole import freshness_result, row_count_result

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["CheckResult", "quarantine", "run_checks"]


def run_checks(
    con: DuckDBPyConnection,
    dataset: str,
    checks: Sequence[Check],
    *,
    scripts_folder: Path,
    now: datetime,
    previous_rows: int | None,
    relations: Mapping[str, str],
    sensitive: frozenset[str],
) -> list[CheckResult]:
    """Run the checks that take no rows out on a view of `con`, in one scan as far as they look at single rows.

    Args:
        dataset: Name of the view, `orders` or `silver.orders`; queries and check scripts read it by that name.
        scripts_folder: Where check scripts are: `NAME.py` with `check(con, dataset_name) -> (bool, str)`.
        now: When the run began; a time without a zone is in UTC, as are those in the dataset.
        previous_rows: Number of published rows. None if nothing is published yet.
        relations: For each `Check.references` an item of a FROM clause. A dataset that refers to itself finds the view.
        sensitive: Columns whose values no result or error shows. Messages of check scripts are not filtered.

    Returns:
        One result per check with `on_fail: stop`, in order.

    Raises:
        ScriptError: a check cannot be run as it is written: unknown column, a value that does not fit the column's
            type, a broken pattern, query or script.
    """
    checks = [check for check in checks if check.on_fail == "stop"]
    source = qualified(dataset)
    hidden = frozenset(column.lower() for column in sensitive)
    subject = Subject(con, dataset, source, describe(con, source), hidden)
    setting = Setting(scripts_folder, now, previous_rows, {**relations, dataset: source})
    refuse_unknown_columns(subject, checks)
    conditions = {place: condition(subject, check) for place, check in enumerate(checks) if check.kind in ROW_CHECKS}
    total, counts = count_rows(subject, checks, conditions)
    subject = replace(subject, rows=total)
    return [
        row_result(subject, check, conditions[place], counts[place])
        if place in conditions
        else _OTHERS[check.kind](subject, check, setting)
        for place, check in enumerate(checks)
    ]


def _script_result(subject: Subject, check: Check, setting: Setting) -> CheckResult:
    script = setting.scripts_folder / f"{check.script}.py"
    try:
        answer = call_script(script, "check", ("con", "dataset_name"), (subject.con, subject.name))
    except (ComboiError, KeyboardInterrupt):
        raise
    except BaseException as error:
        text = error_details(error)[0] if isinstance(error, Exception) else said_by(error)
        line = blame(script, error, text)
        if line is None:
            raise
        raise ScriptError(f"{script}:{line}: {type(error).__name__}: {text}", script=str(script), line=line) from error
    if not (isinstance(answer, tuple) and len(answer) == 2 and type(answer[0]) is bool and isinstance(answer[1], str)):
        raise ScriptError(
            f"{script}:1: check returned {redactor.cut(repr(answer), 200)}; expected (True or False, 'a message')"
        )
    passed, message = answer
    return CheckResult(check.label, check.severity, passed, None, message=redactor.cut(message, MOST_TEXT))


_OTHERS: dict[str, Callable[[Subject, Check, Setting], CheckResult]] = {
    **dict.fromkeys(GROUP_CHECKS, group_result),
    "row_count": row_count_result,
    "freshness": freshness_result,
    "sql": sql_result,
    "custom": custom_result,
    "script": _script_result,
}
"""The functions of the checks that are not part of the common scan."""
