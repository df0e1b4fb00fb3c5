"""durable_local as a distribution of its own: an app runs on it where nothing of comboi is."""

from __future__ import annotations

import os
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.package.environments import ROOT, build, copy_sources, make_environment

PROJECT = tomllib.loads((ROOT / "durable_local" / "pyproject.toml").read_text())
APP = """
import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.orchestration_trigger(context_name="context")
def double(context):
    result = yield context.call_activity("twice", context.get_input())
    return result

@app.activity_trigger(input_name="number")
def twice(number: int) -> int:
    return 2 * number
"""
HOST = """{"version": "2.0", "extensionBundle":
 {"id": "Microsoft.Azure.Functions.ExtensionBundle", "version": "[4.*, 5.0.0)"}}"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with durable_local and what it asks for."""
    folder = tmp_path_factory.mktemp("durable_local")
    wheel = build(copy_sources(folder / "source") / "durable_local", folder / "dist", sdist=True)
    return make_environment(folder / "venv", wheel, PROJECT["project"]["dependencies"])


def call(python: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("COMBOI_", "PYTHON"))}
    return subprocess.run([str(python), *arguments], cwd=cwd, env=kept, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_an_app_is_checked_and_runs_without_comboi(python, tmp_path):
    (tmp_path / "function_app.py").write_text(APP)
    (tmp_path / "host.json").write_text(HOST)

    assert "No module named" in call(python, "-c", "import comboi_core", cwd=tmp_path).stderr
    checked = call(python, "-m", "durable_local", "check", ".", cwd=tmp_path)
    done = call(python, "-m", "durable_local", "start", "double", "--input", "21", "--wait", cwd=tmp_path)

    assert (checked.returncode, checked.stdout) == (0, "0 would break in Azure, 0 would differ\n"), checked.stderr
    assert done.returncode == 0 and '"output": 42' in done.stdout, done.stdout + done.stderr


@pytest.mark.slow
def test_the_distribution_names_every_package_of_the_folder():
    folder = ROOT / "durable_local"
    found = {".".join(file.relative_to(ROOT).parent.parts) for file in folder.rglob("__init__.py")}
    assert found == set(PROJECT["tool"]["setuptools"]["packages"])


@pytest.mark.slow
def test_it_asks_for_what_comboi_asks_for():
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert set(PROJECT["project"]["dependencies"]) <= set(ours)
