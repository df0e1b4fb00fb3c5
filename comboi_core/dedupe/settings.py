"""The configuration's Splink settings as Splink's own objects, checked before any data is touched."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from comboi_core.config.splink import Comparison, SplinkConfig
from comboi_core.domain.errors import DedupeError
from comboi_core.domain.names import did_you_mean
from comboi_core.domain.sql import identifier

if TYPE_CHECKING:
    from splink.internals.comparison_creator import ComparisonCreator

_COLUMN_ARGUMENTS = ("col_name", "_col")
"""How the names of arguments end that hold a column, e.g. `surname_col_name` and `long_col`."""


def settings_problems(config: SplinkConfig) -> list[str]:
    """Return what is wrong with comparisons, rules and the survivor rule, as far as that shows without data."""
    problems, outputs = [], {}
    for comparison in config.comparisons:
        try:
            output = create_comparison(comparison).create_output_column_name()
        except DedupeError as error:
            problems.append(error.message)
            continue
        if output in outputs:
            problems.append(
                f"comparisons {outputs[output]} and {shown(comparison)} are on the same column; "
                "Splink weighs a column once: choose one of them"
            )
        outputs[output] = shown(comparison)
    for key, rules in _rules(config).items():
        if any(not rule for rule in rules):
            problems.append(f"{key}: a rule lists at least one column")
    return problems + _order_problems(config.survivor.order_by)


def create_comparison(comparison: Comparison, names: Mapping[str, str] | None = None) -> ComparisonCreator:
    """Return Splink's comparison.

    Args:
        names: What Splink's table calls the columns; default: as the configuration does.

    Raises:
        DedupeError: there is no such type, or it takes other arguments.
    """
    from splink import comparison_library
    from splink.internals.comparison_creator import ComparisonCreator

    known = {
        name: kind
        for name, kind in vars(comparison_library).items()
        if inspect.isclass(kind) and issubclass(kind, ComparisonCreator) and name != "CustomComparison"
    }
    kind = known.get(comparison.type)
    if kind is None:
        raise DedupeError(
            f"there is no comparison type '{comparison.type}'{did_you_mean(comparison.type, known)}; "
            f"the types are {', '.join(sorted(known))}"
        )
    arguments = {
        key: (names or {}).get(value, value) if _is_column(key, value) else value
        for key, value in comparison.args.items()
    }
    column = (names or {}).get(comparison.column, comparison.column)
    try:
        inspect.signature(kind).bind(column, **arguments)
    except TypeError as error:
        taken = ", ".join(list(inspect.signature(kind).parameters)[1:]) or "no arguments but the column"
        raise DedupeError(f"comparison {shown(comparison)}: {error}; it takes {taken}") from error
    try:
        creator = kind(column, **arguments)
        if comparison.term_frequency_adjustments:
            creator = creator.configure(term_frequency_adjustments=True)
        creator.create_comparison_dict("duckdb")
    except Exception as error:
        raise DedupeError(f"comparison {shown(comparison)}: {error}") from error
    return creator


def shown(comparison: Comparison) -> str:
    """How messages name a comparison, e.g. `ExactMatch(city)`."""
    return f"{comparison.type}({comparison.column})"


def columns_used(config: SplinkConfig) -> dict[str, str]:
    """Return each column that the settings name, with the place that names it first."""
    used = {config.unique_id_column_name: "unique_id_column_name"}
    for comparison in config.comparisons:
        arguments = [value for key, value in comparison.args.items() if _is_column(key, value)]
        for column in (comparison.column, *arguments):
            used.setdefault(column, f"comparison {shown(comparison)}")
    for key, rules in _rules(config).items():
        for rule in rules:
            for column in rule:
                used.setdefault(column, f"{key} [{', '.join(rule)}]")
    if config.labels:
        used.setdefault(config.labels.column, "labels")
    return used


def _rules(config: SplinkConfig) -> dict[str, tuple[tuple[str, ...], ...]]:
    return {
        "blocking_rules_to_generate_predictions": config.blocking_rules_to_generate_predictions,
        "deterministic_rules": config.training.deterministic_rules,
        "em_blocking": config.training.em_blocking,
    }


def _is_column(key: str, value: Any) -> bool:
    return key.endswith(_COLUMN_ARGUMENTS) and isinstance(value, str)


def _order_problems(order_by: str) -> list[str]:
    import duckdb

    with duckdb.connect(":memory:") as con:
        try:
            statements = con.extract_statements(order_query(order_by, "records", "unique_id"))
        except duckdb.Error as error:
            return [f"survivor.order_by: `{order_by}`: {str(error).splitlines()[0]}"]
    return [] if len(statements) == 1 else [f"survivor.order_by: `{order_by}` is more than an order"]


def order_query(order_by: str, table: str, unique_id: str) -> str:
    """Return a query that fails if `order_by` is no order over the table's columns, and that reads nothing."""
    return f"SELECT row_number() OVER (ORDER BY {order_by}, {identifier(unique_id)}) FROM {table} LIMIT 0"
