"""The configuration's Splink settings as Splink's own objects, checked before any data is touched."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from comboi_core.config.splink import SplinkConfig
from comboi_core.config.splink_comparisons import Comparison, Level, Rule
from comboi_core.dedupe.columns import (
    UNCHANGED,
    Names,
    all_rules,
    compared,
    in_condition,
    is_column,
    rewritten_condition,
    rewritten_level,
    weighed,
)
from comboi_core.domain.errors import DedupeError
from comboi_core.domain.names import did_you_mean
from comboi_core.domain.sql import identifier

if TYPE_CHECKING:
    from splink.internals.blocking_rule_creator import BlockingRuleCreator
    from splink.internals.comparison_creator import ComparisonCreator

_ADDED = ("cluster_id", "cluster_size")
"""Columns that deduplication adds to the records."""


def settings_problems(config: SplinkConfig) -> list[str]:
    """Return what is wrong with comparisons, rules and the survivor rule, as far as that shows without data."""
    unreadable = [*_comparison_problems(config), *_rule_problems(config)]
    return [
        *(unreadable or _training_problems(config)),
        *_survivor_problems(config),
    ]


def _comparison_problems(config: SplinkConfig) -> Iterator[str]:
    outputs: dict[str, str] = {}
    for number, comparison in enumerate(config.comparisons):
        try:
            compared(comparison)
            output = str(create_comparison(comparison, number).create_output_column_name())
        except DedupeError as error:
            yield error.message
            continue
        if output in outputs:
            yield (
                f"comparisons {outputs[output]} and {comparison.shown} are on the same column; "
                "Splink can weigh a column only once, so remove one of them"
            )
        outputs[output] = comparison.shown
        for level in comparison.comparison_levels:
            if not level.is_else:
                yield from _sql_problems(f"comparison {comparison.shown}", f"SELECT ({level.sql_condition})")


def _rule_problems(config: SplinkConfig) -> Iterator[str]:
    for key, rule in all_rules(config):
        try:
            in_condition(rule.blocking_rule)
        except DedupeError as error:
            yield f"{key}: {error.message}"
        else:
            yield from _sql_problems(key, f"SELECT ({rule.blocking_rule})") if rule.blocking_rule else ()


def _training_problems(config: SplinkConfig) -> Iterator[str]:
    """Look for rules that teach nothing; takes comparisons and rules that can be read."""
    for key, rule in all_rules(config):
        if key == "em_blocking" and not learners(config, rule):
            yield (
                f"em_blocking: {rule.shown} uses the columns of every comparison, so its pairs teach nothing. A "
                "comparison learns only from rules without its columns, so remove the columns of at least one "
                "comparison from this rule"
            )


def learners(config: SplinkConfig, rule: Rule) -> list[Comparison]:
    """Return the comparisons that learn from the pairs of an em_blocking rule: those that share no column with it."""
    blocked = {column.lower() for column in (*rule.columns, *in_condition(rule.blocking_rule))}
    return [one for one in config.comparisons if blocked.isdisjoint(column.lower() for column in weighed(one))]


def _survivor_problems(config: SplinkConfig) -> Iterator[str]:
    survivor = config.survivor
    unique = [config.unique_id_column_name, config.source_dataset_column_name if config.links else ""]
    orders = {"survivor.order_by": survivor.order_by}
    for column, rule in survivor.per_column.items():
        orders[f"survivor.per_column.{column}.order_by"] = rule.order_by
        if column.lower() in (name.lower() for name in (*unique, *_ADDED)):
            yield f"survivor.per_column: '{column}' identifies records and cannot be merged; remove it"
    for place, order in orders.items():
        if order is not None:
            query = order_query(order, "records", "unique_id")
            yield from _sql_problems(f"{place}: `{order}`", query)


def _sql_problems(place: str, query: str) -> Iterator[str]:
    """Parse a query that holds what a user wrote; nothing is run."""
    import duckdb

    with duckdb.connect(":memory:") as con:
        try:
            statements = con.extract_statements(query)
        except duckdb.Error as error:
            yield f"{place}: {str(error).splitlines()[0]}"
            return
    if len(statements) != 1:
        yield f"{place}: more than one statement"


def order_query(order_by: str, table: str, unique_id: str) -> str:
    """Return a query that fails if `order_by` is no order over the table's columns, and that reads nothing."""
    return f"SELECT row_number() OVER (ORDER BY {order_by}, {identifier(unique_id)}) FROM {table} LIMIT 0"


def create_rule(rule: Rule, names: Names = UNCHANGED) -> BlockingRuleCreator:
    """Return Splink's blocking rule over Splink's names."""
    from splink import block_on
    from splink.blocking_rule_library import CustomRule

    arrays = [names.of(column) for column in rule.arrays_to_explode] or None
    if rule.blocking_rule is None:
        return block_on(*(names.of(column) for column in rule.columns), arrays_to_explode=arrays)
    return CustomRule(rewritten_condition(rule.blocking_rule, names), arrays_to_explode=arrays)


def create_comparison(comparison: Comparison, number: int, names: Names = UNCHANGED) -> ComparisonCreator:
    """Return Splink's comparison over Splink's names.

    Args:
        number: Its place among the comparisons; one's own is named after it.

    Raises:
        DedupeError: there is no such type, it takes other arguments, or a condition is no SQL.
    """
    from splink.comparison_library import CustomComparison

    if comparison.type is not None:
        return _kept(comparison, _of_library(comparison, names))
    levels: list[Any] = [_level(level, names) for level in comparison.comparison_levels]
    return _tried(comparison, CustomComparison(levels, f"comboi_own_{number}", comparison.comparison_description))


def _of_library(comparison: Comparison, names: Names) -> ComparisonCreator:
    from splink import comparison_library
    from splink.internals.comparison_creator import ComparisonCreator

    known = {
        name: kind
        for name, kind in vars(comparison_library).items()
        if inspect.isclass(kind) and issubclass(kind, ComparisonCreator) and name != "CustomComparison"
    }
    kind = known.get(str(comparison.type))
    if kind is None:
        raise DedupeError(
            f"there is no comparison type '{comparison.type}'{did_you_mean(str(comparison.type), known)}; "
            f"the types are {', '.join(sorted(known))}"
        )
    arguments = {key: names.of(value) if is_column(key, value) else value for key, value in comparison.args.items()}
    column = names.of(str(comparison.column))
    try:
        inspect.signature(kind).bind(column, **arguments)
    except TypeError as error:
        taken = ", ".join(list(inspect.signature(kind).parameters)[1:]) or "no arguments except the column"
        raise DedupeError(f"comparison {comparison.shown}: {error}; it takes {taken}") from error
    try:
        return kind(column, **arguments).configure(
            term_frequency_adjustments=comparison.term_frequency_adjustments,
            m_probabilities=list(comparison.m_probabilities),
            u_probabilities=list(comparison.u_probabilities),
        )
    except Exception as error:
        raise DedupeError(f"comparison {comparison.shown}: {error}") from error


def _kept(comparison: Comparison, creator: ComparisonCreator) -> ComparisonCreator:
    """Mark the probabilities that are given and to be kept; Splink knows that of levels only."""
    from splink.comparison_library import CustomComparison

    _tried(comparison, creator)
    kept = [kind for kind in ("m", "u") if comparison.known(kind)]
    if not kept:
        return creator
    created = creator.create_comparison_dict("duckdb")
    levels = [
        level | {f"fix_{kind}_probability": True for kind in kept if not level.get("is_null_level")}
        for level in created["comparison_levels"]
    ]
    return CustomComparison(levels, created["output_column_name"], created["comparison_description"])


def _tried(comparison: Comparison, creator: ComparisonCreator) -> ComparisonCreator:
    try:
        creator.get_comparison("duckdb")
    except Exception as error:
        raise DedupeError(f"comparison {comparison.shown}: {error}") from error
    return creator


def _level(level: Level, names: Names) -> dict[str, Any]:
    given = level.model_dump(exclude_none=True)
    given["sql_condition"] = "ELSE" if level.is_else else rewritten_level(level.sql_condition, names)
    for kind in ("m", "u"):
        given[f"fix_{kind}_probability"] &= f"{kind}_probability" in given
    if level.tf_adjustment_column is not None:
        given["tf_adjustment_column"] = names.of(level.tf_adjustment_column)
    return given
