"""The lock: in step with requirements.txt and with Terraform's Python, every wheel with its hash."""

from __future__ import annotations

import re
import zipfile

import pytest

from comboi_core.cli import wheels
from comboi_core.cli.package import build
from comboi_core.devtools.scaffold.project import new_project
from comboi_core.domain.errors import ConfigError
from tests.infra.terraform import infra


def test_the_lock_is_in_step_with_the_requirements():
    assert wheels.checked_lock() == wheels.LOCK


def test_the_lock_is_for_the_python_that_terraform_asks_for():
    assert infra().variables["python_version"]["default"] == wheels.PYTHON
    assert f"Python {wheels.PYTHON} " in wheels.LOCK.read_text().splitlines()[0]


def test_every_locked_wheel_has_one_hash():
    lines = wheels.LOCK.read_text().splitlines()[1:]
    assert lines and all(re.fullmatch(r"[a-z0-9-]+==\S+ --hash=sha256:[0-9a-f]{64}", line) for line in lines)


@pytest.mark.parametrize(
    "lock",
    [
        "adlfs==1.0\nb==2 --hash=sha256:00\n",
        "adlfs==2.0\n",
        "adlfs==2.0\nB==2\nc==3\n",
        "",
    ],
    ids=["another version", "one missing", "one too many", "none"],
)
def test_a_lock_that_does_not_match_is_refused_with_names_and_the_command(lock, tmp_path, monkeypatch):
    (tmp_path / "requirements.txt").write_text('# why\nadlfs==2.0  # lake\nb==2; python_version < "3.13"\n')
    (tmp_path / "lock").write_text(lock)
    monkeypatch.setattr(wheels, "REQUIREMENTS", tmp_path / "requirements.txt")
    monkeypatch.setattr(wheels, "LOCK", tmp_path / "lock")
    with pytest.raises(ConfigError, match="lock does not match requirements.txt") as refused:
        wheels.checked_lock()
    assert "make lock" in refused.value.remedy


def test_versions_that_markers_tell_apart_are_one_package_to_the_lock(tmp_path, monkeypatch):
    (tmp_path / "requirements.txt").write_text('A_b==1; python_version < "3.13"\na.b==2; python_version >= "3.13"\n')
    (tmp_path / "lock").write_text("a-b==1 --hash=sha256:00\n")
    monkeypatch.setattr(wheels, "REQUIREMENTS", tmp_path / "requirements.txt")
    monkeypatch.setattr(wheels, "LOCK", tmp_path / "lock")
    assert wheels.checked_lock() == tmp_path / "lock"


def test_a_package_can_ask_for_hashes(tmp_path):
    new_project(tmp_path / "project", "files")
    build((tmp_path / "project").resolve(), tmp_path / "comboi.zip", dependencies="hashed")
    with zipfile.ZipFile(tmp_path / "comboi.zip") as archive:
        assert archive.read("requirements.txt") == wheels.LOCK.read_bytes()
