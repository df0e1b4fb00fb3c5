"""`comboi show` and `comboi query`: what a person sees, what machines get, what files hold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from typer.testing import CliRunner

import comboi as package
from comboi_core.cli import options
from comboi_core.cli.commands import app
from comboi_core.devtools.scaffold.project import new_project


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The project of `comboi init` after one run; in `orders_clean` the column `customer` is sensitive."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("COMBOI_CONFIG", "COMBOI_HUB"):
            patch.delenv(name, raising=False)
        folder = tmp_path_factory.mktemp("reading") / "shop"
        new_project(folder, "files")
        file = folder / "configs" / "transformations.yml"
        datasets = yaml.safe_load(file.read_text())
        datasets["silver"][0]["columns"] = [{"name": "customer", "sensitive": True}]
        file.write_text(yaml.safe_dump(datasets))
        package.Project.open(folder).run().raise_for_status(strict=True)
        yield folder


def comboi(folder: Path, *arguments: str) -> Any:
    return CliRunner().invoke(app, [*arguments, "--config", str(folder / "configs" / "initial.yml")])


def test_show_prints_the_first_rows_and_says_how_many_there_are(landed):
    result = comboi(landed, "show", "sales_per_city", "--limit", "2")
    assert result.exit_code == 0, result.output
    head, *rows, last = [line.split() for line in result.stdout.splitlines()]
    assert head == ["month", "city", "orders", "amount"]
    assert [len(row) for row in rows] == [4, 4]
    assert " ".join(last) == "sales_per_city: the first 2 of 5 rows, 4 columns"


def test_show_hides_sensitive_values_and_query_does_not(landed):
    shown = json.loads(comboi(landed, "show", "orders_clean", "--json").stdout)
    assert shown["rows"] == 45 and len(shown["head"]) == 10
    assert {row["customer"] for row in shown["head"]} == {"***"}
    assert all(row["city"] != "***" for row in shown["head"])
    stored = json.loads(comboi(landed, "query", "SELECT customer FROM orders_clean LIMIT 1", "--json").stdout)
    assert stored["rows"][0]["customer"] not in ("***", None)


def test_a_narrow_terminal_gets_whole_columns_and_the_names_of_the_others(landed, monkeypatch):
    monkeypatch.setattr(options.console, "width", 40)
    lines = comboi(landed, "show", "shop.orders", "-n", "1").stdout.splitlines()
    assert lines[0].split() == ["order_id", "customer_id", "ordered_on"]
    assert all(len(line) <= 40 for line in lines[:2])
    told = "".join(lines[2:])
    assert told.startswith("5 more columns: amount, status") and "_modified" in told


def test_columns_and_types(landed):
    lines = comboi(landed, "show", "orders", "--columns").stdout.splitlines()
    assert ["amount", "DECIMAL(12,2)"] in [line.split() for line in lines]
    assert lines[-1] == "shop.orders: 60 rows, 8 columns"


def test_a_query_says_when_it_shows_a_part(landed):
    lines = comboi(landed, "query", "FROM shop.orders", "--limit", "3").stdout.splitlines()
    assert len(lines) == 5 and lines[-1] == "the first 3 rows; --limit shows more, --out writes all of them"
    machine = json.loads(comboi(landed, "query", "FROM shop.orders", "--limit", "3", "--json").stdout)
    assert (len(machine["rows"]), machine["more"]) == (3, True)
    all_of_it = comboi(landed, "query", "SELECT NULL AS a, 'x' AS b", "--limit", "1").stdout.splitlines()
    assert [line.split() for line in all_of_it] == [["a", "b"], ["NULL", "x"], ["1", "row"]]


@pytest.mark.parametrize("ending", ["parquet", "csv", "json"])
def test_out_writes_all_rows(landed, tmp_path, ending):
    file = tmp_path / f"it's.{ending}"
    result = comboi(landed, "query", "SELECT order_id, amount FROM shop.orders", "--out", str(file), "--limit", "1")
    assert result.exit_code == 0 and ": 60 rows" in result.stdout.replace("\n", "")
    read = {"parquet": duckdb.read_parquet, "csv": duckdb.read_csv, "json": duckdb.read_json}[ending]
    assert sorted(read(str(file)).project("order_id").fetchall()) == [(number,) for number in range(1, 61)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "orderz"], "there is no table or dataset 'orderz' (did you mean 'orders'?)"),
        (["query", "FROM shop.orders", "--out", "x.txt"], "'x.txt' does not say its format"),
        (["query", "FROM shop.orders", "--out", "no/folder/x.csv"], "no/folder: cannot be written"),
        (["query", "DELETE FROM orders_clean"], "the query has to be one SELECT"),
        (["query", "COPY (SELECT 1) TO 'x.csv'"], "the query has to be one SELECT"),
    ],
)
def test_wrong_input_ends_with_one_error_and_what_to_do(landed, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    result = comboi(landed, *arguments)
    assert result.exit_code == 1
    assert words in result.stderr and "what to do:" in result.stderr
    assert not list(tmp_path.iterdir())
