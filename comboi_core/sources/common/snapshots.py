"""Reading a source at one moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@contextmanager
def one_snapshot(con: DuckDBPyConnection) -> Iterator[None]:
    """Run what the block reads in one transaction: PostgreSQL and SQLite then show one snapshot."""
    con.begin()
    try:
        yield
    except BaseException:
        with suppress(Exception):  # what went wrong within counts, not that the session is gone as well
            con.rollback()
        raise
    con.commit()
