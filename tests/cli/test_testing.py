"""`comboi test` on a project with assets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from comboi_core.cli.testing import test as command
from tests.config.conftest import Files

ASSET = """\
/* @bruin
type: duckdb.sql
materialization: {type: table}
unit_tests:
  - {name: paid only, inputs: [{asset: shop.orders, rows: [{id: 1, paid: true}, {id: 2, paid: false}]}],
     expected: {rows: [{id: %s}], match: exact}}
  - {name: none, inputs: [{asset: shop.orders, rows: [{id: 1, paid: null}]}], expected: {count: 0}}
@bruin */
SELECT id FROM shop.orders WHERE paid
"""

app = typer.Typer()
app.command()(command)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    files = Files(tmp_path / "project")
    monkeypatch.setenv("COMBOI_CONFIG", str(files.pipeline))
    return tmp_path / "project" / "transformations"


def write(project: Path, expected: int) -> None:
    (project / "silver").mkdir(parents=True, exist_ok=True)
    (project / "silver" / "paid.sql").write_text(ASSET % expected)


def test_tests_that_pass_are_listed(project):
    write(project, 1)

    done = CliRunner().invoke(app, [])

    assert done.exit_code == 0, done.output
    assert "✓ silver.paid: paid only" in done.stdout and "2 tests passed" in done.stdout


def test_a_test_that_fails_says_what_came_and_where_it_stands(project):
    write(project, 2)

    done = CliRunner().invoke(app, ["silver.paid"])

    assert done.exit_code == 1
    assert "✗ silver.paid: paid only" in done.output and "2 tests, 1 failed" in done.output
    assert "the result lacks the row {id: 2}" in done.output and "paid.sql:5" in done.output


def test_machines_get_json(project):
    write(project, 2)

    done = CliRunner().invoke(app, ["--json", "--only", "none"])

    assert done.exit_code == 0
    (result,) = json.loads(done.stdout)
    assert (result["dataset"], result["name"], result["passed"], result["problems"]) == (
        "silver.paid",
        "none",
        True,
        [],
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["silver.paidd"], "did you mean 'silver.paid'?"),
        (["orders_clean"], "orders_clean has no unit test"),
        (["--only", "nope"], "no unit test 'nope'"),
    ],
)
def test_what_there_is_no_test_for_is_an_error(project, arguments, says):
    write(project, 1)

    done = CliRunner().invoke(app, arguments)

    assert done.exit_code == 1 and says in " ".join(done.output.split())


def test_a_project_without_tests_is_no_failure(project):
    done = CliRunner().invoke(app, [])

    assert (done.exit_code, done.stdout.strip()) == (
        0,
        "no unit tests; Bruin assets can have them under unit_tests: (docs/bruin.md)",
    )
