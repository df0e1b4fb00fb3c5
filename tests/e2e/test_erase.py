"""Erasing a person: afterwards no byte of lake, logs and task hub names her, and everybody else is as before."""

from __future__ import annotations

import hashlib
import json
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from comboi_core.cli.demo.postgres import EmbeddedPostgres
from comboi_core.runs.records import record_path
from tests.support.gate import Gate
from tests.support.patched import Patched
from tests.support.person import KEY, PLANTED, erase, naming, people, plant, removed_at_the_source, without
from tests.support.project import Project, change


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, database: EmbeddedPostgres) -> Project:
    """A project after two runs that saw the person; then she is taken out of the source."""
    plant(database)
    project = people(Project.create(tmp_path_factory.mktemp("erase") / "project", database.uri))
    project.run()
    change(database)
    database.psql("UPDATE shop.orders SET amount = 3, updated_at = '2026-02-02+00' WHERE order_id = 9001")
    project.run()
    return project


@pytest.fixture
def project(ran: Project, tmp_path: Path, database: EmbeddedPostgres) -> Project:
    plant(database)
    change(database)
    removed_at_the_source(database)
    return ran.copy(tmp_path / "project")


@dataclass(frozen=True)
class Erased:
    """A project out of which the person's row in `shop.customers` was erased, and everything made of it."""

    project: Project
    record: dict[str, Any]
    contents: dict[str, list[tuple]]


@pytest.fixture(scope="module")
def undisturbed(ran: Project, tmp_path_factory: pytest.TempPathFactory) -> Erased:
    project = ran.copy(tmp_path_factory.mktemp("undisturbed") / "project")
    record = erase(project, "shop.customers", "--key", KEY, "--by", "the officer")
    return Erased(project, record, project.contents())


@pytest.fixture
def erased(undisturbed: Erased, tmp_path: Path) -> Project:
    return undisturbed.project.copy(tmp_path / "erased")


@pytest.mark.slow
def test_nobody_can_tell_afterwards_that_she_was_there(ran: Project, undisturbed: Erased, erased: Project):
    before, project, record = ran.contents(), erased, undisturbed.record
    assert len(naming(ran, PLANTED)) > 5, "she has to be in many places first"
    assert (record["trigger"], record["status"], record["tables"][0]["removed"]) == ("erase", "succeeded", 1)
    how = {item["name"]: (item["how"], item["removed"]) for item in record["datasets"]}
    assert how["joined"] == ("built anew", 2)
    assert how["merged"] == ("rows taken out", 0), "she was in quarantine"
    assert how["appended"] == ("rows taken out", 2)
    assert how["versions"] == ("rows taken out", 1)
    assert how["elsewhere"] == ("not erased", None)
    orders = erase(project, "shop.orders", "--key", KEY, "--column", "customer_id")
    assert orders["tables"][0]["removed"] == 4, "two versions of each"
    assert naming(project, PLANTED) == []
    assert naming(project, KEY) == []
    after = project.contents()
    expected = without(before)
    for name in ("shop.customers", "shop.orders", "shop.events", "joined", "appended", "merged"):
        assert after[name] == expected[name], name
    assert after["elsewhere"] == before["elsewhere"]


@pytest.mark.slow
def test_a_second_time_and_a_key_that_is_nowhere_change_nothing(erased: Project):
    files = bytes_of(erased)
    commits = erased.commits()
    for keys in ([KEY], ["8888888", "-7"]):
        record = erase(erased, "shop.customers", *(part for key in keys for part in ("--key", key)))
        assert record["status"] == "succeeded"
        assert (record["erasure"]["removed"], record["erasure"]["found"]) == (0, False)
    assert bytes_of(erased) == files and erased.commits() == commits
    done = erased.comboi("erase", "--table", "shop.customers", "--key", "8888888", "--yes")
    assert done.returncode == 0, done.stderr
    shown = done.stdout
    assert "has the key; nothing was erased" in shown and "elsewhere: not erased" in shown
    assert "Erase it in the source first" in shown


def bytes_of(project: Project) -> dict[str, bytes]:
    """Return every file of the lake, but for records of runs."""
    lake = project.folder / "lake"
    found = {str(path.relative_to(lake)): path.read_bytes() for path in lake.rglob("*") if path.is_file()}
    return {path: data for path, data in found.items() if not path.startswith("bronze/runs/")}


def test_the_erasure_is_recorded_without_the_key(undisturbed: Erased, erased: Project):
    record, project = undisturbed.record, erased
    said = record["erasure"]
    assert said["keys"] == [hashlib.sha256(KEY.encode()).hexdigest()] and said["key_hash"] == "sha256"
    assert said["requested"]["by"] == "the officer (cli)" and said["requested"]["at"] < record["started_at"]
    assert said["not_erased"] == ["elsewhere"]
    path = record_path(record["run_id"])
    kept = json.loads((project.folder / "lake/bronze" / path).read_text())
    assert kept | {"path": path} == record
    assert not list(project.folder.glob("lake/bronze/work/*"))
    commit = project.commits()["shop.customers"]["loads"][0]
    assert (commit["mode"], commit["run_id"], commit["by"], commit["removed"]) == (
        "erasure", record["run_id"], "the officer (cli)", 1,
    )  # fmt: skip
    runs = json.loads(project.comboi("runs", "--json").stdout)
    assert (runs[0]["run_id"], runs[0]["trigger"], runs[0]["status"]) == (record["run_id"], "erase", "succeeded")
    assert record["run_id"] in project.comboi("status").stdout


def test_the_next_run_appends_nothing_twice(undisturbed: Erased, erased: Project):
    """An erasure moves the numbers of the table and of datasets; that is no news for those that append."""
    erased.run("silver")
    erased.run("gold")
    assert erased.contents() == undisturbed.contents


STEPS = {
    "the keys are kept": "patch(web.erasing, 'keep_keys')",
    "one file is rewritten": "patch(erasure.files, 'rewrite_load_file')",
    "the manifest is in place": "patch(lake.bronze, 'write_manifest')",
    "the entity has committed": "patch(lake.bronze, 'sweep', before=True)",
    "one dataset is built": "patch(erasure.datasets, 'erase_dataset', before=True)",
    "one dataset is rewritten": "patch(erasure.files, 'rewrite_dataset')",
    "the record is written": "patch(erasure.records, 'summary')",
}
DYING = """
import os, signal
import comboi_core.erasure.files, comboi_core.web.erasing, comboi_core.erasure.datasets
import comboi_core.erasure.records, comboi_core.lake.bronze
from comboi_core import erasure, lake, web
def patch(module, name, before=False):
    original = getattr(module, name)
    def replacement(*arguments, **named):
        if not before: original(*arguments, **named)
        os.kill(os.getpid(), signal.SIGKILL)
    replacement.__name__ = name
    setattr(module, name, replacement)
"""


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.kill
def test_killed_in_the_middle_and_asked_for_again(ran: Project, undisturbed: Erased, tmp_path: Path, step: str):
    project = ran.copy(tmp_path / "project")
    asked = ("erase", "--table", "shop.customers", "--key", KEY, "--yes")
    killed = Patched.of(project, DYING + STEPS[step]).comboi(*asked)
    assert killed.returncode == -signal.SIGKILL, killed.stdout + killed.stderr
    again = project.comboi(*asked)
    assert again.returncode == 0, again.stdout + again.stderr
    assert project.contents() == undisturbed.contents
    assert not list(project.folder.glob("lake/bronze/work/*")), "the keys are gone"
    assert [path for path in naming(project, KEY) if "orders" not in path] == []
    records = [json.loads(path.read_text()) for path in project.folder.glob("lake/bronze/runs/*/*.json")]
    told = [record for record in records if record["trigger"] == "erase" and record["erasure"]["found"]]
    assert len(told) == 1, "what was removed is told once"
    for kind in ("tables", "datasets"):
        removed = [
            [(item["removed"], item.get("how")) for item in record[kind]] for record in (*told, undisturbed.record)
        ]
        assert removed[0] == removed[1]


@pytest.mark.slow
def test_a_run_and_an_erasure_exclude_each_other(project: Project, database: EmbeddedPostgres):
    with Gate(project, database) as gate:
        run = project.start("run", "bronze", "--full-refresh", "--json")
        gate.wait()
        refused = project.comboi("erase", "--table", "shop.customers", "--key", KEY, "--yes")
        assert refused.returncode == 1 and "is being run by" in refused.stderr
        assert not list(project.folder.glob("lake/bronze/work/*/secret"))
        gate.open()
        output, _ = run.communicate(timeout=300)
        assert run.returncode == 0, output
    assert erase(project, "shop.customers", "--key", KEY)["status"] == "succeeded"


@pytest.mark.slow
def test_two_erasures_at_once(project: Project):
    server = project.start("serve", "--port", "0")
    try:
        base = server.stdout.readline().split(" at ")[1].strip().removesuffix("/runs")
        body = {"table": "shop.orders", "keys": [KEY], "columns": ["customer_id"]}
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: requests.post(f"{base}/erasures", json=body, timeout=300), range(4)))
        codes = [answer.status_code for answer in answers]
        assert set(codes) <= {202, 409} and 202 in codes
        records = [ended(f"{base}/runs", answer.json()["run_id"]) for answer in answers if answer.ok]
        assert sum(record["tables"][0]["removed"] for record in records) == 4
        run = requests.post(f"{base}/erasures", json=body, timeout=300)
        assert run.status_code == 202 and ended(f"{base}/runs", run.json()["run_id"])["erasure"]["found"] is False
    finally:
        server.terminate()
        assert server.wait(300) == 0
    assert not list(project.folder.glob("lake/bronze/work/*"))
    assert [path for path in naming(project, KEY) if "orders" in path or path.startswith(".comboi")] == []


def ended(base: str, run_id: str) -> dict[str, Any]:
    """Wait for a run's end and return its record."""
    while (record := requests.get(f"{base}/{run_id}", timeout=300).json())["status"] == "running":
        time.sleep(0.05)
    return record


@pytest.mark.slow
def test_a_request_that_cannot_be_met_is_refused_and_repeats_no_key(project: Project):
    wrong = {
        ("shop.customer", KEY): "did you mean 'shop.customers'",
        ("shop.events", KEY): "has no primary key: name the column",
        ("shop.orders", ""): "key 1: a value is empty",
        ("shop.customers", "7.5"): "key 1: no value of shop.customers.customer_id, which has the type INTEGER",
        ("shop.customers", KEY, "--column", "custmer_id"): "has a column 'custmer_id' (did you mean 'customer_id'?)",
        ("shop.orders", KEY, "--column", "customer_id", "--column", "status"): "more than one of them",
    }
    for (table, *arguments), why in wrong.items():
        done = project.comboi("erase", "--table", table, "--yes", "--key", *arguments)
        assert done.returncode == 1 and why in done.stderr and KEY not in done.stdout + done.stderr
    asked = project.comboi("erase", "--table", "shop.orders", "--key", KEY)
    assert asked.returncode == 1 and "This cannot be undone" in asked.stdout, (
        "it is asked for, and not done without an answer"
    )
    assert not list(project.folder.glob("lake/bronze/work/*/secret"))


@pytest.mark.slow
def test_a_dataset_whose_build_fails_loses_the_rows_all_the_same(project: Project):
    count = len(project.contents()["joined"])
    old = "      severity: warn\n"
    project.edit("configs/transformations.yml", old, f"{old}  - row_count: {{min: {count}}}\n")
    record = erase(project, "shop.customers", "--key", KEY)
    joined, per_city = (
        next(item for item in record["datasets"] if item["name"] == name) for name in ("joined", "per_city")
    )
    assert (joined["how"], joined["removed"], joined["status"]) == ("rows taken out", 2, "succeeded")
    assert "row_count" in joined["warnings"][0] and per_city["how"] == "built anew"
    assert [path for path in naming(project, PLANTED) if "orders" not in path] == []
