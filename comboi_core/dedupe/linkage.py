"""Splink at work: from records to pairs that match, and to the weights it learned on the way."""

from __future__ import annotations

import logging
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
from comboi_core.dedupe.settings import create_comparison, create_rule
from comboi_core.dedupe.workbench import CLUSTERS, PAIRS, RECORDS, SOURCE_DATASET, UNIQUE_ID, Workbench
from comboi_core.domain.duckdb_errors import error_details
from comboi_core.domain.errors import ComboiError, DedupeError
from comboi_core.domain.sql import identifier, literal

if TYPE_CHECKING:
    from splink import Linker

# Floating point sums differ in their last digits with the number of threads; the figures compared must not.
_DIGITS, _WEIGHT_DIGITS = 9, 4
_HEAVIEST = 1000
"""What stands for an infinite match weight."""

_MEMORY_REMEDY = (
    "Raise `engine.memory_limit`, or narrow the rules that compare most pairs: add a column to them, or leave them out."
)


@dataclass(frozen=True)
class LevelWeight:
    """What Splink holds of one level of a comparison.

    Attributes:
        m: Share of the true matches that agree this far; None if training has not seen any.
        u: Share of the other pairs that do so by chance; likewise.
        condition: Over Splink's names.
    """

    label: str
    condition: str
    is_null: bool
    m: float | None
    u: float | None


@dataclass(frozen=True)
class ComparisonWeights:
    """A comparison by its name in messages, its columns, and its levels, the closest agreement first."""

    name: str
    adjusted: bool
    levels: tuple[LevelWeight, ...]


@dataclass(frozen=True)
class Linkage:
    """What came of it beside PAIRS and CLUSTERS.

    Attributes:
        remarks: For the report, e.g. that a rule found nothing.
        prior: The probability that two random records match; None if no model was made.
    """

    remarks: tuple[str, ...]
    prior: float | None = None
    weights: tuple[ComparisonWeights, ...] = ()


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
            "nothing to learn from",
            remedy="Add a list of columns to em_blocking on which many true duplicates agree.",
        )
    with _errors(names, candidates):
        linker = _linker(bench, config, names)
        _train(linker, config, {rule: found for rule, found in sessions.items() if found}, names)
        _predict(bench, linker, config)
        split = make_clusters(bench, config)
    idle = [rule for rule, found in sessions.items() if not found]
    remarks = [f"em_blocking {rule.shown} found no pair and was left out" for rule in idle]
    return Linkage((*remarks, *split), *_learned(linker, config))


def _linker(bench: Workbench, config: SplinkConfig, names: Names) -> Linker:
    from splink import DuckDBAPI, Linker, SettingsCreator

    _hush()
    comparisons = [create_comparison(one, number, names) for number, one in enumerate(config.comparisons)]
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
        trainer.estimate_parameters_using_expectation_maximisation(
            create_rule(rule, names), max_pairs=sampled, **training.em.model_dump()
        )


def _predict(bench: Workbench, linker: Linker, config: SplinkConfig) -> None:
    # A little below the threshold: what rounding lifts to it counts as well.
    lowest = max(config.threshold - 10**-_DIGITS, 0.0)
    predicted = linker.inference.predict(threshold_match_probability=lowest)
    bench.con.execute(f"""
        INSERT INTO {PAIRS}
        SELECT
            least(unique_id_l, unique_id_r), greatest(unique_id_l, unique_id_r),
            round(greatest(least(match_weight, {_HEAVIEST}), -{_HEAVIEST}), {_WEIGHT_DIGITS}),
            round(match_probability, {_DIGITS}) AS rounded
        FROM {predicted.physical_name}
        WHERE rounded BETWEEN {round(config.threshold, _DIGITS)} AND 1""")
    predicted.drop_table_from_database_and_remove_from_cache()


def _learned(linker: Linker, config: SplinkConfig) -> tuple[float, tuple[ComparisonWeights, ...]]:
    model = linker.misc.save_model_to_json()
    weights = []
    for number, (comparison, learned) in enumerate(zip(config.comparisons, model["comparisons"], strict=True)):
        named = create_comparison(comparison, number).create_comparison_dict("duckdb")["comparison_levels"]
        levels = tuple(
            LevelWeight(
                label=level.get("label_for_charts") or level["sql_condition"],
                condition=trained["sql_condition"],
                is_null=bool(trained.get("is_null_level")),
                m=trained.get("m_probability"),
                u=trained.get("u_probability"),
            )
            for level, trained in zip(named, learned["comparison_levels"], strict=True)
        )
        adjusted = any(trained.get("tf_adjustment_column") for trained in learned["comparison_levels"])
        weights.append(ComparisonWeights(comparison.shown, adjusted, levels))
    return model["probability_two_random_records_match"], tuple(weights)


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
                f"DuckDB ran out of memory comparing records; the blocking rules compare {shown_pairs(candidates)}",
                remedy=_MEMORY_REMEDY,
            ) from error
        if isinstance(cause, duckdb.IOException | duckdb.InterruptException):
            raise cause from None
        text = error_details(cause)[0] if cause else f"{error}"
        raise DedupeError(f"Splink gave up: {names.said(text)}") from error


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
