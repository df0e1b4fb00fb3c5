"""Splink's settings in YAML: conditions in SQL, comparisons of one's own, training, and what is refused beforehand."""

from __future__ import annotations

import inspect
from typing import Any

import duckdb
import pytest
from pydantic import ValidationError

from comboi_core.config.splink import ExpectationMaximisation, RandomSampling
from comboi_core.dedupe.splink_dedupe import deduplicate, validate_splink
from comboi_core.domain.errors import DedupeError
from tests.dedupe.people import BASE, config, people, run, training

pytestmark = pytest.mark.few(2)

NAMES, CITIES, MAILS = BASE["comparisons"]
OWN: dict[str, Any] = {
    "output_column_name": "whole name",
    "comparison_levels": [
        {"sql_condition": "name_l IS NULL OR NAME_r IS NULL", "is_null_level": True},
        {"sql_condition": "name_l = name_r", "label_for_charts": "the same", "tf_adjustment_column": "name"},
        {"sql_condition": "jaro_winkler_similarity(name_l, name_r) > 0.9"},
        {"sql_condition": "else"},
    ],
}


def refused(**changes: Any) -> str:
    with pytest.raises(ValidationError) as raised:
        config(**changes)
    return str(raised.value)


# Rules.


@pytest.mark.parametrize(
    "rules",
    [
        ["l.email = r.email", "l.name = r.name AND l.city = r.city"],
        ["left(l.email, 5) = left(r.email, 5)"],
        [{"blocking_rule": 'lower(l."email") = lower(R.EMAIL)'}],
        [{"columns": ["email"]}, ["name"]],
    ],
)
def test_rules_are_lists_of_columns_or_conditions(con: duckdb.DuckDBPyConnection, rules: list[Any]) -> None:
    people(con)
    more = training(deterministic_rules=rules, em_blocking=["l.email = r.email", ["city"]])
    assert run(con, config(blocking_rules_to_generate_predictions=rules, training=more)).duplicates == 30


@pytest.mark.slow
def test_a_rule_may_explode_lists(con: duckdb.DuckDBPyConnection) -> None:
    people(con)
    con.execute("ALTER TABLE people ADD COLUMN mails TEXT[]; UPDATE people SET mails = [id, email, 'x' || id]")
    rules: list[Any] = [{"columns": ["mails"], "arrays_to_explode": ["mails"]}]
    assert run(con, config(blocking_rules_to_generate_predictions=rules)).duplicates == 30
    con.execute("DROP TABLE kept; DROP TABLE links")
    rules = [{"blocking_rule": "l.mails = r.mails and l.updated <> r.updated", "arrays_to_explode": ["mails"]}]
    assert run(con, config(blocking_rules_to_generate_predictions=rules)).duplicates == 30


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("email", "'email' belongs to neither record; write l.NAME and r.NAME, or a list of columns"),
        ("l.email =", "`l.email =` is not a valid SQL condition"),
        ("l.email = r.email; DROP TABLE people", "is not a simple SQL condition"),
        ("l.email = r.email -- all", "is not a simple SQL condition"),
        ("l.email IN (SELECT email FROM people)", "is not a simple SQL condition"),
    ],
)
def test_a_condition_is_one_expression_over_both_records(rule: str, said: str) -> None:
    (problem,) = validate_splink(config(blocking_rules_to_generate_predictions=[rule]))
    assert problem.startswith("blocking_rules_to_generate_predictions: ") and said in problem


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("l.emial = r.email", "l.emial = r.email: there is no column 'emial' (did you mean 'email'?)"),
        ("l.email > r.updated + date '2026-01-01'", "`l.email > r.updated + date '2026-01-01'` does not fit"),
        ({"columns": ["email"], "arrays_to_explode": ["email"]}, "`[email]` does not fit the columns: Binder Error"),
    ],
)
def test_a_rule_that_does_not_fit_the_data_is_named(con: duckdb.DuckDBPyConnection, rule: Any, said: str) -> None:
    people(con)
    with pytest.raises(DedupeError) as raised:
        run(con, config(blocking_rules_to_generate_predictions=[rule]))
    assert said in raised.value.message


@pytest.mark.parametrize("rule", [[], {}, 5, {"columns": ["a"], "blocking_rule": "l.a = r.a"}, [""], {"salting": 2}])
def test_what_is_no_rule_is_refused_where_it_stands(rule: Any) -> None:
    assert "blocking_rules_to_generate_predictions.1" in refused(blocking_rules_to_generate_predictions=[["a"], rule])


# Comparisons.


def test_a_comparison_of_one_s_own_works_and_is_called_by_its_name(con: duckdb.DuckDBPyConnection) -> None:
    people(con)
    done = deduplicate(con, "people", config(comparisons=[OWN, CITIES, MAILS]), into="kept", crosswalk="links")
    assert done.report.duplicates == 30
    assert "whole name" in done.html and "the same" in done.html and "jaro_winkler_similarity(name_l," in done.html


@pytest.mark.parametrize(
    ("levels", "said"),
    [
        (["name = 1"], "'name' belongs to neither record; write columns as NAME_l and NAME_r"),
        (["name_l ="], "is not a valid SQL condition"),
        (["name_l = name_r) OR (1 = 1"], "is not a valid SQL condition"),
    ],
)
def test_a_wrong_level_is_said_without_data(levels: list[str], said: str) -> None:
    own = {"comparison_levels": [{"sql_condition": level} for level in (*levels, "ELSE")]}
    problems = validate_splink(config(comparisons=[own]))
    assert problems and said in problems[0]


def test_a_level_over_a_column_that_is_not_there_is_named(con: duckdb.DuckDBPyConnection) -> None:
    people(con)
    own = {"comparison_levels": [{"sql_condition": "nam_l = nam_r"}, {"sql_condition": "ELSE"}]}
    with pytest.raises(DedupeError, match="comparison nam_l = nam_r: there is no column 'nam' \\(did you mean 'name'"):
        run(con, config(comparisons=[own, MAILS]))


@pytest.mark.parametrize(
    ("comparison", "said"),
    [
        ({}, "either type: and column:, or comparison_levels:"),
        ({"type": "ExactMatch"}, "column: this key is missing"),
        (OWN | {"type": "ExactMatch", "column": "a"}, "either type: and column:, or comparison_levels:"),
        (OWN | {"m_probabilities": [0.9, 0.1]}, "m_probabilities: cannot be used together with comparison_levels:"),
        (CITIES | {"output_column_name": "x"}, "output_column_name: cannot be used together with type:"),
        (CITIES | {"m_probabilities": [1.2, 0.1]}, "less than or equal to 1"),
    ],
)
def test_a_comparison_is_of_one_kind(comparison: dict[str, Any], said: str) -> None:
    assert said in refused(comparisons=[comparison])


def test_a_wrong_number_of_probabilities_is_said_without_data() -> None:
    (problem,) = validate_splink(config(comparisons=[CITIES | {"m_probabilities": [0.9]}]))
    assert problem.startswith("comparison ExactMatch(city): Comparison has 2 non-null levels, but received 1")


@pytest.mark.slow
def test_given_probabilities_are_kept_unless_told_otherwise(con: duckdb.DuckDBPyConnection) -> None:
    people(con)
    given = {"m_probabilities": [0.875, 0.125], "u_probabilities": [0.0625, 0.9375]}

    def page(**more: Any) -> str:
        comparisons = [NAMES, CITIES | given | more, MAILS]
        html = deduplicate(con, "people", config(comparisons=comparisons), into="kept", crosswalk="links").html
        con.execute("DROP TABLE kept; DROP TABLE links")
        return html.partition("<h2>Settings")[0]

    assert all(f">{figure}<" in page() for figure in ("0.875", "0.125", "0.0625", "0.938"))
    assert ">0.0625<" not in page(fix_u_probabilities=False) and ">0.875<" in page(fix_u_probabilities=False)


# Training.


def test_without_training_all_probabilities_are_given(con: duckdb.DuckDBPyConnection) -> None:
    people(con)
    mails = MAILS | {"m_probabilities": [0.9, 0.1], "u_probabilities": [0.0001, 0.9999]}
    own = {
        "comparison_levels": [
            {"sql_condition": "city_l = city_r", "m_probability": 0.9, "u_probability": 0.2},
            {"sql_condition": "ELSE", "m_probability": 0.1, "u_probability": 0.8},
        ]
    }
    settings = {"comparisons": [mails, own], "probability_two_random_records_match": 0.01, "training": None}
    assert run(con, config(**settings)).duplicates == 30
    assert "em_blocking or estimate_m_from_label_column" in refused(**settings | {"comparisons": [mails, CITIES]})


@pytest.mark.parametrize(
    "changes",
    [
        {"training": training(em_blocking=[], estimate_m_from_label_column="person")},
        {"training": training(em={"estimate_without_term_frequencies": True}, u={"num_chunks": 1})},
        {"training": training(deterministic_rules=[]), "probability_two_random_records_match": 0.005},
        {"em_convergence": 0.001, "max_iterations": 5, "linker_uid": "mine", "match_weight_column_prefix": "w_"},
        {"threshold_match_probability": None, "threshold_match_weight": 3},
    ],
)
def test_splink_s_further_settings_work(con: duckdb.DuckDBPyConnection, changes: dict[str, Any]) -> None:
    people(con)
    assert run(con, config(**changes)).duplicates == 30


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"training": None}, "give exactly one of training.deterministic_rules:"),
        ({"probability_two_random_records_match": 0.1}, "give exactly one of"),
        ({"training": training(em_blocking=[])}, "training: add em_blocking or estimate_m_from_label_column"),
        ({"threshold_match_weight": 3}, "give threshold_match_probability: or threshold_match_weight:, not both"),
        ({"one_to_one": True}, "one_to_one: is only for link_type: link_only and link_and_dedupe"),
        (
            {"training": training(em_blocking=[{"columns": ["a"], "arrays_to_explode": ["a"]}])},
            "Splink cannot train on a rule with arrays_to_explode",
        ),
        ({"match_weight_column_prefix": 'w" --'}, "match_weight_column_prefix"),
        ({"salting_partitions": 4}, "salting_partitions"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(changes: dict[str, Any], said: str) -> None:
    assert said in refused(**changes)


def test_the_training_s_arguments_are_those_of_splink() -> None:
    from splink.internals.linker_components.training import LinkerTraining

    own = {"self", "blocking_rule", "max_pairs", "seed"}
    for model, method in (
        (ExpectationMaximisation, LinkerTraining.estimate_parameters_using_expectation_maximisation),
        (RandomSampling, LinkerTraining.estimate_u_using_random_sampling),
    ):
        known = {name: one.default for name, one in inspect.signature(method).parameters.items() if name not in own}
        assert {name: field.default for name, field in model.model_fields.items()} == known


def test_all_of_splink_s_settings_have_a_key() -> None:
    import dataclasses

    from splink import SettingsCreator

    assert {field.name for field in dataclasses.fields(SettingsCreator)} <= config().model_dump().keys()
