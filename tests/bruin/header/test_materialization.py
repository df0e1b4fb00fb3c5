"""Materializations of assets: Bruin's strategies, and what would lose rows is refused."""

from __future__ import annotations

import pytest

from comboi_core.bruin.header.loading import read_asset
from comboi_core.config.materialization import Materialization
from tests.bruin.header.writing import asset, load, only, problem, write

KEY = "\ncolumns: [{name: id, type: bigint, primary_key: true}, {name: v, type: int, update_on_merge: true}]"


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("{type: table}", Materialization()),
        ("{type: table, strategy: create+replace}", Materialization()),
        ("{type: table, strategy: truncate+insert}", Materialization()),
        ("{type: view}", Materialization()),
        ("{type: table, strategy: append}", Materialization(strategy="append")),
        (
            "{type: table, strategy: merge, incremental_key: at}",
            Materialization(strategy="merge", unique_key=("id",), update=("v",), incremental_key="at"),
        ),
        (
            "{type: table, strategy: delete+insert, incremental_key: at}",
            Materialization(strategy="delete+insert", incremental_key="at"),
        ),
        (
            "{type: table, strategy: time_interval, incremental_key: at, time_granularity: timestamp}",
            Materialization(strategy="delete+insert", incremental_key="at", time_granularity="timestamp"),
        ),
        ("{type: table, strategy: scd2_by_column}", Materialization(strategy="scd2", unique_key=("id",))),
        (
            "{type: table, strategy: scd2_by_time, incremental_key: at}",
            Materialization(strategy="scd2", unique_key=("id",), incremental_key="at", changed_by="time"),
        ),
    ],
)
def test_strategies_are_the_ones_of_bruin(folder, block, expected):
    asset(folder, f"materialization: {block}{KEY}", table=False)

    assert only(folder).materialization == expected


def test_ddl_is_an_empty_dataset_that_no_run_and_no_refresh_empties(folder):
    file = asset(folder, f"materialization: {{type: table, strategy: ddl}}{KEY}", body="", table=False)

    found = only(folder)

    assert (found.materialization.strategy, found.allow_empty) == ("append", True)
    assert read_asset(file, folder).full_refresh_restricted


@pytest.mark.parametrize(
    ("block", "says"),
    [
        ("{}", "add `materialization: {type: table}`"),
        ("{type: none}", "add `materialization: {type: table}`"),
        ("{strategy: merge}", "add `materialization: {type: table}`"),
        ("{type: view, strategy: merge}", "a view has no strategy"),
        ("{type: table, strategy: merge}", "needs a column with primary_key: true"),
        ("{type: table, strategy: scd2_by_column}", "needs a column with primary_key: true"),
        ("{type: table, strategy: delete+insert}", "needs incremental_key:"),
        ("{type: table, strategy: time_interval, incremental_key: at}", "needs time_granularity:"),
        (
            "{type: table, strategy: delete+insert, incremental_key: at, time_granularity: date}",
            "time_granularity: is only for",
        ),
        ("{type: table, strategy: ddl}", "takes no query"),
        ("{type: table, strategy: upsert}", "there is no strategy 'upsert'"),
        ("{type: table, strategy: datavault_hub}", "is not supported"),
        ("{type: table, incremental_predicate: x > 1}", "incremental_predicate: is not supported"),
        ("{type: materialized_view}", "'materialized_view' is not allowed"),
    ],
)
def test_what_cannot_be_kept_is_refused(folder, block, says):
    asset(folder, f"materialization: {block}", table=False)

    assert problem(folder).startswith("t/silver/a.sql:3: ") and says in problem(folder)


@pytest.mark.parametrize("body", ["SELECT '{{ start_date }}'", "SELECT 1 {% if start_timestamp > '2026' %}{% endif %}"])
def test_one_interval_never_replaces_a_whole_dataset(folder, body):
    asset(folder, "", body=body)

    assert "other rows would be lost" in problem(folder)


def test_one_interval_through_a_macro_does_not_either(folder):
    write(folder, "pipeline.yml", "name: p")
    write(folder, "macros/m.sql", "{% macro since(column) %}{{ column }} >= '{{ start_date }}'{% endmacro %}")
    write(folder, "macros/n.sql", "{% macro on(start_date) %}'{{ start_date }}'{% endmacro %}")
    asset(folder, "", body="SELECT * FROM shop.orders WHERE {{ since('at') }}")
    asset(folder, "", body="SELECT {{ on('2026-01-01') }}", name="silver/b.sql")

    assert problem(folder).startswith("t/silver/a.sql:3: silver.a: ") and "other rows would be lost" in problem(folder)


@pytest.mark.parametrize(
    "body",
    [
        "SELECT '{{ end_date }}'",
        "SELECT '{{ var.start_date }}'",
        "SELECT start_date FROM shop.orders",
        "-- start_date\nSELECT 1",
    ],
)
def test_a_whole_dataset_as_of_a_moment_is_fine(folder, body):
    asset(folder, "", body=body)

    assert only(folder).materialization.strategy == "replace"


MERGED = f"materialization: {{type: table, strategy: merge}}{KEY}"


@pytest.mark.parametrize("policy", ["warn", "refuse", "reload"])
def test_an_asset_says_what_happens_when_its_query_has_changed(folder, policy):
    asset(folder, f"meta: {{on_change: {policy}}}\n{MERGED}", table=False)

    assert only(folder).on_change == policy


def test_a_pipeline_says_so_for_its_assets_and_an_asset_otherwise(folder):
    write(folder, "pipeline.yml", "default: {meta: {on_change: refuse}}")
    asset(folder, MERGED, table=False)
    asset(folder, f"meta: {{on_change: warn}}\n{MERGED}", table=False, name="silver/b.sql")

    assert {found.name: found.on_change for found in load(folder).silver} == {"silver.a": "refuse", "silver.b": "warn"}


@pytest.mark.parametrize(
    ("header", "body", "says"),
    [
        (
            "meta: {on_change: ask}",
            "SELECT 1 AS id",
            "t/silver/a.sql:3: meta: meta.on_change has to be warn, refuse or reload, not 'ask'",
        ),
        (
            "meta: {on_change: reload}\nfull_refresh_restricted: true",
            "SELECT 1 AS id",
            "does not work with full_refresh_restricted",
        ),
        ("meta: {on_change: reload}", "SELECT '{{ start_date }}' AS id", "needs a start_date:"),
        (
            "meta: {on_change: reload}\nmaterialization:\n"
            "  {type: table, strategy: time_interval, incremental_key: at, time_granularity: date}",
            "SELECT 1 AS id, current_date AS at",
            "on_change: reload does not work with time_granularity",
        ),
    ],
    ids=["unknown", "restricted", "windowed", "by time"],
)
def test_a_policy_that_cannot_be_is_refused_by_name(folder, header, body, says):
    asset(folder, header if "materialization" in header else f"{header}\n{MERGED}", body=body, table=False)

    assert says in problem(folder)
