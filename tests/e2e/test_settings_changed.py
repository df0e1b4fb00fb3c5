"""What a table holds stays right when its settings, its checkpoint or the task hub are not what they were before."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.support.till import Till

CHANGE = "UPDATE sales SET version = 3, status = 'paid' WHERE id = 2"
NOW = [(1, 1, "new"), (2, 3, "paid"), (3, 4, "new")]


@pytest.fixture
def till(tmp_path: Path) -> Till:
    return Till.make(tmp_path / "till")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"mode": "append"}, "the mode is append, but the table was loaded with mode merge"),
        (
            {"primary_key": ["id", "status"]},
            "the primary key is id, status, but the table was loaded with the primary key id",
        ),
    ],
)
@pytest.mark.slow
def test_superseded_rows_of_a_merged_table_do_not_come_back(till: Till, settings: dict[str, Any], told: str):
    till.run("bronze")
    till.sql(CHANGE)
    till.run("bronze")
    till.sql("INSERT INTO sales VALUES (3, 4, 'new')")
    till.table(**settings)
    refused = till.comboi("run", "bronze")
    assert refused.returncode == 1
    assert told in refused.stdout and "--full-refresh" in refused.stdout
    till.run("bronze", "--full-refresh")
    assert till.rows() == NOW


CHANGES = {
    "path": ({"connection": {"path": "other.db"}}, "`connection.path` was 'till.db', is 'other.db'"),
    "table": ({"table": "more_sales"}, "`table` was 'sales', is 'more_sales'"),
    "query": ({"table": None, "query": "SELECT * FROM more_sales"}, "`query` was not set, is 'SELECT * FROM"),
    "where": ({"where": "status <> 'gone'"}, "`where` was not set, is 'status <> 'gone''"),
    "columns": ({"columns": ["status"]}, "`columns` was not set, is 'status'"),
    "mask": ({"mask": {"status": "redact"}}, "`mask` was not set, is 'status: redact'"),
}


@pytest.mark.parametrize(("change", "mode"), list(zip(CHANGES, ["append", "merge"] * 3, strict=True)))
@pytest.mark.few(1)
def test_a_table_that_is_made_from_something_else_is_refused_until_it_is_read_anew(till: Till, change: str, mode: str):
    settings, told = CHANGES[change]
    till.sql("CREATE TABLE more_sales AS SELECT id, version, 'more' AS status FROM sales")
    shutil.copy(till.folder / "till.db", till.folder / "other.db")
    till.table(mode=mode)
    till.run("bronze")
    before = till.rows()
    with sqlite3.connect(till.folder / "other.db") as db:
        db.executescript("UPDATE sales SET status = 'other'")
    till.sql("INSERT INTO sales VALUES (3, 4, 'new'); INSERT INTO more_sales VALUES (3, 4, 'more')")
    till.table(mode=mode, **settings)
    for command in ("plan", "run"):
        refused = till.comboi(command, "bronze")
        said = " ".join(refused.stdout.split())
        assert refused.returncode == 1
        assert (
            "[origin_changed] till.sales: the settings that decide its rows have changed since load 1: " + told in said
        )
        assert "comboi run bronze --select till.sales --full-refresh" in said and ("on_change: warn" in said) is (
            change != "mask"
        )
    assert till.rows() == before
    till.run("bronze", "--select", "till.sales", "--full-refresh")
    after = till.rows()
    assert after != before and till.run("bronze")["tables"][0]["rows"] == 0
    assert till.rows() == after


@pytest.mark.slow
def test_a_change_that_is_accepted_is_told_once_and_the_rows_stay(till: Till):
    till.run("bronze")
    shutil.copy(till.folder / "till.db", till.folder / "moved.db")
    till.table(connection={"path": "moved.db"}, on_change="warn")
    assert till.run("bronze")["tables"][0]["shortfalls"][0]["code"] == "origin_changed", "there was nothing to commit"
    with sqlite3.connect(till.folder / "moved.db") as db:
        db.executescript(CHANGE)
    (told,) = till.run("bronze")["tables"][0]["shortfalls"]
    assert (told["code"], "--full-refresh" in told["remedy"]) == ("origin_changed", True)
    assert "`connection.path` was 'till.db', is 'moved.db'" in told["message"]
    till.table(connection={"path": "moved.db"})
    assert till.run("bronze")["tables"][0]["shortfalls"] == []
    assert till.rows() == NOW[:2]


@pytest.mark.parametrize(
    "settings",
    [
        {"where": "id > 1"},
        {"primary_key": ["version"]},
        {"incremental_column": "id"},
        {"mode": "append"},
        {"mask": {"status": "redact"}},
    ],
    ids=str,
)
@pytest.mark.slow
def test_a_table_may_be_read_anew_whenever_its_settings_change(till: Till, settings: dict[str, Any]):
    till.run("bronze")
    till.sql(CHANGE)
    till.run("bronze")
    till.sql("INSERT INTO sales VALUES (3, 4, 'new')")
    till.table(on_change="reload", **settings)
    planned = json.loads(till.comboi("plan", "bronze", "--json").stdout)["tables"][0]
    assert planned["replaces"] and any("whole table is read again" in said for said in planned["warnings"])
    record = till.run("bronze")["tables"][0]
    assert any("whole table is read again" in said for said in record["warnings"]) and record["rows"] in (2, 3)
    assert [row[0] for row in till.rows()] == ([2, 3] if "where" in settings else [1, 2, 3])
    assert till.run("bronze")["tables"][0]["rows"] == 0, "only once"


@pytest.mark.slow
def test_a_table_of_mode_full_is_replaced_whatever_it_was_made_from(till: Till):
    till.table(mode="full", incremental_column=None)
    till.run("bronze")
    till.table(mode="full", incremental_column=None, where="id > 1")
    (told,) = till.run("bronze")["tables"][0]["warnings"]
    assert "`where` was not set, is 'id > 1'; this load replaces the table" in told
    assert till.rows() == [(2, 2, "new")]


@pytest.mark.slow
def test_what_only_says_how_it_is_read_may_change(till: Till):
    till.table(where="id > 0")
    till.run("bronze")
    config = till.folder / "configs" / "initial.yml"
    till.table(
        where="id  >  0 -- all of them", freshness="2h", parallel_chunks=1, chunk_rows=1, connection={"path": "till.db"}
    )
    config.write_text(config.read_text().replace("type: sqlite", "type: sqlite\n  max_parallel: 1"))
    till.sql(CHANGE)
    table = till.run("bronze")["tables"][0]
    assert (table["rows"], table["shortfalls"], till.rows()) == (1, [], NOW[:2])


@pytest.mark.slow
def test_a_salt_that_changes_is_told_and_stands_nowhere(till: Till):
    def salted(salt: str) -> None:
        till.table(mask={"id": "hash"})
        till.configure(masking={"salt": "{{env:SALT}}"})
        till.env["SALT"] = salt

    salted("pepper-1234")
    till.run("bronze")
    salted("sesame-5678")
    till.sql(CHANGE)
    refused = till.comboi("run", "bronze")
    assert refused.returncode == 1 and "`masking.salt` has changed" in refused.stdout
    kept = b"".join(path.read_bytes() for path in (till.folder / "lake").rglob("*") if path.is_file())
    assert b"pepper-1234" not in kept and b"sesame-5678" not in kept
    salted("pepper-1234")
    till.run("bronze")


@pytest.mark.slow
def test_a_value_that_is_a_secret_by_its_variable_s_name_is_compared_and_not_shown(till: Till):
    till.env["TILL_SECRET"] = "till.db"
    till.table(connection={"path": "{{env:TILL_SECRET}}"})
    till.run("bronze")
    kept = next((till.folder / "lake" / "bronze" / "till" / "sales" / "_loads").iterdir()).read_text()
    assert "connection.path" in kept and "till.db" not in kept
    till.table(connection={"path": "till.db"})
    till.run("bronze")  # the same value, written out
    shutil.copy(till.folder / "till.db", till.folder / "next.db")
    till.env["TILL_SECRET"] = "next.db"
    till.table(connection={"path": "{{env:TILL_SECRET}}"})
    refused = till.comboi("run", "bronze")
    assert refused.returncode == 1 and "`connection.path` has changed" in refused.stdout
    assert "next.db" not in refused.stdout


@pytest.mark.slow
def test_a_manifest_without_an_origin_takes_the_present_one(till: Till):
    """What comboi wrote before it knew of origins and owners: the fields are taken out of the file."""
    till.run("bronze")
    (path,) = (till.folder / "lake" / "bronze" / "till" / "sales" / "_loads").iterdir()
    plain = json.loads(path.read_text())
    path.write_text(json.dumps({key: value for key, value in plain.items() if key not in ("origin", "owner")}))
    till.table(where="id > 0")
    till.sql(CHANGE)
    assert till.run("bronze")["tables"][0]["shortfalls"] == []
    till.table(where="id > 1")
    assert till.comboi("run", "bronze").returncode == 1


@pytest.mark.parametrize("mode", ["append", "merge"])
@pytest.mark.slow
def test_a_table_that_was_replaced_by_each_load_goes_on_from_its_latest_state(till: Till, mode: str):
    till.table(mode="full", incremental_column=None)
    till.run("bronze")
    till.sql(CHANGE + "; INSERT INTO sales VALUES (3, 4, 'new'), (4, 1, 'gone soon')")
    till.run("bronze")
    till.sql("DELETE FROM sales WHERE id = 4")
    till.table(mode=mode)
    till.run("bronze")
    assert till.rows() == NOW
    till.sql("INSERT INTO sales VALUES (5, 5, 'new')")
    assert till.run("bronze")["tables"][0]["rows"] == 1
    assert till.rows() == [*NOW, (5, 5, "new")]


@pytest.mark.slow
def test_a_table_that_was_read_anew_is_not_appended_a_second_time(till: Till):
    till.dataset(strategy="append")
    till.run()
    assert till.comboi("checkpoints", "reset", "till.sales", "--yes").returncode == 0
    till.sql("INSERT INTO sales VALUES (3, 3, 'new')")
    refused = till.comboi("run")
    assert refused.returncode == 1
    assert "appended a second time" in refused.stdout and "--full-refresh" in refused.stdout
    assert len(till.contents()["seen"]) == 2
    till.run("--full-refresh", "--select", "seen")
    till.sql("INSERT INTO sales VALUES (4, 4, 'new')")
    till.run()
    assert [row[0] for row in till.contents()["seen"]] == [1, 2, 3, 4]


@pytest.mark.slow
def test_a_task_hub_that_was_lost_after_the_first_load_is_noticed(till: Till):
    till.run()
    shutil.rmtree(till.folder / ".comboi")
    till.sql(CHANGE + "; INSERT INTO sales VALUES (3, 4, 'new')")
    refused = till.comboi("run")
    assert refused.returncode == 1
    assert "checkpoint_lost" in refused.stdout and "comboi checkpoints rebuild" in refused.stdout
    assert till.comboi("checkpoints", "rebuild").returncode == 0
    till.run()
    assert till.contents()["seen"] == NOW


@pytest.mark.slow
def test_a_sum_of_integers_is_published_to_the_last_digit(till: Till):
    till.sql(f"UPDATE sales SET version = {2**53 + 1} WHERE id = 2")
    till.dataset(strategy="merge", unique_key=["id"])
    till.write("transformations/seen.sql", "SELECT id, sum(version) AS total FROM sales GROUP BY id")
    till.run()
    assert till.contents()["seen"] == [(1, 1), (2, 2**53 + 1)]
