"""Commands that begin as a copy of a process with comboi's imports done: most of a short command's time is imports.

A copy is a process of its own, with its own environment, folder, output and end, so nothing leaks from a command to the
next. COMBOI_TEST_PROCESSES=fresh starts Python anew for each command.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

from tests.support.environment import FOR_TESTS

ROOT = Path(__file__).resolve().parents[2]
FRESH = f"{FOR_TESTS}PROCESSES"
_READ_AT_START = ("COLUMNS", "FORCE_COLOR", "LANG", "LC_", "LD_", "LINES", "NO_COLOR", "PYTHON", "TERM", "TZ", "_TYPER")
"""How variables begin that Python and its libraries read while they start: a copy would not see another value."""


def run(command: list[str], cwd: Path, env: dict[str, str], timeout: float) -> subprocess.CompletedProcess[str]:
    """Run a command to its end and keep what it writes, as subprocess.run does.

    Args:
        command: A copy runs it if it is this Python's, with `-m MODULE`. A program after `-c` is started anew:
            it may replace something that comboi's modules import.
        env: All of its environment.
        timeout: Seconds.

    Raises:
        subprocess.TimeoutExpired: it took longer, and was killed.
    """
    if not _can_be_a_copy(command, env):
        return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        code = _origin().run(command, cwd, env, timeout, (out.fileno(), err.fileno()))
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode().replace("\r\n", "\n"))
    return subprocess.CompletedProcess(command, code, *texts)


def _can_be_a_copy(command: list[str], env: dict[str, str]) -> bool:
    if os.environ.get(FRESH) == "fresh" or command[0] != sys.executable or command[1] != "-m":
        return False
    begun = _origin().env
    return all(env.get(name) == begun.get(name) for name in {*env, *begun} if name.startswith(_READ_AT_START))


class _Origin:
    """The process that the copies are made of. It ends with this one, which its standard input shows it."""

    def __init__(self, folder: Path) -> None:
        self._address = str(folder / "origin")
        self.env = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.forked", self._address], cwd=ROOT, env=self.env,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert self._process.stdout and self._process.stdout.readline() == b"ready\n", "the origin did not start"

    def run(self, command: list[str], cwd: Path, env: dict[str, str], timeout: float, output: tuple[int, int]) -> int:
        """Return the exit code of a copy that runs a command; -N if signal N ended it."""
        asked = json.dumps({"command": command[1:], "cwd": str(cwd), "env": env, "umask": _umask()}).encode()
        with socket.socket(socket.AF_UNIX) as talk:
            talk.connect(self._address)
            socket.send_fds(talk, [len(asked).to_bytes(4, "big")], list(output))
            talk.sendall(asked)
            with talk.makefile("rb") as answers:
                pid = int(answers.readline())
                talk.settimeout(timeout)
                try:
                    return int(answers.readline())
                except TimeoutError:
                    with suppress(ProcessLookupError):
                        os.kill(pid, 9)
                    raise subprocess.TimeoutExpired(command, timeout) from None


@cache
def _origin() -> _Origin:
    return _Origin(Path(tempfile.mkdtemp(prefix="comboi-origin-")))


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask
