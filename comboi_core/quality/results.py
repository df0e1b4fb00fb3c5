"""The results of checks, and their messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comboi_core.config.checks import Check
from comboi_core.domain.contracts.building import CheckRecord
from comboi_core.domain.errors import ScriptError
from comboi_core.domain.redaction import redactor
from comboi_core.domain.sql import identifier
from comboi_core.duckdb.errors import error_details
from comboi_core.quality.samples import sample

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MOST_TEXT = 1000


@dataclass(frozen=True)
class CheckResult:
    """What one check found.

    Attributes:
        name: The check's label, e.g. `not_null(order_id)`.
        severity: `error` or `warn`; where rows were taken out, `warn`: nothing stops the publish.
        failed_rows: How many rows fail; of repeated values all but one, unless they were taken out. None where the
            check is not about rows.
        sample: The first failing rows, column to JSON-safe value; `***` where it is not to be shown.
        message: A sentence for people.
        quarantined: How many rows this check took out of the dataset.
    """

    name: str
    severity: str
    passed: bool
    failed_rows: int | None
    sample: list[dict[str, Any]] = field(default_factory=list)
    message: str = ""
    quarantined: int = 0

    def record(self) -> CheckRecord:
        """Return the result as data."""
        return {
            "name": self.name,
            "severity": self.severity,
            "passed": self.passed,
            "failed_rows": self.failed_rows,
            "sample": self.sample,
            "message": self.message,
            "quarantined": self.quarantined,
        }


@dataclass(frozen=True)
class Subject:
    """The rows under check.

    Attributes:
        name: The dataset's, for messages and check scripts.
        source: The rows as an item of a FROM clause.
        types: Type of each column, under its own name.
        sensitive: Columns whose values are not shown, in lower case.
        rows: How many there are.
    """

    con: DuckDBPyConnection
    name: str
    source: str
    types: dict[str, str]
    sensitive: frozenset[str] = frozenset()
    rows: int = 0

    def type_of(self, column: str) -> str:
        """Return a column's type; SQL does not tell `A` from `a`."""
        return next(type_name for name, type_name in self.types.items() if name.lower() == column.lower())

    def unused(self, name: str) -> str:
        """Return a quoted name like `name` that no column has."""
        taken = {column.lower() for column in self.types}
        while name in taken:
            name += "_"
        return identifier(name)

    def sample(self, rows: str) -> list[dict[str, Any]]:
        """Return the first rows of a query that starts with its FROM clause, as they may be shown."""
        return sample(self.con, rows, known=self.types, sensitive=self.sensitive)

    def unfit(self, check: Check, cause: str) -> ScriptError:
        """Return the error for a check that cannot be run."""
        return ScriptError(f"{self.name}: {check.label}: {cause}", remedy="Correct the check in the configuration.")

    @contextmanager
    def blaming(self, check: Check) -> Iterator[None]:
        """Turn DuckDB's errors of a check's query into ScriptError. Errors that the query did not cause pass "
        "through."""
        import duckdb

        try:
            yield
        except (duckdb.OperationalError, duckdb.InterruptException):
            raise
        except duckdb.Error as error:
            # A traceback would show the cause's text.
            raise self.unfit(check, self._said(check, error)) from (None if self.sensitive else error)

    def _said(self, check: Check, error: Exception) -> str:
        """Return an error's text without possible values of sensitive columns and without lines of comboi's own SQL."""
        import duckdb

        text = error_details(error)[0]
        if "query" not in check.params:
            text = text.split("\n\nLINE ")[0]
        of_the_query = (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException)
        if not self.sensitive or isinstance(error, of_the_query):
            return text
        return f"{text.partition(':')[0]} (the text is hidden because it could show values of sensitive columns)"

    def result(self, check: Check, failed: int, rows: str, says: str, *, of: bool = True) -> CheckResult:
        """Return the result for a number of failing rows; `rows` is a query for them, from its FROM clause on."""
        if not failed:
            return CheckResult(check.label, check.severity, True, 0, message=f"{counted(self.rows)} checked")
        told = f"{failed} of {counted(self.rows)}" if of else counted(failed)
        message = redactor.cut(f"{told} {says}", MOST_TEXT)
        return CheckResult(check.label, check.severity, False, failed, self.sample(rows), message)


@dataclass(frozen=True)
class Setting:
    """What checks need in addition to the rows; see `checks.run_checks`."""

    scripts_folder: Path
    now: datetime
    previous_rows: int | None
    relations: Mapping[str, str]


def describe(con: DuckDBPyConnection, source: str) -> dict[str, str]:
    """Return the type of each column of a FROM clause's item."""
    return {row[0]: row[1] for row in con.execute(f"DESCRIBE FROM {source}").fetchall()}


def counted(rows: int) -> str:
    """Return `1 row`, `2 rows`."""
    return "1 row" if rows == 1 else f"{rows} rows"
