"""`comboi schema`: writes what editors need, and prints what one asks for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from comboi_core.cli.commands import app
from comboi_core.config.reference_page import page
from comboi_core.config.schema import schema_files, schema_text
from tests.docs.blocks import ROOT, in_place, parser_problems, schema_problems


def comboi(*arguments: Any) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.parametrize("source", ["files", "sqlite", "postgres", "azure_sql", "mysql"])
def test_a_new_project_has_the_schemas_its_files_name_and_meets_them(source, tmp_path):
    assert comboi("init", tmp_path, "--source", source).exit_code == 0

    for path in (tmp_path / "configs").glob("*.yml"):
        text = path.read_text(encoding="utf-8")
        file, value = in_place(text)
        named = path.parent / text.splitlines()[0].removeprefix("# yaml-language-server: $schema=")
        assert named.read_text(encoding="utf-8") == schema_text(file)
        assert (parser_problems(file, value), schema_problems(file, value)) == ([], [])


def test_the_schemas_are_written_beside_the_configuration_that_counts(tmp_path, monkeypatch):
    monkeypatch.setenv("COMBOI_CONFIG", str(tmp_path / "configs" / "sales.yml"))

    result = comboi("schema", "--json")

    folder = tmp_path / "configs" / ".schema"
    written = {f"configs/.schema/{path.name}": path.read_text(encoding="utf-8") for path in folder.iterdir()}
    assert written == schema_files()
    assert {str(path) for path in folder.iterdir()} == set(json.loads(result.stdout)["written"])


def test_an_old_schema_is_replaced(tmp_path):
    (tmp_path / "pipeline.json").write_text("{}")

    assert comboi("schema", "pipeline", "--out", tmp_path).exit_code == 0

    assert [(path.name, path.read_text(encoding="utf-8")) for path in tmp_path.iterdir()] == [
        ("pipeline.json", schema_text("pipeline"))
    ]


@pytest.mark.parametrize("file", ["pipeline", "transformations"])
def test_one_schema_is_printed_as_it_is_for_pipes(file):
    assert comboi("schema", file).stdout == schema_text(file)


def test_the_reference_is_printed_or_written(tmp_path):
    assert comboi("schema", "reference").stdout == page()
    assert comboi("schema", "reference", "--out", tmp_path / "docs").exit_code == 0
    assert (tmp_path / "docs" / "configuration.md").read_text(encoding="utf-8") == page()


def test_a_folder_that_cannot_be_written_is_an_error_that_says_what_to_do(tmp_path):
    (tmp_path / "file").write_text("x")

    result = comboi("schema", "--out", tmp_path / "file")

    assert result.exit_code == 1 and "cannot be written" in result.stderr and "--out" in result.stderr


def test_a_package_for_azure_leaves_the_schemas_out():
    from comboi_core.cli.members import project_files

    names = list(project_files(ROOT))
    assert "configs/initial.yml" in names and not [name for name in names if ".schema" in name]
