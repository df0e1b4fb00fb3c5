"""The one place that opens DuckDB: memory, threads and the spill folder are always set."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@contextmanager
def open_duckdb(*, memory_limit: str, threads: int, temp_directory: str | None = None) -> Iterator[DuckDBPyConnection]:
    """Open an in-memory DuckDB of its own, with a spill folder of its own that goes away with it.

    Args:
        memory_limit: As DuckDB spells it, e.g. `1GB`.
        temp_directory: The folder below which the spill folder is made; default: the system's temporary folder.
    """
    import duckdb

    if temp_directory:
        Path(temp_directory).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="comboi-", dir=temp_directory, ignore_cleanup_errors=True) as spill:
        con = duckdb.connect(
            ":memory:",
            config={
                "memory_limit": memory_limit,
                "threads": threads,
                "temp_directory": spill,
                "preserve_insertion_order": False,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            },
        )
        try:
            con.execute("SET TimeZone = 'UTC'")
            yield con
        finally:
            con.close()
