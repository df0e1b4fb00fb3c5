"""Tests see no environment but their own, whatever an earlier one, or a fixture of an earlier module, has set."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONFTEST = """
from tests.support.environment import environment_of_the_module, environment_of_the_test, forget_the_developers

def pytest_configure(config):
    forget_the_developers()
"""
LEAKING = """
import os
import pytest

@pytest.fixture(scope="module")
def app():
    os.environ["COMBOI_CONFIG"] = "of the module"

def test_the_modules_own_is_there(app):
    assert os.environ["COMBOI_CONFIG"] == "of the module"
    os.environ["COMBOI_CONFIG"] = "of a test"
    os.environ["COMBOI_HUB"] = "leaked"
    del os.environ["KEPT"]

def test_and_only_that(app):
    assert os.environ["COMBOI_CONFIG"] == "of the module"
    assert "COMBOI_HUB" not in os.environ and os.environ["KEPT"] == "yes"
"""
AFTER = """
import os

def test_nothing_is_left():
    names = {name for name in os.environ if name.startswith("COMBOI_")}
    assert names == {"COMBOI_TEST_SERVER"} and os.environ["KEPT"] == "yes"
"""


@pytest.mark.slow
def test_no_variable_gets_from_one_test_or_module_to_the_next(tmp_path: Path):
    for name, text in {"conftest": CONFTEST, "test_a": LEAKING, "test_b": AFTER}.items():
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    environment = {"COMBOI_LAKE_ROOT": "of the developer", "COMBOI_TEST_SERVER": "named", "KEPT": "yes"}

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)],
        capture_output=True, text=True, cwd=tmp_path, env=os.environ | environment | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip

    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout
