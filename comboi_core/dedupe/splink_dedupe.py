"""Deduplication: which records mean the same entity (Splink decides), and which record of each survives."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from comboi_core.config.splink import SplinkConfig
from comboi_core.dedupe.columns import Names, columns_used, renamed
from comboi_core.dedupe.doubts import Doubt
from comboi_core.dedupe.linkage import link
from comboi_core.dedupe.page import page
from comboi_core.dedupe.report import DedupeReport, make_report
from comboi_core.dedupe.samples import HIDDEN, take_samples
from comboi_core.dedupe.settings import order_query, settings_problems
from comboi_core.dedupe.survivors import JOINT, assign, column_order, crosswalk_columns, survivor_order, write
from comboi_core.dedupe.workbench import LABEL, RECORDS, SOURCE, SOURCE_DATASET, UNIQUE_ID, Workbench, workbench
from comboi_core.domain.errors import DedupeError, ExtraMissing
from comboi_core.domain.extras import require
from comboi_core.domain.names import did_you_mean
from comboi_core.domain.sql import identifier, literal
from comboi_core.duckdb.errors import error_details
from comboi_core.duckdb.rows import one_row

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["DedupeReport", "Deduplicated", "deduplicate", "validate_splink"]

_ADDED_TO_RECORDS = ("cluster_id", "cluster_size")
_MOST_SHOWN = 5


@dataclass(frozen=True)
class Deduplicated:
    """The results of a deduplication.

    Attributes:
        report: Figures for the run record.
        html: The match-quality report, one page that needs nothing else.
        doubts: Learned weights that nobody should rely on.
    """

    report: DedupeReport
    html: str
    doubts: tuple[Doubt, ...] = ()


def deduplicate(
    con: DuckDBPyConnection,
    table: str,
    config: SplinkConfig,
    *,
    into: str,
    crosswalk: str,
    sensitive: Collection[str] = frozenset(),
    title: str = "Deduplication",
) -> Deduplicated:
    """Find the records of `table` that mean the same, and keep one of each.

    The same records and settings give the same clusters and survivors, whatever the order of the rows and the number of
    threads. `table` is read once. Not to be called within an open transaction.

    Args:
        table: Plain name of a table or view. Where datasets are linked it holds the records of all of them.
        into: Plain name of the table to create: the surviving records, all their columns, `cluster_id` (the smallest
            unique id of the cluster; where datasets are linked `dataset-__-id`) and `cluster_size`.
        crosswalk: Plain name of the table to create: for every record its unique id (under its own name), `cluster_id`,
            `survivor_id`, `is_survivor`, and `match_probability` with its best partner in the cluster (NULL without
            one). Where datasets are linked, the dataset's column before the id and `survivor_dataset` as well.
        sensitive: Columns whose values appear neither in the page nor in an error.
        title: The page's heading.

    Raises:
        ExtraMissing: Splink is not installed.
        DedupeError: the settings do not fit Splink or the data, unique ids are missing or repeated, or the training
            cannot succeed.
        duckdb.Error: reading `table` failed.
    """
    require("splink", f"splink: of {title}")
    problems = settings_problems(config)
    if problems:
        raise DedupeError("; ".join(problems))
    with workbench(con) as bench:
        _adopt(con, bench, table)
        columns = _columns(bench)
        _refuse_columns(bench, config, columns)
        _refuse_ids(bench, config, sensitive)
        names = renamed(config)
        _make_records(bench, config, names)
        linkage = link(bench, config, names)
        assign(bench, config, names, columns)
        write(con, bench, config, names, into=into, crosswalk=crosswalk)
        report = make_report(bench, config, linkage.remarks)
        samples = take_samples(bench, config, names, linkage.weights, sensitive)
        return Deduplicated(report, page(title, config, report, linkage, samples), linkage.doubts)


def validate_splink(config: SplinkConfig) -> list[str]:
    """Return what is wrong with the settings, as far as that shows without data; without Splink, that it is missing."""
    try:
        require("splink", "splink:")
    except ExtraMissing as missing:
        return [missing.message]
    return settings_problems(config)


def _adopt(con: DuckDBPyConnection, bench: Workbench, table: str) -> None:
    """Make SOURCE: a view of a table, or a table of what a view gives, which may cost much and differ each time."""
    stored = con.execute(
        f"SELECT database_name, schema_name FROM duckdb_tables() WHERE table_name = {literal(table)} "
        "AND schema_name = current_schema() AND database_name = current_database() AND NOT temporary"
    ).fetchone()
    if stored:
        whole = ".".join(identifier(part) for part in (*stored, table))
        con.execute(f"CREATE VIEW {bench.table(SOURCE)} AS FROM {whole}")
    else:
        con.execute(f"CREATE TABLE {bench.table(SOURCE)} AS FROM {identifier(table)}")


def _columns(bench: Workbench) -> list[str]:
    return [row[0] for row in bench.con.execute(f"DESCRIBE {SOURCE}").fetchall()]


def _make_records(bench: Workbench, config: SplinkConfig, names: Names) -> None:
    """Make RECORDS, numbered in the order of dataset and id: ids may be of any type and hold anything, numbers not."""
    identity = _identity(config)
    dataset = ""
    if config.links:
        # Splink writes datasets' names into its SQL as they are.
        dataset = f"""
            's' || dense_rank() OVER (ORDER BY {identifier(config.source_dataset_column_name)}) AS {SOURCE_DATASET},"""
    selected = ", ".join(f"{identifier(column)} AS {name}" for name, column in names.columns.items())
    selected += f", {identifier(config.labels.column)} AS {LABEL}" if config.labels else ""
    bench.con.execute(f"""
        CREATE TABLE {RECORDS} AS
        SELECT row_number() OVER (ORDER BY {identity}) AS {UNIQUE_ID}, {dataset} {selected}
        FROM {SOURCE} ORDER BY {UNIQUE_ID}""")


def _identity(config: SplinkConfig) -> str:
    unique_id = identifier(config.unique_id_column_name)
    return f"{identifier(config.source_dataset_column_name)}, {unique_id}" if config.links else unique_id


def _refuse_columns(bench: Workbench, config: SplinkConfig, columns: list[str]) -> None:
    used = columns_used(config) | dict.fromkeys(config.survivor.per_column, "survivor.per_column")
    if config.labels:
        used.setdefault(config.labels.column, "labels")
    missing = [
        f"{place}: there is no column '{column}'{did_you_mean(column, columns)}"
        for column, place in used.items()
        if column.lower() not in (present.lower() for present in columns)
    ]
    there = f"the columns are {', '.join(columns)}"
    if missing:
        raise DedupeError(f"{'; '.join(missing)}; {there}")
    _refuse_taken(config, columns)
    orders: dict[str, tuple[str | None, str | None]] = {
        "survivor.order_by": (config.survivor.order_by, survivor_order(config, columns))
    }
    for column, rule in config.survivor.per_column.items():
        orders[f"survivor.per_column.{column}"] = (rule.order_by, column_order(config, rule))
    for place, (written, order) in orders.items():
        if written and order:
            _refuse_order(bench, config, f"{place}: `{written}`", order, there)


def _refuse_taken(config: SplinkConfig, columns: Collection[str]) -> None:
    taken = sorted({column.lower() for column in columns}.intersection(_ADDED_TO_RECORDS))
    identity = [config.unique_id_column_name, *([config.source_dataset_column_name] if config.links else [])]
    taken += [column for column in identity if column.lower() in crosswalk_columns(config)]
    if taken:
        raise DedupeError(
            f"the data has a column {' and '.join(dict.fromkeys(taken))}, but deduplication adds a column with "
            "this name",
            remedy="Rename the column in the transformation.",
        )


def _refuse_order(bench: Workbench, config: SplinkConfig, place: str, order: str, there: str) -> None:
    import duckdb

    try:
        bench.con.execute(order_query(order, SOURCE, config.unique_id_column_name))
    except duckdb.Error as error:
        cause = error_details(error)[0].splitlines()[0]
        raise DedupeError(f"{place}: {cause}; {there}") from error


def _refuse_ids(bench: Workbench, config: SplinkConfig, sensitive: Collection[str]) -> None:
    unique_id, source = config.unique_id_column_name, config.source_dataset_column_name
    for name in (unique_id, *((source,) if config.links else ())):
        query = f"SELECT count(*) FROM {SOURCE} WHERE {identifier(name)} IS NULL"
        missing = one_row(bench.con, query)[0]
        if missing:
            raise DedupeError(
                f"{missing} {'record has' if missing == 1 else 'records have'} no {name}",
                remedy="Remove these records in the transformation, or give them a value.",
            )
    key, shown = identifier(unique_id), unique_id
    if config.links:
        key = f"{identifier(source)}::VARCHAR || '{JOINT}' || {identifier(unique_id)}::VARCHAR"
        shown = f"{unique_id} within {source}"
    bench.con.execute(f"""
        CREATE TABLE comboi_repeated AS
        SELECT ({key})::VARCHAR AS id, count(*) AS times FROM {SOURCE} GROUP BY ({key}) HAVING times > 1""")
    count = bench.count("comboi_repeated")
    if count:
        first = bench.con.execute(f"FROM comboi_repeated ORDER BY id LIMIT {_MOST_SHOWN}").fetchall()
        hidden = {column.lower() for column in sensitive} & {unique_id.lower(), source.lower()}
        values = ", ".join(f"{HIDDEN if hidden else value} ({times} times)" for value, times in first)
        raise DedupeError(
            f"{count} {'value of' if count == 1 else 'values of'} {shown} not unique: {values}",
            remedy="Make the id unique in the transformation.",
        )
