"""Splink at work: from records to pairs that match, and from pairs to clusters.

Splink sees a narrow table with names of its own choosing, so no column of the user's can clash with one of Splink's. It
works in a schema of its own that goes away with everything in it.
"""

from __future__ import annotations

import logging
import re
import secrets
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from comboi_core.config.splink import SplinkConfig
from comboi_core.dedupe.settings import columns_used, create_comparison, shown
from comboi_core.domain.duckdb_errors import error_details
from comboi_core.domain.errors import ComboiError, DedupeError
from comboi_core.domain.sql import identifier, identifiers

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Rules = Sequence[Sequence[str]]

UNIQUE_ID = "unique_id"
RECORDS, PAIRS, CLUSTERS = "comboi_records", "comboi_pairs", "comboi_clusters"
# Floating point sums differ in their last digits with the number of threads; the figures compared must not.
_DIGITS = 9
_MEMORY_REMEDY = (
    "Raise `engine.memory_limit`, or narrow the rules that compare most pairs: add a column to them, or leave them out."
)


@dataclass(frozen=True)
class Workbench:
    """A schema for Splink's tables, and a connection that works in it."""

    con: DuckDBPyConnection
    schema: str

    def table(self, name: str) -> str:
        """Return the quoted name of one of its tables, for any connection to the same database."""
        return f"{identifier(self.schema)}.{identifier(name)}"


@contextmanager
def workbench(con: DuckDBPyConnection) -> Iterator[Workbench]:
    """Open a schema beside what is in the database, and drop it with all its tables afterwards."""
    schema = f"comboi_dedupe_{secrets.token_hex(4)}"
    con.execute(f"CREATE SCHEMA {schema}")
    try:
        with con.cursor() as own:
            own.execute(f"SET schema = '{schema}'")
            yield Workbench(own, schema)
    finally:
        con.execute(f"DROP SCHEMA {schema} CASCADE")


def link(bench: Workbench, config: SplinkConfig, columns: dict[str, str]) -> tuple[str, ...]:
    """Find the pairs of records that match, and the clusters that they make.

    Reads RECORDS (the unique id as `unique_id`, and the columns under their new names). Makes PAIRS (unique_id_l,
    unique_id_r, match_probability) and CLUSTERS (unique_id, cluster_id); both hold only records that match another one.

    Args:
        columns: The configuration's column names -> their names in RECORDS.

    Returns:
        Remarks for the report, e.g. that a rule found nothing.

    Raises:
        DedupeError: a comparison does not fit its column's type, or the training cannot succeed.
    """
    bench.con.execute(
        f"CREATE TABLE {PAIRS} AS SELECT *, 0.0::DOUBLE AS match_probability FROM {_ids('l')}, {_ids('r')} LIMIT 0"
    )
    bench.con.execute(f"CREATE TABLE {CLUSTERS} AS SELECT unique_id, unique_id AS cluster_id FROM {RECORDS} LIMIT 0")
    _refuse_unfit_comparisons(bench, config, columns)
    training = config.training
    candidates = pairs_of(bench, config.blocking_rules_to_generate_predictions, columns)
    certain = pairs_of(bench, training.deterministic_rules, columns)
    for found, name in ((candidates, "blocking rule"), (certain, "deterministic rule")):
        if not any(found.values()):
            return (f"no two records agree on any {name}, so none was taken for a duplicate",)
    sessions = pairs_of(bench, training.em_blocking, columns)
    if not any(sessions.values()):
        raise DedupeError(
            f"no two records agree on any rule of em_blocking ({_listed(training.em_blocking)}): nothing to learn from",
            remedy="Add a list of columns to em_blocking on which many true duplicates agree.",
        )
    with _errors(columns, candidates):
        _predict_and_cluster(bench, config, columns, {rule: found for rule, found in sessions.items() if found})
    return tuple(
        f"em_blocking [{', '.join(rule)}] found no pair and was left out"
        for rule, found in sessions.items()
        if not found
    )


def pairs_of(bench: Workbench, rules: Rules, columns: dict[str, str]) -> dict[tuple[str, ...], int]:
    """Return for each rule how many pairs of records agree on all of its columns."""
    return {tuple(rule): _pairs(bench, [columns[column] for column in rule]) for rule in rules}


def _pairs(bench: Workbench, columns: list[str]) -> int:
    known = " AND ".join(f"{identifier(column)} IS NOT NULL" for column in columns)
    query = f"""
        SELECT coalesce(sum(records * (records - 1) // 2), 0)
        FROM (SELECT count(*)::HUGEINT AS records FROM {RECORDS} WHERE {known} GROUP BY {identifiers(columns)})"""
    return int(bench.con.execute(query).fetchone()[0])


def _predict_and_cluster(
    bench: Workbench, config: SplinkConfig, columns: dict[str, str], sessions: dict[tuple[str, ...], int]
) -> None:
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on
    from splink.clustering import cluster_pairwise_predictions_at_threshold

    def block(rule: Sequence[str]) -> Any:
        return block_on(*(columns[column] for column in rule))

    _hush()
    api = DuckDBAPI(bench.con)
    settings = SettingsCreator(
        link_type=config.link_type,
        unique_id_column_name=UNIQUE_ID,
        comparisons=[create_comparison(comparison, columns) for comparison in config.comparisons],
        blocking_rules_to_generate_predictions=[block(rule) for rule in config.blocking_rules_to_generate_predictions],
        retain_matching_columns=False,
    )
    linker = Linker(api.register(RECORDS), settings, log_level=None)
    training = config.training
    linker.training.estimate_probability_two_random_records_match(
        [block(rule) for rule in training.deterministic_rules], recall=training.recall
    )
    linker.training.estimate_u_using_random_sampling(max_pairs=training.max_pairs, seed=training.seed)
    for rule, found in sessions.items():
        # A session over all pairs of a wide rule is what takes most time and memory; a sample learns the same.
        sampled = training.max_pairs if found > training.max_pairs else None
        linker.training.estimate_parameters_using_expectation_maximisation(block(rule), max_pairs=sampled)
    # A little below the threshold: what rounding lifts to it counts as well.
    lowest = max(config.threshold_match_probability - 10**-_DIGITS, 0.0)
    predicted = linker.inference.predict(threshold_match_probability=lowest)
    bench.con.execute(f"""
        INSERT INTO {PAIRS}
        SELECT unique_id_l, unique_id_r, round(match_probability, {_DIGITS}) AS rounded
        FROM {predicted.physical_name}
        WHERE rounded BETWEEN {config.threshold_match_probability} AND 1""")
    clustered = cluster_pairwise_predictions_at_threshold(
        RECORDS,
        PAIRS,
        api,
        node_id_column_name=UNIQUE_ID,
        edge_id_column_name_left="unique_id_l",
        edge_id_column_name_right="unique_id_r",
    )
    bench.con.execute(f"INSERT INTO {CLUSTERS} SELECT unique_id, cluster_id FROM {clustered.physical_name}")


def _ids(side: str) -> str:
    return f"(SELECT unique_id AS unique_id_{side} FROM {RECORDS})"


def _refuse_unfit_comparisons(bench: Workbench, config: SplinkConfig, columns: dict[str, str]) -> None:
    """Bind each comparison's conditions to the columns' types, so that an error can name the comparison."""
    import duckdb

    both = ", ".join(f"{name} AS {name}_l, {name} AS {name}_r" for name in dict.fromkeys(columns.values()))
    for comparison in config.comparisons:
        levels = create_comparison(comparison, columns).create_comparison_dict("duckdb")["comparison_levels"]
        conditions = ", ".join(f"({level['sql_condition']})" for level in levels if level["sql_condition"] != "ELSE")
        try:
            bench.con.execute(f"SELECT {conditions} FROM (SELECT {both} FROM {RECORDS}) LIMIT 0")
        except duckdb.Error as error:
            cause = _said(error_details(error)[0].splitlines()[0], columns)
            raise DedupeError(
                f"comparison {shown(comparison)} does not fit its column: {cause}",
                remedy="Cast the column in the transformation, or choose another comparison.",
            ) from error


@contextmanager
def _errors(columns: dict[str, str], candidates: dict[tuple[str, ...], int]) -> Iterator[None]:
    """Turn what Splink raises into DedupeError; what DuckDB says of files, and interrupts, pass."""
    import duckdb

    try:
        yield
    except ComboiError:
        raise
    except Exception as error:
        cause = _database_cause(error)
        if isinstance(cause, duckdb.OutOfMemoryException):
            rules = ", ".join(f"[{', '.join(rule)}]: {count:,} pairs" for rule, count in candidates.items())
            raise DedupeError(
                f"DuckDB ran out of memory comparing records; the blocking rules compare {rules}", remedy=_MEMORY_REMEDY
            ) from error
        if isinstance(cause, duckdb.IOException | duckdb.InterruptException):
            raise cause from None
        text = error_details(cause)[0] if cause else f"{error}"
        raise DedupeError(f"Splink gave up: {_said(text, columns)}") from error


def _database_cause(error: BaseException | None) -> Exception | None:
    import duckdb

    while error is not None and not isinstance(error, duckdb.Error):
        error = error.__cause__
    return error


def _said(text: str, columns: dict[str, str]) -> str:
    """Return an error's text with the user's column names."""
    real = {name: column for column, name in columns.items()}
    return re.sub(r"\bcomboi_\d+(?=\b|_[lr]\b)", lambda found: real.get(found[0], found[0]), text)


def _listed(rules: Rules) -> str:
    return ", ".join(f"[{', '.join(rule)}]" for rule in rules)


def _hush() -> None:
    """Keep Splink and its parser from writing to the terminal; what matters is raised or reported."""
    for name in ("splink", "sqlglot"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    warnings.filterwarnings("ignore", module=r"splink\b")


def renamed(config: SplinkConfig) -> dict[str, str]:
    """Return the columns that Splink needs, each with a name of comboi's own that clashes with nothing."""
    needed = [column for column, place in columns_used(config).items() if place != "labels"]
    names = {column.lower(): f"comboi_{number}" for number, column in enumerate(needed)}
    return {column: names[column.lower()] for column in needed}
