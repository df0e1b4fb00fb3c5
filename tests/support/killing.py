"""Killing a run at chosen instants, and comparing what the next run makes of it with an undisturbed run."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from comboi_core.cli.demo.postgres import EmbeddedPostgres
from tests.support.project import Project, change, refill


@dataclass
class Undisturbed:
    """What a project looks like before the run that is killed, and what it has to look like after it was run again.

    Attributes:
        seconds: How long the undisturbed command took, from the process's start to its end.
    """

    before: Project
    contents: dict[str, list[tuple]]
    commits: dict[str, dict]
    seconds: float


def prepare(
    home: Path, database: EmbeddedPostgres, create: Callable[[Path, str], Project] = Project.create
) -> Undisturbed:
    """Land a first run, change the source, and run once more without disturbance."""
    refill(database)
    before = create(home / "before", database.uri)
    before.run()
    change(database)
    after = before.copy(home / "after")
    began = time.monotonic()
    after.run()
    seconds = time.monotonic() - began
    return Undisturbed(before, after.contents(), after.commits(), seconds)


def instants(seed: int, seconds: float) -> list[float]:
    """Return one to three instants, spread over the whole life of a run's process."""
    chance = random.Random(seed)
    return [chance.uniform(0.2, seconds) for _ in range(chance.choice([1, 1, 2, 3]))]


def kill_and_run_again(undisturbed: Undisturbed, folder: Path, instants: list[float]) -> int:
    """Kill a run at each instant (seconds after its start), run to the end, compare; return how many kills hit.

    Raises:
        AssertionError: anything differs from the undisturbed run.
    """
    project, hits = undisturbed.before.copy(folder), 0
    for instant in instants:
        victim = project.start("run")
        try:
            victim.wait(instant)
        except subprocess.TimeoutExpired:
            os.kill(victim.pid, signal.SIGKILL)
            hits += 1
        victim.communicate()
    again = project.comboi("run")
    assert again.returncode == 0, again.stdout + again.stderr
    assert project.contents() == undisturbed.contents
    commits = project.commits()
    for name, expected in undisturbed.commits.items():
        assert commits[name]["watermark"] == expected["watermark"], name
        if expected["loads"][0]["mode"] != "full":
            message = f"{name}: a load was committed twice or not at all"
            assert commits[name]["sequence"] == expected["sequence"], message
    return hits
