"""The row of a query that always gives one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from comboi_core.domain.errors import InternalError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def one_row(con: DuckDBPyConnection, query: str, parameters: Sequence[Any] | None = None) -> tuple[Any, ...]:
    """Run a query that always gives a row, as an aggregate over a whole relation does, and return its first one.

    Raises:
        InternalError: it has given none. The message leaves the query out, which may hold values.
    """
    row = con.execute(query, parameters).fetchone()
    if row is None:
        raise InternalError("a query of comboi's own has given no row")
    return row
