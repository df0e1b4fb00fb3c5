"""Deduplication and linkage with Splink as written in YAML: Splink's settings under Splink's own names."""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

from pydantic import ConfigDict, Field, GetJsonSchemaHandler, model_validator

from comboi_core.config.base import Model, SqlName, Text
from comboi_core.config.splink_comparisons import Comparison, Rule
from comboi_core.config.written import Json, at_most_one, given, is_one_of

DEFAULT_THRESHOLD = 0.9


class ExpectationMaximisation(Model):
    """Arguments of Splink's `estimate_parameters_using_expectation_maximisation`.

    Attributes:
        estimate_without_term_frequencies: Whether training leaves out term frequencies, which is faster.
        fix_probability_two_random_records_match: Whether training keeps the probability that two random records match.
        fix_m_probabilities: Whether training keeps the m probabilities.
        fix_u_probabilities: Whether training keeps the u probabilities that random sampling estimated.
        populate_probability_two_random_records_match_from_trained_values: Whether the probability that training
            estimates replaces the given one.
        record_sample_proportion: The share of records that is sampled to estimate how many pairs a session has. comboi
            uses it to stay below `max_pairs`.
    """

    estimate_without_term_frequencies: bool = False
    fix_probability_two_random_records_match: bool = False
    fix_m_probabilities: bool = False
    fix_u_probabilities: bool = True
    populate_probability_two_random_records_match_from_trained_values: bool = False
    record_sample_proportion: float = Field(default=0.01, gt=0, le=1)


class RandomSampling(Model):
    """Arguments of Splink's `estimate_u_using_random_sampling`.

    Attributes:
        min_count_per_level: Sampling may stop when each level was seen this often. `null`: sample all of `max_pairs`.
        num_chunks: The number of parts in which the pairs are sampled.
    """

    min_count_per_level: int | None = Field(default=100, ge=1)
    num_chunks: int = Field(default=10, ge=1)


class Training(Model):
    """How Splink estimates the model's parameters.

    Attributes:
        deterministic_rules: Rules that surely find matches, e.g. `[[email]]`. From them Splink estimates the
            probability that two random records match.
        recall: Your guess of the share of true matches that `deterministic_rules` find.
        em_blocking: One training session (expectation maximisation) per rule; each session looks at the pairs that its
            rule finds.
        estimate_m_from_label_column: A column that identifies the true entity. The m probabilities are estimated from
            it, in place of `em_blocking`.
        max_pairs: The largest number of pairs that random sampling, and each training session, looks at.
        seed: The seed of random sampling.
        em: Further arguments of the training sessions.
        u: Further arguments of random sampling.
    """

    deterministic_rules: tuple[Rule, ...] = ()
    recall: float = Field(default=0.7, gt=0, le=1)
    em_blocking: tuple[Rule, ...] = ()
    estimate_m_from_label_column: Text | None = None
    max_pairs: float = Field(default=1e6, gt=0, allow_inf_nan=False)
    seed: int = 1
    em: ExpectationMaximisation = ExpectationMaximisation()
    u: RandomSampling = RandomSampling()

    @model_validator(mode="after")
    def _plain_sessions(self) -> Training:
        if any(rule.arrays_to_explode for rule in self.em_blocking):
            raise ValueError("em_blocking: Splink cannot train on a rule with arrays_to_explode; use another rule")
        return self


ColumnRuleName = Literal["first_not_null", "most_recent_not_null", "longest", "most_frequent", "min", "max"]


class ColumnRule(Model):
    """Which value of a cluster a column gets. In short, write only the rule's name.

    Attributes:
        rule: `first_not_null`: the survivor's own value, or that of the next record in order. `most_recent_not_null`:
            the first value by `order_by`. `longest`, `most_frequent`, `min` and `max`: that value of the cluster.
        order_by: The order of records for `first_not_null` and `most_recent_not_null`, in place of the survivor's
            `order_by`.
        source_priority: Datasets whose values are preferred, the most trusted first.
    """

    rule: ColumnRuleName = "first_not_null"
    order_by: Text | None = None
    source_priority: tuple[str, ...] = ()

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> Json:
        """Return the short form beside the mapping."""
        held = super().__get_pydantic_json_schema__(core_schema, handler)
        name = {"enum": list(get_args(ColumnRuleName))}
        return {"title": held["title"], "description": held["description"], "anyOf": [name, held]}

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"rule": value} if isinstance(value, str) else value


class Survivor(Model):
    """Which record of a cluster survives: by `source_priority`, then `most_complete`, then `order_by`, then the id.

    Attributes:
        order_by: An SQL order; the first record survives, e.g. `updated_at DESC`.
        most_complete: Whether the record with the fewest NULLs is preferred.
        source_priority: Values of `source_dataset_column_name`, the most trusted first. Values that are not listed come
            last.
        per_column: Columns whose value is chosen from the whole cluster, e.g. `{phone: most_recent_not_null}`.
    """

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [given("order_by"), is_one_of("most_complete", True), given("source_priority", [])]}
    )

    order_by: Text | None = None
    most_complete: bool = False
    source_priority: tuple[str, ...] = ()
    per_column: dict[Text, ColumnRule] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _some_rule(self) -> Survivor:
        if not (self.order_by or self.most_complete or self.source_priority):
            raise ValueError("survivor: give at least one of order_by, most_complete: true and source_priority")
        for column, rule in self.per_column.items():
            if rule.rule == "most_recent_not_null" and not (rule.order_by or self.order_by):
                raise ValueError(f"per_column: {column}: most_recent_not_null needs order_by, e.g. `updated_at DESC`")
        return self

    @property
    def knows_sources(self) -> bool:
        """Whether a rule depends on the dataset of a record."""
        return bool(self.source_priority) or any(rule.source_priority for rule in self.per_column.values())


class Labels(Model):
    """A column with the true identity. Reports then show precision and recall.

    Attributes:
        column: The column that identifies the true entity.
    """

    column: Text


_ESTIMATED: Json = {
    "required": ["training"],
    "properties": {"training": {"type": "object"} | given("deterministic_rules", [])},
}
"""Training that estimates the probability that two random records match."""


class SplinkConfig(Model):
    """Deduplication and linkage with Splink: Splink's own settings, and some keys of comboi.

    Attributes:
        link_type: `dedupe_only`: find duplicates within one dataset. `link_only`: find records of several datasets that
            belong together. `link_and_dedupe`: both.
        unique_id_column_name: The column that identifies a record.
        comparisons: The columns to compare, and how.
        blocking_rules_to_generate_predictions: Which pairs are compared: those that at least one of these rules finds.
        probability_two_random_records_match: The probability itself, in place of `training.deterministic_rules`, which
            estimate it.
        em_convergence: A training session ends when no parameter changes by more than this.
        max_iterations: The largest number of iterations of a training session.
        match_weight_column_prefix: The prefix of Splink's columns of match weights.
        term_frequency_adjustment_column_prefix: The prefix of Splink's columns of term frequencies.
        comparison_vector_value_column_prefix: The prefix of Splink's columns of comparison levels.
        linker_uid: A name for Splink's internal tables. Default: Splink chooses one.
        training: How Splink estimates the model's parameters.
        threshold_match_probability: Two records count as the same from this probability on. Default: 0.9.
        threshold_match_weight: The same threshold as a match weight (log2 of the odds), in place of the probability.
        survivor: Which record of a cluster survives.
        labels: A column with the true identity. Reports then show precision and recall.
        source_dataset_column_name: For `link_only` and `link_and_dedupe`: the column that names the dataset of each
            record.
        retain_matching_columns: Whether the report shows the values of the compared columns.
        retain_intermediate_calculation_columns: Whether the report shows how much each comparison adds to a pair's
            weight.
        additional_columns_to_retain: Further columns to show in the report.
        one_to_one: Whether a cluster has at most one record of each dataset. The best matches are kept.
        max_cluster_size: Larger clusters are split at higher match weights, and the report lists them.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [given("probability_two_random_records_match"), _ESTIMATED],
            **at_most_one("threshold_match_probability", "threshold_match_weight"),
        }
    )

    link_type: Literal["dedupe_only", "link_only", "link_and_dedupe"] = "dedupe_only"
    unique_id_column_name: Text
    source_dataset_column_name: Text = "source_dataset"
    comparisons: tuple[Comparison, ...] = Field(min_length=1)
    blocking_rules_to_generate_predictions: tuple[Rule, ...] = Field(min_length=1)
    probability_two_random_records_match: float | None = Field(default=None, gt=0, lt=1)
    em_convergence: float = Field(default=0.0001, gt=0, lt=1)
    max_iterations: int = Field(default=25, ge=1)
    retain_matching_columns: bool = True
    retain_intermediate_calculation_columns: bool = True
    additional_columns_to_retain: tuple[Text, ...] = ()
    match_weight_column_prefix: SqlName = "mw_"
    term_frequency_adjustment_column_prefix: SqlName = "tf_"
    comparison_vector_value_column_prefix: SqlName = "gamma_"
    linker_uid: SqlName | None = None
    training: Training | None = None
    threshold_match_probability: float | None = Field(default=None, gt=0, le=1)
    threshold_match_weight: float | None = Field(default=None, ge=-300, le=300)
    one_to_one: bool = False
    max_cluster_size: int = Field(default=100, ge=2)
    survivor: Survivor
    labels: Labels | None = None

    @model_validator(mode="after")
    def _consistent(self) -> SplinkConfig:
        if self.one_to_one and not self.links:
            raise ValueError("one_to_one: is only for link_type: link_only and link_and_dedupe")
        if self.threshold_match_probability is not None and self.threshold_match_weight is not None:
            raise ValueError("give threshold_match_probability: or threshold_match_weight:, not both")
        problem = self._training_problem()
        if problem:
            raise ValueError(problem)
        return self

    def _training_problem(self) -> str | None:
        training = self.training or Training()
        prior = self.probability_two_random_records_match is not None
        if prior == bool(training.deterministic_rules):
            return (
                "give exactly one of training.deterministic_rules: (from which Splink estimates the probability that "
                "two random records match) and probability_two_random_records_match:"
            )
        learns_m = bool(training.em_blocking) or training.estimate_m_from_label_column is not None
        unknown = next((comparison for comparison in self.comparisons if not comparison.known("m")), None)
        if unknown and not learns_m:
            return (
                f"training: add em_blocking or estimate_m_from_label_column, because the comparison {unknown.shown} "
                "has no m probabilities of its own"
            )
        return None

    @property
    def links(self) -> bool:
        """Whether Splink links records of several datasets."""
        return self.link_type != "dedupe_only"

    @property
    def threshold(self) -> float:
        """The match probability from which two records count as the same."""
        if self.threshold_match_weight is None:
            return self.threshold_match_probability or DEFAULT_THRESHOLD
        odds = math.exp2(self.threshold_match_weight)
        return odds / (1 + odds)

    @property
    def threshold_weight(self) -> float:
        """The threshold as a match weight in bits; infinite for a probability of 1."""
        if self.threshold_match_weight is not None:
            return self.threshold_match_weight
        return math.log2(self.threshold / (1 - self.threshold)) if self.threshold < 1 else math.inf
