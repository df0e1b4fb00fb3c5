"""How many pairs of records each rule means, before Splink is asked to compare them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from comboi_core.config.splink import SplinkConfig, Training
from comboi_core.config.splink_comparisons import Rule
from comboi_core.dedupe.columns import Names, all_rules, rewritten_condition
from comboi_core.dedupe.workbench import RECORDS, SOURCE_DATASET, UNIQUE_ID, Workbench
from comboi_core.domain.errors import DedupeError
from comboi_core.domain.sql import identifier, identifiers
from comboi_core.duckdb.errors import error_details
from comboi_core.duckdb.rows import one_row


def pairs_of(bench: Workbench, config: SplinkConfig, rules: Sequence[Rule], names: Names) -> dict[Rule, int]:
    """Return for each rule how many pairs of records it means.

    Those of a condition are counted as far as `training.max_pairs` only, since counting means joining.
    """
    most = math.ceil((config.training or Training()).max_pairs) + 1
    return {
        rule: _agreeing(bench, config, rule, names)
        if rule.blocking_rule is None
        else _meeting(bench, config, rule.blocking_rule, rule, names, most)
        for rule in rules
    }


def shown_pairs(found: dict[Rule, int]) -> str:
    """Return rules and their counts for a message."""
    return ", ".join(
        f"{rule.shown}: {'at least ' if rule.blocking_rule else ''}{count:,} pairs" for rule, count in found.items()
    )


def refuse_unfit_rules(bench: Workbench, config: SplinkConfig, names: Names) -> None:
    """Bind each rule to the columns' types, so that an error can name it.

    Raises:
        DedupeError: a condition does not fit, or an exploded column holds no lists.
    """
    import duckdb

    for key, rule in all_rules(config):
        condition = rewritten_condition(rule.blocking_rule, names) if rule.blocking_rule else "true"
        table = _exploded(rule, names)
        try:
            bench.con.execute(f"SELECT 1 FROM {table} AS l, {table} AS r WHERE ({condition}) LIMIT 0")
        except duckdb.Error as error:
            cause = names.said(error_details(error)[0].splitlines()[0])
            raise DedupeError(f"{key}: `{rule.shown}` does not fit the columns: {cause}") from error


def _agreeing(bench: Workbench, config: SplinkConfig, rule: Rule, names: Names) -> int:
    columns = [names.of(column) for column in rule.columns]
    known = " AND ".join(f"{identifier(column)} IS NOT NULL" for column in columns)

    def pairs(keys: Sequence[str]) -> int:
        query = f"""
            SELECT coalesce(sum(records * (records - 1) // 2), 0) FROM (
                SELECT count(*)::HUGEINT AS records FROM {_exploded(rule, names)}
                WHERE {known} GROUP BY {identifiers(keys)}
            )"""
        return int(one_row(bench.con, query)[0])

    within = pairs([*columns, SOURCE_DATASET]) if config.link_type == "link_only" else 0
    return pairs(columns) - within


def _meeting(bench: Workbench, config: SplinkConfig, condition: str, rule: Rule, names: Names, most: int) -> int:
    table = _exploded(rule, names)
    across = f"AND l.{SOURCE_DATASET} <> r.{SOURCE_DATASET}" if config.link_type == "link_only" else ""
    query = f"""
        SELECT count(*) FROM (
            SELECT 1 FROM {table} AS l JOIN {table} AS r
            ON ({rewritten_condition(condition, names)}) AND l.{UNIQUE_ID} < r.{UNIQUE_ID} {across} LIMIT {most}
        )"""
    return int(one_row(bench.con, query)[0])


def _exploded(rule: Rule, names: Names) -> str:
    table = RECORDS
    for column in (identifier(names.of(column)) for column in rule.arrays_to_explode):
        table = f"(SELECT * REPLACE (unnest({column}) AS {column}) FROM {table})"
    return table
