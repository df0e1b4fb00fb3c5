"""Faults in the middle of a run, each at an instant of the test's choice: nothing is lost, nothing is doubled, and the
record says what happened."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import duckdb
import pytest
import requests

from comboi_core.cli.demo.postgres import EmbeddedPostgres
from comboi_core.domain.folders import Scratch
from comboi_core.domain.sql import literal
from comboi_core.sources.postgres.session import extension_path
from tests.support.gate import Gate
from tests.support.patched import Patched
from tests.support.project import Project, change, refill

SELECTED = ("bronze", "--select", "orders", "--json")
TABLES = ("orders", "events", "customers")


def source_rows(database: EmbeddedPostgres, table: str) -> list[tuple]:
    """A table as the source has it, in the order of `Project.contents`."""
    with duckdb.connect() as con:
        con.execute(f"SET TimeZone = 'UTC'; LOAD {literal(str(extension_path()))}")
        con.execute(f"ATTACH {literal(database.uri)} AS source (TYPE postgres, READ_ONLY)")
        return sorted(con.execute(f"FROM source.shop.{table}").fetchall(), key=repr)


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder whose name is short enough for the server's socket: its address stays the same over a restart."""
    with Scratch() as folder:
        yield folder


def finished(run, code: int = 0) -> dict:
    """Wait for `comboi run --json` and return the record's part on orders."""
    output, _ = run.communicate(timeout=300)
    assert run.returncode == code, output
    record = json.loads(output[output.index("{\n") :])
    return next(item for item in record["tables"] if item["table"] == "orders")


@pytest.mark.slow
def test_a_connection_cut_in_the_middle_of_a_chunk(project: Project, database: EmbeddedPostgres):
    with Gate(project, database) as gate:
        run = project.start("run", *SELECTED)
        database.psql(f"SELECT pg_terminate_backend({gate.wait()})")
        gate.open()
        record = finished(run)
    assert (record["status"], record["rows"], record["attempts"]) == ("succeeded", 5000, 2)
    assert [error["code"] for error in record["retried"]] == ["source_unreachable"]
    assert "terminating connection" in record["retried"][0]["message"]
    assert project.contents()["shop.orders"] == source_rows(database, "orders")


@pytest.mark.slow
def test_a_database_that_is_restarted_while_it_is_read(tmp_path: Path):
    with short_folder() as folder, EmbeddedPostgres(folder) as database:
        refill(database)
        project = Project.create(tmp_path / "project", database.uri)
        project.edit("configs/initial.yml", "attempts: 2", "attempts: 20")
        project.edit("configs/initial.yml", "first_delay: 0.2s", "first_delay: 0.2s\n  factor: 1.2")
        with Gate(project, database) as gate:
            run = project.start("run", *SELECTED)
            gate.wait()
            database.stop()
            database.start()
        record = finished(run)
        assert (record["status"], record["rows"]) == ("succeeded", 5000)
        assert record["attempts"] > 1
        assert {error["code"] for error in record["retried"]} == {"source_unreachable"}
        assert project.contents()["shop.orders"] == source_rows(database, "orders")


@pytest.mark.slow
def test_a_disk_that_is_full_while_a_chunk_is_written(project: Project, database: EmbeddedPostgres):
    """A limit on the size of files stands in for the disk: the system's answer takes the same way."""
    database.psql(
        """DROP TABLE shop.customers; CREATE TABLE shop.customers AS SELECT n AS customer_id,
        (SELECT string_agg(md5(n * k || ''), '') FROM generate_series(1, 32) k) AS name
        FROM generate_series(1, 15000) n"""
    )
    full = Patched.of(project, f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({4 * 2**20},) * 2)")
    failed = full.comboi("run", "bronze", "--json")
    assert failed.returncode == 1
    tables = {item["table"]: item for item in json.loads(failed.stdout)["tables"]}
    error = tables["customers"]["error"]
    assert (error["code"], tables["customers"]["attempts"]) == ("lake_unavailable", 2)
    assert "File too large" in error["message"] and tables["orders"]["status"] == "succeeded"
    lake = project.folder / "lake" / "bronze"
    assert not list(lake.glob("shop/customers/**/*.parquet")) and not list(lake.glob(".staging/*"))
    project.run("bronze")
    found = project.contents()
    for table in TABLES:
        assert found[f"shop.{table}"] == source_rows(database, table), table


STEPS = {
    "the first file is in place": "patch(lake.bronze, 'write_chunk')",
    "the manifest is in place": "patch(lake.bronze, 'write_manifest')",
    "the entity has committed": "patch(lake.bronze, 'sweep', before=True)",
    "one file is swept": "delete = lake.local.LocalLake.delete\n"
    "def one(self, paths):\n"
    "    paths = list(paths)\n"
    "    delete(self, paths[:1])\n"
    "    if any('/customers/' in path for path in paths): die()\n"
    "lake.local.LocalLake.delete = one",
}
DYING = """
import os, signal
import comboi_core.lake.bronze, comboi_core.lake.local
from comboi_core import lake
def die():
    os.kill(os.getpid(), signal.SIGKILL)
def patch(module, name, before=False):
    original = getattr(module, name)
    def replacement(*arguments, **named):
        if not before: original(*arguments, **named)
        die()
    setattr(module, name, replacement)
"""


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory, database: EmbeddedPostgres) -> Project:
    """A project after its first run, over a source that has changed since."""
    refill(database)
    project = Project.create(tmp_path_factory.mktemp("faults") / "project", database.uri)
    project.edit("configs/initial.yml", "path: lake/bronze", "path: lake/bronze\n    keep_loads: 1")
    project.run("bronze")
    return project


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.kill
def test_a_process_killed_between_two_steps_of_the_commit(
    landed: Project, database: EmbeddedPostgres, tmp_path: Path, step: str
):
    refill(database)
    change(database)
    project = landed.copy(tmp_path / "project")
    killed = Patched.of(project, DYING + STEPS[step]).comboi("run", "bronze")
    assert killed.returncode == -signal.SIGKILL, killed.stdout + killed.stderr
    again = project.comboi("run", "bronze")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "unfinished" in again.stdout
    found, commits = project.contents(), project.commits()
    for table in TABLES:
        assert found[f"shop.{table}"] == source_rows(database, table), table
    assert {commits[f"shop.{table}"]["sequence"] for table in ("orders", "events")} == {2}, "committed twice or never"


@pytest.mark.slow
def test_an_old_run_that_wakes_up_after_its_lease_was_taken(project: Project, database: EmbeddedPostgres):
    """While the run reads, a newer one's fence comes to its table; what the old one brings is refused."""
    server = project.start("serve", "--port", "0")
    try:
        base = server.stdout.readline().split(" at ")[1].strip()
        with Gate(project, database) as gate:
            old = requests.post(f"{base}?links=true", json={"stage": "bronze"}, timeout=300).json()
            gate.wait()
            management = urlsplit(old["statusQueryGetUri"])
            table = management.path.partition("/instances/")[0] + "/entities/table/shop.shop.orders"
            entity = management._replace(path=table, query=f"{management.query}&op=open").geturl()
            # Encoded twice, as the SDK's own client sends the input of an operation.
            assert requests.post(entity, json=json.dumps({"fence": 2}), timeout=300).status_code == 202
        record = ended(base, old["run_id"])
        orders = next(item for item in record["tables"] if item["table"] == "orders")
        assert (record["status"], orders["status"], orders["error"]["code"]) == ("failed", "failed", "lease_lost")
        assert "a newer run has taken over" in orders["error"]["message"]
        newer = requests.post(base, json={"stage": "bronze"}, timeout=300).json()
        assert ended(base, newer["run_id"])["status"] == "succeeded"
    finally:
        server.terminate()
        assert server.wait(300) == 0
    assert project.commits()["shop.orders"]["sequence"] == 1
    assert project.contents()["shop.orders"] == source_rows(database, "orders")


def ended(base: str, run_id: str) -> dict:
    """Wait for a run's end and return its record."""
    while (record := requests.get(f"{base}/{run_id}", timeout=300).json())["status"] == "running":
        time.sleep(0.02)
    return record
