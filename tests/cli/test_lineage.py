"""`comboi lineage`: what a person sees, what files hold, what machines get."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from typer.testing import CliRunner

from comboi_core.cli.commands import app


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Two tables, two silver datasets of which one reads the other, and a gold one that reads three things."""
    tables = [{"name": name, "table": name} for name in ("orders", "customers")]
    source = {"name": "shop", "type": "sqlite", "connection": {"path": "shop.db"}, "tables": tables}
    stages = {stage: {"data_lake": {"path": f"lake/{stage}"}} for stage in ("bronze", "silver", "gold")}
    orders = {"alias": "orders", "source": "shop", "table": "orders"}
    datasets = {
        "silver": [
            {"name": "late", "inputs": [{"alias": "i", "dataset": "clean"}]},
            {"name": "clean", "inputs": [orders | {"view": "changes"}]},
        ],
        "gold": [
            {"name": "top", "inputs": [orders, {"alias": "l", "dataset": "late"}, {"alias": "c", "dataset": "clean"}]}
        ],
    }
    (tmp_path / "configs").mkdir()
    files = {"initial": {"pipeline": "sales", "sources": [source], "stages": stages}, "transformations": datasets}
    for name, content in files.items():
        (tmp_path / "configs" / f"{name}.yml").write_text(yaml.safe_dump(content))
    return tmp_path / "configs" / "initial.yml"


def comboi(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_each_thing_is_drawn_once_in_full_below_the_last_of_what_it_is_made_of(config):
    result = comboi("lineage", "--config", config)

    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "shop  source, sqlite",
        "├── shop.orders  bronze, full",
        "│   ├── clean  silver, replace  view: changes",
        "│   │   ├── late  silver, replace",
        "│   │   │   └── top  gold, replace  (see below)",
        "│   │   └── top  gold, replace  (see below)",
        "│   └── top  gold, replace  (with late, clean)",
        "└── shop.customers  bronze, full",
    ]


def test_a_selected_dataset_is_shown_with_what_it_is_made_of_and_what_is_made_of_it(config):
    result = comboi("lineage", "--config", config, "--select", "clean")

    assert result.stdout.splitlines() == [
        "clean  silver, replace",
        "├── made from",
        "│   └── shop.orders  bronze, full  view: changes",
        "│       └── shop  source, sqlite",
        "└── used by",
        "    ├── late  silver, replace",
        "    │   └── top  gold, replace",
        "    └── top  gold, replace",
    ]


def test_what_nothing_reads_is_said_to_be_used_by_nothing(config):
    assert "nothing" in comboi("lineage", "--config", config, "-s", "customers").stdout


def test_a_name_that_does_not_exist_is_an_error_with_a_proposal(config):
    result = comboi("lineage", "--config", config, "-s", "claen")

    assert result.exit_code == 1 and "did you mean 'clean'" in result.stderr


def test_json_has_the_selected_part_with_its_views(config):
    result = comboi("lineage", "--config", config, "-s", "late", "--json")

    answer = json.loads(result.stdout)
    assert [node["key"] for node in answer["nodes"]] == [
        "source:shop",
        "table:shop.orders",
        "dataset:late",
        "dataset:clean",
        "dataset:top",
    ]
    assert {"from": "table:shop.orders", "to": "dataset:clean", "views": ["changes"]} in answer["edges"]
    assert answer["selected"] == ["dataset:late"]


def test_files_are_written_well_formed_and_named(config, tmp_path):
    html, svg = tmp_path / "out.html", tmp_path / "out.svg"

    result = comboi("lineage", "--config", config, "--html", html, "--svg", svg)

    assert result.exit_code == 0 and str(html) in result.stdout and str(svg) in result.stdout
    drawn = ElementTree.parse(svg).getroot()
    assert len([part for part in drawn.iter() if part.get("data-key")]) == 6
    page = ElementTree.parse(html).getroot()
    focusable = [part for part in page.iter() if part.get("data-key") and part.get("tabindex") == "0"]
    assert len(focusable) == 6 and all(part.get("aria-label") for part in focusable)
    assert page.get("lang") == "en" and page.find(".//details//table") is not None


def test_a_file_that_cannot_be_written_is_an_error(config, tmp_path):
    result = comboi("lineage", "--config", config, "--svg", tmp_path / "nowhere" / "x.svg")

    assert result.exit_code == 1 and "cannot be written" in result.stderr


def test_the_documented_tree_is_that_of_the_documented_project(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "transformations-and-checks.md").read_text(encoding="utf-8")
    documented = page.split("$ comboi lineage\n")[1].split("```")[0].splitlines()
    config = tmp_path / "configs" / "initial.yml"
    comboi("init", tmp_path)
    comboi("new", "transformation", "order_sizes", "-f", "orders", "-f", "customers", "--config", config)

    assert comboi("lineage", "--config", config).stdout.splitlines() == documented
