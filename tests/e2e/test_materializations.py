"""Incremental datasets over whole runs: every strategy in one project, with changes, kills and doubled executions."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb
import pytest
import yaml

from comboi_core.app.loader import load
from comboi_core.app.workspace import Workspace
from comboi_core.building import datasets as app_datasets
from comboi_core.cli.demo.postgres import EmbeddedPostgres
from comboi_core.domain.errors import LeaseLost
from tests.support.killing import Undisturbed, instants, kill_and_run_again, prepare
from tests.support.project import Project, change, refill
from tests.support.till import Till

NEW = [{"alias": "news", "source": "shop", "table": "orders", "view": "changes"}]
NOW = [{"alias": "customers", "source": "shop", "table": "customers"}]
STRATEGIES: dict[str, dict[str, Any]] = {
    "merged": {"inputs": NEW, "materialization": {"strategy": "merge", "unique_key": ["order_id"]}},
    "appended": {"inputs": NEW, "materialization": {"strategy": "append"}},
    "by_customer": {
        "inputs": NEW,
        "materialization": {"strategy": "delete+insert", "incremental_key": "customer_id"},
    },
    "versions": {"inputs": NOW, "materialization": {"strategy": "scd2", "unique_key": ["customer_id"]}},
}
SCRIPTS = dict.fromkeys(STRATEGIES, "SELECT * FROM news\n") | {"versions": "SELECT * FROM customers\n"}


class Datasets(Project):
    """A project with a dataset per strategy."""

    @classmethod
    def create(cls, folder: Path, uri: str) -> Datasets:
        """See Project.create."""
        project = super().create(folder, uri)
        silver = [{"name": name, **body} for name, body in STRATEGIES.items()]
        project.write("configs/transformations.yml", yaml.safe_dump({"silver": silver}))
        for name, text in SCRIPTS.items():
            project.write(f"transformations/{name}.sql", text)
        return project

    def contents(self) -> dict[str, list[tuple]]:
        """See Project.contents; without the times of versions, which are those of the runs."""
        found = super().contents()
        found["versions"] = sorted({(*row[:-3], row[-1]) for row in found.get("versions", [])}, key=repr)
        return found


@pytest.fixture
def datasets(tmp_path: Path, database: EmbeddedPostgres) -> Project:
    refill(database)
    return Datasets.create(tmp_path / "project", database.uri)


@pytest.mark.slow
def test_each_strategy_follows_the_changes(datasets: Project, database: EmbeddedPostgres):
    datasets.run()
    first = datasets.contents()
    assert first["merged"] == first["appended"] == first["by_customer"] == first["shop.orders"]
    change(database)
    record = datasets.run()
    then = datasets.contents()
    assert then["merged"] == then["shop.orders"]
    changed = [row for row in then["shop.orders"] if row not in first["shop.orders"]]
    assert len(changed) == 900
    assert then["appended"] == sorted([*first["appended"], *changed], key=repr)
    customers = {row[1] for row in changed}
    kept = [row for row in first["by_customer"] if row[1] not in customers]
    assert then["by_customer"] == sorted([*kept, *changed], key=repr)
    versions = then["versions"]
    assert [row[:-1] for row in versions if row[-1]] == then["shop.customers"]
    assert [row[:-1] for row in versions if not row[-1]] == [
        row for row in first["shop.customers"] if row not in then["shop.customers"]
    ]
    read = {item["name"]: item["rows_read"] for item in record["datasets"]}
    assert read["merged"] == 900, "only what was landed since the last build is read"


@pytest.mark.slow
def test_a_run_without_news_changes_nothing_and_a_full_refresh_begins_anew(
    datasets: Project, database: EmbeddedPostgres
):
    datasets.run()
    change(database)
    datasets.run()
    before, files = datasets.contents(), sorted((datasets.folder / "lake/silver").rglob("*.parquet"))
    bytes_before = {path.name: path.read_bytes() for path in files}
    datasets.run()
    assert datasets.contents() == before
    assert all(path.read_bytes() == bytes_before[path.name] for path in files if path.stem != "versions")
    datasets.run("silver", "--full-refresh")
    anew = datasets.contents()
    assert anew["appended"] == anew["merged"] == anew["by_customer"] == anew["shop.orders"] == before["merged"]
    assert all(row[-1] for row in anew["versions"])


@pytest.mark.slow
def test_an_interval_is_built_again_and_the_rest_stays(datasets: Project):
    days = {
        "name": "days",
        "inputs": [{"alias": "orders", "source": "shop", "table": "orders"}],
        "materialization": {
            "strategy": "delete+insert",
            "incremental_key": "updated_at",
            "time_granularity": "timestamp",
        },
    }
    datasets.write("configs/transformations.yml", yaml.safe_dump({"silver": [days]}))
    datasets.write(
        "transformations/days.sql",
        "SELECT * FROM orders WHERE updated_at >= getvariable('interval_start') "
        "AND updated_at < getvariable('interval_end')\n",
    )
    first = datasets.run("--from", "2026-01-01", "--to", "2026-01-03")
    assert first["interval"] == {"start": "2026-01-01T00:00:00+00:00", "end": "2026-01-03T00:00:00+00:00"}
    assert first["datasets"][0]["rows"] == 2 * 1440 - 1
    for _ in range(2):
        assert datasets.run("silver", "--from", "2026-01-02T12:00", "--to", "2026-01-04")["datasets"][0]["rows"] == 4319
    # Of all its rows, a full refresh would keep the interval's only.
    assert (
        datasets.run("silver", "--full-refresh", "--from", "2026-01-02", "--to", "2026-01-03")["datasets"][0]["rows"]
        == 4319
    ), "a run over an interval never replaces a whole dataset"
    datasets.edit("configs/transformations.yml", "strategy: delete+insert", "strategy: replace")
    datasets.edit("configs/transformations.yml", "    incremental_key: updated_at\n", "")
    datasets.edit("configs/transformations.yml", "    time_granularity: timestamp\n", "")
    refused = datasets.comboi("run", "silver", "--json")
    assert refused.returncode == 1 and "reads the run's interval" in refused.stdout
    assert len(rows_of_days(datasets)) == 4319


def rows_of_days(project: Project) -> list[tuple]:
    """The published rows of the dataset `days`."""
    return duckdb.sql(f"FROM '{project.folder}/lake/silver/refined/days.parquet'").fetchall()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, database: EmbeddedPostgres) -> Undisturbed:
    """The run whose disturbed twins are compared with it."""
    return prepare(tmp_path_factory.mktemp("kill"), database, Datasets.create)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.kill
def test_killed_at_any_instant_a_build_neither_skips_nor_repeats(
    tmp_path: Path, seed: int, undisturbed: Undisturbed, database: EmbeddedPostgres
):
    refill(database)
    change(database)
    kill_and_run_again(undisturbed, tmp_path / "project", instants(40 + seed, undisturbed.seconds))


@pytest.mark.slow
def test_every_activity_done_twice_appends_once(datasets: Project, database: EmbeddedPostgres):
    datasets.run()
    change(database)
    twice = datasets.copy(datasets.folder.parent / "twice")
    datasets.run()
    twice.run(DURABLE_LOCAL_FAULTS="double_activities,replay_twice,shuffle=7")
    assert twice.contents() == datasets.contents()


def built(project: Project, name: str, **job: Any) -> dict[str, Any]:
    """Execute the activity `build` in this process, as an execution that comes at an odd time would be."""
    manifests = {table: found["manifest"] for table, found in project.commits().items()}
    given = {
        "run_id": "shop-20261123T000000Z-000000",
        "fence": 0,
        "started_at": "2026-11-23T00:00:00+00:00",
        "interval": {"start": "2026-11-22T00:00:00+00:00", "end": "2026-11-23T00:00:00+00:00"},
        "full_refresh": True,
        "item": {"name": name, "stage": "silver"},
        "manifests": manifests,
    }
    with mock.patch.dict(os.environ, project.environment(), clear=True):
        return app_datasets.build(Workspace(load(project.folder / "configs/initial.yml")), given | job)


@pytest.mark.slow
def test_a_run_that_lost_its_lease_publishes_nothing_over_its_successor_s(datasets: Project):
    record = datasets.run()
    before = datasets.contents()
    with pytest.raises(LeaseLost, match=f"a newer run \\({record['run_id']}\\) has published"):
        built(datasets, "merged", fence=record["fence"] - 1)
    assert datasets.contents() == before
    assert built(datasets, "merged", fence=record["fence"] + 1)["rows"] == 5000


@pytest.mark.slow
def test_a_second_execution_gives_the_first_one_s_answer(datasets: Project):
    record = datasets.run("--select", "orders", "--select", "merged")
    again = built(datasets, "merged", run_id=record["run_id"], fence=record["fence"])
    first = next(item for item in record["datasets"] if item["name"] == "merged")
    assert {key: again[key] for key in ("rows", "bytes")} == {key: first[key] for key in ("rows", "bytes")}


@pytest.mark.slow
def test_quarantined_rows_are_kept_once_until_their_key_comes_again(datasets: Project, database: EmbeddedPostgres):
    check = "accepted_values: {column: status, values: [new, paid, sent], on_fail: quarantine}"
    datasets.edit(
        "configs/transformations.yml", "  name: merged\n", f"  name: merged\n  quality_checks:\n  - {check}\n"
    )
    database.psql("UPDATE shop.orders SET status = 'odd' WHERE order_id IN (1, 2)")
    first = datasets.run("--select", "orders", "--select", "merged")
    assert (first["datasets"][0]["rows"], first["datasets"][0]["quarantined"]) == (4998, 2)
    database.psql("UPDATE shop.orders SET status = NULL, updated_at = '2026-02-03+00' WHERE order_id = 1")
    database.psql("UPDATE shop.orders SET status = 'odder', updated_at = '2026-02-03+00' WHERE order_id IN (3, 4)")
    twice = {"DURABLE_LOCAL_FAULTS": "double_activities"}
    second = datasets.run("--select", "orders", "--select", "merged", **twice)
    assert second["datasets"][0]["quarantined"] == 2
    file = datasets.folder / "lake/silver/refined/merged.quarantine.parquet"
    aside = duckdb.sql(f"SELECT order_id, status, _reasons, _build FROM '{file}'").fetchall()
    reason = ["accepted_values(status, values=['new', 'paid', 'sent'])"]
    assert sorted((row[0], row[1], row[3]) for row in aside) == [
        (2, "odd", 1),
        (3, "odder", 2),
        (4, "odder", 2),
    ], "1 is good by now"
    assert all(row[2] == reason for row in aside)
    database.psql("UPDATE shop.orders SET status = 'oddest', updated_at = '2026-02-04+00' WHERE order_id = 5")
    third = datasets.run("--select", "orders", "--select", "merged")
    assert (third["datasets"][0]["rows"], third["datasets"][0]["quarantined"]) == (4999, 1), "none of the news is good"
    assert duckdb.sql(f"SELECT count(*) FROM '{file}' WHERE _build = 3").fetchone() == (1,)
    assert (1, None) in {(row[0], row[3]) for row in datasets.contents()["merged"]}, "NULL passes"


@pytest.mark.slow
def test_an_execution_that_reads_the_dataset_while_another_one_replaces_it_appends_nothing_twice(
    datasets: Project, database: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
):
    """The second execution begins before the first one has published, and reads the dataset afterwards."""
    datasets.run()
    change(database)
    record = datasets.run("bronze")
    run = {"run_id": "shop-20261124T000000Z-abcdef", "fence": record["fence"] + 1, "full_refresh": False}
    answers = []
    real = app_datasets.transformed

    def after_the_other(work: Any) -> Any:
        monkeypatch.setattr(app_datasets, "transformed", real)
        answers.append(built(datasets, "appended", **run))
        return real(work)

    monkeypatch.setattr(app_datasets, "transformed", after_the_other)
    answers.append(built(datasets, "appended", **run))
    assert answers[0] == answers[1] and answers[0]["rows"] == 5900
    assert len(datasets.contents()["appended"]) == 5900


@pytest.mark.slow
def test_an_appended_interval_between_others_is_not_passed_over(tmp_path: Path):
    """What was looked at are two days with one between them, and all of it only in the inputs of that time."""
    till = Till.make(tmp_path / "till")
    till.sql("INSERT INTO sales VALUES (3, 3, 'new')")
    till.dataset(
        "SELECT id, status FROM sales WHERE TIMESTAMP '2026-11-01' + to_days(version::INTEGER) "
        "BETWEEN getvariable('interval_start')::TIMESTAMP "
        "AND getvariable('interval_end')::TIMESTAMP - INTERVAL 1 SECOND",
        view="current",
        strategy="append",
    )

    def built(first: int) -> list[int]:
        till.run("--from", f"2026-11-{first:02}", "--to", f"2026-11-{first + 1:02}")
        return sorted(row[0] for row in till.contents()["seen"])

    assert built(2) == [1]
    assert built(4) == [1, 3]
    assert built(4) == [1, 3], "looked at before"
    assert built(3) == [1, 2, 3]
    assert built(3) == built(2) == [1, 2, 3]
    till.sql("INSERT INTO sales VALUES (4, 4, 'new')")
    assert built(5) == [1, 2, 3, 4]
    assert built(2) == [1, 1, 2, 3, 4], "in other inputs it may have other rows: append adds what the script gives"
