"""Splink on ordinary messy people: what it gives up on is said in our words, what it makes of too little is told."""

from __future__ import annotations

import math
from html import escape
from typing import Any

import duckdb
import pytest

from comboi_core.dedupe.doubts import doubts
from comboi_core.dedupe.splink_dedupe import deduplicate, validate_splink
from comboi_core.dedupe.weights import ComparisonWeights, LevelWeight
from comboi_core.domain.errors import DedupeError
from tests.dedupe.messy import messy, messy_config
from tests.dedupe.people import BASE, config, people, run, training


@pytest.mark.parametrize(
    "rule", [["name", "city", "email"], "l.name = r.name AND l.city = r.city AND l.EMAIL = r.email"], ids=str
)
def test_a_training_rule_that_leaves_nothing_to_learn_is_refused_without_data(
    con: duckdb.DuckDBPyConnection, rule: Any
) -> None:
    settings = config(training=training(em_blocking=[["email"], rule]))
    (problem,) = validate_splink(settings)
    assert problem.startswith("em_blocking: ")
    assert "uses the columns of every comparison" in problem
    people(con)
    with pytest.raises(DedupeError, match="uses the columns of every comparison"):
        run(con, settings)


def test_a_probability_that_vanishes_in_training_names_the_rule_what_it_teaches_and_what_to_do(
    con: duckdb.DuckDBPyConnection,
) -> None:
    messy(con, 10, {"name": "few", "zip": "few"}, seed=2)
    with pytest.raises(DedupeError) as raised:
        run(con, messy_config(["email"], ["name"], ["zip"]))
    assert raised.value.message.startswith("em_blocking [zip]: training found that true matches")
    assert raised.value.message.endswith("it teaches ExactMatch(name), ExactMatch(city), ExactMatch(email)")
    assert "m_probability value" not in raised.value.message
    assert "leave the rule out" in raised.value.remedy


UNTRAINED = "is not trained"
NO_EFFECT = "has no effect"
AGAINST = "agreement counts against a match"


@pytest.mark.parametrize(
    ("kinds", "persons", "em_blocking", "told"),
    [
        ({}, 200, [["email"], ["name"]], []),
        ({"city": "half"}, 200, [["email"], ["name"]], []),
        (
            {},
            200,
            [["email"]],
            [("ExactMatch(email)", UNTRAINED, "Add to `training.em_blocking` a list of other columns")],
        ),
        ({"city": "constant"}, 200, [["email"], ["name"]], [("ExactMatch(city)", NO_EFFECT, "`comparisons`")]),
        ({"zip": "unique"}, 200, [["email"], ["name"]], [("ExactMatch(zip)", NO_EFFECT, "`comparisons`")]),
        (
            {"zip": "rare"},
            30,
            [["email"], ["name"]],
            [("ExactMatch(zip)", "no training pair has values of its columns", "fill its column")],
        ),
        (
            {"zip": "rare"},
            200,
            [["email"], ["name"]],
            [("ExactMatch(zip), level 'All other comparisons'", "saw no true match", "`training.em_blocking`")],
        ),
        (
            {"city": "few", "zip": "few"},
            200,
            [["email"], ["name"]],
            [("ExactMatch(city)", AGAINST, "`comparisons`"), ("ExactMatch(zip)", NO_EFFECT, "`comparisons`")],
        ),
        (
            {"city": "constant"},
            30,
            [["city"], ["email"]],
            [
                ("ExactMatch(name), level 'All other comparisons'", "ended at m 9e-11", "`training.em_blocking`"),
                ("ExactMatch(city)", NO_EFFECT, "`comparisons`"),
            ],
        ),
    ],
    ids=["good", "half NULL", "no session", "constant", "unique", "no values", "unseen", "chance", "vanishing"],
)
@pytest.mark.slow
def test_weights_that_say_nothing_or_cannot_be_right_are_told_with_the_setting_to_change(
    con: duckdb.DuckDBPyConnection, kinds: dict, persons: int, em_blocking: list, told: list
) -> None:
    messy(con, persons, kinds, seed=2)
    done = deduplicate(con, "people", messy_config(*em_blocking), into="kept", crosswalk="links")
    assert len(done.doubts) == len(told), done.doubts
    for doubt, (comparison, what, remedy) in zip(done.doubts, told, strict=True):
        assert doubt.message.startswith(f"comparison {comparison}") and what in doubt.message
        assert remedy in doubt.remedy
        assert escape(doubt.message) in done.html


@pytest.mark.parametrize(("u", "max_pairs", "told"), [(2e-21, 1e6, True), (2e-7, 1e6, False), (2e-8, 1e8, False)])
def test_a_u_below_what_the_sample_can_show_is_told(u: float, max_pairs: float, told: bool) -> None:
    """Sessions that learn u themselves (`fix_u_probabilities: false`) can end anywhere."""
    settings = config(comparisons=BASE["comparisons"][2:], training=training(max_pairs=max_pairs))
    levels = (
        LevelWeight("same", "a = b", is_null=False, m=0.9, u=u, weight=math.log2(0.9 / u)),
        LevelWeight("other", "ELSE", is_null=False, m=0.1, u=1 - u, weight=-3.3),
    )
    weights = [ComparisonWeights("ExactMatch(email)", adjusted=False, levels=levels)]
    found = doubts(settings, weights, settings.training.em_blocking)
    assert bool(found) is told
    assert all("ended at u 2e-21" in one.message and "fix_u_probabilities: true" in one.remedy for one in found)


def test_probabilities_that_the_settings_give_are_not_doubted(con: duckdb.DuckDBPyConnection) -> None:
    people(con)
    given = {"m_probabilities": [1e-9, 1 - 1e-9], "u_probabilities": [0.5, 0.5]}
    city = {"type": "ExactMatch", "column": "city", **given}
    comparisons = [BASE["comparisons"][0], city, BASE["comparisons"][2]]
    done = deduplicate(con, "people", config(comparisons=comparisons), into="kept", crosswalk="links")
    assert not [doubt for doubt in done.doubts if "city" in doubt.message]
