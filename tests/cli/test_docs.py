"""`comboi docs`: where it writes, what it says, and that a second time replaces the first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from comboi_core.cli.commands import app


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A table and a dataset; nothing has run yet."""
    tables = [{"name": "orders", "table": "orders"}]
    source = {"name": "shop", "type": "sqlite", "connection": {"path": "shop.db"}, "tables": tables}
    stages = {stage: {"data_lake": {"path": f"lake/{stage}"}} for stage in ("bronze", "silver", "gold")}
    datasets = {"silver": [{"name": "clean", "inputs": [{"alias": "i", "source": "shop", "table": "orders"}]}]}
    (tmp_path / "configs").mkdir()
    files = {"initial": {"pipeline": "sales", "sources": [source], "stages": stages}, "transformations": datasets}
    for name, content in files.items():
        (tmp_path / "configs" / f"{name}.yml").write_text(yaml.safe_dump(content))
    return tmp_path / "configs" / "initial.yml"


def comboi(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_pages_go_to_the_projects_folder_and_their_place_is_said(config):
    index = config.parent.parent / "catalogue" / "index.html"

    first, second = comboi("docs", "--config", config), comboi("docs", "--config", config)

    assert first.exit_code == second.exit_code == 0, first.output
    assert str(index) in first.stdout and "3 pages" in first.stdout
    assert sorted(file.name for file in index.parent.rglob("*.html")) == [
        "clean.html",
        "index.html",
        "shop.orders.html",
    ]


def test_another_folder_and_json(config, tmp_path):
    result = comboi("docs", "--config", config, "--out", tmp_path / "here", "--json")

    assert json.loads(result.stdout) == {"index": str(tmp_path / "here" / "index.html"), "pages": 3, "notes": []}
    assert (tmp_path / "here" / "index.html").is_file()


def test_what_could_not_be_read_is_said_on_stderr_and_the_pages_are_written(config):
    record = config.parent.parent / "lake" / "bronze" / "runs" / "sales-20261123T060000Z-abcd.json"
    record.parent.mkdir(parents=True)
    record.write_text("{")

    result = comboi("docs", "--config", config)

    assert result.exit_code == 0 and record.name in result.stderr and "3 pages" in result.stdout


def test_someone_elses_page_is_not_overwritten(config, tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("mine")

    result = comboi("docs", "--config", config, "--out", tmp_path / "site")

    assert result.exit_code == 1 and "--out" in result.stderr
    assert (tmp_path / "site" / "index.html").read_text() == "mine"
