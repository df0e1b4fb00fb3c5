"""A process that lands one table of a MySQL server as an activity does, and says how much memory that took.

Run as `python -m tests.support.mysql_memory PORT TABLE MEMORY_LIMIT [KEY]`; prints chunks, rows, and the peak of its
resident memory in MiB.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.support.azure_memory import peak


def main(port: str, table: str, memory_limit: str, *key: str) -> None:
    """Land the table."""
    from comboi_core.config.source_registry import source_type
    from comboi_core.domain.load import Checkpoint
    from comboi_core.duckdb.engine import open_duckdb
    from comboi_core.lake.bronze import write_chunk
    from comboi_core.lake.local import LocalLake
    from tests.support.mariadb import PASSWORD, USER

    kind = source_type("mysql")
    connection = {"host": "127.0.0.1", "port": int(port), "database": table.split(".")[0], "user": USER}
    connection |= {"password": PASSWORD, "tls": "disabled"}
    tables = [{"name": "large", "table": table, "primary_key": key, "mode": "full"}]
    source = kind.model.model_validate({"name": "web", "type": "mysql", "connection": connection, "tables": tables})
    with open_duckdb(memory_limit=memory_limit, threads=1) as con, tempfile.TemporaryDirectory() as folder:
        adapter = kind.open(con, source="web", table=source.tables[0], connection=connection)
        load, rows = adapter.plan(Checkpoint(), full_refresh=False), 0
        with adapter.reading(load):
            for chunk in load.chunks:
                select = adapter.select(load, chunk)
                rows += write_chunk(con, LocalLake(Path(folder)), select, f"{chunk.index}.parquet")[0]
        adapter.confirm(load)
        adapter.close()
        print(len(load.chunks), rows, f"{peak():.0f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
