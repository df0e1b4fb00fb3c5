"""The shipped matching rules on the three FEBRL benchmarks; one set of rules for all three."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Iterable
from typing import Any

import duckdb
import pytest
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

from comboi_core.cli.demo.data import PERSON_FIELDS, data_files
from tests.demo.plain import TRANSFORMATIONS, datasets, load_script

Pairs = set[tuple[int, int]]


def read_benchmark(con: duckdb.DuckDBPyConnection, number: int) -> None:
    """Clean FEBRL `number` (1 to 3) into the table `cleaned` with the shipped transformation."""
    file = data_files()["customers"].with_name(f"dataset{number}.csv")
    options = f"all_varchar = true, header = false, skip = 1, names = {['rec_id', *PERSON_FIELDS]}"
    con.execute(
        f"""CREATE TABLE raw AS
            SELECT row_number() OVER () AS customer_id, * EXCLUDE rec_id,
                   regexp_extract(rec_id, '^rec-[0-9]+') AS true_person, NULL::TIMESTAMPTZ AS updated_at
            FROM read_csv('{file}', {options})"""
    )
    query = load_script(TRANSFORMATIONS / "customers_clean.py").transform(con, {"customers": "raw"})
    con.execute(f"CREATE TABLE cleaned AS {query} ORDER BY customer_id")


def find_pairs(con: duckdb.DuckDBPyConnection, config: dict[str, Any]) -> Pairs:
    """Link the table `cleaned` as configured; the pairs of records that end in one cluster."""
    library = importlib.import_module("splink.comparison_library")
    settings = SettingsCreator(
        link_type=config["link_type"],
        unique_id_column_name=config["unique_id_column_name"],
        comparisons=[
            getattr(library, item["type"])(item["column"], **item.get("args", {})) for item in config["comparisons"]
        ],
        blocking_rules_to_generate_predictions=[
            block_on(*rule) for rule in config["blocking_rules_to_generate_predictions"]
        ],
    )
    linker = Linker(DuckDBAPI(connection=con).register("cleaned"), settings)
    training, threshold = config["training"], config["threshold_match_probability"]
    rules = [block_on(*rule) for rule in training["deterministic_rules"]]
    linker.training.estimate_probability_two_random_records_match(rules, recall=training["recall"])
    linker.training.estimate_u_using_random_sampling(seed=training["seed"])
    for columns in training["em_blocking"]:
        linker.training.estimate_parameters_using_expectation_maximisation(block_on(*columns))
    predictions = linker.inference.predict(threshold_match_probability=threshold)
    clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(predictions, threshold)
    return pairs(con.execute(f"SELECT cluster_id, customer_id FROM {clusters.physical_name}").fetchall())


def pairs(grouped: Iterable[tuple[Any, int]]) -> Pairs:
    """All pairs of members that share a group."""
    ordered = sorted(grouped)
    groups = itertools.groupby(ordered, key=lambda item: item[0])
    return {pair for _, group in groups for pair in itertools.combinations((member for _, member in group), 2)}


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_shipped_rules_find_the_persons(number: int) -> None:
    config = next(dataset["splink"] for dataset in datasets() if "splink" in dataset)
    with duckdb.connect() as con:
        read_benchmark(con, number)
        found = find_pairs(con, config)
        true = pairs(con.execute("SELECT true_person, customer_id FROM cleaned").fetchall())
    right = len(found & true)
    f1 = 2 * right / (len(found) + len(true))
    assert f1 >= 0.995
    assert len(found - true) <= len(true) / 1000
