"""Whole runs through the command line, on a real PostgreSQL and the shipped app."""

from __future__ import annotations

import json
import os
import threading
import time
from unittest import mock

import pytest
import requests

from comboi_core.cli.demo.postgres import EmbeddedPostgres
from comboi_core.cli.hosting import serving
from comboi_core.domain.errors import LeaseLost
from tests.support.gate import Gate
from tests.support.project import Project, change


def by_name(record: dict) -> dict[str, dict]:
    return {item["table"]: item for item in record["tables"]} | {item["name"]: item for item in record["datasets"]}


def test_the_first_run_lands_everything_and_the_second_one_only_the_changes(
    landed: Project, database: EmbeddedPostgres
):
    (path,) = landed.folder.glob("lake/bronze/runs/*/*.json")
    first = by_name(json.loads(path.read_text()))
    change(database)
    second = by_name(landed.run())

    assert {name: first[name]["rows"] for name in ("orders", "events", "customers")} == {
        "orders": 5000,
        "events": 3000,
        "customers": 50,
    }
    assert {name: second[name]["rows"] for name in ("orders", "events", "customers")} == {
        "orders": 900,
        "events": 500,
        "customers": 50,
    }
    assert first["orders"]["watermark"] == "2026-01-04 11:20:00+00"
    assert second["orders"]["window"]["low"] == "2026-01-04 11:20:00+00"
    found = landed.contents()
    source = database.psql("SELECT count(*), sum(amount), count(*) FILTER (WHERE status = 'paid') FROM shop.orders")
    count, total, paid = source.strip().split("|")
    assert (len(found["shop.orders"]), str(sum(row[2] for row in found["shop.orders"]))) == (int(count), total)
    assert sum(row[3] == "paid" for row in found["shop.orders"]) == int(paid)
    assert len(found["shop.events"]) == 3500
    assert {row[3] for row in found["revenue"]} == {3500}


def test_a_run_with_nothing_new_commits_nothing_for_incremental_tables(landed: Project):
    before = landed.commits()
    record = by_name(landed.run())
    after = landed.commits()

    assert record["orders"]["rows"] == 0 and record["orders"]["status"] == "succeeded"
    assert {name: after[f"shop.{name}"]["sequence"] for name in ("orders", "events")} == {"orders": 1, "events": 1}
    assert after["shop.orders"] == before["shop.orders"]


def test_a_stage_or_a_selection_runs_alone(project: Project):
    bronze = project.run("bronze", "--select", "orders", "--select", "customers")
    assert [item["table"] for item in bronze["tables"]] == ["orders", "customers"]
    assert bronze["datasets"] == []

    silver = project.run("--select", "orders_clean")
    assert silver["tables"] == []
    assert [(item["name"], item["rows"]) for item in silver["datasets"]] == [("orders_clean", 5000)]


@pytest.mark.slow
def test_a_full_refresh_reads_the_table_anew_and_drops_what_the_source_deleted(
    landed: Project, database: EmbeddedPostgres
):
    database.psql("DELETE FROM shop.orders WHERE order_id <= 100")
    landed.run("bronze")
    assert len(landed.contents()["shop.orders"]) == 5000, "an incremental run cannot see deletes"
    landed.run("bronze", "--full-refresh")
    assert len(landed.contents()["shop.orders"]) == 4900


@pytest.mark.slow
def test_every_activity_executed_twice_gives_the_same_result(
    project: Project, landed: Project, database: EmbeddedPostgres
):
    faults = {"DURABLE_LOCAL_FAULTS": "double_activities,replay_twice,shuffle=7"}
    project.run(**faults)
    change(database)
    landed.run()
    project.run(**faults)

    assert project.contents() == landed.contents()
    once, doubled = landed.commits(), project.commits()
    for name, checkpoint in once.items():
        for field in ("watermark", "sequence"):
            assert doubled[name][field] == checkpoint[field]


def test_of_two_runs_started_at_once_one_says_who_holds_the_lease(project: Project, database: EmbeddedPostgres):
    server = project.start("serve", "--port", "0")
    try:
        url = ""
        while "http://" not in url:
            url = server.stdout.readline()
            assert url, "comboi serve ended"
        base = url.split(" at ")[1].strip().removesuffix("/api/runs")
        answers: list[requests.Response] = []
        starters = [
            threading.Thread(target=lambda: answers.append(requests.post(f"{base}/api/runs", json={}, timeout=300)))
            for _ in range(4)
        ]
        for starter in starters:
            starter.start()
        for starter in starters:
            starter.join()
        codes = sorted(answer.status_code for answer in answers)
        assert codes == [202, 409, 409, 409]
        started = next(answer for answer in answers if answer.status_code == 202)
        run_id = started.json()["run_id"]
        assert started.headers["Location"].endswith(f"/api/runs/{run_id}")
        for refused in (answer for answer in answers if answer.status_code == 409):
            assert refused.headers["Content-Type"] == "application/problem+json"
            assert refused.json()["holder"]["run_id"] == run_id
            assert run_id in refused.json()["detail"]
        while requests.get(f"{base}/api/runs/{run_id}", timeout=300).json()["status"] == "running":
            time.sleep(0.1)
        listed = requests.get(f"{base}/api/runs", timeout=300).json()["runs"]
        assert [(run["run_id"], run["status"]) for run in listed] == [(run_id, "succeeded")]
        beside = project.comboi("run", "--json")
        assert beside.returncode == 0, beside.stderr
        assert json.loads(beside.stdout)["fence"] > 1, "comboi run beside a live host submits to it"
    finally:
        server.terminate()
        assert server.wait(300) == 0


@pytest.mark.slow
def test_two_commands_started_at_once_share_one_host_and_one_is_refused(project: Project):
    first, second = project.start("run"), project.start("run")
    said = [first.communicate(timeout=300)[0], second.communicate(timeout=300)[0]]
    codes = sorted([first.returncode, second.returncode])
    assert codes in ([0, 0], [0, 1]), said
    if codes == [0, 1]:
        refused = said[0] if first.returncode else said[1]
        assert "is being run by shop-" in refused and "what to do: " in refused
    assert {name: commit["sequence"] for name, commit in project.commits().items()}["shop.orders"] == 1
    assert len(project.contents()["shop.orders"]) == 5000


@pytest.mark.slow
def test_a_host_stays_up_until_the_run_of_another_command_has_ended(project: Project, database: EmbeddedPostgres):
    """One command's host serves the others too; it may itself be done, or be refused, while they are not."""
    config = project.folder / "configs" / "initial.yml"
    with mock.patch.dict(os.environ, project.environment(), clear=True), Gate(project, database) as gate:
        with pytest.raises(LeaseLost), serving(config) as served:
            run_id = served.api.post("runs", {"stage": "bronze"})["run_id"]
            gate.wait()
            threading.Timer(0.5, gate.open).start()
            raise LeaseLost("as if this command had been refused")
        with serving(config) as served:
            assert (served.unfinished, served.api.get(f"runs/{run_id}")["status"]) == ([], "succeeded")


@pytest.mark.slow
def test_the_timer_starts_runs(project: Project):
    server = project.start("serve", "--port", "0", "--schedule", "* * * * * *")
    try:
        base = server.stdout.readline().split(" at ")[1].strip()
        assert "schedule: * * * * * *" in server.stdout.readline()
        while True:
            runs = requests.get(base, timeout=300).json()["runs"]
            if runs and runs[-1]["status"] != "running":
                break
            time.sleep(0.1)
        assert (runs[-1]["trigger"], runs[-1]["status"]) == ("timer", "succeeded")
    finally:
        server.terminate()
        assert server.wait(300) == 0


@pytest.mark.slow
def test_a_big_table_is_extracted_in_many_small_steps_without_losing_a_row(project: Project):
    """Chunks of 50 rows and a deadline that passes at once: a call per chunk, and histories that start anew."""
    project.edit("configs/initial.yml", "chunk_rows: 2000", "chunk_rows: 50")
    project.edit("configs/initial.yml", "engine:", "engine:\n  soft_deadline: 0.001s")
    record = by_name(project.run("bronze", DURABLE_LOCAL_FAULTS="double_activities"))
    assert (record["orders"]["files"], record["orders"]["rows"]) == (100, 5000)
    found = project.contents()["shop.orders"]
    assert [row[0] for row in sorted(found)] == list(range(1, 5001))


@pytest.mark.slow
def test_many_small_loads_are_folded_and_nothing_is_lost(project: Project, database: EmbeddedPostgres):
    server = project.start("serve", "--port", "0")
    try:
        base = server.stdout.readline().split(" at ")[1].strip()
        for number in range(12):
            moment = f"timestamptz '2026-02-01+00' + {number} * interval '1 s'"
            database.psql(
                f"INSERT INTO shop.events VALUES ({10_000 + number}, {moment}, 'x');"
                f"UPDATE shop.orders SET status = 's{number}', updated_at = {moment} WHERE order_id <= {number + 1}"
            )
            run_id = requests.post(base, json={"stage": "bronze"}, timeout=300).json()["run_id"]
            while requests.get(f"{base}/{run_id}", timeout=300).json()["status"] == "running":
                time.sleep(0.02)
        events = requests.get(f"{base.removesuffix('/runs')}/tables/shop.events", timeout=300).json()
    finally:
        server.terminate()
        assert server.wait(300) == 0
    assert "compaction" in [load["mode"] for load in events["loads"]]
    found = project.contents()
    assert len(found["shop.events"]) == 3012
    statuses = {row[0]: row[3] for row in found["shop.orders"]}
    assert len(statuses) == 5000
    assert [statuses[number] for number in range(1, 14)] == ["s11"] * 12 + ["paid"]
