"""A process that lands one table of the double as an activity does, and says how much memory that took.

Run as `python -m tests.support.azure_memory ADDRESS TABLE MEMORY_LIMIT`; prints rows, seconds, and the peak of its
resident memory in MiB before and after.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from pathlib import Path


def peak() -> float:
    """The largest resident memory so far, in MiB."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024


def main(address: str, table: str, memory_limit: str) -> None:
    """Land the table."""
    from comboi_core.domain.load import Checkpoint
    from comboi_core.duckdb.engine import open_duckdb
    from comboi_core.lake.bronze import write_chunk
    from comboi_core.lake.local import LocalLake
    from tests.support.azure_sql import PASSWORD, USER, AzureShop

    with open_duckdb(memory_limit=memory_limit, threads=2) as con, tempfile.TemporaryDirectory() as folder:
        connection = {"server": address, "database": "crm", "user": USER, "password": PASSWORD, "encrypt": "no"}
        shop = AzureShop(con, connection, "dbo")
        adapter = shop.open(table=table)
        load = adapter.plan(Checkpoint(), full_refresh=False)
        before, began, rows = peak(), time.monotonic(), 0
        for chunk in load.chunks:
            rows += write_chunk(con, LocalLake(Path(folder)), adapter.select(load, chunk), "a.parquet")[0]
        print(rows, f"{time.monotonic() - began:.2f}", f"{before:.0f}", f"{peak():.0f}")
        shop.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
