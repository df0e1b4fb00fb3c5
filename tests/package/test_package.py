"""The deployment package: what is in it, what is refused, and that it is an app by itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from comboi_core.cli import members, package
from comboi_core.cli.package import build
from comboi_core.devtools.scaffold.project import new_project
from comboi_core.domain.errors import ConfigError, RequestInvalid
from tests.infra.terraform import ROOT

INDEXING = Path(__file__).with_name("indexing.py")
ENVIRONMENT = {"PATH": os.environ["PATH"], "COMBOI_TIMER_SCHEDULE": "0 0 2 * * *", "PYTHONDONTWRITEBYTECODE": "1"}


def index(folder: Path, *options: str, python: str = sys.executable, **environment: str) -> dict:
    """Index the app in a folder, in a process that sees this folder and the interpreter's own packages."""
    done = subprocess.run(
        [python, "-P", str(INDEXING), *options],
        cwd=folder,
        env=ENVIRONMENT | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A new project."""
    new_project(tmp_path / "project", "files")
    return (tmp_path / "project").resolve()


def names(archive: Path) -> set[str]:
    with zipfile.ZipFile(archive) as opened:
        return set(opened.namelist())


@pytest.mark.slow
def test_the_package_indexes_by_itself_with_all_functions(unzipped):
    indexed = index(unzipped)
    assert indexed["functions"]["run_pipeline"] == "orchestrationTrigger"
    assert indexed["functions"]["scheduled_run"] == "timerTrigger"
    assert indexed["functions"] == index(ROOT)["functions"]
    assert indexed["foreign"] == []


@pytest.mark.slow
def test_every_module_of_the_package_can_be_imported(unzipped):
    sources = {
        ".".join(file.relative_to(unzipped).with_suffix("").parts).removesuffix(".__init__")
        for folder in members.PACKAGES
        for file in (unzipped / folder).rglob("*.py")
    }
    assert sources == {*index(unzipped, "--modules")["imported"], *members.PACKAGES}


def test_only_what_runs_is_packed(unzipped):
    assert {path.name for path in unzipped.iterdir()} == {*members.FILES, *members.PACKAGES, *members.PROJECT_FOLDERS}
    assert not (unzipped / "comboi_core" / "cli").exists()
    assert not [path for path in unzipped.rglob("*") if path.name == "__pycache__" or path.name.startswith(".")]


def test_data_of_packages_is_packed(unzipped):
    shipped = {
        file.relative_to(ROOT)
        for folder in members.PACKAGES
        for file in (ROOT / folder).rglob("*")
        if file.is_file() and file.suffix not in (".py", ".pyc") and "cli" not in file.parts
    }
    assert {path for path in shipped if not (unzipped / path).is_file()} == set()


def test_func_publish_leaves_out_the_same():
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("no git checkout")
    listed = [
        subprocess.run(
            ["git", "ls-files", *more], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.splitlines()
        for more in ((), ("--cached", "--ignored", "--exclude-from=.funcignore"))
    ]
    published = {name for name in set(listed[0]) - set(listed[1]) if (ROOT / name).is_file()} - {".funcignore"}
    packed = {*dict(members.code_files()), *members.project_files(ROOT)}
    assert published == packed & set(listed[0])


def test_the_same_files_give_the_same_bytes(project, tmp_path):
    first = build(project, tmp_path / "one.zip")
    for file in project.rglob("*"):
        os.utime(file)
    assert build(project, tmp_path / "deep" / "two.zip") == first
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "deep" / "two.zip").read_bytes()


@pytest.mark.slow
def test_a_project_of_ones_own_runs_from_its_package(project, tmp_path):
    build(project, tmp_path / "comboi.zip")
    root = tmp_path / "wwwroot"
    with zipfile.ZipFile(tmp_path / "comboi.zip") as archive:
        archive.extractall(root)
    shutil.copytree(project / "data", root / "data")  # stands for a source; not packed
    script = """
import json, sys, urllib.request
sys.path.insert(0, sys.argv[1])
from durable_local import Host
with Host(sys.argv[1], sys.argv[2], timers=False) as host:
    with urllib.request.urlopen(urllib.request.Request(f"{host.url}/api/runs", b"{}")) as answer:
        run = json.load(answer)["run_id"]
    print(json.dumps(host.wait(run, timeout=300)["output"]))
"""
    done = subprocess.run(
        [sys.executable, "-P", "-c", script, str(root), str(tmp_path / "hub.db")],
        cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, timeout=400,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "succeeded"
    assert list((root / "lake" / "gold").rglob("*.parquet"))


def test_an_invalid_project_is_refused_and_an_older_package_stays(project, tmp_path):
    build(project, tmp_path / "comboi.zip")
    before = (tmp_path / "comboi.zip").read_bytes()
    (project / "configs" / "initial.yml").write_text("pipeline: [")
    with pytest.raises(ConfigError, match=r"initial\.yml"):
        build(project, tmp_path / "comboi.zip")
    assert (tmp_path / "comboi.zip").read_bytes() == before


def test_a_package_that_is_too_large_is_refused_and_names_what_is_large(project, tmp_path, monkeypatch):
    monkeypatch.setattr(package, "MAX_BYTES", 1_000_000)
    (project / "transformations" / "rows.csv").write_bytes(os.urandom(1_000_000))
    with pytest.raises(ConfigError, match=r"the largest files: transformations/rows\.csv"):
        build(project, tmp_path / "comboi.zip", include=["transformations/rows.csv"])
    assert not list(tmp_path.glob("comboi.zip*"))


@pytest.mark.parametrize("config", ["/etc/x.yml", "../initial.yml", "configs/../../x.yml", "other/initial.yml"])
def test_a_configuration_outside_of_the_package_is_refused(config, project, tmp_path):
    with pytest.raises(RequestInvalid, match="configs/"):
        build(project, tmp_path / "comboi.zip", Path(config))


def test_another_task_hub_is_written_into_host_json_and_nothing_else_changes(project, tmp_path):
    build(project, tmp_path / "comboi.zip", task_hub="comboi2")
    packed = json.loads(_contents(tmp_path / "comboi.zip", "host.json")[0])
    own = json.loads((ROOT / "host.json").read_text())
    assert packed["extensions"]["durableTask"].pop("hubName") == "comboi2"
    assert own["extensions"]["durableTask"].pop("hubName") == "comboi"
    assert packed == own


@pytest.mark.parametrize("name", ["", "ab", "2comboi", "comboi-2", "c" * 46, "%HUB%"])
def test_a_name_that_no_task_hub_can_have_is_refused(name, project, tmp_path):
    with pytest.raises(RequestInvalid, match="is not a valid name"):
        build(project, tmp_path / "comboi.zip", task_hub=name)


def test_what_works_on_a_laptop_only_is_said(project, tmp_path):
    notes = "\n".join(build(project, tmp_path / "comboi.zip")["notes"])
    assert "stages bronze, silver, gold" in notes
    assert "no data" in notes


@pytest.mark.parametrize(("engine", "said"), [("", True), ("engine: {memory_limit: 600MB}\n", False)])
def test_a_memory_limit_that_the_default_instance_has_no_room_for_is_said(engine, said, project, tmp_path):
    config = project / "configs" / "initial.yml"
    kept = [line for line in config.read_text().splitlines(keepends=True) if not line.startswith("engine:")]
    config.write_text("".join(kept) + engine)
    notes = build(project, tmp_path / "comboi.zip")["notes"]
    assert any("engine.memory_limit" in note for note in notes) is said


def test_references_are_listed_by_name_and_never_resolved(project, tmp_path, monkeypatch):
    monkeypatch.setenv("LAKE_ACCOUNT", "resolved")
    config = project / "configs" / "initial.yml"
    text = config.read_text()
    silver = '{account_name: "{{env:LAKE_ACCOUNT}}", file_system: silver, credential: "{{keyvault:lake-key}}"}'
    assert "{path: lake/silver}" in text
    config.write_text(text.replace("{path: lake/silver}", silver))
    built = build(project, tmp_path / "comboi.zip")
    assert built["needs"] == {"env": ["LAKE_ACCOUNT"], "keyvault": ["lake-key"]}
    assert b"resolved" not in b"".join(_contents(tmp_path / "comboi.zip", "configs/"))


def _contents(archive: Path, folder: str) -> list[bytes]:
    with zipfile.ZipFile(archive) as opened:
        return [opened.read(name) for name in opened.namelist() if name.startswith(folder)]


def test_the_command_prints_the_size(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "comboi_core.cli.package", "--output", str(tmp_path / "comboi.zip"), "--json"],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["bytes"] == (tmp_path / "comboi.zip").stat().st_size < package.MAX_BYTES
    assert told["files"] == len(names(tmp_path / "comboi.zip"))
