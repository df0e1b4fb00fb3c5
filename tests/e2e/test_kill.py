"""Kill -9 at random instants: after `comboi run` again, everything equals an undisturbed run, row for row."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from comboi_core.cli.demo.postgres import EmbeddedPostgres
from tests.support import rewriting
from tests.support.killing import Undisturbed, instants, kill_and_run_again, prepare
from tests.support.project import Project

SEED, TIMES = 20261123, 30

hits: list[int] = []


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, database: EmbeddedPostgres) -> Iterator[Undisturbed]:
    """The run whose disturbed twins are compared with it."""
    yield prepare(tmp_path_factory.mktemp("kill"), database)
    assert not hits or sum(hits) >= len(hits) / 2, "hardly a run was killed: the test has lost its aim"


@pytest.mark.parametrize("number", range(TIMES))
@pytest.mark.few(2, then="kill")
def test_a_run_killed_at_any_instant_loses_and_doubles_nothing(undisturbed: Undisturbed, tmp_path: Path, number: int):
    hits.append(kill_and_run_again(undisturbed, tmp_path / "project", instants(SEED + number, undisturbed.seconds)))


@pytest.mark.parametrize("seed", [SEED, SEED + 1])
@pytest.mark.kill
def test_runs_killed_over_tables_that_are_rewritten_lose_nothing(
    project: Project, database: EmbeddedPostgres, seed: int
):
    rewritten, chance = rewriting.over(project, database), random.Random(seed)
    writer = rewriting.Rewriter(database, seed, detaches=False).start()
    try:
        for _ in range(3):
            victim = rewritten.start("run", "bronze")
            try:
                victim.communicate(timeout=chance.uniform(1.5, 5))
            except subprocess.TimeoutExpired:
                victim.kill()
                victim.communicate()
    finally:
        writer.end()
    again = rewritten.comboi("run", "bronze")
    assert again.returncode == 0, again.stdout + again.stderr
    assert not any(rewriting.missing(rewritten, database).values())
