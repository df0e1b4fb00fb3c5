"""Running checks as tests write them, with a setting that most of them do not care about."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from comboi_core.config.checks import Check, parse_check
from comboi_core.quality.checks import CheckResult, quarantine, run_checks

NOW = datetime(2026, 11, 23, 6, tzinfo=UTC)
SETTING = {
    "scripts_folder": Path("nowhere"),
    "now": NOW,
    "previous_rows": None,
    "relations": {},
    "sensitive": frozenset(),
}


def data(con: duckdb.DuckDBPyConnection, values: str, columns: str = "a") -> None:
    """Make the dataset `d` of the rows of a VALUES clause."""
    con.execute(f"CREATE OR REPLACE VIEW d AS SELECT * FROM (VALUES {values}) AS v({columns})")


def parsed(*entries: Any) -> list[Check]:
    """Return the checks of several entries of `quality_checks`."""
    return [check for entry in entries for check in parse_check(entry)]


def check(con: duckdb.DuckDBPyConnection, *entries: Any, dataset: str = "d", **setting: Any) -> list[CheckResult]:
    """Run checks on `d`."""
    return run_checks(con, dataset, parsed(*entries), **(SETTING | setting))


def one(con: duckdb.DuckDBPyConnection, entry: Any, **setting: Any) -> CheckResult:
    """Run one check on `d`."""
    (found,) = check(con, entry, **setting)
    return found


def divide(
    con: duckdb.DuckDBPyConnection,
    *entries: Any,
    relation: str = "d",
    relations: dict[str, str] | None = None,
    sensitive: frozenset[str] = frozenset(),
    **more: Any,
) -> list[CheckResult]:
    """Divide `d` into `good` and `bad`, by checks that all say `on_fail: quarantine`, or else are to be left out."""
    checks, setting = parsed(*entries), {"relations": relations or {}, "sensitive": sensitive}
    return quarantine(con, relation, checks, good="good", bad="bad", **setting, **more)


def quarantined(kind: str, column: str | list[str], **params: Any) -> dict[str, Any]:
    """Return the entry of a check with `on_fail: quarantine`."""
    columns = {"columns": column} if isinstance(column, list) else {"column": column}
    return {kind: {**columns, **params, "on_fail": "quarantine"}}
