"""PostgreSQL to zstd Parquet, full and then incremental: comboi, bare DuckDB, dlt (two backends), sling; side by side.

    make bench-bronze
    python benchmarks/bronze_peers.py [--rows 10000000] [--changed 100000] [--only comboi duckdb]

Each peer gets an environment of its own (made once, in `--environments`); one that cannot be made is left out and said
so. Whole processes are measured: wall and CPU seconds of the client, peak memory of its largest process. comboi is a
whole run: process start, embedded host, orchestration, manifest, commit. Before a time is printed, what the peer has
landed is counted: one that did not land every row has failed. Exit code 1 if a peer fails, or if comboi's process takes
more than 512 MiB.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.measuring import Measured, comboi, measure, plain_environment
from benchmarks.orders import CHANGED_SINCE, ORDERS, assert_changed, assert_landed, change, current, fill, project
from comboi_core.cli.demo.postgres import EmbeddedPostgres

PASSWORD = "benchmark"
MOST_MEMORY = 512.0
"""MiB that a run of comboi's may take, whatever the table."""
DLT = ["dlt[postgres,parquet,sql_database]==1.31.0", "connectorx==0.4.6", "psycopg2-binary", "sqlalchemy<2.1"]
SLING = ["sling-linux-amd64==1.4.11"]

DUCKDB_SCRIPT = """
import sys, duckdb
uri, extension, target, since = sys.argv[1:]
con = duckdb.connect(config={"memory_limit": "256MB", "threads": 2, "preserve_insertion_order": False})
con.execute(f"LOAD '{extension}'")
con.execute(f"ATTACH '{uri}' AS pg (TYPE postgres, READ_ONLY)")
if since:
    text = f"SELECT * FROM bench.orders WHERE updated_at > '{since}'".replace("'", "''")
    source = f"SELECT * FROM postgres_query('pg', '{text}')"
else:
    source = "SELECT * FROM pg.bench.orders"
con.execute(f"COPY ({source}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
"""

DLT_SCRIPT = """
import sys, dlt
from dlt.sources.sql_database import sql_table
uri, folder, backend = sys.argv[1:]
pipeline = dlt.pipeline("peer_" + backend, destination=dlt.destinations.filesystem(bucket_url="file://" + folder),
                        dataset_name="bench", pipelines_dir=folder + "/state")
options = {"conn": uri} if backend == "connectorx" else {}
orders = sql_table(credentials=uri, table="orders", schema="bench", backend=backend, chunk_size=100000,
                   backend_kwargs=options, reflection_level="full_with_precision",
                   incremental=dlt.sources.incremental("updated_at"))
print(pipeline.run(orders, loader_file_format="parquet", write_disposition="append"))
"""


@dataclass(frozen=True)
class Peer:
    """One way to load: `command(incremental)` is its command line, `landed(incremental)` what DuckDB finds of it."""

    name: str
    command: Callable[[bool], list[str]]
    folder: Path
    landed: Callable[[bool], str]


def environment(folder: Path, packages: list[str]) -> Path | None:
    """Return the programs' folder of an environment with these packages, or None if it cannot be made."""
    programs = folder / "bin"
    if not (folder / ".ready").exists():
        made = subprocess.run([sys.executable, "-m", "venv", str(folder)], capture_output=True)
        installed = subprocess.run([programs / "pip", "install", "--quiet", *packages], capture_output=True, text=True)
        if made.returncode or installed.returncode:
            print(f"left out: {folder.name}: {installed.stderr.strip().splitlines()[-1:]}")
            return None
        (folder / ".ready").touch()
    return programs


def sling_program(programs: Path) -> str:
    """Return the binary inside sling's wheel; its Python package would look for one to download."""
    return str(next(programs.parent.glob("lib/*/site-packages/sling_linux_amd64/bin/sling-linux-amd64")))


def file_name(incremental: bool) -> str:
    """Return the name of a peer's file."""
    return "changed.parquet" if incremental else "all.parquet"


def peers(home: Path, uri: str, environments: Path) -> list[Peer]:
    """Return every peer whose environment can be made."""
    from comboi_core.sources.postgres.session import extension_path

    found = []
    folder = project(home / "comboi", [ORDERS])
    found.append(
        Peer(
            "comboi", lambda incremental: comboi("run", "bronze", "--json"), folder, lambda incremental: current(folder)
        )
    )
    bare = home / "duckdb"
    bare.mkdir()
    script = [sys.executable, "-c", DUCKDB_SCRIPT, uri, str(extension_path())]
    found.append(
        Peer(
            "duckdb",
            lambda incremental: [*script, file_name(incremental), CHANGED_SINCE if incremental else ""],
            bare,
            lambda incremental: f"'{bare / file_name(incremental)}'",
        )
    )
    if programs := environment(environments / "sling", SLING):
        where = home / "sling"
        where.mkdir()

        def sling(incremental: bool, program: str = sling_program(programs)) -> list[str]:
            query = f"select * from bench.orders where updated_at > '{CHANGED_SINCE}'"
            stream = query if incremental else "bench.orders"
            target = f"file://{where / file_name(incremental)}"
            return [program, "run", "--src-conn", uri, "--src-stream", stream, "--tgt-object", target]

        found.append(Peer("sling", sling, where, lambda incremental: f"'{where / file_name(incremental)}'"))
    if programs := environment(environments / "dlt", DLT):
        for backend in ("connectorx", "pyarrow"):
            target = home / f"dlt-{backend}"
            target.mkdir()
            line = [str(programs / "python"), "-c", DLT_SCRIPT, uri, str(target), backend]
            landed = f"'{target}/bench/orders/*.parquet'"
            found.append(
                Peer(
                    f"dlt {backend}",
                    lambda incremental, line=line: line,
                    target,
                    lambda incremental, landed=landed: landed,
                )
            )
    return found


def show(title: str, results: dict[str, Measured]) -> None:
    """Print one table; ratios are against bare DuckDB."""
    base = results.get("duckdb")
    print(f"\n{title}\n{'':<16}{'wall s':>9}{'CPU s':>9}{'peak MiB':>10}{'wall / bare DuckDB':>20}")
    for name, result in results.items():
        ratio = f"{result.wall / base.wall:.2f}" if base else ""
        print(f"{name:<16}{result.wall:>9.1f}{result.cpu:>9.1f}{result.peak:>10.0f}{ratio:>20}", flush=True)


def main() -> int:
    """Load with every peer, change rows, load again; print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--changed", type=int, default=100_000)
    parser.add_argument("--only", nargs="+", default=[])
    parser.add_argument("--environments", type=Path, default=Path(".comboi/peers"))
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedPostgres(Path(folder) / "postgres", tcp=True, password=PASSWORD) as database,
    ):
        home, well = Path(folder), True
        fill(database, options.rows)
        uri = database.tcp_uri(PASSWORD)
        # sling would download DuckDB's program for its Parquet; without it, it uses a writer of its own.
        env = plain_environment(BENCH_POSTGRES=uri, SLING_DUCKDB_COMPUTE="false")
        chosen = [
            peer
            for peer in peers(home, uri, options.environments.resolve())
            if not options.only or peer.name in options.only
        ]
        for title, incremental in (
            (f"full, {options.rows:,} rows", False),
            (f"then {options.changed:,} changed", True),
        ):
            if incremental:
                change(database, options.rows, options.changed, 1)
            results = {}
            for peer in chosen:
                log = home / f"{peer.name.replace(' ', '-')}.log"
                results[peer.name] = measure(peer.command(incremental), cwd=peer.folder, env=env, log=log)
                assert results[peer.name].code == 0, f"{peer.name} failed:\n{log.read_text()[-1500:]}"
                if incremental:
                    assert_changed(peer.landed(True), options.rows, options.changed, 1)
                else:
                    assert_landed(peer.landed(False), options.rows)
            show(title, results)
            well = well and ("comboi" not in results or results["comboi"].peak < MOST_MEMORY)
    return 0 if well else 1


if __name__ == "__main__":
    raise SystemExit(main())
