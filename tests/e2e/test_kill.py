"""Kill -9 at random instants: after `comboi run` again, everything equals an undisturbed run, row for row."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from comboi_core.cli.demo.postgres import EmbeddedPostgres
from tests.support.project import Project, change, refill

SEED = 20261123


@dataclass
class Undisturbed:
    """What a project looks like before the run that is killed, and what it has to look like after it was run again."""

    before: Project
    contents: dict[str, list[tuple]]
    commits: dict[str, dict]
    seconds: float


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, database: EmbeddedPostgres) -> Undisturbed:
    """One landed run, then changes at the source, then the run whose disturbed twins are compared with it."""
    home = tmp_path_factory.mktemp("kill")
    refill(database)
    before = Project.create(home / "before", database.uri)
    before.run()
    change(database)
    after = before.copy(home / "after")
    began = time.monotonic()
    after.run()
    seconds = time.monotonic() - began
    return Undisturbed(before, after.contents(), after.commits(), seconds)


def kill_and_run_again(undisturbed: Undisturbed, folder: Path, instants: list[float]) -> None:
    """Kill a run at each instant (seconds after its start), then run to the end and compare."""
    project = undisturbed.before.copy(folder)
    for instant in instants:
        victim = project.start("run")
        try:
            victim.wait(instant)
        except subprocess.TimeoutExpired:
            os.kill(victim.pid, signal.SIGKILL)
        victim.communicate()
    again = project.comboi("run")
    assert again.returncode == 0, again.stdout + again.stderr
    assert project.contents() == undisturbed.contents
    commits = project.commits()
    for name, expected in undisturbed.commits.items():
        found = commits[name]
        assert found["watermark"] == expected["watermark"], name
        if expected["loads"][0]["mode"] != "full":
            assert found["sequence"] == expected["sequence"], f"{name}: a load was committed twice or not at all"


def instants(seed: int, seconds: float) -> list[float]:
    """Return one to three instants, spread over the whole life of a run's process."""
    chance = random.Random(seed)
    return [chance.uniform(0.2, seconds) for _ in range(chance.choice([1, 1, 2, 3]))]


@pytest.mark.parametrize("number", range(30))
def test_a_run_killed_at_any_instant_loses_and_doubles_nothing(undisturbed: Undisturbed, tmp_path: Path, number: int):
    kill_and_run_again(undisturbed, tmp_path / "project", instants(SEED + number, undisturbed.seconds))


@pytest.mark.slow
@pytest.mark.parametrize("number", range(300))
def test_three_hundred_more(undisturbed: Undisturbed, tmp_path: Path, number: int):
    kill_and_run_again(undisturbed, tmp_path / "project", instants(SEED + 1000 + number, undisturbed.seconds))
