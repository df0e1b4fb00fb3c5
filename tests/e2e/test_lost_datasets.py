"""Published datasets are lost or the lake has moved: nothing is published in part and called a success."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_lost import commands
from tests.support.till import Till

CHANGE = "UPDATE sales SET version = 3, status = 'paid' WHERE id = 2; INSERT INTO sales VALUES (3, 4, 'new')"
LATER = "INSERT INTO sales VALUES (4, 5, 'late')"
IN_INTERVAL = """
SELECT id, status, TIMESTAMP '2026-11-01' + to_days(version::INTEGER) AS day FROM sales
WHERE day >= getvariable('interval_start')::TIMESTAMP AND day < getvariable('interval_end')::TIMESTAMP
"""
BY_TIME = {"strategy": "delete+insert", "incremental_key": "day", "time_granularity": "timestamp"}
MERGE = {"strategy": "merge", "unique_key": ["id"]}
ASSET = f"""/* @bruin
name: seen
type: duckdb.sql
depends: [till.sales]
materialization: {{type: table, strategy: time_interval, incremental_key: day, time_granularity: timestamp}}
@bruin */
{
    IN_INTERVAL.replace("getvariable('interval_start')", "'{{ start_timestamp }}'")
    .replace("getvariable('interval_end')", "'{{ end_timestamp }}'")
    .replace("FROM sales", "FROM till.sales")
}
"""


@pytest.fixture
def till(tmp_path: Path) -> Till:
    project = Till.make(tmp_path / "till")
    place(project, "lake/silver")
    return project


def place(till: Till, silver: str) -> None:
    gold = {"data_lake": {"path": "lake/gold"}}
    till.configure(
        stages={
            "bronze": {"data_lake": {"path": "lake/bronze"}},
            "silver": {"data_lake": {"path": silver}},
            "gold": gold,
        }
    )


def told(record: dict[str, Any]) -> list[tuple[str, int | None]]:
    return [(one["code"], one["rows"]) for one in record["datasets"][0].get("shortfalls", [])]


def ids(till: Till) -> list[int]:
    return sorted(row[0] for row in till.contents()["seen"])


@pytest.mark.parametrize(
    ("how", "view", "short"),
    [
        ({"strategy": "replace"}, "current", []),
        ({"strategy": "append"}, "changes", [("dataset_lost", 1)]),
        ({"strategy": "append"}, "current", [("dataset_lost", 2)]),
        (MERGE, "changes", [("dataset_lost", None)]),
        (MERGE, "current", [("dataset_lost", None)]),
        ({"strategy": "delete+insert", "incremental_key": "id"}, "current", [("dataset_lost", None)]),
        ({"strategy": "scd2", "unique_key": ["id"]}, "current", [("dataset_lost", 1)]),
        ({"strategy": "scd2", "unique_key": ["id"]}, "changes", [("dataset_lost", 1)]),
    ],
    ids=["replace", "append-changes", "append", "merge-changes", "merge", "delete+insert", "scd2", "scd2-changes"],
)
@pytest.mark.few(1)
def test_a_lost_dataset_is_built_anew_and_the_run_says_what_is_missing(
    till: Till, how: dict[str, Any], view: str, short: list
):
    till.dataset(view=view, **how)
    till.run()
    till.sql(CHANGE)
    assert told(till.run()) == []
    shutil.rmtree(till.folder / "lake/silver")
    record = till.run()
    assert told(record) == short
    assert {1, 2, 3} == set(ids(till))
    assert told(till.run()) == []
    for one in record["datasets"][0].get("shortfalls", []):
        assert "seen: the dataset is not in the lake" in one["message"] and "anew from its inputs" in one["message"]


@pytest.mark.slow
def test_that_a_dataset_was_there_is_remembered_without_the_task_hub(till: Till):
    till.run()
    for gone in ("lake/silver", ".comboi"):
        shutil.rmtree(till.folder / gone)
    assert till.comboi("checkpoints", "rebuild").returncode == 0
    assert told(till.run()) == [("dataset_lost", None)]


@pytest.mark.slow
def test_a_lake_that_has_moved_is_named(till: Till):
    till.run()
    place(till, "lake/elsewhere")
    (one,) = till.run()["datasets"][0]["shortfalls"]
    assert "lake/elsewhere; it was in " in one["message"] and "lake/silver" in one["message"]
    assert "correct `stages.silver.data_lake`" in one["remedy"]


@pytest.mark.parametrize(
    "how", [BY_TIME, MERGE, {"strategy": "append"}, "asset"], ids=["time", "merge", "append", "asset"]
)
@pytest.mark.slow
def test_a_build_of_one_interval_does_not_take_the_place_of_a_lost_dataset(till: Till, how: Any):
    if how == "asset":
        (till.folder / "configs/transformations.yml").unlink()
        (till.folder / "transformations/seen.sql").unlink()
        till.write("transformations/seen.sql", ASSET)
    else:
        till.dataset(IN_INTERVAL, view="current", **how)
    till.run("--from", "2026-11-02", "--to", "2026-11-04")
    till.sql(CHANGE)
    till.run("--from", "2026-11-04", "--to", "2026-11-06")
    before = ids(till)
    shutil.rmtree(till.folder / "lake/silver")
    till.sql(LATER)

    refused = till.comboi("run", "--from", "2026-11-06", "--to", "2026-11-07")
    assert refused.returncode == 1 and "[dataset_lost] seen: the dataset is not in the lake" in refused.stdout
    assert not list((till.folder / "lake").rglob("silver/**/*.parquet"))
    (command,) = commands(refused.stdout)
    done = till.comboi(*command)
    assert done.returncode == 0 and "dataset_lost" in done.stdout, done.stdout
    till.run("--from", "2026-11-06", "--to", "2026-11-07")
    assert set(ids(till)) == {*before, 4}


@pytest.mark.slow
def test_a_full_refresh_of_one_interval_tells_which_ones_are_missing(till: Till):
    till.dataset(IN_INTERVAL, view="current", **BY_TIME)
    till.run("--from", "2026-11-02", "--to", "2026-11-04")
    shutil.rmtree(till.folder / "lake/silver")
    record = till.run("--full-refresh", "--from", "2026-11-03", "--to", "2026-11-04")
    (one,) = record["datasets"][0]["shortfalls"]
    assert one["rows"] == 1 and "it was built for 2026-11-02T00:00:00+00:00 to 2026-11-04" in one["message"]
    assert told(till.run("--from", "2026-11-04", "--to", "2026-11-05")) == []
