"""Which record of a cluster survives, which values it takes from the others, and the two tables that come out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from comboi_core.config.splink import ColumnRule, SplinkConfig
from comboi_core.dedupe.columns import Names
from comboi_core.dedupe.workbench import CLUSTERS, PAIRS, RECORDS, SOURCE, UNIQUE_ID, Workbench
from comboi_core.domain.sql import identifier, literal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

ASSIGNED = "comboi_assigned"
"""Every record with its cluster: comboi_number, comboi_id, comboi_dataset (where datasets are linked), comboi_place (1
survives), comboi_size, comboi_cluster, comboi_survivor, comboi_survivor_dataset."""

_MEMBERS, _MERGED = "comboi_members", "comboi_merged"
JOINT = "-__-"
"""Stands between dataset and id in the name of a cluster of linked datasets, as in Splink."""


def assign(bench: Workbench, config: SplinkConfig, names: Names, columns: Sequence[str]) -> None:
    """Make ASSIGNED.

    Args:
        columns: All columns of SOURCE.
    """
    _place(bench, config, names, columns)
    record_id = names.of(config.unique_id_column_name)
    key, dataset, survivor_dataset, elsewhere = record_id, "", "", ""
    if config.links:
        source = names.of(config.source_dataset_column_name)
        key = f"{source}::VARCHAR || '{JOINT}' || {record_id}::VARCHAR"
        dataset = f"{source} AS comboi_dataset,"
        survivor_dataset = f", arg_min({source}, comboi_place) AS comboi_first_dataset"
        elsewhere = f"coalesce(comboi_first_dataset, {source}) AS comboi_survivor_dataset,"
    bench.con.execute(f"""
        CREATE TABLE {ASSIGNED} AS
        WITH clusters AS (
            SELECT
                cluster_id AS comboi_component,
                count(*) AS comboi_count,
                arg_min({key}, comboi_number) AS comboi_key,
                arg_min({record_id}, comboi_place) AS comboi_first
                {survivor_dataset}
            FROM {_MEMBERS} JOIN {RECORDS} ON {UNIQUE_ID} = comboi_number GROUP BY cluster_id
        )
        SELECT
            {UNIQUE_ID} AS comboi_number,
            {record_id} AS comboi_id,
            {dataset}
            coalesce(comboi_place, 1) AS comboi_place,
            coalesce(comboi_count, 1) AS comboi_size,
            coalesce(comboi_key, {key}) AS comboi_cluster,
            {elsewhere}
            coalesce(comboi_first, {record_id}) AS comboi_survivor
        FROM {RECORDS}
        LEFT JOIN {_MEMBERS} ON comboi_number = {UNIQUE_ID}
        LEFT JOIN clusters ON comboi_component = cluster_id""")


def write(
    con: DuckDBPyConnection, bench: Workbench, config: SplinkConfig, names: Names, *, into: str, crosswalk: str
) -> None:
    """Make the table of survivors and the crosswalk out of ASSIGNED."""
    rules = config.survivor.per_column
    replaced, merged = "", ""
    if rules:
        _merge(bench, config)
        values = ", ".join(
            f"coalesce(merged.comboi_value_{number}, records.{identifier(column)}) AS {identifier(column)}"
            for number, column in enumerate(rules)
        )
        replaced = f"REPLACE ({values})"
        merged = f"""
            LEFT JOIN {bench.table(_MEMBERS)} AS members ON members.comboi_number = assigned.comboi_number
            LEFT JOIN {bench.table(_MERGED)} AS merged ON merged.comboi_component = members.cluster_id"""
    con.execute(f"""
        CREATE TABLE {identifier(into)} AS
        SELECT records.* {replaced}, comboi_cluster AS cluster_id, comboi_size AS cluster_size
        FROM {bench.table(SOURCE)} AS records
        JOIN {bench.table(ASSIGNED)} AS assigned ON {same_record(config, "records", "assigned")} {merged}
        WHERE assigned.comboi_place = 1
        ORDER BY assigned.comboi_number""")
    dataset = identifier(config.source_dataset_column_name)
    con.execute(f"""
        CREATE TABLE {identifier(crosswalk)} AS
        WITH partners AS (
            SELECT unique_id_l AS id, match_probability FROM {bench.table(PAIRS)}
            UNION ALL
            SELECT unique_id_r, match_probability FROM {bench.table(PAIRS)}
        ), best AS (SELECT id, max(match_probability) AS match_probability FROM partners GROUP BY id)
        SELECT
            {f"comboi_dataset AS {dataset}," if config.links else ""}
            comboi_id AS {identifier(config.unique_id_column_name)},
            comboi_cluster AS cluster_id,
            {"comboi_survivor_dataset AS survivor_dataset," if config.links else ""}
            comboi_survivor AS survivor_id,
            comboi_place = 1 AS is_survivor,
            match_probability
        FROM {bench.table(ASSIGNED)} LEFT JOIN best ON id = comboi_number
        ORDER BY comboi_number""")


def crosswalk_columns(config: SplinkConfig) -> tuple[str, ...]:
    """Return the columns that the crosswalk has beside those of the record's identity."""
    return (
        "cluster_id",
        *(("survivor_dataset",) if config.links else ()),
        "survivor_id",
        "is_survivor",
        "match_probability",
    )


def survivor_order(config: SplinkConfig, columns: Sequence[str]) -> str:
    """Return the order in which the records of a cluster are asked to survive."""
    survivor = config.survivor
    parts = [_by_source(config, survivor.source_priority)] if survivor.source_priority else []
    if survivor.most_complete:
        parts.append(" + ".join(f"({identifier(column)} IS NULL)::INTEGER" for column in columns))
    return ", ".join([*parts, survivor.order_by] if survivor.order_by else parts)


def column_order(config: SplinkConfig, rule: ColumnRule) -> str | None:
    """Return the order in which a column's values are asked, where it is not the survivor's."""
    parts = [_by_source(config, rule.source_priority)] if rule.source_priority else []
    own = rule.order_by or (config.survivor.order_by if rule.rule == "most_recent_not_null" else None)
    return ", ".join([*parts, own] if own else parts) or None


def same_record(config: SplinkConfig, records: str, other: str) -> str:
    """Return the condition that a row of SOURCE and one of another table, by their aliases, are the same record."""
    same = f"{other}.comboi_id = {records}.{identifier(config.unique_id_column_name)}"
    if config.links:
        same += f" AND {other}.comboi_dataset = {records}.{identifier(config.source_dataset_column_name)}"
    return same


def _by_source(config: SplinkConfig, priority: Sequence[str]) -> str:
    source = f"{identifier(config.source_dataset_column_name)}::VARCHAR"
    return f"coalesce(list_position([{', '.join(map(literal, priority))}], {source}), {len(priority) + 1})"


def _place(bench: Workbench, config: SplinkConfig, names: Names, columns: Sequence[str]) -> None:
    """Make _MEMBERS: the records that have company, in the order in which they are asked to survive."""
    identity = f"{names.of(config.unique_id_column_name)} AS comboi_id"
    if config.links:
        identity += f", {names.of(config.source_dataset_column_name)} AS comboi_dataset"
    orders = {"comboi_place": survivor_order(config, columns)}
    for number, rule in enumerate(config.survivor.per_column.values()):
        order = column_order(config, rule)
        orders |= {f"comboi_place_{number}": order} if order else {}
    places = ", ".join(
        f"row_number() OVER (PARTITION BY members.cluster_id ORDER BY {order}, members.comboi_number) AS {name}"
        for name, order in orders.items()
    )
    bench.con.execute(f"""
        CREATE TABLE {_MEMBERS} AS
        SELECT members.*, {places}
        FROM {SOURCE} AS records JOIN (
            SELECT {UNIQUE_ID} AS comboi_number, cluster_id, {identity}
            FROM {CLUSTERS} JOIN {RECORDS} USING ({UNIQUE_ID})
        ) AS members ON {same_record(config, "records", "members")}""")


_AGGREGATES = {
    "first_not_null": "first({value} ORDER BY {place})",
    "most_recent_not_null": "first({value} ORDER BY {place})",
    "longest": "first({value} ORDER BY length({value}::VARCHAR) DESC, {place})",
    "most_frequent": "first({value} ORDER BY {times} DESC, {place})",
    "min": "min({value})",
    "max": "max({value})",
}
"""How a column's value is found among those of a cluster that are not NULL."""


def _merge(bench: Workbench, config: SplinkConfig) -> None:
    """Make _MERGED: for each cluster of several records the values of `per_column`."""
    rules = config.survivor.per_column
    times, values = [], []
    for number, (column, rule) in enumerate(rules.items()):
        value = f"records.{identifier(column)}"
        times.append(f"{value} AS comboi_in_{number}")
        if rule.rule == "most_frequent":
            frequency = f"count(*) OVER (PARTITION BY members.cluster_id, {value})"
            times.append(f"{frequency} AS comboi_times_{number}")
        place = f"comboi_place_{number}" if column_order(config, rule) else "comboi_place"
        aggregate = _AGGREGATES[rule.rule].format(
            value=f"comboi_in_{number}", place=place, times=f"comboi_times_{number}"
        )
        values.append(f"{aggregate} FILTER (comboi_in_{number} IS NOT NULL) AS comboi_value_{number}")
    bench.con.execute(f"""
        CREATE TABLE {_MERGED} AS
        SELECT cluster_id AS comboi_component, {", ".join(values)}
        FROM (
            SELECT members.*, {", ".join(times)}
            FROM {SOURCE} AS records JOIN {_MEMBERS} AS members ON {same_record(config, "records", "members")}
        )
        GROUP BY cluster_id""")
