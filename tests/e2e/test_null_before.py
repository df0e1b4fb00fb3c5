"""A column is added while the lake has earlier rows: whether they lack values that the source has is told, once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from comboi_core.cli.demo.postgres import EmbeddedPostgres
from tests.support.project import Project
from tests.support.till import Till

REMEDY = "comboi run bronze --select till.sales --full-refresh"


@pytest.fixture
def till(tmp_path: Path) -> Till:
    return Till.make(tmp_path / "till")


def told(record: dict[str, Any]) -> list[tuple[str, str, int | None]]:
    return [(one["code"], one["message"], one["rows"]) for one in record["tables"][0]["shortfalls"]]


@pytest.mark.parametrize("mode", ["merge", "append"])
@pytest.mark.few(1)
def test_a_default_that_earlier_rows_have_at_the_source_is_told_once_and_mended_by_a_full_refresh(
    till: Till, mode: str
):
    till.table(mode=mode, primary_key=["id"])
    till.run("bronze")
    till.sql("ALTER TABLE sales ADD points INTEGER DEFAULT 7; INSERT INTO sales VALUES (3, 3, 'new', 8)")
    planned = json.loads(till.comboi("plan", "--json").stdout)["tables"][0]["shortfalls"]
    record = till.run("bronze")

    (shortfall,) = record["tables"][0]["shortfalls"]
    assert planned == [shortfall]
    assert (shortfall["code"], shortfall["rows"]) == ("null_before", 2)
    assert shortfall["message"] == (
        "earlier rows read NULL in the new column points, but in the source 2 of 2 earlier rows have a value there"
    )
    assert REMEDY in shortfall["remedy"]
    assert record["tables"][0]["schema_changes"] == ["new column points (INTEGER); earlier rows read NULL"]
    assert sorted(till.rows()) == [(1, 1, "new", None), (2, 2, "new", None), (3, 3, "new", 8)]

    till.sql("INSERT INTO sales VALUES (4, 4, 'new', 9)")
    assert told(till.run("bronze")) == []
    assert told(till.run("bronze", "--full-refresh")) == []
    assert sorted(row[3] for row in till.rows()) == [7, 7, 8, 9]


@pytest.mark.slow
def test_a_column_without_values_in_earlier_rows_is_no_shortfall(till: Till):
    till.run("bronze")
    till.sql("ALTER TABLE sales ADD note TEXT; INSERT INTO sales VALUES (3, 3, 'new', 'hello')")
    record = till.run("bronze")
    assert told(record) == [] and record["tables"][0]["schema_changes"] != []
    till.sql("ALTER TABLE sales ADD points INTEGER DEFAULT 7; UPDATE sales SET version = version + 10")
    assert told(till.run("bronze")) == [], "each row was read again"


@pytest.mark.slow
def test_a_table_without_landed_rows_has_no_earlier_ones(till: Till):
    till.sql("CREATE TABLE kept AS SELECT * FROM sales; DELETE FROM sales")
    till.run("bronze")
    till.sql("INSERT INTO sales SELECT * FROM kept; ALTER TABLE sales ADD points INTEGER DEFAULT 7")
    assert told(till.run("bronze")) == []


@pytest.mark.slow
def test_a_column_that_comes_back_is_told_where_rows_were_landed_without_it(till: Till):
    till.sql("ALTER TABLE sales ADD points INTEGER DEFAULT 7")
    till.run("bronze")
    away, home = (f"ALTER TABLE sales RENAME COLUMN {one}" for one in ("points TO score", "score TO points"))
    till.sql(away)
    assert [said[0] for said in told(till.run("bronze"))] == ["null_before"], "score is new, and has values"
    till.sql(home)
    assert told(till.run("bronze")) == [], "no row was landed while it was gone"

    till.sql(f"{away}; INSERT INTO sales VALUES (3, 3, 'new', 5)")
    till.run("bronze")
    till.sql(f"{home}; INSERT INTO sales VALUES (4, 4, 'new', 6)")
    (found,) = told(till.run("bronze"))
    assert found[:2] == (
        "null_before",
        "rows that were landed while the column points was missing read NULL, but in the source 3 of 3 earlier "
        "rows have "
        "a value there",
    )


@pytest.mark.slow
def test_a_backfill_that_meets_the_column_first_tells_of_the_rows_outside_its_range(till: Till):
    till.run("bronze")
    till.sql("ALTER TABLE sales ADD points INTEGER DEFAULT 7; INSERT INTO sales VALUES (3, 3, 'new', 8)")
    done = till.comboi("backfill", "till.sales", "--from", "1", "--to", "2", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = told(json.loads(done.stdout))
    assert found[0] == "null_before" and "1 of 1 earlier rows" in found[1] and found[2] == 1


@pytest.mark.slow
def test_a_masked_column_is_told_but_not_one_that_no_reader_sees(till: Till):
    till.run("bronze")
    till.sql("ALTER TABLE sales ADD a TEXT DEFAULT 'x'; ALTER TABLE sales ADD b TEXT DEFAULT 'y'")
    till.table(mask={"a": "redact", "b": "drop"}, on_change="warn")
    found = [said for said in told(till.run("bronze")) if said[0] == "null_before"]
    assert len(found) == 1 and "column a," in found[0][1]


@pytest.mark.parametrize(
    "change",
    [
        "ADD points int DEFAULT 7",
        "ADD points int GENERATED ALWAYS AS (order_id * 2) STORED",
        "RENAME status TO points",
    ],
)
@pytest.mark.parametrize("cursor", ["updated_at", "xmin"])
@pytest.mark.slow
def test_postgres_tells_it_of_defaults_and_renames(
    project: Project, database: EmbeddedPostgres, change: str, cursor: str
):
    database.psql("DELETE FROM shop.orders WHERE order_id > 100")
    if cursor == "xmin":
        project.edit("configs/initial.yml", "incremental_column: updated_at", "cursor: xmin")
    project.run("bronze", "--select", "orders")
    database.psql(f"ALTER TABLE shop.orders {change}")
    record = project.run("bronze", "--select", "orders")

    item = record["tables"][0]
    if cursor == "xmin" and item["rows"] == 100:
        assert told(record) == [], "the server wrote each row anew, and each was read again"
        assert "STORED" in change
        return
    assert [(code, rows) for code, _, rows in told(record)] == [("null_before", 100 - item["rows"])]
    assert f"column points, but in the source {100 - item['rows']} of" in told(record)[0][1]


@pytest.mark.slow
def test_postgres_has_nothing_to_tell_of_a_column_without_values(project: Project, database: EmbeddedPostgres):
    database.psql("DELETE FROM shop.orders WHERE order_id > 100")
    project.run("bronze", "--select", "orders")
    database.psql(
        "ALTER TABLE shop.orders ADD note text;"
        "UPDATE shop.orders SET note = 'x', updated_at = '2026-02-01' WHERE order_id = 1"
    )
    assert told(project.run("bronze", "--select", "orders")) == []
