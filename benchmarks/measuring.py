"""Whole processes, measured by the operating system's own accounting."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Measured:
    """One finished process: seconds on the wall, CPU seconds of it and its children, peak memory in MiB, exit code."""

    wall: float
    cpu: float
    peak: float
    code: int


def measure(command: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path) -> Measured:
    """Run a command to its end; its output goes to `log`."""
    with open(log, "ab") as out:
        began = time.monotonic()
        process = subprocess.Popen(list(command), cwd=cwd, env=dict(env), stdout=out, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    return Measured(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, process.returncode)


def plain_environment(**extra: str) -> dict[str, str]:
    """Return the environment without settings of comboi, and with its checkout on the import path.

    Without PYTHONDONTWRITEBYTECODE: with it, each process compiles all its modules anew, which no user's does.
    """
    left_out = ("COMBOI_", "DURABLE_LOCAL_", "PYTHONDONTWRITEBYTECODE")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(left_out)}
    return {**kept, "PYTHONPATH": str(ROOT), **extra}


def comboi(*arguments: str) -> list[str]:
    """Return the command line of a comboi command."""
    return [sys.executable, "-m", "comboi_core.cli", *arguments]
