"""Disks that are full: the cause and what to do are told, and once there is space again nothing is lost or doubled.

The disk is a small tmpfs, filled to the last byte: DuckDB, Python and SQLite get the kernel's own ENOSPC.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import requests

from comboi_core.cli.demo.postgres import EmbeddedPostgres
from tests.e2e.test_api import SLOW, follow, served, until
from tests.e2e.test_faults import source_rows
from tests.support.browser import chromium, tab
from tests.support.keyed import key_of
from tests.support.project import Project, change
from tests.support.small_disk import SmallDisk, small_disk

INITIAL = "configs/initial.yml"
TABLES = ("orders", "events", "customers")
BIG = "SELECT n AS what, md5(n::text) || repeat('x', 50) AS n FROM range(3000000) series(n) ORDER BY hash(n)\n"


def complete(disk: SmallDisk, database: EmbeddedPostgres, folder: Path) -> None:
    """Make sure that the lake has what the source has, row for row, and no file that nobody lists."""
    found = disk.seen(folder).contents()
    for table in TABLES:
        assert found[f"shop.{table}"] == source_rows(database, table), table
    assert len(found["orders_clean"]) == len(source_rows(database, "orders"))


def failed(disk: SmallDisk) -> str:
    """Run, which has to fail in an orderly way; return what the terminal shows, in one line."""
    done = disk.comboi("run")
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 1 and "Traceback" not in said, said
    return said


@pytest.mark.slow
def test_a_full_lake_is_told_on_the_page_and_in_the_terminal_and_the_next_run_completes(
    project: Project, database: EmbeddedPostgres, tmp_path: Path
):
    with small_disk(project, "lake", "32m") as disk, served(disk) as url:
        assert disk.comboi("run").returncode == 0
        disk.fill()
        change(database)

        said = failed(disk)

        assert "[lake_unavailable]" in said and "No space left on device" in said
        assert "what to do: Free space on the disk of the lake's folder" in said
        with chromium() as browser, tab(browser) as one:
            one.page.goto(f"{url}/monitor#code={key_of(url + '/')}")
            one.page.wait_for_selector("#run .box")
            told = one.page.inner_text("#run")
            assert "failed" in one.page.inner_text("#run-title")
            assert "lake_unavailable" in told and "No space left on device" in told
            assert "What to do: Free space on the disk of the lake's folder" in told
        disk.free()
        assert disk.comboi("run").returncode == 0
        complete(disk, database, tmp_path / "copy")


@pytest.mark.slow
def test_a_disk_that_is_full_for_a_dataset_alone_leaves_the_published_one_and_the_next_run_completes(
    project: Project, database: EmbeddedPostgres, tmp_path: Path
):
    with small_disk(project, "lake/silver", "32m") as disk:
        disk.run()
        before = disk.seen(tmp_path / "before").contents()["orders_clean"]
        disk.fill(left=8192)
        change(database)

        said = failed(disk)

        assert "orders_clean: [lake_unavailable]" in said and "No space left on device" in said
        assert "what to do: " in said and "free" in said.lower() and "space" in said
        assert disk.seen(tmp_path / "meanwhile").contents()["orders_clean"] == before
        assert not [path for path in disk.place.rglob("*") if ".staging" in path.parts and path.is_file()]
        disk.free()
        disk.run()
        complete(disk, database, tmp_path / "after")


@pytest.mark.slow
def test_a_full_disk_for_spilling_fails_what_needs_it_and_nothing_else(
    project: Project, database: EmbeddedPostgres, tmp_path: Path
):
    """In the place of ENOSPC, DuckDB says that it ran out of memory: it asks beforehand what the disk has left."""
    scripts = project.folder / "transformations"
    right = (scripts / "events_per_kind.py").read_text()
    (scripts / "events_per_kind.py").unlink()
    project.write("transformations/events_per_kind.sql", BIG)
    limit = f"memory_limit: 96MB\n  temp_directory: {project.folder / 'spill'}"
    project.edit(INITIAL, "memory_limit: 512MB", limit)
    with small_disk(project, "spill", "32m") as disk:
        disk.fill()

        said = failed(disk)

        assert "events_per_kind" in said and "ran out of memory" in said and "offload data block" in said
        assert "what to do: Free space on the disk of" in said
        record = json.loads(disk.comboi("status", "--json").stdout)
        outcomes = {
            item.get("name", item.get("table")): item["status"] for item in record["tables"] + record["datasets"]
        }
        assert outcomes.pop("events_per_kind") == "failed" and outcomes.pop("revenue") == "skipped"
        assert set(outcomes.values()) == {"succeeded"} and {*TABLES, "orders_clean"} == set(outcomes)
        (scripts / "events_per_kind.sql").unlink()
        project.write("transformations/events_per_kind.py", right)
        disk.run()
        complete(disk, database, tmp_path / "copy")


@pytest.mark.slow
def test_a_full_disk_of_the_task_hub_is_told_at_the_start_and_the_next_run_completes(
    project: Project, database: EmbeddedPostgres, tmp_path: Path
):
    with small_disk(project, ".comboi", "32m") as disk:
        disk.run("bronze")
        change(database)
        disk.fill()

        said = failed(disk)

        assert ".comboi/hub.db" in said and "what to do: Check the free space on its disk" in said
        disk.free()
        disk.run()
        complete(disk, database, tmp_path / "copy")


@pytest.mark.slow
def test_a_task_hub_whose_disk_fills_up_during_a_run_goes_on_by_itself_once_there_is_space(
    project: Project, database: EmbeddedPostgres, tmp_path: Path
):
    project.write("transformations/events_per_kind.py", SLOW)
    with small_disk(project, ".comboi", "32m") as disk:
        with served(disk) as url:
            run_id = requests.post(f"{url}/runs", json={}, timeout=300).json()["run_id"]
            until((project.folder / "started").exists)
            disk.fill()
            (project.folder / "go").touch()
            until((project.folder / "lake" / "silver" / "refined" / "events_per_kind.parquet").exists)
            assert requests.get(f"{url}/runs/{run_id}", timeout=300).json()["status"] == "running"
            disk.free()
            assert follow(url, run_id)["status"] == "succeeded"
        complete(disk, database, tmp_path / "copy")
