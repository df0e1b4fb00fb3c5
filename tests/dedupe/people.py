"""Small, hostile records to deduplicate, and plain settings for them."""

from __future__ import annotations

import random
from typing import Any

import duckdb

from comboi_core.config.splink import SplinkConfig
from comboi_core.dedupe.splink_dedupe import deduplicate

BASE: dict[str, Any] = {
    "unique_id_column_name": "id",
    "comparisons": [
        {"type": "JaroWinklerAtThresholds", "column": "name", "args": {"score_threshold_or_thresholds": [0.9]}},
        {"type": "ExactMatch", "column": "city", "term_frequency_adjustments": True},
        {"type": "ExactMatch", "column": "email"},
    ],
    "blocking_rules_to_generate_predictions": [["email"], ["name", "city"]],
    "training": {"deterministic_rules": [["email"]], "recall": 0.8, "em_blocking": [["email"], ["city"]]},
    "threshold_match_probability": 0.9,
    "survivor": {"order_by": "updated DESC"},
    "labels": {"column": "person"},
}


def config(**changes: Any) -> SplinkConfig:
    return SplinkConfig.model_validate(BASE | changes)


def training(**changes: Any) -> dict[str, Any]:
    return BASE["training"] | changes


def people(con: duckdb.DuckDBPyConnection, persons: int = 60, *, shuffled: int = 0) -> None:
    """Make a table of persons: each third one twice, each sixth one three times, the younger records with a slip."""
    draw = random.Random(7)
    rows = []
    for person in range(persons):
        name = "".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=9))
        city = draw.choice(["Köln", "São Paulo", "O'Fallon", "北京", "Zürich"])
        for copy in range(3 if person % 6 == 0 else 2 if person % 3 == 0 else 1):
            written = name if copy == 0 else name[:-1] + "x"
            rows.append((f"p{person:03}-{copy}", person, written, city, f"{name}@example.com", copy))
    random.Random(shuffled).shuffle(rows)
    con.execute("CREATE OR REPLACE TABLE people (id TEXT, person INT, name TEXT, city TEXT, email TEXT, updated INT)")
    con.executemany("INSERT INTO people VALUES (?, ?, ?, ?, ?, ?)", rows)


def run(con: duckdb.DuckDBPyConnection, settings: SplinkConfig | None = None, table: str = "people") -> Any:
    return deduplicate(con, table, settings or config(), into="kept", crosswalk="links").report


def tables(con: duckdb.DuckDBPyConnection) -> set[tuple]:
    return set(
        con.execute("""
            SELECT schema_name, table_name FROM duckdb_tables()
            UNION ALL SELECT schema_name, view_name FROM duckdb_views() WHERE NOT internal
            UNION ALL SELECT schema_name, NULL FROM duckdb_schemas()""").fetchall()
    )
