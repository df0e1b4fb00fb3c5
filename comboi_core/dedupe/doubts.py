"""Which learned weights nobody should rely on, why, and which setting changes them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from comboi_core.config.splink import SplinkConfig, Training
from comboi_core.config.splink_comparisons import Comparison, Rule
from comboi_core.dedupe.settings import learners
from comboi_core.dedupe.weights import ComparisonWeights, LevelWeight

_RAREST_M = 1e-6
"""Less than any training can show: it would take millions of true matches on one rule."""
_SAYS_NOTHING = 0.25
"""Bits: an agreement that changes the odds by less than a fifth."""


@dataclass(frozen=True)
class Doubt:
    """One comparison whose weights are not to be relied on.

    Attributes:
        message: Names the comparison and the level, and gives the figures; no values of records.
        remedy: The setting to change.
    """

    message: str
    remedy: str


def doubts(
    config: SplinkConfig, weights: Collection[ComparisonWeights], sessions: Collection[Rule]
) -> tuple[Doubt, ...]:
    """Return what is doubtful in a trained model; probabilities that the settings give and keep are not doubted.

    Args:
        sessions: The rules of `em_blocking` that found pairs to learn from.
    """
    pairs = zip(config.comparisons, weights, strict=False)  # no weights: no model was made
    return tuple(doubt for comparison, one in pairs for doubt in _of(config, comparison, one, sessions))


def _of(
    config: SplinkConfig, comparison: Comparison, one: ComparisonWeights, sessions: Collection[Rule]
) -> Iterator[Doubt]:
    levels = [level for level in one.levels if not level.is_null]
    if comparison.known("m") and comparison.known("u"):
        return
    if all(level.m is None for level in levels):
        yield _untaught(config, comparison, one, sessions)
        return
    seen = [level for level in levels if level.m is not None or level.u is not None]
    if all(abs(level.weight) < _SAYS_NOTHING for level in seen):
        figures = ", ".join(f"{level.weight:+.2f}" for level in seen)
        yield Doubt(
            f"comparison {one.name} has no effect: its levels change a pair's weight by {figures} bits",
            "True matches and other pairs agree on it equally often, for example because the column has one "
            "value, random "
            "values, or a different value in each record. Remove it from `comparisons`.",
        )
        return
    closest = levels[0]
    if closest.weight < 0 and closest.m is not None and closest.u is not None:
        yield Doubt(
            f"comparison {one.name}: agreement counts against a match ({closest.weight:+.1f} bits): true matches are "
            f"on the level '{closest.label}' less often (m {closest.m:.2g}) than other pairs (u {closest.u:.2g})",
            "Remove the comparison from `comparisons`, choose other columns in `training.em_blocking`, or give it "
            "`m_probabilities`.",
        )
    for level in levels:
        yield from _of_level(config, one, level)


def _untaught(
    config: SplinkConfig, comparison: Comparison, one: ComparisonWeights, sessions: Collection[Rule]
) -> Doubt:
    by_label = bool(config.training and config.training.estimate_m_from_label_column)
    if by_label or any(comparison in learners(config, rule) for rule in sessions):
        why = "no training pair has values of its columns in both records"
        remedy = "Remove the comparison from `comparisons`, fill its column, or give it `m_probabilities`."
    else:
        tried = ", ".join(rule.shown for rule in sessions)
        why = f"every rule of em_blocking that finds pairs uses its columns ({tried})"
        remedy = "Add to `training.em_blocking` a list of other columns, or give the comparison `m_probabilities`."
    figures = ", ".join(f"{level.weight:+.1f}" for level in one.levels if not level.is_null)
    return Doubt(
        f"comparison {one.name} is not trained, because {why}; its weights are Splink's defaults ({figures} bits)",
        remedy,
    )


def _of_level(config: SplinkConfig, one: ComparisonWeights, level: LevelWeight) -> Iterator[Doubt]:
    place = f"comparison {one.name}, level '{level.label}'"
    training = config.training or Training()
    if level.m is None and level.u is None:
        return  # no pair was seen on the level
    if level.m is None:
        yield Doubt(
            f"{place}: training saw no true match on it, so its m is Splink's default ({level.weight:+.1f} bits)",
            "Let training see more matches (another list of columns in `training.em_blocking`), or give the "
            "comparison `m_probabilities`.",
        )
    elif level.m < _RAREST_M and not level.m_given:
        yield Doubt(
            f"{place}: training ended at m {level.m:.1g}, less than one true match in a million ({level.weight:+.1f} "
            "bits): this outweighs everything else",
            "Choose columns in `training.em_blocking` on which both true matches and other pairs agree, set "
            "`training.em.fix_u_probabilities: true` if it is off, or give the comparison `m_probabilities`.",
        )
    if level.u is None:
        yield Doubt(
            f"{place}: no sampled pair is on it, so its u is Splink's default ({level.weight:+.1f} bits)",
            "Increase `training.max_pairs`, or give the comparison `u_probabilities`.",
        )
    elif level.u < min(_RAREST_M, 0.1 / training.max_pairs) and not level.u_given:
        yield Doubt(
            f"{place}: training ended at u {level.u:.1g}, less than a sample of {training.max_pairs:,.0f} pairs can "
            f"show ({level.weight:+.1f} bits)",
            "Leave u to the sampling (`training.em.fix_u_probabilities: true`), or give the comparison "
            "`u_probabilities`.",
        )
