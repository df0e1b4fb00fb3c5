"""docs/extending.md builds what it says: its source, its check and its scripts run in a copy of comboi."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

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
    (core / promised("config/calendar.py")).write_text(block("python", "class CalendarSource"))
    (core / promised("sources/calendar.py")).write_text(block("python", "class CalendarTable"))
    union, registry = core / promised("config/sources.py"), core / promised("sources/registry.py")
    insert(union, "from comboi_core.config.tables", "from comboi_core.config.calendar import CalendarSource\n")
    insert(union, ", Field(discriminator=", f" {promised('| CalendarSource')}")
    insert(
        registry, "from comboi_core.sources.postgres.table ", "from comboi_core.sources.calendar import CalendarTable\n"
    )
    insert(registry, '"postgres": ', promised('"calendar": CalendarTable') + ", ")
    insert(core / promised("quality/catalogue.py"), '    "not_null": RowCheck', f"    {block('python', 'RowCheck')}")
    datasets = core / promised("config/checks.py")
    insert(datasets, '        "not_null",\n', '        "lower_case",\n')
    source = datasets.read_text(encoding="utf-8")
    datasets.write_text(source.replace(f"{promised('_COLUMN_CHECKS')} = {{", '_COLUMN_CHECKS = {"lower_case", '))
    return copy


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


def test_a_failing_check_of_the_document_stops_the_dataset(app: Path, project: Project):
    project.edit("transformations/days_clean.py", "lower(weekday)", "weekday")
    done = project.comboi("run", "--json", PYTHONPATH=str(app))
    (dataset,) = json.loads(done.stdout)["datasets"]
    assert dataset["error"]["code"] == "check_failed"
    assert dataset["checks"][0]["message"].endswith("have capitals in weekday")


def test_the_ports_methods_are_those_of_the_document():
    from comboi_core.domain.ports import Source

    methods = {name for name, value in vars(Source).items() if callable(value) and not name.startswith("_")}
    assert set(re.findall(r"^\| `(\w+)` \|", DOCUMENT, re.MULTILINE)) == methods
