"""Quarantine: failing rows go to a separate dataset with the reasons. The other rows are published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from comboi_core.config.checks import Check
from comboi_core.domain.errors import ScriptError
from comboi_core.domain.sql import identifier, literal
from comboi_core.duckdb.rows import one_row
from comboi_core.quality.catalogue import GROUP_CHECKS, ROW_CHECKS
from comboi_core.quality.conditions import condition, find_culprit, refuse_unknown_columns, row_says
from comboi_core.quality.groups import group_placeholders, group_says
from comboi_core.quality.results import CheckResult, Subject, describe

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

REASONS = "_reasons"
_ROWS = '"_comboi_rows"'


def quarantine(
    con: DuckDBPyConnection,
    relation: str,
    checks: Sequence[Check],
    *,
    good: str,
    bad: str,
    relations: Mapping[str, str],
    sensitive: frozenset[str],
    dataset: str = "the result",
) -> list[CheckResult]:
    """Divide rows by the checks with `on_fail: quarantine`: every row goes either to `good` or to `bad`.

    `bad` is a table, filled in one scan; `good` is a view, through which the other rows stream when it is read. Values
    that repeat, or that a relationship lacks, are looked up first, in a scan of their columns. Of a value that repeats,
    all rows go.

    Args:
        relation: The rows, as an item of a FROM clause. It has to give the same rows each time it is read: a file or a
            table, not a query with `random()`.
        good: Plain name of the view to make. It reads `relation`, and tables whose names start with its own.
        bad: Plain name of the table to make: the columns of `relation`, and `_reasons`, a list of the failed checks'
            labels in their order.
        relations: For each `Check.references` an item of a FROM clause.
        sensitive: Columns whose values no result or error shows; `bad` holds them.
        dataset: The dataset's name: errors begin with it, and a check that refers to it is refused.

    Returns:
        One result per check with `on_fail: quarantine`, in order. A row that fails several counts for each.

    Raises:
        ScriptError: a check cannot be run as it is written, or `relation` has a column `_reasons`.
    """
    chosen = [check for check in checks if check.on_fail == "quarantine"]
    hidden = frozenset(column.lower() for column in sensitive)
    subject = Subject(con, dataset, f"(FROM {relation}) AS {_ROWS}", describe(con, relation), hidden)
    if REASONS in (name.lower() for name in subject.types):
        raise ScriptError(
            f"{dataset}: the result has a column {REASONS}, but quarantine adds a column with this name (the "
            "failed checks)",
            remedy="Rename the column in the transformation.",
        )
    itself = next((check for check in chosen if check.references == dataset), None)
    if itself:
        raise subject.unfit(itself, "rows in quarantine cannot be referred to; use on_fail: stop")
    refuse_unknown_columns(subject, chosen)
    _divide(subject, chosen, relations, good=good, bad=bad)
    return _results(subject, chosen, bad)


def _divide(subject: Subject, checks: Sequence[Check], relations: Mapping[str, str], *, good: str, bad: str) -> None:
    import duckdb

    conditions: dict[int, str] = {}
    source = subject.source
    for place, check in enumerate(checks):
        if check.kind in ROW_CHECKS:
            conditions[place] = condition(subject, check)
        elif keys := _failing_keys(subject, check, relations, f"{good}_keys_{place}", place):
            conditions[place], join = keys
            source += join
    # NULL is neither true nor false: such a row passes.
    fails = {place: f"coalesce({text}, false)" for place, text in conditions.items()}
    reasons = ", ".join(f"CASE WHEN {text} THEN {literal(checks[place].label)} END" for place, text in fails.items())
    listed = f"list_filter([{reasons}]::VARCHAR[], lambda reason: reason IS NOT NULL)"
    any_fails = " OR ".join(fails.values()) or "false"
    try:
        subject.con.execute(
            f"CREATE TABLE {identifier(bad)} AS SELECT {_ROWS}.*, {listed} AS {REASONS} FROM {source} WHERE {any_fails}"
        )
    except (duckdb.OperationalError, duckdb.InterruptException):
        raise
    except duckdb.Error:
        in_rows = {place: text for place, text in conditions.items() if checks[place].kind in ROW_CHECKS}
        find_culprit(subject, checks, in_rows)
        raise
    subject.con.execute(f"CREATE VIEW {identifier(good)} AS SELECT {_ROWS}.* FROM {source} WHERE NOT ({any_fails})")


def _failing_keys(
    subject: Subject, check: Check, relations: Mapping[str, str], table: str, place: int
) -> tuple[str, str] | None:
    """Make a table of the values whose rows fail a check in `GROUP_CHECKS`.

    Returns:
        The condition and the join that find their rows; None if there are no such values.
    """
    queries, filled = GROUP_CHECKS[check.kind], group_placeholders(subject, check, relations)
    names = [subject.unused(f"_comboi_key_{place}_{number}") for number in range(len(check.columns))]
    found, name = subject.unused(f"_comboi_found_{place}"), identifier(table)
    keys = queries.keys.format(**filled)
    with subject.blaming(check):
        (count,) = one_row(
            subject.con, f"CREATE TABLE {name} AS SELECT *, true AS {found} FROM ({keys}) AS keys ({', '.join(names)})"
        )
    if not count:
        subject.con.execute(f"DROP TABLE {name}")
        return None
    pairs = zip(check.columns, names, strict=True)
    match = " AND ".join(f"{identifier(column)} = {key}" for column, key in pairs)
    return found, f" LEFT JOIN {name} ON {match}"


def _results(subject: Subject, checks: Sequence[Check], bad: str) -> list[CheckResult]:
    having = [f"list_contains({REASONS}, {literal(check.label)})" for check in checks]
    counters = ["count(*)", *(f"count(*) FILTER (WHERE {failing})" for failing in having)]
    _, *counts = one_row(subject.con, f"SELECT {', '.join(counters)} FROM {identifier(bad)}")
    (total,) = one_row(subject.con, f"SELECT count(*) FROM {subject.source}")
    subject = replace(subject, rows=total)
    return [
        _result(subject, check, count, f"FROM {identifier(bad)} WHERE {failing}")
        for check, count, failing in zip(checks, counts, having, strict=True)
    ]


def _result(subject: Subject, check: Check, count: int, rows: str) -> CheckResult:
    says = group_says(check) if check.kind in GROUP_CHECKS else row_says(check)
    found = subject.result(
        check, count, f"FROM (SELECT * EXCLUDE ({REASONS}) {rows}) ORDER BY ALL", f"{says}; quarantined"
    )
    return found if found.passed else replace(found, severity="warn", quarantined=count)
