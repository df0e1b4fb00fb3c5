"""What CI forgives: a test that fails once. Everything else ends its run with an error."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

AGAIN = Path(__file__).resolve().parents[2] / ".ci" / "again.py"
STEADY = "def test_steady():\n    pass\n"
UNSTEADY = """
import pathlib, pytest
SEEN = pathlib.Path(__file__).with_suffix(".seen")

def fails_once():
    if not SEEN.exists():
        SEEN.touch()
        raise ValueError("the first time")

"""
AT_FIRST = (
    UNSTEADY + "@pytest.mark.parametrize('word', ['a::b[c]', '@x', 'é\\x00'])\ndef test_it(word):\n    fails_once()\n"
)
TEARDOWN = (
    UNSTEADY + "@pytest.fixture\ndef made():\n    yield\n    fails_once()\n\ndef test_it(made):\n    assert True\n"
)
ALWAYS = "def test_wrong():\n    assert False\n"
DIES = (
    UNSTEADY
    + "import os\ndef test_it():\n    try:\n        fails_once()\n    except ValueError:\n        os._exit(9)\n"
)
THEN_SKIPPED = (
    UNSTEADY + "def test_it():\n    if SEEN.exists():\n        pytest.skip('not this time')\n    fails_once()\n"
)
THEN_GONE = UNSTEADY + "if not SEEN.exists():\n    def test_it():\n        fails_once()\n"
EXITS = "import pytest\ndef test_it():\n    pytest.exit('enough', returncode=1)\n"


def again(folder: Path, *arguments: str, **files: str) -> tuple[int, str]:
    """Run a folder's tests as CI does; return the exit code and what is printed."""
    for name, text in {"test_steady": STEADY, **files}.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\ntestpaths = .\n", encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    kept["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # they take a second to import
    done = subprocess.run(
        [sys.executable, str(AGAIN), "-p", "xdist", "-p", "no:cacheprovider", *arguments],
        cwd=folder, env=kept, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


WORKERS = pytest.mark.parametrize("workers", [("-n", "0"), ("-n", "2", "--dist", "loadfile")], ids=["alone", "workers"])


@pytest.mark.slow
@WORKERS
def test_a_test_that_fails_once_is_run_again_alone_and_named(tmp_path: Path, workers: tuple[str, ...]):
    code, said = again(tmp_path, *workers, test_x=AT_FIRST, test_y=TEARDOWN)

    assert code == 0, said
    first, second = said.split("RUN AGAIN, alone: 2 ==")
    assert "2 failed" in first or "1 error" in first
    assert "2 passed" in second, "alone: no other test ran a second time"
    unsteady = second[second.index("UNSTEADY") :].splitlines()
    assert {line.split("[")[0] for line in unsteady[1:]} == {"test_x.py::test_it", "test_y.py::test_it"}


def test_only_a_pass_makes_up_for_a_failure(tmp_path: Path):
    files = {"test_a": AT_FIRST, "test_b": ALWAYS, "test_c": THEN_SKIPPED, "test_d": THEN_GONE}
    code, said = again(tmp_path, **files)

    unsteady, failed = said[said.index("UNSTEADY") :].split("FAILED TWICE: 3 ==")
    assert code == 1
    assert "test_a.py::test_it" in unsteady
    assert failed.splitlines()[1:] == ["test_b.py::test_wrong", "test_c.py::test_it", "test_d.py::test_it"]


@pytest.mark.parametrize(
    ("text", "workers"),
    [
        ("import nowhere_to_be_found\n", "0"),
        ("import nowhere_to_be_found\n", "2"),
        (DIES, "0"),
        (DIES, "2"),
        (EXITS, "0"),
    ],
)
@pytest.mark.few(2)
def test_what_is_no_failure_of_a_test_is_not_forgiven(tmp_path: Path, text: str, workers: str):
    code, said = again(tmp_path, "-n", workers, test_a=AT_FIRST, test_x=text)

    assert code != 0 and "UNSTEADY" not in said and "NOT RUN AGAIN" in said


@pytest.mark.parametrize("arguments", [("-k", "nothing_is_called_that"), ("--no-such-option",)])
def test_a_run_without_tests_fails(tmp_path: Path, arguments: tuple[str, ...]):
    code, said = again(tmp_path, *arguments)

    assert code not in (0, 1) and "NOT RUN AGAIN" in said
