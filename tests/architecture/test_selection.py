"""Every test belongs to exactly one target, and `make test` keeps some of each test that it shortens."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONFTEST = """
import pytest
from tests.support.selection import mark_all_but_a_few

@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    mark_all_but_a_few(items)
"""
TESTS = """
import pytest

def test_plain(): ...

@pytest.mark.slow
def test_slow(): ...

@pytest.mark.kill
def test_kill(): ...

@pytest.mark.few(2)
@pytest.mark.parametrize("n", range(5))
def test_few(n): ...

@pytest.mark.few(1, then="kill")
@pytest.mark.parametrize("n", range(4))
def test_rounds(n): ...

@pytest.mark.slow
@pytest.mark.kill
def test_both(): ...
"""


def selections() -> list[str]:
    """Return what the targets of the Makefile give to `-m`."""
    found = re.findall(r'^\t\$\(PYTEST\) .* -m (?:"(.*)"|(\S+))$', (ROOT / "Makefile").read_text("utf-8"), re.M)
    return [quoted or plain for quoted, plain in found]


def collected(folder: Path, selection: str) -> list[str]:
    """Return the names of the tests that a selection leaves."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--collect-only", "-q", "-m", selection],
        cwd=folder, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )  # fmt: skip
    return re.findall(r"^test_it\.py::(\S+)$", done.stdout, re.M)


def test_each_test_is_run_by_exactly_one_of_the_targets(tmp_path: Path):
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n  slow\n  kill\n  few\n", encoding="utf-8")
    (tmp_path / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    (tmp_path / "test_it.py").write_text(TESTS, encoding="utf-8")

    selected = {selection: collected(tmp_path, selection) for selection in selections()}

    assert len(selected) == 3
    assert selected["not slow and not kill"] == ["test_plain", "test_few[0]", "test_few[4]", "test_rounds[0]"]
    every = [name for names in selected.values() for name in names]
    assert len(every) == len(set(every)) == 13
    ran = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for target in ("test", "test-slow", "test-kill"):
        assert f"\nmake {target} || failed+=({target})\n" in ran, "CI runs each target"
