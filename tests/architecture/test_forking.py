"""Commands that run in a copy see and leave what they would in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support import forking

SHOW = """
import json, logging, os, sys
print(json.dumps([sys.argv, os.getcwd(), sorted(os.environ), os.environ["SAID"], sys.path[0], sys.stdin.read()]))
print("problem", file=sys.stderr)
open("made", "w").close()
os.environ["LEFT"] = logging.root.left = "left"
"""


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of a command; commands run in copies, whatever this run of the tests was told."""
    monkeypatch.delenv(forking.FRESH, raising=False)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COMBOI_")}
    return {**kept, "PYTHONPATH": str(forking.ROOT), "COLUMNS": "200", "SAID": "a line\nanother"}


def both(program: str, folder: Path, env: dict[str, str], *arguments: str) -> list[tuple[int, str, str]]:
    """Run a program in a copy, and in a process of its own."""
    (folder / "program.py").write_text(program, encoding="utf-8")
    command = [sys.executable, "-m", "program", *arguments]
    copy = forking.run(command, folder, env, timeout=300)
    plain = subprocess.run(
        command, cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300
    )
    return [(done.returncode, done.stdout, done.stderr) for done in (copy, plain)]


def in_a_copy(env: dict[str, str], folder: Path) -> bool:
    """Whether a command with this environment runs in a copy: only there comboi is imported already."""
    (folder / "asking.py").write_text("import sys; print('comboi_core' in sys.modules)", encoding="utf-8")
    return forking.run([sys.executable, "-m", "asking"], folder, env, timeout=300).stdout == "True\n"


def test_a_copy_gets_and_leaves_what_a_process_of_its_own_does(tmp_path, environment):
    copy, plain = both(SHOW, tmp_path, environment, "one", "--two")

    assert copy == plain and copy[0] == 0 and "problem" in copy[2]
    assert (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "program",
    [
        "import sys; sys.exit(7)",
        "import sys; sys.exit('told')",
        "import os; os._exit(3)",
        "import os; os.kill(os.getpid(), 9)",
        "import atexit, sys; atexit.register(print, 'last'); print('first'); sys.exit(1)",
    ],
)
def test_a_copy_ends_as_a_process_of_its_own_does(tmp_path, environment, program):
    copy, plain = both(program, tmp_path, environment)

    assert copy == plain


def test_an_error_that_ends_a_copy_is_shown(tmp_path, environment):
    copy, plain = both("raise ValueError('odd')", tmp_path, environment)

    assert copy[:2] == plain[:2] == (1, "")
    assert copy[2].splitlines()[-1] == plain[2].splitlines()[-1] == "ValueError: odd"


def test_the_umask_of_the_test_is_that_of_the_copy(tmp_path, environment):
    before = os.umask(0o027)
    try:
        copy, plain = both("import os; print(os.umask(0))", tmp_path, environment)
    finally:
        os.umask(before)
    assert copy == plain == (0, "23\n", "")


def test_nothing_of_a_copy_is_in_the_next_one(tmp_path, environment):
    both(SHOW, tmp_path, environment)
    copy, _ = both(
        "import logging, os; print('LEFT' in os.environ, hasattr(logging.root, 'left'))", tmp_path, environment
    )

    assert copy == (0, "False False\n", "")


def test_a_copy_that_takes_too_long_is_killed(tmp_path, environment):
    program = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(600)"
    (tmp_path / "sleeping.py").write_text(program, encoding="utf-8")
    for seconds in (1, 10, 50):  # a busy machine needs longer for the copy to begin
        with pytest.raises(subprocess.TimeoutExpired):
            forking.run([sys.executable, "-m", "sleeping"], tmp_path, environment, timeout=seconds)
        if (tmp_path / "pid").exists():
            break

    pid = (tmp_path / "pid").read_text()
    assert in_a_copy(environment, tmp_path), "the next one is served"
    end = time.monotonic() + 60
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < end, "the copy is still there"
        time.sleep(0.05)


def test_what_python_reads_at_its_start_is_given_to_a_process_of_its_own(tmp_path, environment, monkeypatch):
    assert in_a_copy(environment, tmp_path)
    assert not in_a_copy({**environment, "PYTHONUTF8": "1"}, tmp_path)
    assert not in_a_copy({**environment, "COLUMNS": "40"}, tmp_path)
    monkeypatch.setenv(forking.FRESH, "fresh")
    assert not in_a_copy(environment, tmp_path)
