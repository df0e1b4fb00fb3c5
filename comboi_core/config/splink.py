"""Deduplication and linkage by Splink as the YAML writes it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from comboi_core.config.base import Model


class Comparison(Model):
    """One Splink comparison: `type` from splink.comparison_library, its column, its arguments."""

    type: str
    column: str
    args: dict[str, Any] = Field(default_factory=dict)
    term_frequency_adjustments: bool = False


class Training(Model):
    """How Splink's parameters are estimated.

    Attributes:
        deterministic_rules: Lists of columns; records agreeing on all columns of a rule are taken as matches to
            estimate the probability that two random records match.
        recall: The share of true matches that those rules find.
        em_blocking: Lists of columns to block on, one expectation-maximisation session each.
        seed: Seed of the random sampling.
    """

    deterministic_rules: tuple[tuple[str, ...], ...] = Field(min_length=1)
    recall: float = Field(default=0.7, gt=0, le=1)
    em_blocking: tuple[tuple[str, ...], ...] = Field(min_length=1)
    max_pairs: float = Field(default=1e6, gt=0)
    seed: int = 1


class Survivor(Model):
    """Which record of a cluster survives: the first by `order_by`."""

    order_by: str


class Labels(Model):
    """The column that holds the true identity, where it is known; reports then show precision and recall."""

    column: str


class SplinkConfig(Model):
    """Deduplication by Splink; the keys are those of Splink's own settings."""

    link_type: Literal["dedupe_only"] = "dedupe_only"
    unique_id_column_name: str
    comparisons: tuple[Comparison, ...] = Field(min_length=1)
    blocking_rules_to_generate_predictions: tuple[tuple[str, ...], ...] = Field(min_length=1)
    training: Training
    threshold_match_probability: float = Field(default=0.9, gt=0, le=1)
    survivor: Survivor
    labels: Labels | None = None
