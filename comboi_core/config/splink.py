"""Deduplication and linkage by Splink as the YAML writes it: Splink's settings under Splink's own names."""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

from pydantic import ConfigDict, Field, GetJsonSchemaHandler, model_validator

from comboi_core.config.base import Model, SqlName, Text
from comboi_core.config.splink_comparisons import Comparison, Rule
from comboi_core.config.written import Json, at_most_one, given, is_one_of

DEFAULT_THRESHOLD = 0.9


class ExpectationMaximisation(Model):
    """Arguments of Splink's estimate_parameters_using_expectation_maximisation, as it names them.

    Attributes:
        estimate_without_term_frequencies: Whether sessions leave term frequencies out, which is faster.
        fix_probability_two_random_records_match: Whether sessions keep the probability that two random records match.
        fix_m_probabilities: Whether sessions keep the m probabilities.
        fix_u_probabilities: Whether sessions keep the u probabilities that sampling has estimated.
        populate_probability_two_random_records_match_from_trained_values: Whether the sessions' own estimate of that
            probability takes the place of the given one.
        record_sample_proportion: The share of records from which the number of a session's pairs is estimated, to hold
            it to `max_pairs`.
    """

    estimate_without_term_frequencies: bool = False
    fix_probability_two_random_records_match: bool = False
    fix_m_probabilities: bool = False
    fix_u_probabilities: bool = True
    populate_probability_two_random_records_match_from_trained_values: bool = False
    record_sample_proportion: float = Field(default=0.01, gt=0, le=1)


class RandomSampling(Model):
    """Arguments of Splink's estimate_u_using_random_sampling, as it names them.

    Attributes:
        min_count_per_level: Sampling may stop once each level was seen so often; null: it looks at all of `max_pairs`.
        num_chunks: Into how many parts the pairs are cut.
    """

    min_count_per_level: int | None = Field(default=100, ge=1)
    num_chunks: int = Field(default=10, ge=1)


class Training(Model):
    """How Splink's parameters are estimated.

    Attributes:
        deterministic_rules: Records that agree by one of these rules are taken as matches to estimate the probability
            that two random records match.
        recall: The share of true matches that those rules find.
        em_blocking: One expectation-maximisation session each.
        estimate_m_from_label_column: A column whose equal values mean the same entity, instead of `em_blocking`.
        max_pairs: Pairs that the sampling of u looks at, and that a session does at most.
        seed: Seed of the random sampling.
        em: Further arguments of the sessions.
        u: Further arguments of the sampling of u.
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
            raise ValueError("em_blocking: Splink cannot train on a rule with arrays_to_explode; choose another one")
        return self


ColumnRuleName = Literal["first_not_null", "most_recent_not_null", "longest", "most_frequent", "min", "max"]


class ColumnRule(Model):
    """Which value of a cluster a column takes; in YAML the rule's name alone is enough.

    Attributes:
        rule: Which value: the survivor's first that is there, the most recent, the longest, the most frequent, the
            smallest or the largest.
        order_by: Instead of the survivor's, for `first_not_null` and `most_recent_not_null`.
        source_priority: Datasets whose value is taken first.
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
        order_by: As SQL has it: `updated_at DESC`.
        most_complete: Whether the record with the fewest NULLs goes first.
        source_priority: Values of `source_dataset_column_name`, the most trusted first; others come last.
        per_column: Columns that take their value from the whole cluster.
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
            raise ValueError("say which record survives: order_by, most_complete or source_priority")
        for column, rule in self.per_column.items():
            if rule.rule == "most_recent_not_null" and not (rule.order_by or self.order_by):
                raise ValueError(f"per_column: {column}: most_recent_not_null needs order_by, e.g. `updated_at DESC`")
        return self

    @property
    def knows_sources(self) -> bool:
        """Whether a rule looks at where a record comes from."""
        return bool(self.source_priority) or any(rule.source_priority for rule in self.per_column.values())


class Labels(Model):
    """Where the true identity is known, reports show precision and recall.

    Attributes:
        column: The column that holds it.
    """

    column: Text


_ESTIMATED: Json = {
    "required": ["training"],
    "properties": {"training": {"type": "object"} | given("deterministic_rules", [])},
}
"""Training that estimates the probability that two random records match."""


class SplinkConfig(Model):
    """Deduplication and linkage by Splink; the keys are those of Splink's own settings, and comboi's beside them.

    Attributes:
        link_type: `dedupe_only`: duplicates within one dataset. `link_only`: records of several datasets that belong
            together. `link_and_dedupe`: both.
        unique_id_column_name: The column that tells records apart.
        comparisons: What is compared, and how.
        blocking_rules_to_generate_predictions: Pairs that are compared at all: those that one of the rules means.
        probability_two_random_records_match: In place of `training.deterministic_rules`, which estimate it.
        em_convergence: A session of training ends once no parameter changes by more.
        max_iterations: Or after so many iterations.
        match_weight_column_prefix: What Splink's columns of match weights begin with.
        term_frequency_adjustment_column_prefix: What its columns of term frequencies begin with.
        comparison_vector_value_column_prefix: What its columns of levels begin with.
        linker_uid: A name for Splink's tables; default: one that Splink makes up.
        training: How the parameters are estimated.
        threshold_match_probability: From this probability on two records are taken for the same; default: 0.9.
        threshold_match_weight: The same as a match weight, log2 of the odds.
        survivor: Which record of a cluster stays.
        labels: Where the true identity is known: reports then show precision and recall.
        source_dataset_column_name: For `link_only` and `link_and_dedupe`: the column of the one result that says which
            dataset a record is of.
        retain_matching_columns: Whether the report shows the values of the compared columns.
        retain_intermediate_calculation_columns: Whether it shows each comparison's part in a shown pair's weight.
        additional_columns_to_retain: Further columns that it shows.
        one_to_one: Whether a cluster holds at most one record of each dataset; the best matches are kept.
        max_cluster_size: Larger clusters are taken apart at higher match weights, and reported.
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
            raise ValueError("one_to_one: is for link_type: link_only and link_and_dedupe")
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
                "give training.deterministic_rules:, from which the probability that two random records match is "
                "estimated, or probability_two_random_records_match: itself; not both"
            )
        learns_m = bool(training.em_blocking) or training.estimate_m_from_label_column is not None
        unknown = next((comparison for comparison in self.comparisons if not comparison.known("m")), None)
        if unknown and not learns_m:
            return (
                f"training: needs em_blocking or estimate_m_from_label_column, since the comparison {unknown.shown} "
                "does not give its m probabilities"
            )
        return None

    @property
    def links(self) -> bool:
        """Whether records come from several datasets that Splink tells apart."""
        return self.link_type != "dedupe_only"

    @property
    def threshold(self) -> float:
        """The match probability from which on two records are taken for the same."""
        if self.threshold_match_weight is None:
            return self.threshold_match_probability or DEFAULT_THRESHOLD
        odds = math.exp2(self.threshold_match_weight)
        return odds / (1 + odds)

    @property
    def threshold_weight(self) -> float:
        """The same as a match weight in bits; infinite where only certainty counts."""
        if self.threshold_match_weight is not None:
            return self.threshold_match_weight
        return math.log2(self.threshold / (1 - self.threshold)) if self.threshold < 1 else math.inf
