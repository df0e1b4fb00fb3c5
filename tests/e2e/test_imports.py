"""What a run loads: seconds of imports would be paid at each cold start."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys
from comboi_core.cli.commands import main

sys.argv = ["comboi", "run"]
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended
heavy = ("pandas", "numpy", "pyarrow", "splink", "sqlglot", "azure.identity", "requests")
unused = ("comboi_core.erasure.bronze", "comboi_core.bruin.header.models", "comboi_core.cli.members")
print([name for name in (*heavy, *unused) if name in sys.modules])
"""


@pytest.mark.slow
def test_a_run_loads_no_library_that_it_does_not_use(project):
    """DuckDB's client loads pandas, NumPy and PyArrow when a statement has a parameter: 0.4 s a process."""
    command = [sys.executable, "-c", PROGRAM]
    for _ in range(2):
        done = subprocess.run(
            command, cwd=project.folder, env=project.environment(), capture_output=True, text=True, timeout=300
        )
        assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "[]"), done.stdout + done.stderr
