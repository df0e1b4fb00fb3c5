"""Deduplication: which records mean the same entity (Splink decides), and which record of each survives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comboi_core.config.splink import SplinkConfig
from comboi_core.dedupe.linkage import CLUSTERS, PAIRS, RECORDS, UNIQUE_ID, Workbench, link, renamed, workbench
from comboi_core.dedupe.report import DedupeReport, make_report
from comboi_core.dedupe.settings import columns_used, order_query, settings_problems
from comboi_core.domain.duckdb_errors import error_details
from comboi_core.domain.errors import DedupeError
from comboi_core.domain.names import did_you_mean
from comboi_core.domain.sql import identifier

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["DedupeReport", "deduplicate", "validate_splink"]

_SOURCE, _ASSIGNED = "comboi_source", "comboi_assigned"
_ADDED_TO_RECORDS = ("cluster_id", "cluster_size")
_ADDED_TO_CROSSWALK = ("cluster_id", "survivor_id", "is_survivor", "match_probability")
_MOST_SHOWN = 5


def deduplicate(
    con: DuckDBPyConnection, table: str, config: SplinkConfig, *, into: str, crosswalk: str
) -> DedupeReport:
    """Find the records of `table` that mean the same, and keep one of each.

    The same records and settings give the same clusters and survivors, whatever the order of the rows and the number of
    threads. `table` is read once. Not to be called within an open transaction.

    Args:
        table: Plain name of a table or view.
        into: Plain name of the table to create: the surviving records, all their columns, `cluster_id` (the smallest
            unique id of the cluster) and `cluster_size`.
        crosswalk: Plain name of the table to create: for every record its unique id (under its own name), `cluster_id`,
            `survivor_id`, `is_survivor`, and `match_probability` with its best partner (NULL without one).

    Raises:
        DedupeError: the settings do not fit Splink or the data, unique ids are missing or repeated, or the training
            cannot succeed.
        duckdb.Error: reading `table` failed.
    """
    problems = settings_problems(config)
    if problems:
        raise DedupeError("; ".join(problems))
    with workbench(con) as bench:
        con.execute(f"CREATE TABLE {bench.table(_SOURCE)} AS FROM {identifier(table)}")
        _refuse_columns(bench, config)
        columns, unique_id = renamed(config), config.unique_id_column_name
        _refuse_ids(bench, unique_id)
        selected = ", ".join(f"{identifier(column)} AS {name}" for name, column in _inverse(columns).items())
        bench.con.execute(f"""
            CREATE TABLE {RECORDS} AS
            SELECT {identifier(unique_id)} AS {UNIQUE_ID}, {selected} FROM {_SOURCE} ORDER BY {UNIQUE_ID}""")
        remarks = link(bench, config, columns)
        _assign(bench, config)
        _write(con, bench, unique_id, into, crosswalk)
        label = config.labels.column if config.labels else None
        return make_report(bench.con, _ASSIGNED, _SOURCE, unique_id, label, remarks)


def validate_splink(config: SplinkConfig) -> list[str]:
    """Return what is wrong with the settings, as far as that shows without data."""
    return settings_problems(config)


def _inverse(columns: dict[str, str]) -> dict[str, str]:
    return {name: column for column, name in columns.items()}


def _refuse_columns(bench: Workbench, config: SplinkConfig) -> None:
    import duckdb

    present = [row[0] for row in bench.con.execute(f"DESCRIBE {_SOURCE}").fetchall()]
    lower = {column.lower() for column in present}
    there = f"the columns are {', '.join(present)}"
    missing = [
        f"{place}: there is no column '{column}'{did_you_mean(column, present)}"
        for column, place in columns_used(config).items()
        if column.lower() not in lower
    ]
    if missing:
        raise DedupeError(f"{'; '.join(missing)}; {there}")
    taken = sorted(lower.intersection(_ADDED_TO_RECORDS))
    taken += [config.unique_id_column_name] if config.unique_id_column_name.lower() in _ADDED_TO_CROSSWALK else []
    if taken:
        raise DedupeError(
            f"the data has a column {' and '.join(dict.fromkeys(taken))}, which deduplication adds itself",
            remedy="Rename the column in the transformation.",
        )
    try:
        bench.con.execute(order_query(config.survivor.order_by, _SOURCE, config.unique_id_column_name))
    except duckdb.Error as error:
        cause = error_details(error)[0].splitlines()[0]
        raise DedupeError(f"survivor.order_by: `{config.survivor.order_by}`: {cause}; {there}") from error


def _refuse_ids(bench: Workbench, unique_id: str) -> None:
    column = identifier(unique_id)
    missing = bench.con.execute(f"SELECT count(*) FROM {_SOURCE} WHERE {column} IS NULL").fetchone()[0]
    if missing:
        raise DedupeError(
            f"{missing} {'record has' if missing == 1 else 'records have'} no {unique_id}",
            remedy="Leave such records out in the transformation, or give them an id.",
        )
    bench.con.execute(f"""
        CREATE TABLE comboi_repeated AS
        SELECT {column}::VARCHAR AS id, count(*) AS times FROM {_SOURCE} GROUP BY {column} HAVING times > 1""")
    count = bench.con.execute("SELECT count(*) FROM comboi_repeated").fetchone()[0]
    if count:
        first = bench.con.execute(f"FROM comboi_repeated ORDER BY id LIMIT {_MOST_SHOWN}").fetchall()
        shown = ", ".join(f"{value} ({times} times)" for value, times in first)
        raise DedupeError(
            f"{count} {'value of' if count == 1 else 'values of'} {unique_id} not unique: {shown}",
            remedy="Make the id unique in the transformation.",
        )


def _assign(bench: Workbench, config: SplinkConfig) -> None:
    """Make a table of every record with its cluster and its place in it; the first one survives."""
    column = identifier(config.unique_id_column_name)
    bench.con.execute(f"""
        CREATE TABLE {_ASSIGNED} AS
        WITH placed AS (
            SELECT
                {column} AS comboi_id,
                coalesce(comboi_found, {column}) AS comboi_component,
                row_number() OVER (
                    PARTITION BY comboi_component ORDER BY {config.survivor.order_by}, {column}
                ) AS comboi_place
            FROM {_SOURCE}
            LEFT JOIN (SELECT {UNIQUE_ID} AS comboi_record, cluster_id AS comboi_found FROM {CLUSTERS})
                ON comboi_record = {column}
        )
        SELECT
            comboi_id,
            comboi_place,
            min(comboi_id) OVER cluster AS comboi_cluster,
            count(*) OVER cluster AS comboi_size,
            first_value(comboi_id) OVER (cluster ORDER BY comboi_place) AS comboi_survivor
        FROM placed
        WINDOW cluster AS (PARTITION BY comboi_component)""")


def _write(con: DuckDBPyConnection, bench: Workbench, unique_id: str, into: str, crosswalk: str) -> None:
    column = identifier(unique_id)
    con.execute(f"""
        CREATE TABLE {identifier(into)} AS
        SELECT records.*, comboi_cluster AS cluster_id, comboi_size AS cluster_size
        FROM {bench.table(_SOURCE)} AS records JOIN {bench.table(_ASSIGNED)} ON comboi_id = {column}
        WHERE comboi_place = 1
        ORDER BY comboi_id""")
    con.execute(f"""
        CREATE TABLE {identifier(crosswalk)} AS
        WITH partners AS (
            SELECT unique_id_l AS id, match_probability FROM {bench.table(PAIRS)}
            UNION ALL
            SELECT unique_id_r, match_probability FROM {bench.table(PAIRS)}
        ), best AS (SELECT id, max(match_probability) AS match_probability FROM partners GROUP BY id)
        SELECT
            comboi_id AS {column},
            comboi_cluster AS cluster_id,
            comboi_survivor AS survivor_id,
            comboi_place = 1 AS is_survivor,
            match_probability
        FROM {bench.table(_ASSIGNED)} LEFT JOIN best ON id = comboi_id
        ORDER BY comboi_id""")
