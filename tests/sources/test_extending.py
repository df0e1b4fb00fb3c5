"""docs/extending.md builds what it says: its source, its check and its scripts run in a copy of comboi."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path

import jsonschema_rs
import pytest
import yaml

from tests.support.project import ROOT, Project

DOCUMENT = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", DOCUMENT, re.DOTALL)
APP = ("comboi_core", "durable_local", "orchestrators", "entities", "activities")


def block(kind: str, holds: str) -> str:
    """The only block of the document that holds a text."""
    (found,) = [text for language, text in BLOCKS if language == kind and holds in text]
    return found


def promised(text: str) -> str:
    """A text, which the document has to have."""
    assert text in DOCUMENT
    return text


def insert(file: Path, before: str, text: str) -> None:
    """Put a text before another one that is in a file once."""
    source = file.read_text(encoding="utf-8")
    assert source.count(before) == 1, f"{before!r} is not in {file} once"
    file.write_text(source.replace(before, text + before), encoding="utf-8")


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A copy of comboi, extended as the document says."""
    copy = tmp_path / "app"
    for package in APP:
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("function_app.py", "host.json"):
        shutil.copy(ROOT / file, copy / file)
    core = copy / "comboi_core"
    (core / "sources" / "calendar").mkdir()
    (core / promised("sources/calendar/config.py")).write_text(block("python", "class CalendarSource(SourceBase)"))
    (core / promised("sources/calendar/table.py")).write_text(block("python", "class CalendarTable:"))
    (core / promised("sources/calendar/descriptor.py")).write_text(block("python", "SOURCE_TYPE = "))
    (core / promised("sources/calendar/__init__.py")).touch()
    line = promised('"calendar",')
    insert(core / promised("config/source_registry.py"), '    "files",\n', f"    {line}\n")
    insert(core / promised("quality/catalogue.py"), '    "not_null": RowCheck', f"    {block('python', 'RowCheck')}")
    datasets = core / promised("config/checks.py")
    insert(datasets, '        "not_null",\n', '        "lower_case",\n')
    source = datasets.read_text(encoding="utf-8")
    datasets.write_text(source.replace(f"{promised('_COLUMN_CHECKS')} = {{", '_COLUMN_CHECKS = {"lower_case", '))
    return copy


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A folder with the document's source as a package of its own, as an installer leaves it there."""
    folder = tmp_path / "packages"
    source, facts = folder / "comboi_calendar", folder / "comboi_calendar-1.0.dist-info"
    source.mkdir(parents=True)
    facts.mkdir()
    (source / "__init__.py").touch()
    files = {
        "config": "class CalendarSource(SourceBase)",
        "table": "class CalendarTable:",
        "descriptor": "SOURCE_TYPE =",
    }
    for file, holds in files.items():
        text = block("python", holds).replace("comboi_core.sources.calendar", "comboi_calendar")
        (source / f"{file}.py").write_text(text)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: comboi-calendar\nVersion: 1.0\n")
    entry = tomllib.loads(block("toml", "comboi.sources"))["project"]["entry-points"]["comboi.sources"]["calendar"]
    (facts / "entry_points.txt").write_text(f"[comboi.sources]\ncalendar = {entry}\n")
    return folder


@pytest.fixture
def with_the_package(packages: Path, project: Project) -> Project:
    """The project without the document's check, which is no package's, in an environment that has the package."""
    project.edit("configs/transformations.yml", "- lower_case: weekday\n", "- not_null: weekday\n")
    return Project(project.folder, project.env | {"PYTHONPATH": f"{packages}{os.pathsep}{ROOT}"})


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project that uses everything."""
    made = Project(tmp_path / "project")
    (made.folder / "configs").mkdir(parents=True)
    (made.folder / "transformations" / "quality").mkdir(parents=True)
    stages = {name: {"data_lake": {"path": f"lake/{name}"}} for name in ("bronze", "silver", "gold")}
    pipeline = {"pipeline": "extended", "stages": stages} | yaml.safe_load(block("yaml", "type: calendar"))
    checks = yaml.safe_load(block("yaml", "lower_case"))["quality_checks"]
    dataset = {
        "name": "days_clean",
        "inputs": [{"alias": "days", "source": "calendar", "table": "days"}],
        "quality_checks": [*checks, "sundays"],
    }
    made.write("configs/initial.yml", yaml.safe_dump(pipeline))
    made.write("configs/transformations.yml", yaml.safe_dump({"silver": [dataset]}))
    made.write(promised("transformations/days_clean.") + "py", block("python", "def transform"))
    made.write("transformations/quality/sundays.py", block("python", "def check"))
    return made


@pytest.mark.slow
def test_the_documents_source_check_and_scripts_run(app: Path, project: Project):
    first = project.run(PYTHONPATH=str(app))
    assert [(item["rows"], item["watermark"]) for item in first["tables"]] == [(31, "2026-01-31")]
    (dataset,) = first["datasets"]
    assert [(check["name"], check["passed"]) for check in dataset["checks"]] == [
        ("lower_case(weekday)", True),
        ("sundays", True),
    ]
    assert dataset["checks"][1]["message"] == "4 sundays"

    project.edit("configs/initial.yml", "2026-01-31", "2026-02-02")
    second = project.run(PYTHONPATH=str(app))
    assert [(item["rows"], item["watermark"]) for item in second["tables"]] == [(2, "2026-02-02")]
    assert second["datasets"][0]["rows"] == 33


def test_the_documents_model_refuses_what_it_should(app: Path, project: Project):
    project.edit("configs/initial.yml", "2026-01-31", "the end")
    done = project.comboi("validate", PYTHONPATH=str(app))
    assert done.returncode != 0 and "connection.last" in done.stdout + done.stderr


@pytest.mark.slow
def test_a_failing_check_of_the_document_stops_the_dataset(app: Path, project: Project):
    project.edit("transformations/days_clean.py", "lower(weekday)", "weekday")
    done = project.comboi("run", "--json", PYTHONPATH=str(app))
    (dataset,) = json.loads(done.stdout)["datasets"]
    assert dataset["error"]["code"] == "check_failed"
    assert dataset["checks"][0]["message"].endswith("have capitals in weekday")


@pytest.mark.slow
def test_a_package_brings_the_documents_source(with_the_package: Project):
    assert [item["rows"] for item in with_the_package.run()["tables"]] == [31]

    assert with_the_package.comboi("schema").returncode == 0
    schema = json.loads((with_the_package.folder / "configs" / ".schema" / "pipeline.json").read_text())
    pipeline = yaml.safe_load((with_the_package.folder / "configs" / "initial.yml").read_text())
    assert jsonschema_rs.is_valid(schema, pipeline)
    pipeline["sources"][0]["connection"]["last"] = "the end"
    assert not jsonschema_rs.is_valid(schema, pipeline)


@pytest.mark.slow
def test_the_documents_source_keeps_to_the_contract(packages: Path):
    test = packages / "test_calendar.py"
    test.write_text(block("python", "class CalendarHarness"))

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(packages), str(test)],
        capture_output=True, text=True, cwd=packages,
        env=os.environ | {"PYTHONPATH": f"{packages}{os.pathsep}{ROOT}"},
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed, 1 skipped" in done.stdout


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("2026-01-31", "the end", "connection.last"),
        ("first:", "frist:", "(did you mean 'first'?); known keys: first, last"),
        ("type: calendar", "type: calender", "(did you mean 'calendar'?); expected 'postgres'"),
    ],
)
def test_what_is_wrong_with_a_source_of_a_package_is_told_with_its_line(with_the_package: Project, old, new, said):
    with_the_package.edit("configs/initial.yml", old, new)

    done = with_the_package.comboi("validate")

    assert done.returncode == 1 and said in done.stdout + done.stderr
    assert re.search(r"configs/initial\.yml:\d+: sources\.0", done.stdout + done.stderr)


def test_a_package_that_brings_a_broken_source_is_named(with_the_package: Project, packages: Path):
    (packages / "comboi_calendar" / "descriptor.py").write_text("import no_such_module")

    done = with_the_package.comboi("validate")

    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 1 and "the package comboi-calendar brings the type of source 'calendar'" in said
    assert "No module named 'no_such_module'" in said


def test_the_ports_methods_are_those_of_the_document():
    from comboi_core.domain.ports import Source

    methods = {name for name, value in vars(Source).items() if callable(value) and not name.startswith("_")}
    assert first_column("| method |") == methods


def test_the_descriptors_fields_are_those_of_the_document():
    from comboi_core.config.source_type import SourceType

    told = first_column("| field of `SourceType` |")
    assert told | {"name", "model", "open"} == {one.name for one in fields(SourceType)}


def first_column(head: str) -> set[str]:
    """The names in the first column of the table with a head."""
    table = DOCUMENT.partition(head)[2].partition("\n\n")[0]
    return set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
