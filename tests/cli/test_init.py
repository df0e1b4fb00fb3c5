"""`comboi init`: what it writes runs as it is, and nothing of anyone else's is touched."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from comboi_core.app.loader import load
from comboi_core.building.validation.project import script_problems
from comboi_core.cli.commands import app
from comboi_core.config.source_registry import BUILT_IN
from tests.support.project import Project

pytestmark = pytest.mark.few(2)


def comboi(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_new_project_runs_to_success_and_a_second_run_finds_nothing_new(tmp_path):
    assert comboi("init", tmp_path / "shop").exit_code == 0
    project = Project(tmp_path / "shop")

    first, second = project.run(), project.run()

    assert {item["name"]: item["rows"] for item in first["datasets"]} == {"orders_clean": 45, "sales_per_city": 5}
    assert all(check["passed"] for item in first["datasets"] for check in item["checks"])
    assert [table["rows"] for table in second["tables"]] == [0, 0]


def test_a_project_on_sqlite_reads_only_what_changed(tmp_path):
    assert comboi("init", tmp_path / "shop", "--source", "sqlite").exit_code == 0
    project = Project(tmp_path / "shop")
    first = project.run()
    with sqlite3.connect(tmp_path / "shop" / "data" / "shop.db") as database:
        database.execute("UPDATE orders SET amount = '1000.25', updated_at = '2026-02-01 00:00:00' WHERE order_id = 1")

    project.run()

    gold = tmp_path / "shop" / "lake" / "gold" / "metrics" / "sales_per_city.parquet"
    largest = duckdb.sql(f"SELECT typeof(amount), amount > 1000 FROM '{gold}' ORDER BY amount DESC").fetchone()
    assert (largest, first["tables"][0]["mode"]) == (("DECIMAL(38,2)", True), "merge")


@pytest.mark.parametrize("source", BUILT_IN)
def test_every_kind_of_project_is_valid_with_its_scripts(source, tmp_path):
    result = comboi("init", tmp_path / "new project", "--source", source)

    assert result.exit_code == 0, result.output
    project = load(tmp_path / "new project" / "configs" / "initial.yml")
    assert (project.pipeline, project.source("shop").type) == ("new_project", source)
    assert not script_problems(project)
    runs = "comboi run" if source in ("files", "sqlite") else "comboi validate"
    assert f"cd '{tmp_path}/new project' && {runs}" in result.stdout


@pytest.mark.parametrize("source", BUILT_IN)
def test_what_is_said_to_be_written_is_all_that_is_there(source, tmp_path):
    result, machine = comboi("init", tmp_path / "p", "--source", source), comboi("init", tmp_path / "q", "--json")

    said = {line.removeprefix(f"✓ {tmp_path}/p/") for line in result.stdout.splitlines() if line.startswith("✓")}
    assert said == set(files_in(tmp_path / "p"))
    assert set(json.loads(machine.stdout)["created"]) == set(files_in(tmp_path / "q"))


def test_the_folder_one_is_in_is_the_default(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    result = comboi("init")

    assert (tmp_path / "configs" / "initial.yml").is_file() and "next: comboi run" in result.stdout


@pytest.mark.parametrize("name", ["2026", "漢字", "--", "a b/ü.x", "x" * 200])
def test_any_name_of_a_folder_gives_a_valid_pipeline(name, tmp_path):
    assert comboi("init", tmp_path / name).exit_code == 0
    assert load(tmp_path / name / "configs" / "initial.yml").pipeline


def test_a_folder_with_a_project_is_refused_and_stays_as_it_is(tmp_path):
    comboi("init", tmp_path)
    before = files_in(tmp_path)

    result = comboi("init", tmp_path, "--source", "sqlite")

    assert result.exit_code == 1 and "already contains a project" in result.stderr
    assert files_in(tmp_path) == before


def test_a_readme_and_a_gitignore_that_are_there_are_kept(tmp_path):
    (tmp_path / "README.md").write_text("mine")
    (tmp_path / ".gitignore").write_text("mine")

    result = comboi("init", tmp_path)

    assert result.exit_code == 0 and "README.md" not in result.stdout
    assert (tmp_path / "README.md").read_text() == (tmp_path / ".gitignore").read_text() == "mine"


@pytest.mark.parametrize("path", ["configs/transformations.yml", "data/shop.db", "transformations/orders_clean.sql"])
def test_nothing_is_overwritten_and_then_nothing_is_written(path, tmp_path):
    (tmp_path / path).parent.mkdir()
    (tmp_path / path).write_text("mine")

    result = comboi("init", tmp_path, "--source", "sqlite")

    assert result.exit_code == 1 and path in result.stderr
    assert files_in(tmp_path) == {path: b"mine"}


def test_a_file_in_place_of_the_folder_is_an_error(tmp_path):
    (tmp_path / "file").write_text("x")

    assert "is a file" in comboi("init", tmp_path / "file").stderr
    assert "cannot be written" in comboi("init", tmp_path / "file" / "below").stderr


def test_an_unknown_source_is_wrong_usage(tmp_path):
    assert comboi("init", tmp_path / "p", "--source", "oracle").exit_code == 2
    assert not os.listdir(tmp_path)
