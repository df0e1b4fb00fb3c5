"""Tables that another session never leaves alone while a pipeline runs in a loop: bronze ends equal, or the run tells.

The same storm over a comboi that trusts its plans has to lose rows.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from comboi_core.cli.demo.postgres import EmbeddedPostgres
from tests.e2e.test_no_gap import serving
from tests.support import rewriting
from tests.support.patched import Patched
from tests.support.project import Project
from tests.support.rewriting import Rewriter

TRUSTING = """
from comboi_core.sources.postgres import connection, relations
relations.confirm = relations.confirm_after = lambda planned, found, place: None
connection.SESSION["row_security"] = "on"
"""
TOLD = {"source_changed", "source_filtered", "schema_drift"}
"""With what a run may fail while the storm lasts."""
ENOUGH, SECONDS = 8, 120
"""So often comboi has to have waited for the writer when it was about to read; after so many seconds that is enough."""


ALWAYS = """
import subprocess
from comboi_core.cli.demo.postgres import _programs
from comboi_core.sources.postgres.table import PostgresTable
plan = PostgresTable.plan

def forestalled(self, *given, **options):
    load = plan(self, *given, **options)
    subprocess.run([str(_programs() / "psql"), "{uri}", "-c", "VACUUM FULL shop.orders"], check=True)
    return load

PostgresTable.plan = forestalled
"""


@dataclass
class Passed:
    """What a storm has left.

    Attributes:
        told: The codes of what the runs told of a table.
        whole: How many rows each load of the table `whole` had, which never has fewer at the source.
        missing: The ids that a table has at the source and not in the lake.
    """

    told: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    whole: list[int] = field(default_factory=list)
    missing: dict[str, set[int]] = field(default_factory=dict)

    @property
    def lost(self) -> bool:
        """Whether rows are missing, or were for a while."""
        return any(self.missing.values()) or self.whole != sorted(self.whole)

    def note(self, record: dict[str, Any]) -> None:
        """Note what a run says of each table."""
        for table in record["tables"]:
            error = table.get("error")
            assert error is None or error["code"] in TOLD, error
            self.told[table["table"]] |= {shortfall["code"] for shortfall in table.get("shortfalls", ())}
            if table["table"] == "whole" and not error:
                self.whole.append(table["rows"])


def storm_over(project: Project, database: EmbeddedPostgres, seed: int) -> Passed:
    """Let the storm pass over a project that runs in a loop; one more run, without it, has to succeed."""
    passed = Passed()
    with serving(project) as base:
        writer, end = Rewriter(database, seed).start(), time.monotonic() + SECONDS
        try:
            while writer.forestalled < ENOUGH and time.monotonic() < end:
                passed.note(run(base))
        finally:
            writer.end()
        last = run(base)
        passed.note(last)
        assert last["status"] == "succeeded", [table.get("error") for table in last["tables"]]
    passed.missing = rewriting.missing(project, database)
    return passed


def run(base: str) -> dict[str, Any]:
    """Run bronze and wait for its end."""
    started = requests.post(base, json={"stage": "bronze"}, timeout=300)
    assert started.status_code == 202, started.text
    while (record := requests.get(f"{base}/{started.json()['run_id']}", timeout=300).json())["status"] == "running":
        time.sleep(0.02)
    return record


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.slow
def test_bronze_ends_equal_or_a_run_has_told_what_is_missing(project: Project, database: EmbeddedPostgres, seed: int):
    passed = storm_over(rewriting.over(project, database), database, seed)
    assert passed.whole == sorted(passed.whole), "a table was published with rows missing"
    silent = {name: rows for name, rows in passed.missing.items() if rows and "attached_rows" not in passed.told[name]}
    assert not silent, "rows are missing, and no run has told it"


@pytest.mark.slow
def test_who_trusts_the_plan_loses_rows(tmp_path: Path, database: EmbeddedPostgres):
    storms = (  # one is enough; where the machine is busy, it may not catch comboi at the wrong moment
        storm_over(
            rewriting.over(Project.create(tmp_path / f"{seed}", database.uri), database, TRUSTING), database, seed
        )
        for seed in (1, 2, 3)
    )
    assert any(passed.lost for passed in storms), "the storm would not notice a comboi that trusts its plans"


@pytest.mark.slow
def test_a_table_that_is_always_rewritten_ends_the_load_after_so_many_plans(
    project: Project, database: EmbeddedPostgres
):
    project.edit("configs/initial.yml", "attempts: 2", "attempts: 3")
    run = Patched.of(project, ALWAYS.replace("{uri}", database.uri)).comboi("run", "bronze", "--select", "orders")
    assert run.returncode == 1 and "shop.orders was rewritten or emptied while the load was read" in run.stdout
    assert "run at a time when nobody rewrites the table" in " ".join(run.stdout.split())
    assert not list((project.folder / "lake").rglob("_loads/*")), "nothing was committed"
    project.run("bronze", "--select", "orders")
    assert len(project.contents()["shop.orders"]) == 5000
