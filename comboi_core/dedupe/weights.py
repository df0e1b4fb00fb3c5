"""What a trained model holds: how often records agree, and how much that weighs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from comboi_core.config.splink import SplinkConfig
from comboi_core.dedupe.settings import create_comparison

if TYPE_CHECKING:
    from splink import Linker


@dataclass(frozen=True)
class LevelWeight:
    """What Splink holds of one level of a comparison.

    Attributes:
        m: Share of the true matches that agree this far; None if training has not seen any.
        u: Share of the other pairs that do so by chance; likewise.
        weight: The bits that Splink adds to a pair's weight, with figures of its own for what training has not seen.
        condition: Over Splink's names.
        m_given: Whether the settings give m and keep it; likewise u.
    """

    label: str
    condition: str
    is_null: bool
    m: float | None
    u: float | None
    weight: float
    m_given: bool = False
    u_given: bool = False


@dataclass(frozen=True)
class ComparisonWeights:
    """A comparison by its name in messages, its columns, and its levels, the closest agreement first."""

    name: str
    adjusted: bool
    levels: tuple[LevelWeight, ...]


def learned(linker: Linker, config: SplinkConfig) -> tuple[float, tuple[ComparisonWeights, ...]]:
    """Return the probability that two random records match, and the weights of each comparison, in their order."""
    model = linker.misc.save_model_to_json()
    used = iter(_used_weights(linker))
    weights = []
    for number, (comparison, known) in enumerate(zip(config.comparisons, model["comparisons"], strict=True)):
        named = create_comparison(comparison, number).create_comparison_dict("duckdb")["comparison_levels"]
        levels = tuple(
            LevelWeight(
                label=level.get("label_for_charts") or level["sql_condition"],
                condition=trained["sql_condition"],
                is_null=bool(trained.get("is_null_level")),
                m=trained.get("m_probability"),
                u=trained.get("u_probability"),
                weight=next(used),
                m_given=bool(trained.get("fix_m_probability")),
                u_given=bool(trained.get("fix_u_probability")),
            )
            for level, trained in zip(named, known["comparison_levels"], strict=True)
        )
        adjusted = any(trained.get("tf_adjustment_column") for trained in known["comparison_levels"])
        weights.append(ComparisonWeights(comparison.shown, adjusted, levels))
    return model["probability_two_random_records_match"], tuple(weights)


def _used_weights(linker: Linker) -> list[float]:
    """The weight of each level of each comparison, in the model's order; the saved model lacks what was not trained."""
    records = linker.visualisations.match_weights_chart().raw_records
    levels = [record for record in records if record.comparison_name != "probability_two_random_records_match"]
    return [0.0 if level.is_null_level else float(level.log2_bayes_factor or 0.0) for level in levels]
