"""200 small tables: a whole run against the time of the bare queries.

python benchmarks/bronze_wide.py [--tables 200]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import duckdb

from benchmarks.measuring import comboi, measure, plain_environment
from benchmarks.orders import project
from comboi_core.cli.demo.postgres import EmbeddedPostgres
from comboi_core.domain.sql import literal
from comboi_core.sources.postgres.session import extension_path

ROWS = 1_000


def bare(uri: str, tables: int, folder: Path) -> float:
    """Return the seconds that DuckDB takes to copy each table to Parquet over one connection."""
    folder.mkdir()
    with duckdb.connect() as con:
        con.execute(f"LOAD {literal(str(extension_path()))}")
        began = time.monotonic()
        con.execute(f"ATTACH {literal(uri)} AS pg (TYPE postgres, READ_ONLY)")
        for number in range(tables):
            con.execute(
                f"COPY (SELECT * FROM postgres_query('pg', 'SELECT * FROM wide.t{number}')) "
                f"TO {literal(str(folder / f'{number}.parquet'))} (FORMAT parquet, COMPRESSION zstd)"
            )
        return time.monotonic() - began


def main() -> None:
    """Print both times and the overhead per table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=200)
    tables = parser.parse_args().tables
    with tempfile.TemporaryDirectory() as home, EmbeddedPostgres(Path(home) / "postgres") as database:
        database.psql("CREATE SCHEMA wide")
        for number in range(tables):
            database.psql(
                f"CREATE TABLE wide.t{number} AS SELECT n AS id, 'text ' || n AS what, now() AS at "
                f"FROM generate_series(1, {ROWS}) n"
            )
        queries = bare(database.uri, tables, Path(home) / "bare")
        named = [{"name": f"t{number}", "table": f"wide.t{number}"} for number in range(tables)]
        folder = project(Path(home) / "project", named)
        log = Path(home) / "log"
        run = measure(
            comboi("run", "bronze", "--json"), cwd=folder, env=plain_environment(BENCH_POSTGRES=database.uri), log=log
        )
        assert run.code == 0, log.read_text()[-2000:]
        text = log.read_text()
        record = json.loads(text[text.index("{\n") : text.rindex("}") + 1])
        assert sum(table["rows"] for table in record["tables"]) == tables * ROWS
        for name, seconds in (
            ("bare queries, one connection", queries),
            ("comboi, the run itself", record["seconds"]),
            ("comboi, the whole process", run.wall),
        ):
            print(f"{name:<30} {seconds:6.1f} s  {seconds / tables * 1000:5.0f} ms per table")
        print(f"comboi's CPU {run.cpu:.1f} s, peak memory {run.peak:.0f} MiB")


if __name__ == "__main__":
    main()
