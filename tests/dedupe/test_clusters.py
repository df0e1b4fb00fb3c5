"""A value that many share must not make one person of them."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from comboi_core.config.splink import SplinkConfig
from tests.dedupe.people import config, people, run


def loose(**changes: Any) -> SplinkConfig:
    """Settings under which agreement on the e-mail alone is enough."""
    return config(threshold_match_probability=None, threshold_match_weight=-30, **changes)


def call_centre(con: duckdb.DuckDBPyConnection, agents: int = 40) -> None:
    """Give `agents` persons more, who have nothing in common but an e-mail and a city; the first two are the same."""
    people(con, 300)
    con.execute(f"""
        INSERT INTO people
        SELECT 'z' || n, CASE WHEN n < 2 THEN 5000 ELSE 5000 + n END, substr(md5(greatest(n, 1)::TEXT), 1, 9),
               'Köln', 'office@example.com', 1
        FROM range({agents}) AS t(n)""")


@pytest.mark.slow
def test_a_cluster_that_grows_too_large_is_taken_apart_and_reported(con: duckdb.DuckDBPyConnection) -> None:
    call_centre(con)
    assert run(con, loose()).largest_cluster == 40
    con.execute("DROP TABLE kept; DROP TABLE links")
    report = run(con, loose(max_cluster_size=10))
    assert report.largest_cluster == 3
    assert report.remarks == (
        "1 cluster has more than max_cluster_size = 10 records (40), often because many records share one value; "
        "they were split at higher match weights into 1 cluster; 38 of their records stay unmerged",
    )
    together = con.execute("SELECT id FROM links WHERE cluster_id = 'z0' ORDER BY id").fetchall()
    assert together == [("z0",), ("z1",)]
    alone = "SELECT count(*), count(match_probability) FROM links WHERE id LIKE 'z%' AND id = cluster_id"
    assert con.execute(alone).fetchone() == (39, 1)


@pytest.mark.slow
def test_other_clusters_stay_as_they_are(con: duckdb.DuckDBPyConnection) -> None:
    call_centre(con)
    run(con, loose())
    kept = "SELECT string_agg(id || cluster_id || match_probability, ';' ORDER BY id) FROM links WHERE id < 'z'"
    before = con.execute(kept).fetchone()
    con.execute("DROP TABLE kept; DROP TABLE links")
    run(con, loose(max_cluster_size=10))
    assert con.execute(kept).fetchone() == before


@pytest.mark.slow
def test_a_cluster_that_no_weight_takes_apart_is_not_merged(con: duckdb.DuckDBPyConnection) -> None:
    people(con)
    con.execute("""
        INSERT INTO people SELECT 'z' || n, 5000, 'samename', 'Köln', 'same@example.com', 1 FROM range(8) AS t(n)""")
    assert run(con).largest_cluster == 8
    con.execute("DROP TABLE kept; DROP TABLE links")
    report = run(con, config(max_cluster_size=5))
    assert report.largest_cluster == 3
    assert "into 0 clusters; 8 of their records stay unmerged" in report.remarks[0]


def test_clusters_at_the_limit_are_left_alone(con: duckdb.DuckDBPyConnection) -> None:
    people(con)
    report = run(con, config(max_cluster_size=3))
    assert (report.largest_cluster, report.remarks) == (3, ())


@pytest.mark.slow
def test_taking_apart_is_the_same_on_any_number_of_threads(con: duckdb.DuckDBPyConnection) -> None:
    outcomes = set()
    for threads in (1, 3):
        con.execute(f"SET threads = {threads}")
        call_centre(con)
        report = run(con, loose(max_cluster_size=2))
        outcomes.add((report, str(con.execute("FROM links").fetchall())))
        con.execute("DROP TABLE kept; DROP TABLE links")
    assert len(outcomes) == 1
    assert report.largest_cluster == 2
