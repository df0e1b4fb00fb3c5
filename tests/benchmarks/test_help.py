"""Each benchmark says what it measures and how it is called, and measures nothing while it does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
COMMANDS = sorted(file.name for file in FOLDER.glob("*.py") if '__name__ == "__main__"' in file.read_text())


def called(name: str, argument: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(FOLDER / name), argument]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.slow
def test_each_benchmark_explains_itself(name):
    done = called(name, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: {name}") and f"python benchmarks/{name}" in " ".join(done.stdout.split())


@pytest.mark.parametrize(("name", "argument"), [("api.py", "many"), ("api.py", "0"), ("febrl.py", "4")])
def test_an_argument_that_is_none_is_refused_without_a_traceback(name, argument):
    done = called(name, argument)
    assert done.returncode == 2 and f"{name}: error: " in done.stderr and "Traceback" not in done.stderr
