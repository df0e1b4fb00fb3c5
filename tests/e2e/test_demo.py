"""`comboi demo` as a user runs it: gold equals what the CSV files say; it is safe to repeat and to interrupt."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import psutil
import pytest

from tests.support.gold import GOLD, differences, read
from tests.support.project import ROOT


def demo(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "comboi_core.cli", "demo", "--folder", str(folder)],
        cwd=ROOT,
        env={key: value for key, value in os.environ.items() if not key.startswith("COMBOI_")} | {"COLUMNS": "80"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[int, str]]]:
    """A demo that was killed with its first run on the way, then started again, twice at once: its folder, and the exit
    code and the output of either."""
    folder = tmp_path_factory.mktemp("demo") / "demo"
    victim = demo(folder)
    while "running" not in (line := victim.stdout.readline()):
        assert line, "the demo ended before it ran anything"
    os.kill(victim.pid, signal.SIGKILL)
    victim.communicate()
    both = demo(folder), demo(folder)
    said = [process.communicate(timeout=300)[0] for process in both]
    return folder, sorted(zip((process.returncode for process in both), said, strict=True))


@pytest.fixture(scope="module")
def told(ended: tuple[Path, list[tuple[int, str]]]) -> tuple[Path, str]:
    """The folder of the demo that came to its end, and what it said."""
    folder, ((code, said), _) = ended
    assert code == 0, said
    return folder, said


@pytest.mark.parametrize("name", ["carrier_punctuality", "delay_by_weather", "busiest_routes"])
@pytest.mark.slow
def test_gold_equals_figures_worked_out_from_the_csv_files(told: tuple[Path, str], name: str):
    keys, calculate = GOLD[name]
    with duckdb.connect() as con:
        ours = read(con, f"'{told[0]}/lake/gold/metrics/{name}.parquet'", keys)
    assert len(ours) > 5
    assert differences(ours, calculate(True)) == {}


@pytest.mark.slow
def test_persons_per_state_are_the_true_ones_but_for_the_two_that_splink_does_not_join(told: tuple[Path, str]):
    keys, calculate = GOLD["customers_per_state"]
    with duckdb.connect() as con:
        ours = read(con, f"'{told[0]}/lake/gold/metrics/customers_per_state.parquet'", keys)
    true = calculate(True)
    assert ours.keys() == true.keys()
    excess = {state: ours[state]["persons"] - true[state]["persons"] for state in true}
    assert all(0 <= value <= 1 for value in excess.values()), excess
    assert sum(excess.values()) <= 2


@pytest.mark.slow
def test_it_says_what_a_person_wants_to_know(told: tuple[Path, str]):
    folder, said = told
    for text in (
        "rows in PostgreSQL: ",
        "336,776",
        "new watermark",
        "5 ok, 1 warn",
        "2,998 of 5,000",
        "3,003 of 5,005",
        "compared with the true links: precision 1.0000, recall",
        "the whole demo took",
        "what to try next",
    ):
        assert text in " ".join(said.split())
    assert "Warning" not in said and "Traceback" not in said
    assert max(map(len, said.splitlines())) < 400
    status = subprocess.run(
        f". {folder}/env && {sys.executable} -m comboi_core.cli runs",
        shell=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert status.stdout.count("succeeded") == 2, status.stderr


@pytest.mark.slow
def test_nothing_is_left_running(told: tuple[Path, str]):
    folder = str(told[0])
    commands = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
    assert [command for command in commands if folder in command] == []


@pytest.mark.slow
def test_two_demos_in_one_folder_do_not_disturb_each_other(ended: tuple[Path, list[tuple[int, str]]]):
    _, ((done, _), (refused, why)) = ended
    assert (done, refused) == (0, 1) and "another demo is running" in why


def test_a_folder_with_other_things_in_it_is_refused(tmp_path: Path):
    (tmp_path / "mine.txt").write_text("precious")
    process = demo(tmp_path)
    said = process.communicate(timeout=300)[0]
    assert process.returncode == 1 and "not empty" in said
    assert (tmp_path / "mine.txt").read_text() == "precious"
