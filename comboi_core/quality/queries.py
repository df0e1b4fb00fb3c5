"""Checks with the user's own query: `sql` returns the failing rows, `custom` returns a number."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from typing import Any

from comboi_core.config.checks import Check
from comboi_core.domain.redaction import redactor
from comboi_core.domain.sql import identifier
from comboi_core.duckdb.rows import one_row
from comboi_core.quality.results import MOST_TEXT, CheckResult, Setting, Subject, counted, describe
from comboi_core.quality.samples import MASK, may_show

_VIEW = '"_comboi_check"'


def sql_result(subject: Subject, check: Check, setting: Setting) -> CheckResult:
    """Run a `sql` check, whose query returns the failing rows."""
    says = check.params.get("description") or "were found by the query"
    with _query(subject, check):
        return subject.result(check, _rows(subject), f"FROM {_VIEW}", says, of=False)


def custom_result(subject: Subject, check: Check, setting: Setting) -> CheckResult:
    """Run a `custom` check. The first value or the number of rows of its query has to be the expected number."""
    with _query(subject, check):
        expected = check.params.get("count")
        if expected is not None:
            rows = _rows(subject)
            passed, said = rows == expected, f"the query returns {counted(rows)}"
        else:
            expected = check.params.get("value") or 0
            number, shown = _first_cell(subject, check)
            passed, said = number == expected, f"the query returns {shown}"
        example = [] if passed or check.params.get("count") is None else subject.sample(f"FROM {_VIEW}")
    message = said if passed else f"{said}, expected {expected}"
    return CheckResult(check.label, check.severity, passed, None, example, redactor.cut(message, MOST_TEXT))


def _first_cell(subject: Subject, check: Check) -> tuple[Decimal | None, str]:
    """Return the query's first value as a number (None without rows), and as text for a message."""
    name = next(iter(describe(subject.con, _VIEW)))
    row = subject.con.execute(f"SELECT {identifier(name)} FROM {_VIEW} LIMIT 1").fetchone()
    if row is None:
        return None, "no row"
    if row[0] is None:
        return None, "NULL"
    number = _number(row[0])
    shown = redactor.cut(str(row[0]), 100) if may_show(name, known=subject.types, sensitive=subject.sensitive) else MASK
    if number is None:
        raise subject.unfit(check, f"the query returns {shown}, which is not a number")
    return number, shown


def _number(value: Any) -> Decimal | None:
    """Return a value of a query as a number; true is 1, false 0."""
    try:
        number = Decimal(int(value)) if isinstance(value, bool) else Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _rows(subject: Subject) -> int:
    return int(one_row(subject.con, f"SELECT count(*) FROM {_VIEW}")[0])


@contextmanager
def _query(subject: Subject, check: Check) -> Iterator[None]:
    """Make a view of the check's query during the check.

    Raises:
        ScriptError: the query is not one SELECT, or DuckDB cannot run it.
    """
    query = check.params["query"]
    with subject.blaming(check):
        kinds = [statement.type.name for statement in subject.con.extract_statements(query)]
        if kinds != ["SELECT"]:
            raise subject.unfit(check, f"expected one SELECT, not {' and '.join(kinds) or 'a comment'}")
        subject.con.execute(f"CREATE TEMP VIEW {_VIEW} AS {query}")
        try:
            yield
        finally:
            subject.con.execute(f"DROP VIEW {_VIEW}")
