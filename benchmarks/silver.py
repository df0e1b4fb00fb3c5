"""Silver against bare DuckDB and bare Splink: the same SQL over 10 million rows, the same settings over 50,000 people.

    make bench-silver
    python benchmarks/silver.py [--rows 10000000] [--people 50000]

Whole processes are measured. comboi's is a run of the silver stage: process start, embedded host, orchestration, build,
checks, publish. The bare ones read the same Parquet files and write one. Before a time is printed, both results are
compared: the same rows, or as many people. Exit code 1 if a process fails, or if comboi's takes more than 1 GiB.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import duckdb
import yaml

from benchmarks.measuring import Measured, comboi, measure, plain_environment

MOST_MEMORY = 1024.0
"""MiB that a build may take."""
LIMITS = {"memory_limit": "512MB", "threads": 2}
CLEAN = """SELECT order_id, customer_id, upper(trim(note)) AS note, amount, amount * 1.21 AS gross, created_at,
    updated_at, date_trunc('day', created_at) AS day, paid, lower(city) AS city, extra
FROM orders WHERE amount >= 0
"""
CHECKS = [{"not_null": ["order_id", "customer_id"]}, {"non_negative": "amount"}, {"row_count": {"min": 1}}]
COMPARISONS = {"first_name": "NameComparison", "surname": "NameComparison", "city": "ExactMatch", "dob": "ExactMatch"}
SPLINK: dict[str, Any] = {
    "unique_id_column_name": "person_id",
    "comparisons": [{"type": kind, "column": column} for column, kind in COMPARISONS.items()],
    "blocking_rules_to_generate_predictions": [["surname", "dob"], ["first_name", "dob"]],
    "training": {
        "deterministic_rules": [["first_name", "surname", "dob"]],
        "recall": 0.7,
        "em_blocking": [["first_name", "surname"], ["dob"]],
        "seed": 1,
    },
    "survivor": {"order_by": "person_id"},
}

ORDERS = """
SELECT range AS order_id, (range % 100000)::INTEGER AS customer_id, 'note number ' || range AS note,
    (range % 100000)::DECIMAL(12,2) / 100 AS amount,
    TIMESTAMPTZ '2025-01-01 00:00:00+00' + to_seconds(range) AS created_at, created_at AS updated_at,
    range % 3 = 0 AS paid, md5(range::VARCHAR) AS token, 'city ' || range % 500 AS city,
    '{{"k": ' || range % 1000 || '}}' AS extra
FROM range({rows})"""
PEOPLE = """
WITH base AS (
    SELECT range AS id, hash(range) AS h, DATE '1940-01-01' + (hash(range * 7) % 25000)::INTEGER AS dob
    FROM range({half})
)
SELECT id * 2 AS person_id, 'first' || h % 800 AS first_name, 'sur' || (h // 1000) % 3000 AS surname,
    dob::VARCHAR AS dob, 'city ' || h % 60 AS city FROM base
UNION ALL
SELECT id * 2 + 1, CASE WHEN h % 5 = 0 THEN 'first' || h % 800 || 'x' ELSE 'first' || h % 800 END,
    CASE WHEN h % 7 = 0 THEN 'sur' || (h // 1000) % 3000 || 'e' ELSE 'sur' || (h // 1000) % 3000 END, dob::VARCHAR,
    'city ' || (h + (h % 11 = 0)::INTEGER) % 60 FROM base"""

BARE_DUCKDB = """
import sys, duckdb
source, target, sql, spill = sys.argv[1:]
limits = {"memory_limit": "512MB", "threads": 2, "preserve_insertion_order": False, "temp_directory": spill}
con = duckdb.connect(config=limits)
con.execute("SET TimeZone = 'UTC'")
con.execute(f"CREATE VIEW orders AS FROM read_parquet('{source}')")
con.execute(f"COPY ({sql}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
"""
BARE_SPLINK = """
import json, sys, duckdb
from splink import DuckDBAPI, Linker, SettingsCreator, block_on
import splink.comparison_library as library
source, target, settings = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
con = duckdb.connect(config={"memory_limit": "512MB", "threads": 2})
con.execute(f"CREATE TABLE people AS FROM read_parquet('{source}') ORDER BY person_id")
training = settings["training"]
api = DuckDBAPI(connection=con)
linker = Linker(api.register("people"), SettingsCreator(
    link_type="dedupe_only", unique_id_column_name="person_id",
    comparisons=[getattr(library, one["type"])(one["column"]) for one in settings["comparisons"]],
    blocking_rules_to_generate_predictions=[
        block_on(*rule) for rule in settings["blocking_rules_to_generate_predictions"]]))
linker.training.estimate_probability_two_random_records_match(
    [block_on(*rule) for rule in training["deterministic_rules"]], recall=training["recall"])
linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=training["seed"])
for rule in training["em_blocking"]:
    linker.training.estimate_parameters_using_expectation_maximisation(block_on(*rule))
pairs = linker.inference.predict(threshold_match_probability=0.9)
clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(pairs, threshold_match_probability=0.9)
con.execute(f"COPY (FROM {clusters.physical_name}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
"""


def project(home: Path, rows: int, people: int) -> Path:
    """Write a project whose bronze tables come from Parquet files; return its folder."""
    folder = home / "project"
    for name in ("configs", "transformations", "incoming"):
        (folder / name).mkdir(parents=True)
    with duckdb.connect(config={"preserve_insertion_order": False}) as con:
        con.execute("SET TimeZone = 'UTC'")
        for name, sql in (("orders", ORDERS.format(rows=rows)), ("people", PEOPLE.format(half=people // 2))):
            con.execute(f"COPY ({sql}) TO '{folder}/incoming/{name}.parquet' (FORMAT parquet, COMPRESSION zstd)")
    tables = [{"name": name, "path": f"{name}.parquet", "mode": "full"} for name in ("orders", "people")]
    source = {"name": "lab", "type": "files", "connection": {"path": "incoming"}, "tables": tables}
    stages = {stage: {"data_lake": {"path": f"lake/{stage}"}} for stage in ("bronze", "silver", "gold")}
    config = {"pipeline": "bench", "engine": LIMITS, "sources": [source], "stages": stages}
    orders, persons = ({"alias": name, "source": "lab", "table": name} for name in ("orders", "people"))
    silver = [
        {"name": "orders_clean", "inputs": [orders]},
        {"name": "orders_checked", "inputs": [orders], "quality_checks": CHECKS, "script": "orders_clean"},
        {"name": "persons", "inputs": [persons], "splink": SPLINK},
    ]
    (folder / "configs/initial.yml").write_text(yaml.safe_dump(config))
    (folder / "configs/transformations.yml").write_text(yaml.safe_dump({"silver": silver}))
    (folder / "transformations/orders_clean.sql").write_text(CLEAN)
    (folder / "transformations/persons.sql").write_text("SELECT * EXCLUDE (_file, _modified) FROM people\n")
    return folder


def assert_same_orders(published: str, bare: str) -> None:
    """Raise AssertionError unless two files hold the same rows, by count and by sums over the columns' hashes."""
    found, expected = (
        duckdb.sql(
            f"SELECT count(*), sum(hash(order_id, note, gross, day, city, extra)::HUGEINT) FROM '{file}'"
        ).fetchone()
        for file in (published, bare)
    )
    assert found == expected and found[0], f"comboi published {found}, the bare query {expected}"


def assert_same_people(published: str, clusters: str) -> None:
    """Raise AssertionError unless as many people are published as the bare script found clusters."""
    (found,) = duckdb.sql(f"SELECT count(*) FROM '{published}'").fetchone()
    (expected,) = duckdb.sql(f"SELECT count(DISTINCT cluster_id) FROM '{clusters}'").fetchone()
    assert found == expected and found, f"comboi published {found:,} people, the bare script found {expected:,}"


def main() -> int:
    """Build each dataset with comboi and with what it is made of; print both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--people", type=int, default=50_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        folder, env, log = project(home, options.rows, options.people), plain_environment(), home / "log.txt"
        landed = measure(comboi("run", "bronze"), cwd=folder, env=env, log=log)
        if landed.code:
            print(log.read_text()[-2000:])
            return 1
        python, well = [sys.executable, "-c"], True
        bronze = {table: f"{folder}/lake/bronze/lab/{table}/load=*/*.parquet" for table in ("orders", "people")}
        duck = [*python, BARE_DUCKDB, bronze["orders"], f"{home}/bare.parquet", CLEAN, f"{home}/spill"]
        splink = [*python, BARE_SPLINK, bronze["people"], f"{home}/clusters.parquet", json.dumps(SPLINK)]
        orders, people = ("orders_clean", "orders_checked"), ("persons",)
        for title, bare, result, datasets, assert_same in (
            (f"{options.rows:,} orders, the same SQL", duck, "bare", orders, assert_same_orders),
            (f"{options.people:,} people, the same Splink settings", splink, "clusters", people, assert_same_people),
        ):
            results = {"bare": measure(bare, cwd=home, env=env, log=log)}
            for dataset in datasets:
                command = comboi("run", "silver", "--select", dataset)
                results[f"comboi {dataset}"] = measure(command, cwd=folder, env=env, log=log)
                assert results[f"comboi {dataset}"].code == 0, log.read_text()[-3000:]
                assert_same(f"{folder}/lake/silver/refined/{dataset}.parquet", f"{home}/{result}.parquet")
            show(title, results)
            well = well and all(one.code == 0 and one.peak < MOST_MEMORY for one in results.values())
        if not well:
            print(log.read_text()[-3000:])
    return 0 if well else 1


def show(title: str, results: dict[str, Measured]) -> None:
    """Print one table; ratios are against the bare process."""
    base = results["bare"]
    print(f"\n{title}\n{'':<24}{'wall s':>9}{'CPU s':>9}{'peak MiB':>10}{'wall / bare':>13}{'CPU / bare':>12}")
    for name, one in results.items():
        failed = "" if one.code == 0 else f"  exit code {one.code}"
        ratios = f"{one.wall / base.wall:>13.2f}{one.cpu / base.cpu:>12.2f}"
        print(f"{name:<24}{one.wall:>9.1f}{one.cpu:>9.1f}{one.peak:>10.0f}{ratios}{failed}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
