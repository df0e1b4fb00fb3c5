"""The package in a clean environment with the pinned requirements: minutes and half a gigabyte, hence `-m slow`."""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from comboi_core.cli.package import MAX_PACKED_BYTES, PACKED, build
from comboi_core.cli.wheels import PYTHON
from tests.infra.terraform import ROOT
from tests.package.test_package import ENVIRONMENT, index

MAX_INSTALLED = 800_000_000
"""Bytes of the installed requirements: docs/deploy.md sets them against the plans' limits."""

EXTENSIONS = """
from comboi_core.lake.azure.duckdb import load_extension as azure
from comboi_core.domain.sql import literal
from comboi_core.sources.common.extensions import extension_path
from comboi_core.duckdb.engine import open_duckdb
with open_duckdb(memory_limit="256MB", threads=1, temp_directory=None) as con:
    assert azure(con)
    for name in ("mysql_scanner", "postgres_scanner", "sqlite_scanner"):
        con.execute(f"LOAD {literal(str(extension_path(name)))}")
    found = con.execute("SELECT extension_name FROM duckdb_extensions() WHERE loaded").fetchall()
print(sorted(name for (name,) in found))
"""


def python_of_azure() -> str:
    """Return an interpreter of the version of Azure's image; skip the test where the machine has none."""
    python = shutil.which(f"python{PYTHON}")
    if not python or subprocess.run([python, "-V"], capture_output=True).returncode:  # a shim of a version manager
        pytest.skip(f"no Python {PYTHON} on this machine")
    return python


@pytest.fixture(scope="module")
def python(unzipped: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that has the package's requirements, and nothing else."""
    interpreter = python_of_azure()  # the package's requirements have the hashes of its wheels
    folder = tmp_path_factory.mktemp("clean") / "venv"
    subprocess.run([interpreter, "-m", "venv", str(folder)], check=True)
    found = folder / "bin" / "python"
    install = [str(found), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary=:all:"]
    subprocess.run([*install, "-r", str(unzipped / "requirements.txt")], check=True)
    return found


@pytest.mark.slow
def test_the_package_indexes_with_the_pinned_requirements_alone(unzipped, python):
    indexed = index(unzipped, "--modules", python=str(python))
    assert indexed["functions"] == index(unzipped)["functions"]
    assert indexed["foreign"] == []


@pytest.mark.slow
def test_duckdb_loads_its_extensions_from_the_wheels(unzipped, python):
    done = subprocess.run([str(python), "-c", EXTENSIONS], cwd=unzipped, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    for extension in ("azure", "mysql_scanner", "postgres_scanner", "sqlite_scanner"):
        assert extension in done.stdout


@pytest.mark.slow
def test_no_requirement_is_missing_or_at_odds(python):
    done = subprocess.run([str(python), "-m", "pip", "check"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_the_installed_requirements_fit_the_plans(python):
    packages = next((python.parents[1] / "lib").glob("python*")) / "site-packages"
    assert sum(file.stat().st_size for file in packages.rglob("*") if file.is_file()) < MAX_INSTALLED


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """The zip with its dependencies, and what `build` says of it."""
    archive = tmp_path_factory.mktemp("packed") / "comboi.zip"
    return archive, build(ROOT, archive, dependencies="packed")


@pytest.mark.slow
def test_a_packed_zip_holds_the_locked_wheels_and_duckdb_s_extensions(packed):
    archive, built = packed
    assert built["bytes"] < MAX_PACKED_BYTES and built["unpacked"] < MAX_INSTALLED
    with zipfile.ZipFile(archive) as opened:
        names = {name.removeprefix(f"{PACKED}/") for name in opened.namelist() if name.startswith(PACKED)}
    for extension in ("azure", "mysql_scanner", "postgres_scanner", "sqlite_scanner"):
        assert f"duckdb_extension_{extension}/extensions/v1.5.5/{extension}.duckdb_extension" in names
    assert any(name.startswith("_duckdb.cpython-312-x86_64-linux") for name in names)
    assert not any(name.startswith("bin/") or name.endswith(".pyc") for name in names)


@pytest.mark.slow
def test_a_packed_zip_runs_on_the_python_of_azure_s_image(packed, unzipped, tmp_path):
    python = python_of_azure()
    with zipfile.ZipFile(packed[0]) as archive:
        archive.extractall(tmp_path)
    here = {"PYTHONPATH": str(tmp_path / PACKED)}
    indexed = index(tmp_path, "--modules", python=python, **here)
    assert indexed["functions"] == index(unzipped)["functions"]
    done = subprocess.run(
        [python, "-c", EXTENSIONS], cwd=tmp_path, env=ENVIRONMENT | here, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "azure" in done.stdout and "postgres_scanner" in done.stdout
