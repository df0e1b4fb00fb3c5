"""Lake, task hub or both are lost, wholly or in part: the error names a command, and the command brings all back."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from tests.support.till import Till

CHANGE = "UPDATE sales SET version = 3, status = 'paid' WHERE id = 2; INSERT INTO sales VALUES (3, 4, 'new')"
NOW = [(1, 1, "new"), (2, 3, "paid"), (3, 4, "new")]
SILVER, BRONZE = Path("lake/silver"), Path("lake/bronze")
HUB, LOADS, DATA = Path(".comboi"), BRONZE / "till/sales/_loads", BRONZE / "till/sales/load=00000001"


@pytest.fixture
def till(tmp_path: Path) -> Till:
    """A project after some runs, whose source has changed since."""
    project = Till.make(tmp_path / "till")
    stages = {name: {"data_lake": {"path": f"lake/{name}"}} for name in ("silver", "gold")}
    project.configure(stages={"bronze": {"data_lake": {"path": "lake/bronze"}, "keep_loads": 1}, **stages})
    for _ in range(3):
        project.run()
    project.sql(CHANGE)
    return project


def lose(till: Till, *places: Path) -> None:
    for place in places:
        shutil.rmtree(till.folder / place)


def commands(text: str) -> list[list[str]]:
    """The commands that a text tells to run."""
    found = re.findall(r"`comboi ([^`]+)`", " ".join(text.split()))
    return [shlex.split(command) for command in dict.fromkeys(found)]


@pytest.mark.parametrize(
    ("lost", "code"),
    [
        ((BRONZE,), "load_lost"),
        ((Path("lake"),), "load_lost"),
        ((LOADS,), "load_lost"),
        ((HUB,), "checkpoint_lost"),
        ((HUB, SILVER), "checkpoint_lost"),
        ((HUB, DATA), "checkpoint_lost"),
        ((HUB, BRONZE), None),
        ((HUB, Path("lake")), None),
        ((SILVER,), None),
    ],
    ids=["bronze", "lake", "manifests", "hub", "hub+silver", "hub+files", "hub+bronze", "both", "silver"],
)
@pytest.mark.slow
def test_whatever_is_lost_the_commands_that_the_errors_name_bring_it_back(till: Till, lost: tuple, code: str | None):
    lose(till, *lost)
    done = till.comboi("run")
    assert (code is None) == (done.returncode == 0), done.stdout + done.stderr
    assert code is None or f"[{code}]" in done.stdout
    for _ in range(4):
        if done.returncode == 0:
            break
        for command in commands(done.stdout)[:1]:
            fixed = till.comboi(*command)
            assert fixed.returncode == 0, fixed.stdout + fixed.stderr
        done = till.comboi("run")
    assert done.returncode == 0, done.stdout + done.stderr
    contents = till.contents()
    assert contents["till.sales"] == contents["seen"] == NOW


@pytest.mark.parametrize("way", ["full refresh", "rebuild", "reset"])
@pytest.mark.slow
def test_each_way_out_of_a_lost_lake_works(till: Till, way: str):
    lose(till, Path("lake"))
    if way == "rebuild":
        done = till.comboi("checkpoints", "rebuild")
        assert done.returncode == 0 and "till.sales: the next run reads the whole table" in done.stdout
    elif way == "reset":
        assert till.comboi("checkpoints", "reset", "till.sales", "--yes").returncode == 0
    till.run(*["--full-refresh"] * (way == "full refresh"))
    till.run()
    contents = till.contents()
    assert contents["till.sales"] == contents["seen"] == NOW


@pytest.mark.slow
def test_a_lake_at_another_place_is_told_from_a_lost_one(till: Till):
    (till.folder / "lake").rename(till.folder / "moved")
    refused = till.comboi("run")
    assert refused.returncode == 1 and "If the lake has moved, correct `stages.bronze.data_lake`" in refused.stdout
    assert str(till.folder / "lake" / "bronze") in "".join(refused.stdout.split())
    shutil.rmtree(till.folder / "lake")
    (till.folder / "moved").rename(till.folder / "lake")
    till.run()
    assert till.contents()["seen"] == NOW


@pytest.mark.slow
def test_a_damaged_manifest_is_replaced_by_a_full_refresh(till: Till):
    (path,) = sorted((till.folder / LOADS).iterdir())[-1:]
    path.write_text("{")
    assert "[manifest_unreadable]" in till.comboi("run").stdout
    till.run("--full-refresh")
    assert till.contents()["seen"] == NOW


@pytest.mark.slow
def test_silver_alone_names_the_command_where_bronze_is_lost(till: Till):
    lose(till, BRONZE)
    refused = till.comboi("run", "silver")
    assert refused.returncode == 1 and ["run", "--full-refresh"] in commands(refused.stdout)


@pytest.mark.slow
def test_a_hub_that_was_lost_after_bronze_stood_still_goes_on(till: Till):
    """Datasets are published by each run, tables only when they change: their fences are far apart."""
    till.dataset(view="current", strategy="replace")
    till.run()
    till.run()
    till.run("silver")
    till.run("silver")
    lose(till, HUB)
    assert till.comboi("checkpoints", "rebuild").returncode == 0
    till.run()
    assert till.contents()["seen"] == NOW


@pytest.mark.slow
def test_loads_that_are_counted_anew_are_not_taken_for_those_that_were_read(till: Till):
    """Lake and task hub are lost, silver is not; bronze has as many loads by the time silver is built again."""
    till.run()
    lose(till, HUB, BRONZE)
    till.run("bronze")
    till.sql("INSERT INTO sales VALUES (4, 5, 'late')")
    till.run("bronze")
    assert till.comboi("checkpoints", "rebuild").returncode == 0
    till.sql("UPDATE sales SET status = 'more', version = 6 WHERE id = 1")
    till.run()
    assert till.contents()["seen"] == [(1, 6, "more"), (2, 3, "paid"), (3, 4, "new"), (4, 5, "late")]


@pytest.mark.slow
def test_what_would_be_appended_a_second_time_is_refused_also_where_loads_are_counted_anew(till: Till):
    till.dataset(strategy="append")
    till.run("silver", "--select", "seen", "--full-refresh")
    lose(till, HUB, BRONZE)
    refused = till.comboi("run")
    assert refused.returncode == 1
    for _ in range(3):
        for command in commands(refused.stdout)[:1]:
            assert till.comboi(*command).returncode in (0, 1)
        refused = till.comboi("run")
    assert refused.returncode == 0 and till.contents()["seen"] == NOW


@pytest.mark.slow
def test_a_file_of_a_load_that_is_lost_is_named_with_the_command_that_brings_it_back(till: Till):
    till.run()
    till.dataset(view="current", strategy="replace")
    lose(till, DATA)
    refused = till.comboi("run")
    assert refused.returncode == 1 and "[load_lost] seen: of its input 'till.sales', 1 of " in refused.stdout
    (command,) = commands(refused.stdout)
    assert till.comboi(*command).returncode == 0
    till.run()
    assert till.contents()["seen"] == NOW
