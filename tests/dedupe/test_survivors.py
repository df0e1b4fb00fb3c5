"""Which record of a cluster survives, and which values it takes from the others."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest
from pydantic import ValidationError

from comboi_core.dedupe.splink_dedupe import validate_splink
from comboi_core.domain.errors import DedupeError
from tests.dedupe.people import config, people, run

pytestmark = pytest.mark.few(2)


@pytest.fixture
def cluster(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """People of whom person 0 has three records: the youngest knows nothing, the eldest has the longest values."""
    people(con)
    con.execute("""
        ALTER TABLE people ADD COLUMN phone TEXT; ALTER TABLE people ADD COLUMN origin TEXT;
        ALTER TABLE people ADD COLUMN score INT;
        UPDATE people SET phone = '0049 221 1', origin = 'web', score = 5 WHERE id = 'p000-0';
        UPDATE people SET phone = '221-2', origin = 'crm', score = NULL WHERE id = 'p000-1';
        UPDATE people SET phone = NULL, origin = 'till', score = 9 WHERE id = 'p000-2'""")
    return con


def survivor(con: duckdb.DuckDBPyConnection, columns: str = "id", **rules: Any) -> tuple:
    run(con, config(survivor=rules, source_dataset_column_name="origin"))
    return con.execute(f"SELECT {columns} FROM kept WHERE person = 0").fetchone()


def test_the_most_complete_record_survives(cluster: duckdb.DuckDBPyConnection) -> None:
    assert survivor(cluster, most_complete=True) == ("p000-0",)


def test_the_most_trusted_dataset_survives_and_unnamed_ones_come_last(cluster: duckdb.DuckDBPyConnection) -> None:
    assert survivor(cluster, source_priority=["nowhere", "crm", "web"]) == ("p000-1",)


def test_priority_goes_before_completeness_and_completeness_before_the_order(
    cluster: duckdb.DuckDBPyConnection,
) -> None:
    cluster.execute("UPDATE people SET origin = 'crm' WHERE id = 'p000-2'")  # as complete as the other one of the CRM
    assert survivor(cluster, source_priority=["crm"], most_complete=True, order_by="updated DESC") == ("p000-2",)


PHONES = [
    ("first_not_null", "221-2"),
    ("most_recent_not_null", "221-2"),
    ("longest", "0049 221 1"),
    ("min", "0049 221 1"),
    ("max", "221-2"),
    ({"source_priority": ["till", "web", "crm"]}, "0049 221 1"),
    ({"order_by": "id"}, "0049 221 1"),
]


@pytest.mark.parametrize(("rule", "phone"), PHONES)
def test_a_column_takes_its_value_from_the_whole_cluster(
    cluster: duckdb.DuckDBPyConnection, rule: Any, phone: str
) -> None:
    found = survivor(cluster, "id, phone, origin", order_by="updated DESC", per_column={"PHONE": rule})
    assert found == ("p000-2", phone, "till")


def test_the_most_recent_value_is_not_that_of_the_most_trusted_record(cluster: duckdb.DuckDBPyConnection) -> None:
    rules = {"score": "most_recent_not_null", "phone": "first_not_null"}
    found = survivor(cluster, "id, score, phone", order_by="updated DESC", source_priority=["web"], per_column=rules)
    assert found == ("p000-0", 9, "0049 221 1")


def test_the_most_frequent_value_wins_and_ties_go_to_the_surviving_order(cluster: duckdb.DuckDBPyConnection) -> None:
    rules = {"city": "most_frequent", "phone": "most_frequent"}
    cluster.execute("UPDATE people SET city = 'Elsewhere' WHERE id = 'p000-2'")
    town = cluster.execute("SELECT city FROM people WHERE id = 'p000-0'").fetchone()
    assert survivor(cluster, "city, phone", order_by="updated DESC", per_column=rules) == (*town, "221-2")


def test_records_without_company_keep_their_values_and_types(cluster: duckdb.DuckDBPyConnection) -> None:
    before = cluster.execute("DESCRIBE people").fetchall()
    rules = {"phone": "longest", "score": "max", "city": "most_frequent"}
    run(cluster, config(survivor={"order_by": "updated DESC", "per_column": rules}))
    assert cluster.execute("DESCRIBE kept").fetchall()[:-2] == before
    alone = "WHERE cluster_size = 1 ORDER BY id"
    kept = cluster.execute(f"SELECT * EXCLUDE (cluster_id, cluster_size) FROM kept {alone}").fetchall()
    assert (
        kept
        == cluster.execute(
            "SELECT people.* FROM people JOIN links USING (id) "
            "WHERE cluster_id IN (SELECT cluster_id FROM kept WHERE cluster_size = 1) "
            "ORDER BY id"
        ).fetchall()
    )
    assert len(kept) == 40


def test_a_column_without_any_value_stays_null(cluster: duckdb.DuckDBPyConnection) -> None:
    cluster.execute("UPDATE people SET phone = NULL")
    rules = dict.fromkeys(["phone"], "most_frequent")
    assert survivor(cluster, "phone", order_by="id", per_column=rules) == (None,)


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({}, "at least one of order_by, most_complete"),
        ({"order_by": " "}, "is empty"),
        (
            {"most_complete": True, "per_column": {"phone": "most_recent_not_null"}},
            "most_recent_not_null needs order_by",
        ),
        ({"order_by": "id", "per_column": {"phone": "newest"}}, "first_not_null"),
    ],
)
def test_rules_that_decide_nothing_are_refused(rules: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        config(survivor=rules)


def test_the_identity_of_a_record_is_not_for_rules() -> None:
    (problem,) = validate_splink(config(survivor={"order_by": "id", "per_column": {"ID": "max"}}))
    assert problem == "survivor.per_column: 'ID' identifies records and cannot be merged; remove it"


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"order_by": "id", "per_column": {"fone": "max"}}, "survivor.per_column: there is no column 'fone' (did you"),
        ({"order_by": "id", "per_column": {"phone": {"order_by": "age"}}}, "survivor.per_column.phone: `age`: Binder"),
        ({"source_priority": ["web"]}, "source_dataset_column_name: there is no column 'source_dataset'"),
    ],
)
def test_rules_over_columns_that_are_not_there_are_refused(
    cluster: duckdb.DuckDBPyConnection, rules: dict[str, Any], said: str
) -> None:
    with pytest.raises(DedupeError) as raised:
        run(cluster, config(survivor=rules))
    assert said in raised.value.message
