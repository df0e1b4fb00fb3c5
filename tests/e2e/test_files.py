"""Files and SQLite through the command line: what comes, changes and arrives late between two runs."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path

import pytest
import yaml

from tests.support.project import Project

OLD = 1_700_000_000

PIPELINE = """
pipeline: partner
engine: {memory_limit: 512MB, threads: 2}
retry: {attempts: 2, first_delay: 0.1s}
sources:
  - name: partner
    type: files
    connection: {path: "{{env:INCOMING}}"}
    tables:
      - {name: orders, path: "orders/**/*.csv", types: {amount: "DECIMAL(12,2)"}}
      - {name: customers, path: "customers/*.jsonl", primary_key: [customer_id]}
      - {name: countries, path: countries.parquet, mode: full}
  - name: till
    type: sqlite
    connection: {path: data/till.db}
    tables:
      - {name: sales, table: sales, primary_key: [id], incremental_column: changed_at, chunk_rows: 1000}
stages:
  bronze: {data_lake: {path: lake/bronze}}
  silver: {data_lake: {path: lake/silver}}
  gold: {data_lake: {path: lake/gold}}
"""

DATASETS = """
silver:
  - name: orders_known
    inputs:
      - {alias: orders, source: partner, table: orders}
      - {alias: customers, source: partner, table: customers}
      - {alias: countries, source: partner, table: countries}
    quality_checks: [{unique: order_id}, {not_null: [country_name]}]
gold:
  - name: turnover
    inputs:
      - {alias: orders_known, dataset: orders_known}
      - {alias: sales, source: till, table: sales}
"""

SCRIPTS = {
    "orders_known.sql": (
        "SELECT o.order_id, o.amount, c.name, y.name AS country_name FROM orders o\n"
        "JOIN customers c USING (customer_id) JOIN countries y USING (country)\n"
    ),
    "turnover.sql": (
        "SELECT 'partner' AS at, sum(amount)::DECIMAL(18,2) AS total FROM orders_known\n"
        "UNION ALL SELECT 'till', sum(cents)::DECIMAL(18,2) / 100 FROM sales\n"
    ),
}


class Partner:
    """The project, the folder that the partner writes to, and the till."""

    def __init__(self, root: Path) -> None:
        self.incoming = root / "partner's [files] ü"
        self.incoming.mkdir(parents=True)
        self.project = Project(root / "project", {"INCOMING": str(self.incoming)})
        for folder in ("configs", "transformations", "data"):
            (self.project.folder / folder).mkdir(parents=True)
        self.project.write("configs/initial.yml", PIPELINE)
        self.project.write("configs/transformations.yml", DATASETS)
        for name, text in SCRIPTS.items():
            self.project.write(f"transformations/{name}", text)

    def put(self, name: str, text: str, hours: float = 0) -> None:
        path = self.incoming / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        os.utime(path, (OLD + hours * 3600, OLD + hours * 3600))

    def till(self, script: str) -> None:
        with sqlite3.connect(self.project.folder / "data" / "till.db") as db:
            db.executescript(script)
        db.close()

    def run(self, *arguments: str, **extra: str) -> dict[str, dict]:
        record = self.project.run(*arguments, **extra)
        return {item["table"]: item for item in record["tables"]}


def orders(first: int, last: int) -> str:
    return "order_id,customer_id,amount\n" + "".join(f"{n},{1 + n % 3},{n}.10\n" for n in range(first, last))


@pytest.fixture
def partner(tmp_path: Path) -> Partner:
    import duckdb

    made = Partner(tmp_path)
    made.put("orders/2026/01.csv", orders(0, 500))
    made.put("orders/2026/02.csv", orders(500, 1000), hours=5)
    made.put(
        "customers/a.jsonl",
        "".join(json.dumps({"customer_id": n, "name": f"nåme {n}", "country": "BE"}) + "\n" for n in (1, 2, 3)),
    )
    countries = made.incoming / "countries.parquet"
    duckdb.sql("SELECT 'BE' AS country, 'Belgium' AS name").write_parquet(str(countries))
    os.utime(countries, (OLD, OLD))
    made.till("""
        CREATE TABLE sales (id INTEGER PRIMARY KEY, cents INTEGER, changed_at DATETIME);
        INSERT INTO sales WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)
            SELECT i, i, datetime('2026-01-01', i || ' seconds') FROM n""")
    return made


def test_the_second_run_lands_what_is_new_changed_or_late_and_nothing_twice(partner: Partner):
    first = partner.run()
    assert {name: (item["mode"], item["rows"], item["files"]) for name, item in first.items()} == {
        "orders": ("append", 1000, 1),
        "customers": ("merge", 3, 1),
        "countries": ("full", 1, 1),
        "sales": ("merge", 2500, 3),
    }

    partner.put("orders/2026/03.csv", "amount,order_id,customer_id,note\n7.50,1000,1,new\n", hours=9)
    partner.put("orders/late.csv", orders(2000, 2010), hours=-1000)
    partner.put("customers/a.jsonl", '{"customer_id": 2, "name": "changed", "country": "BE"}\n', hours=2)
    partner.till("UPDATE sales SET cents = 0, changed_at = '2026-02-01 00:00:00' WHERE id <= 10")
    second = partner.run()

    assert {name: item["rows"] for name, item in second.items() if name != "sales"} == {
        "orders": 11,
        "customers": 1,
        "countries": 0,
    }
    assert any("new column note" in told for told in second["orders"]["schema_changes"])
    found = partner.project.contents()
    assert len(found["partner.orders"]) == 1011 and len(found["orders_known"]) == 1011
    assert sum(row[2] == "changed" for row in found["orders_known"]) == sum(
        1 + n % 3 == 2 for n in (*range(1000), *range(2000, 2010))
    )
    expected = sum(n * 100 + 10 for n in (*range(1000), *range(2000, 2010))) + 750
    assert {row[0]: round(float(row[1]) * 100) for row in found["turnover"]} == {
        "partner": expected,
        "till": sum(range(11, 2501)),
    }

    third = partner.run()
    assert {name: item["rows"] for name, item in third.items() if name != "sales"} == {
        "orders": 0,
        "customers": 0,
        "countries": 0,
    }
    assert partner.project.contents() == found


@pytest.mark.slow
def test_every_activity_executed_twice_lands_each_file_once(partner: Partner):
    faults = {"DURABLE_LOCAL_FAULTS": "double_activities,replay_twice"}
    partner.run(**faults)
    partner.put("orders/x.csv", orders(3000, 3010))
    partner.run(**faults)
    assert sorted(row[0] for row in partner.project.contents()["partner.orders"]) == [*range(1000), *range(3000, 3010)]


def test_a_bad_value_stops_the_table_and_tells_file_line_and_column(partner: Partner):
    partner.run("bronze")
    partner.put("orders/bad.csv", "order_id,customer_id,amount\n1,1,1.00\n2,1,1.005\n")
    done = partner.project.comboi("run", "bronze", "--json")
    assert done.returncode == 1
    errors = [item["error"] for item in json.loads(done.stdout)["tables"] if item.get("error")]
    assert [(error["code"], error["transient"]) for error in errors] == [("unsupported_value", False)]
    assert "partner.orders: orders/bad.csv, line 3: column amount holds '1.005'" in errors[0]["message"]
    partner.put("orders/bad.csv", "order_id,customer_id,amount\n1,1,1.00\n2,1,1.01\n")
    assert partner.run("bronze")["orders"]["rows"] == 2


@pytest.mark.slow
def test_a_file_that_changed_in_an_appended_table_says_what_to_do(partner: Partner):
    partner.run("bronze")
    partner.put("orders/2026/01.csv", orders(0, 501), hours=1)
    done = partner.project.comboi("run", "bronze")
    assert done.returncode == 1 and "orders/2026/01.csv changed after being landed" in done.stdout + done.stderr
    partner.run("bronze", "--full-refresh")
    assert len(partner.project.contents()["partner.orders"]) == 1001


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("type: sqlite", "type: sqlte", "did you mean 'sqlite'"),
        ('path: "orders/**/*.csv"', 'path: "../*.csv"', "stay inside the source's folder"),
        ('path: "orders/**/*.csv"', 'path: "orders/*"', "add format: (csv, json, parquet)"),
        ("primary_key: [customer_id]", "mode: merge", "mode: merge needs primary_key"),
        ("mode: full", "mode: full, incremental_column: x", "unknown key 'incremental_column'"),
        ("mode: full", "mode: full, options: {delimiter: ';'}", "is for CSV files"),
        ('"DECIMAL(12,2)"', "MONEY", "is not a known type"),
        ("table: sales,", "path: x,", "unknown key 'path'"),
    ],
)
def test_mistakes_in_the_configuration_are_named_with_their_line(partner: Partner, old: str, new: str, says: str):
    from comboi_core.app.loader import load
    from comboi_core.domain.errors import ConfigError

    partner.project.edit("configs/initial.yml", old, new)
    text = (partner.project.folder / "configs" / "initial.yml").read_text().splitlines()
    line = next(number for number, content in enumerate(text, 1) if new in content)
    with pytest.raises(ConfigError) as caught:
        load(partner.project.folder / "configs" / "initial.yml")
    problem = next(problem for problem in caught.value.message.splitlines() if says in problem)
    assert f"initial.yml:{line}: " in problem


def test_the_pages_example_is_a_valid_configuration(partner: Partner):
    import re

    page = (Path(__file__).parents[2] / "docs" / "sources.md").read_text(encoding="utf-8")
    sections = [section for section in page.split("\n## ") if section.startswith(("Files\n", "SQLite\n"))]
    examples = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", "".join(sections), re.DOTALL)]
    config = yaml.safe_load(PIPELINE) | {"sources": [source for example in examples for source in example["sources"]]}
    partner.project.write("configs/initial.yml", yaml.safe_dump(config))
    partner.project.write("configs/transformations.yml", "silver: []\n")
    from comboi_core.app.loader import load

    assert [source.name for source in load(partner.project.folder / "configs/initial.yml").pipeline_file.sources] == [
        "till",
        "partner",
    ]
