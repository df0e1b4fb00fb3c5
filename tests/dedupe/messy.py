"""Ordinary messy people: columns with one value everywhere, a value of its own in each record, or hardly any value."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import duckdb

from comboi_core.config.splink import SplinkConfig
from tests.dedupe.people import config

COLUMNS = ("name", "city", "email", "zip")


def messy(con: duckdb.DuckDBPyConnection, persons: int, kinds: Mapping[str, str], seed: int) -> None:
    """Make a table of persons, one to three records each.

    Args:
        kinds: Of each of COLUMNS: `constant`, `unique`, `few` (four values at random), `half` (missing for every second
            record), `rare` (missing for nearly all), else the person's own value with a slip in every tenth record.
    """
    draw = random.Random(seed)
    rows: list[tuple] = []
    for person in range(persons):
        for copy in range(draw.choice([1, 1, 2, 3])):
            values = [_value(draw, kinds.get(column, "person"), column, person, len(rows)) for column in COLUMNS]
            rows.append((f"p{person}-{copy}", person, *values, copy))
    con.execute("""CREATE OR REPLACE TABLE people
        (id TEXT, person INT, name TEXT, city TEXT, email TEXT, zip TEXT, updated INT)""")
    con.executemany("INSERT INTO people VALUES (?, ?, ?, ?, ?, ?, ?)", rows)


def _value(draw: random.Random, kind: str, column: str, person: int, number: int) -> str | None:
    if kind == "constant":
        return "same"
    if kind == "unique":
        return f"{column}{number}"
    if kind == "few":
        return f"{column}{draw.randrange(4)}"
    if draw.random() < {"half": 0.5, "rare": 0.95}.get(kind, 0.0):
        return None
    return f"{column}{person}" + ("x" if draw.random() < 0.1 else "")


def messy_config(*em_blocking: list[str], **changes: Any) -> SplinkConfig:
    """Return settings that compare all of COLUMNS."""
    return config(
        comparisons=[{"type": "ExactMatch", "column": column} for column in COLUMNS],
        blocking_rules_to_generate_predictions=[["email"], ["name"], ["zip"]],
        training={"deterministic_rules": [["email"]], "recall": 0.8, "em_blocking": list(em_blocking)},
        **changes,
    )
