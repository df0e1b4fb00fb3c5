"""Splink at work: from records to pairs that match, and to the weights it learned on the way."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from comboi_core.config.splink import SplinkConfig, Training
from comboi_core.config.splink_comparisons import Rule
from comboi_core.dedupe.blocking import pairs_of, refuse_unfit_rules, shown_pairs
from comboi_core.dedupe.clusters import make_clusters
from comboi_core.dedupe.columns import Names
from comboi_core.dedupe.doubts import Doubt, doubts
from comboi_core.dedupe.settings import create_comparison, create_rule, learners
from comboi_core.dedupe.weights import ComparisonWeights, learned
from comboi_core.dedupe.workbench import CLUSTERS, HEAVIEST, NEAR, PAIRS, RECORDS, SOURCE_DATASET, UNIQUE_ID, Workbench
from comboi_core.domain.errors import ComboiError, DedupeError
from comboi_core.domain.sql import identifier, literal
from comboi_core.duckdb.errors import error_details

if TYPE_CHECKING:
    from splink import Linker

# Floating point sums differ in their last digits with the number of threads; the figures compared must not.
_DIGITS, _WEIGHT_DIGITS = 9, 4
NEAR_BITS = 7
"""How far below the threshold a pair may be to be looked at: its odds are up to 128 times smaller."""
_MOST_NEAR = 10_000

_MEMORY_REMEDY = (
    "Increase `engine.memory_limit`, or change the rules with the most pairs: add a column to them, or remove them."
)


@dataclass(frozen=True)
class Linkage:
    """What came of it beside PAIRS and CLUSTERS.

    Attributes:
        remarks: For the report, e.g. that a rule found nothing.
        doubts: Weights that nobody should rely on.
        prior: The probability that two random records match; None if no model was made.
    """

    remarks: tuple[str, ...]
    prior: float | None = None
    weights: tuple[ComparisonWeights, ...] = ()
    doubts: tuple[Doubt, ...] = ()


def link(bench: Workbench, config: SplinkConfig, names: Names) -> Linkage:
    """Find the pairs of records that match, and the clusters that they make.

    Reads RECORDS; makes PAIRS and CLUSTERS, which hold only records that match another one.

    Raises:
        DedupeError: a comparison or a rule does not fit its columns' types, or the training cannot succeed.
    """
    bench.con.execute(f"""
        CREATE TABLE {PAIRS} (
            unique_id_l BIGINT, unique_id_r BIGINT, match_weight DOUBLE, match_probability DOUBLE
        );
        CREATE TABLE {NEAR} AS FROM {PAIRS};
        CREATE TABLE {CLUSTERS} (unique_id BIGINT, cluster_id BIGINT)""")
    refuse_unfit_rules(bench, config, names)
    _refuse_unfit_comparisons(bench, config, names)
    training = config.training or Training()
    candidates = pairs_of(bench, config, config.blocking_rules_to_generate_predictions, names)
    certain = pairs_of(bench, config, training.deterministic_rules, names)
    for found, name in ((candidates, "blocking rule"), (certain, "deterministic rule")):
        if found and not any(found.values()):
            return Linkage((f"no two records agree on any {name}, so none was taken for a duplicate",))
    sessions = pairs_of(bench, config, training.em_blocking, names)
    if sessions and not any(sessions.values()):
        raise DedupeError(
            f"no two records agree on any rule of em_blocking ({', '.join(rule.shown for rule in sessions)}): "
            "training has no pairs to learn from",
            remedy="Add a list of columns to em_blocking in which many true duplicates agree.",
        )
    with _errors(names, candidates):
        linker = _linker(bench, config, names)
        teaching = {rule: found for rule, found in sessions.items() if found}
        _train(linker, config, teaching, names)
        _predict(bench, linker, config)
        split = make_clusters(bench, config)
        prior, weights = learned(linker, config)
    idle = [rule for rule, found in sessions.items() if not found]
    remarks = [f"the rule {rule.shown} of em_blocking found no pair and was not used" for rule in idle]
    return Linkage((*remarks, *split), prior, weights, doubts(config, weights, teaching))


def _linker(bench: Workbench, config: SplinkConfig, names: Names) -> Linker:
    from splink import DuckDBAPI, Linker, SettingsCreator

    _hush()
    comparisons: list[Any] = [create_comparison(one, number, names) for number, one in enumerate(config.comparisons)]
    settings = SettingsCreator(
        link_type=config.link_type,
        unique_id_column_name=UNIQUE_ID,
        source_dataset_column_name=SOURCE_DATASET,
        comparisons=comparisons,
        blocking_rules_to_generate_predictions=[
            create_rule(rule, names) for rule in config.blocking_rules_to_generate_predictions
        ],
        em_convergence=config.em_convergence,
        max_iterations=config.max_iterations,
        match_weight_column_prefix=config.match_weight_column_prefix,
        term_frequency_adjustment_column_prefix=config.term_frequency_adjustment_column_prefix,
        comparison_vector_value_column_prefix=config.comparison_vector_value_column_prefix,
        linker_uid=config.linker_uid,
        retain_matching_columns=False,
    )
    if config.probability_two_random_records_match is not None:
        settings.probability_two_random_records_match = config.probability_two_random_records_match
    api = DuckDBAPI(bench.con)
    return Linker([api.register(table) for table in _tables(bench, config)], settings, log_level=None)


def _tables(bench: Workbench, config: SplinkConfig) -> list[str]:
    """Return what Splink reads: where datasets are linked a view of each, which spares the pairs within them."""
    if not config.links:
        return [RECORDS]
    found = bench.con.execute(f"SELECT DISTINCT {SOURCE_DATASET} FROM {RECORDS} ORDER BY ALL").fetchall()
    views = {f"{RECORDS}_{source}": source for (source,) in found}
    for view, source in views.items():
        where = f"{SOURCE_DATASET} = {literal(source)}"
        bench.con.execute(f"CREATE VIEW {identifier(view)} AS FROM {RECORDS} WHERE {where}")
    return list(views)


def _train(linker: Linker, config: SplinkConfig, sessions: dict[Rule, int], names: Names) -> None:
    training = config.training
    if training is None:
        return
    trainer = linker.training
    if training.deterministic_rules:
        trainer.estimate_probability_two_random_records_match(
            [create_rule(rule, names) for rule in training.deterministic_rules], recall=training.recall
        )
    if not all(comparison.known("u") for comparison in config.comparisons):
        sampling = training.u.model_dump()
        trainer.estimate_u_using_random_sampling(max_pairs=training.max_pairs, seed=training.seed, **sampling)
    if training.estimate_m_from_label_column is not None:
        trainer.estimate_m_from_label_column(names.of(training.estimate_m_from_label_column))
    for rule, found in sessions.items():
        # A session over all pairs of a wide rule is what takes most time and memory; a sample learns the same.
        sampled = training.max_pairs if found > training.max_pairs else None
        with _vanishing(config, rule):
            trainer.estimate_parameters_using_expectation_maximisation(
                create_rule(rule, names), max_pairs=sampled, **training.em.model_dump()
            )


@contextmanager
def _vanishing(config: SplinkConfig, rule: Rule) -> Iterator[None]:
    """Put into our words that training has found a level to be all but impossible, which Splink refuses."""
    try:
        yield
    except ValueError as error:
        if "below the minimum allowed" not in f"{error}":
            raise
        taught = ", ".join(one.shown for one in learners(config, rule))
        of_matches = f"{error}".startswith("m_")
        kind = "true matches" if of_matches else "other pairs"
        sampled = "" if of_matches else "Leave u to the sampling (`training.em.fix_u_probabilities: true`). "
        raise DedupeError(
            f"em_blocking {rule.shown}: training found that {kind} of this rule are never on some level of a "
            f"comparison (a probability below 1e-300); it teaches {taught}",
            remedy=f"{sampled}Choose columns for this rule on which both true matches and other pairs agree, or leave "
            "the rule out. A comparison whose column holds the same value everywhere, a different one in each record "
            "or hardly any value cannot be learned: leave it out, or give it m_probabilities.",
        ) from error


def _predict(bench: Workbench, linker: Linker, config: SplinkConfig) -> None:
    threshold = round(config.threshold, _DIGITS)
    # What rounding lifts to the threshold counts as well, and the report shows pairs that miss it.
    odds = math.exp2(min(config.threshold_weight, _DIGITS / math.log10(2)) - NEAR_BITS)
    predicted = linker.inference.predict(threshold_match_probability=odds / (1 + odds))
    bench.con.execute(f"""
        CREATE VIEW comboi_rounded AS
        SELECT
            least(unique_id_l, unique_id_r) AS unique_id_l, greatest(unique_id_l, unique_id_r) AS unique_id_r,
            round(greatest(least(match_weight, {HEAVIEST}), -{HEAVIEST}), {_WEIGHT_DIGITS}) AS match_weight,
            round(match_probability, {_DIGITS}) AS match_probability
        FROM {predicted.physical_name};
        INSERT INTO {PAIRS} FROM comboi_rounded WHERE match_probability BETWEEN {threshold} AND 1;
        INSERT INTO {NEAR} FROM comboi_rounded WHERE match_probability < {threshold}
        ORDER BY match_weight DESC, unique_id_l, unique_id_r LIMIT {_MOST_NEAR};
        DROP VIEW comboi_rounded""")
    predicted.drop_table_from_database_and_remove_from_cache()


def _refuse_unfit_comparisons(bench: Workbench, config: SplinkConfig, names: Names) -> None:
    """Bind each comparison's conditions to the columns' types, so that an error can name the comparison."""
    import duckdb

    both = ", ".join(f"{name} AS {name}_l, {name} AS {name}_r" for name in names.columns)
    for number, comparison in enumerate(config.comparisons):
        levels = create_comparison(comparison, number, names).create_comparison_dict("duckdb")["comparison_levels"]
        conditions = ", ".join(f"({level['sql_condition']})" for level in levels if level["sql_condition"] != "ELSE")
        try:
            bench.con.execute(f"SELECT {conditions} FROM (SELECT {both} FROM {RECORDS}) LIMIT 0")
        except duckdb.Error as error:
            cause = names.said(error_details(error)[0].splitlines()[0])
            raise DedupeError(
                f"comparison {comparison.shown} does not fit its column: {cause}",
                remedy="Cast the column in the transformation, or choose another comparison.",
            ) from error


@contextmanager
def _errors(names: Names, candidates: dict[Rule, int]) -> Iterator[None]:
    """Turn what Splink raises into DedupeError; what DuckDB says of files, and interrupts, pass."""
    import duckdb

    try:
        yield
    except ComboiError:
        raise
    except Exception as error:
        cause = _database_cause(error)
        if isinstance(cause, duckdb.OutOfMemoryException):
            raise DedupeError(
                "DuckDB ran out of memory while it compared records; the blocking rules compare "
                f"{shown_pairs(candidates)}",
                remedy=_MEMORY_REMEDY,
            ) from error
        if isinstance(cause, duckdb.IOException | duckdb.InterruptException):
            raise cause from None
        text = error_details(cause)[0] if cause else f"{error}"
        raise DedupeError(f"Splink failed: {names.said(text)}") from error


def _database_cause(error: BaseException | None) -> Any:
    import duckdb

    while error is not None and not isinstance(error, duckdb.Error):
        error = error.__cause__
    return error


def _hush() -> None:
    """Keep Splink and its parser from writing to the terminal; what matters is raised or reported."""
    for name in ("splink", "sqlglot"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    warnings.filterwarnings("ignore", module=r"splink\b")
