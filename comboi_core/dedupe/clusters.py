"""From pairs that match to clusters: everything that hangs together, or one record of each dataset at most.

A value that many share, such as the e-mail of a call centre, chains hundreds of people into one cluster. A cluster
above `max_cluster_size` is therefore taken apart: its weakest pairs are dropped step by step until the parts are small
enough.
"""

from __future__ import annotations

import math

from comboi_core.config.splink import SplinkConfig
from comboi_core.dedupe.workbench import CLUSTERS, PAIRS, RECORDS, SOURCE_DATASET, UNIQUE_ID, Workbench
from comboi_core.duckdb.rows import one_row

_EDGES, _NODES, _LARGE = "comboi_edges", "comboi_nodes", "comboi_large"
_STEP = 1.0
"""By how many bits of match weight the bar is raised at a time."""
_MOST_SHOWN = 5


def make_clusters(bench: Workbench, config: SplinkConfig) -> tuple[str, ...]:
    """Fill CLUSTERS from PAIRS, and leave in PAIRS only those whose records are together.

    Returns:
        Remarks for the report: which clusters were taken apart.
    """
    if config.one_to_one:
        _one_to_one(bench)
        _forget_separated(bench)
        return ()
    _components(bench, f"FROM {PAIRS}")
    return _take_apart(bench, config.max_cluster_size)


def _components(bench: Workbench, edges: str) -> None:
    """Add the connected components of a query's pairs to CLUSTERS."""
    from splink import DuckDBAPI
    from splink.clustering import cluster_pairwise_predictions_at_threshold

    bench.con.execute(f"CREATE TABLE {_EDGES} AS {edges}")
    bench.con.execute(f"""
        CREATE TABLE {_NODES} AS
        SELECT unique_id_l AS {UNIQUE_ID} FROM {_EDGES} UNION SELECT unique_id_r FROM {_EDGES}""")
    if bench.count(_EDGES):
        clustered = cluster_pairwise_predictions_at_threshold(
            _NODES,
            _EDGES,
            DuckDBAPI(bench.con),
            node_id_column_name=UNIQUE_ID,
            edge_id_column_name_left="unique_id_l",
            edge_id_column_name_right="unique_id_r",
        )
        bench.con.execute(f"INSERT INTO {CLUSTERS} SELECT unique_id, cluster_id FROM {clustered.physical_name}")
        clustered.drop_table_from_database_and_remove_from_cache()
    bench.con.execute(f"DROP TABLE {_EDGES}; DROP TABLE {_NODES}")


def _one_to_one(bench: Workbench) -> None:
    from splink import DuckDBAPI
    from splink.internals.one_to_one_clustering import one_to_one_clustering

    # Probabilities near 1 look alike after rounding; the weights tell the better match.
    bench.con.execute(f"""
        CREATE TABLE {_EDGES} AS
        SELECT
            unique_id_l, unique_id_r, match_weight AS match_probability,
            left_side.{SOURCE_DATASET} AS source_dataset_l, right_side.{SOURCE_DATASET} AS source_dataset_r
        FROM {PAIRS}
        JOIN {RECORDS} AS left_side ON left_side.{UNIQUE_ID} = unique_id_l
        JOIN {RECORDS} AS right_side ON right_side.{UNIQUE_ID} = unique_id_r""")
    bench.con.execute(f"""
        CREATE TABLE {_NODES} AS
        SELECT {UNIQUE_ID}, {SOURCE_DATASET} FROM {RECORDS}
        WHERE {UNIQUE_ID} IN (SELECT unique_id_l FROM {_EDGES} UNION SELECT unique_id_r FROM {_EDGES})""")
    datasets = bench.con.execute(f"SELECT DISTINCT {SOURCE_DATASET} FROM {_NODES} ORDER BY ALL").fetchall()
    if datasets:
        api = DuckDBAPI(bench.con)
        clustered = one_to_one_clustering(
            nodes_table=api.register(_NODES),
            edges_table=api.register(_EDGES),
            node_id_column_name=UNIQUE_ID,
            source_dataset_column_name=SOURCE_DATASET,
            edge_id_column_name_left="unique_id_l",
            edge_id_column_name_right="unique_id_r",
            duplicate_free_datasets=[dataset for (dataset,) in datasets],
            ties_method="lowest_id",
            db_api=api,
            threshold_match_probability=None,
        )
        bench.con.execute(f"""
            INSERT INTO {CLUSTERS} SELECT unique_id, cluster_id FROM {clustered.physical_name}
            QUALIFY count(*) OVER (PARTITION BY cluster_id) > 1""")
    bench.con.execute(f"DROP TABLE {_EDGES}; DROP TABLE {_NODES}")


def _take_apart(bench: Workbench, most: int) -> tuple[str, ...]:
    sizes = _large(bench, most)
    if not sizes:
        return ()
    bench.con.execute(f"CREATE TABLE comboi_apart AS SELECT unique_id FROM {_LARGE}")
    level = -math.inf
    while _large(bench, most):
        level = max(level + _STEP, _weakest(bench, level) + _STEP)
        bench.con.execute(f"DELETE FROM {CLUSTERS} WHERE unique_id IN (SELECT unique_id FROM {_LARGE})")
        together = "l.unique_id = unique_id_l AND r.unique_id = unique_id_r AND l.cluster_id = r.cluster_id"
        _components(
            bench,
            f"SELECT {PAIRS}.* FROM {PAIRS} JOIN {_LARGE} AS l ON l.unique_id = unique_id_l "
            f"JOIN {_LARGE} AS r ON {together} WHERE match_weight >= {level}",
        )
    _forget_separated(bench)
    parts = f"SELECT cluster_id FROM comboi_apart JOIN {CLUSTERS} USING (unique_id)"
    clusters, kept = one_row(bench.con, f"SELECT count(DISTINCT cluster_id), count(*) FROM ({parts})")
    shown = ", ".join(str(size) for size in sizes[:_MOST_SHOWN]) + (", ..." if len(sizes) > _MOST_SHOWN else "")
    return (
        f"{len(sizes)} {'cluster has' if len(sizes) == 1 else 'clusters have'} more than max_cluster_size = {most} "
        f"records ({shown}), often because many records share one value; they were split at higher match weights into "
        f"{clusters:,} {'cluster' if clusters == 1 else 'clusters'}; {sum(sizes) - kept:,} of their records "
        "stay unmerged",
    )


def _large(bench: Workbench, most: int) -> list[int]:
    """Make _LARGE of the records in clusters that are too large; return the clusters' sizes, the largest first."""
    bench.con.execute(f"""
        CREATE OR REPLACE TABLE {_LARGE} AS
        SELECT unique_id, cluster_id, count(*) OVER (PARTITION BY cluster_id) AS size FROM {CLUSTERS}
        QUALIFY size > {most}""")
    found = bench.con.execute(f"SELECT any_value(size) AS n FROM {_LARGE} GROUP BY cluster_id ORDER BY n DESC")
    return [int(size) for (size,) in found.fetchall()]


def _weakest(bench: Workbench, level: float) -> float:
    """Return the smallest match weight, at least `level`, in clusters that are too large; a whole number."""
    query = f"""
        SELECT floor(min(match_weight)) FROM {PAIRS} JOIN {_LARGE} ON unique_id = unique_id_l
        WHERE match_weight >= '{level}'::DOUBLE"""
    return float(one_row(bench.con, query)[0])


def _forget_separated(bench: Workbench) -> None:
    bench.con.execute(f"""
        CREATE OR REPLACE TABLE {PAIRS} AS
        SELECT {PAIRS}.* FROM {PAIRS}
        JOIN {CLUSTERS} AS l ON l.unique_id = unique_id_l
        JOIN {CLUSTERS} AS r ON r.unique_id = unique_id_r AND r.cluster_id = l.cluster_id""")
