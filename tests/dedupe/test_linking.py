"""Records of several datasets: linked across, or linked and deduplicated; ids are unique per dataset only."""

from __future__ import annotations

import random
from typing import Any

import duckdb
import pytest

from comboi_core.config.splink import SplinkConfig
from comboi_core.domain.errors import DedupeError
from tests.dedupe.people import config, run, training

LINKS = {"link_type": "link_only", "source_dataset_column_name": "system", "labels": {"column": "person"}}


def linking(**changes: Any) -> SplinkConfig:
    return config(**LINKS | changes)


def systems(con: duckdb.DuckDBPyConnection, *, shuffled: int = 0, names: tuple[str, str] = ("crm", "shop")) -> None:
    """Make 40 persons in the first system and 40 in the second, of which 20 are in both; both count from 1."""
    draw = random.Random(5)
    rows: list[tuple] = []
    for person in range(60):
        name, city = "".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=9)), draw.choice(["Köln", "Bern", "Oslo"])
        mail = f"{name}@example.com"
        if person < 40:
            rows.append((names[0], person + 1, person, name, city, mail, 1))
        if person >= 20:
            rows.append((names[1], person - 19, person, name[:-1] + "x", city, mail, 2))
    random.Random(shuffled).shuffle(rows)
    con.execute("CREATE OR REPLACE TABLE people (system TEXT, id INT, person INT, name TEXT, city TEXT, email TEXT)")
    con.execute("ALTER TABLE people ADD COLUMN updated INT")
    con.executemany("INSERT INTO people VALUES (?, ?, ?, ?, ?, ?, ?)", rows)


def test_two_datasets_are_linked_and_the_crosswalk_names_both_sides(con: duckdb.DuckDBPyConnection) -> None:
    systems(con)
    report = run(con, linking())
    assert (report.records, report.clusters, report.duplicates, report.largest_cluster) == (80, 60, 20, 2)
    assert (report.precision, report.recall) == (1.0, 1.0)
    links = con.execute("FROM links ORDER BY system, id")
    assert [column[0] for column in links.description] == [
        *("system", "id", "cluster_id", "survivor_dataset", "survivor_id", "is_survivor", "match_probability")
    ]
    rows = {row[:2]: row[2:] for row in links.fetchall()}
    assert rows["crm", 1] == ("crm-__-1", "crm", 1, True, None)
    assert rows["crm", 21][:4] == ("crm-__-21", "shop", 1, False)
    assert rows["shop", 1][:4] == ("crm-__-21", "shop", 1, True)
    assert con.execute("SELECT count(*), count(DISTINCT person) FROM kept").fetchone() == (60, 60)


@pytest.mark.slow
def test_link_only_never_compares_records_of_one_dataset(con: duckdb.DuckDBPyConnection) -> None:
    systems(con)
    con.execute("INSERT INTO people SELECT * REPLACE (99 AS id) FROM people WHERE system = 'crm' AND id = 1")
    assert run(con, linking()).duplicates == 20
    con.execute("DROP TABLE kept; DROP TABLE links")
    assert run(con, linking(link_type="link_and_dedupe")).duplicates == 21


@pytest.mark.slow
def test_one_to_one_keeps_the_best_match_of_each_dataset(con: duckdb.DuckDBPyConnection) -> None:
    systems(con)
    # A second record in the shop, and the first one is now further away from that in the CRM.
    con.execute("""
        INSERT INTO people SELECT * REPLACE (99 AS id) FROM people WHERE system = 'shop' AND id = 1;
        UPDATE people SET city = 'Elsewhere' WHERE system = 'shop' AND id = 1""")
    low = {"threshold_match_weight": -20}
    assert run(con, linking(threshold_match_probability=None, **low)).largest_cluster == 3
    con.execute("DROP TABLE kept; DROP TABLE links")
    report = run(con, linking(threshold_match_probability=None, one_to_one=True, **low))
    assert (report.largest_cluster, report.duplicates) == (2, 20)
    assert con.execute("SELECT id FROM links WHERE system = 'shop' AND cluster_id = 'crm-__-21'").fetchall() == [(99,)]
    assert con.execute("SELECT match_probability FROM links WHERE system = 'shop' AND id = 1").fetchone() == (None,)


@pytest.mark.parametrize("names", [('o\'hara "x"', "größe; DROP"), ("1", "2"), ("a-__-b", "a")])
def test_datasets_may_have_any_name(con: duckdb.DuckDBPyConnection, names: tuple[str, str]) -> None:
    systems(con, names=names)
    assert run(con, linking(one_to_one=True)).duplicates == 20
    assert con.execute("SELECT DISTINCT system FROM links ORDER BY 1").fetchall() == [(name,) for name in sorted(names)]


@pytest.mark.parametrize("link_type", ["link_only", "link_and_dedupe"])
def test_a_single_dataset_is_no_error(con: duckdb.DuckDBPyConnection, link_type: str) -> None:
    systems(con)
    con.execute("DELETE FROM people WHERE system = 'shop'")
    report = run(con, linking(link_type=link_type))
    assert (report.records, report.duplicates) == (40, 0)


@pytest.mark.slow
def test_linking_is_the_same_whatever_the_rows_order_and_the_threads(con: duckdb.DuckDBPyConnection) -> None:
    outcomes = set()
    for shuffled, threads in ((1, 1), (2, 3)):
        con.execute(f"SET threads = {threads}")
        systems(con, shuffled=shuffled)
        report = run(con, linking(one_to_one=True))
        outcomes.add((report, str(con.execute("FROM links").fetchall()), str(con.execute("FROM kept").fetchall())))
        con.execute("DROP TABLE kept; DROP TABLE links")
    assert len(outcomes) == 1


def test_three_datasets_are_linked(con: duckdb.DuckDBPyConnection) -> None:
    systems(con)
    con.execute("INSERT INTO people SELECT * REPLACE ('app' AS system) FROM people WHERE system = 'crm'")
    report = run(con, linking(one_to_one=True))
    assert (report.records, report.clusters, report.largest_cluster) == (120, 60, 3)


def test_a_condition_may_look_at_the_dataset(con: duckdb.DuckDBPyConnection) -> None:
    systems(con)
    rules = ["l.email = r.email AND l.system <> r.system"]
    report = run(con, linking(link_type="link_and_dedupe", blocking_rules_to_generate_predictions=rules))
    assert report.duplicates == 20


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE people SET system = NULL WHERE id = 1", "2 records have no system"),
        (
            "UPDATE people SET id = 1 WHERE id = 2",
            "2 values of id within system not unique: crm-__-1",
        ),
        ("ALTER TABLE people DROP system", "source_dataset_column_name: there is no column 'system'"),
        ("ALTER TABLE people RENAME system TO survivor_dataset", "there is no column 'system'"),
    ],
)
def test_records_that_cannot_be_told_apart_are_refused(con: duckdb.DuckDBPyConnection, change: str, said: str) -> None:
    systems(con)
    con.execute(change)
    with pytest.raises(DedupeError) as raised:
        run(con, linking())
    assert said in raised.value.message


def test_no_pair_across_is_no_error(con: duckdb.DuckDBPyConnection) -> None:
    systems(con)
    con.execute("UPDATE people SET email = system || email, name = system || name")
    report = run(con, linking(training=training(em_blocking=[["city"]])))
    assert (report.duplicates, len(report.remarks)) == (0, 1)


@pytest.mark.parametrize("link_type", ["link_only", "link_and_dedupe"])
def test_linking_may_explode_lists_and_learn_from_labels(con: duckdb.DuckDBPyConnection, link_type: str) -> None:
    systems(con)
    con.execute("ALTER TABLE people ADD COLUMN mails TEXT[]; UPDATE people SET mails = [email, system || id]")
    settings = linking(
        link_type=link_type,
        blocking_rules_to_generate_predictions=[{"columns": ["mails"], "arrays_to_explode": ["mails"]}],
        training=training(em_blocking=[], estimate_m_from_label_column="person"),
    )
    report = run(con, settings)
    assert (report.duplicates, report.precision) == (20, 1.0)
