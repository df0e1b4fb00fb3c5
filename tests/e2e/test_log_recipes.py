"""The recipes of docs/operations.md for the log file, run on the log of a run that failed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jq
import pytest

from tests.support.project import Project

PAGE = Path(__file__).resolve().parents[2] / "docs" / "operations.md"
RECIPES = re.findall(r"^jq -c '(.*)' logs/comboi\.log$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
EXAMPLE = re.compile(r"sales-\d{8}T\d{6}Z-[0-9a-f]{6}")


def a_failing_check(project: Project) -> tuple[str, str]:
    script = "def check(con, dataset_name):\n    return False, 'amounts do not add up'\n"
    project.write("transformations/quality/amounts.py", script)
    return "check_failed", "amounts do not add up"


def a_failing_script(project: Project) -> tuple[str, str]:
    project.write(
        "transformations/events_per_kind.py", "def transform(con, inputs):\n    raise ValueError('no luck')\n"
    )
    return "script_failed", "no luck"


def a_missing_table(project: Project) -> tuple[str, str]:
    project.edit("configs/initial.yml", "shop.events", "shop.nothing")
    return "source_object_missing", "shop.nothing"


def test_the_page_has_recipes():
    assert RECIPES


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("trouble", [a_failing_check, a_failing_script, a_missing_table], ids=lambda one: one.__name__)
@pytest.mark.slow
def test_a_recipe_finds_what_went_wrong(project: Project, recipe: str, trouble):
    code, words = trouble(project)
    done = project.comboi("run", "--json")
    record = json.loads(done.stdout)
    assert (done.returncode, record["status"]) == (1, "failed")

    program, count = EXAMPLE.subn(record["run_id"], recipe)
    assert count == 1, "the recipe names its run"
    log = (project.folder / "logs" / "comboi.log").read_text(encoding="utf-8")
    found = jq.compile(program).input_text(log).all()

    assert any(line.get("code") == code and words in line["message"] for line in found), found
    assert all(line["level"].lower() in ("warning", "error") for line in found)
