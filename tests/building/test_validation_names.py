"""`comboi validate` on names that are not there, without a lake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from comboi_core.app.loader import load
from comboi_core.building.validation.project import name_problems
from comboi_core.building.validation.text import unread
from tests.support.building import CONFIG

TABLES = [
    {"name": "orders", "path": "orders/*.csv", "columns": ["id", "amount"]},
    {"name": "open", "path": "open/*.csv"},
]


def problems(folder: Path, scripts: dict[str, str], **datasets: dict[str, Any]) -> list[str]:
    source = CONFIG["sources"][0] | {"tables": TABLES}
    (folder / "configs").mkdir()
    (folder / "configs/initial.yml").write_text(yaml.safe_dump(CONFIG | {"sources": [source]}))
    silver = [{"name": name, **settings} for name, settings in datasets.items()]
    (folder / "configs/transformations.yml").write_text(yaml.safe_dump({"silver": silver}))
    (folder / "transformations").mkdir()
    for name, text in scripts.items():
        (folder / "transformations" / f"{name}.sql").write_text(text)
    return [problem.replace(f"{folder}/", "") for problem in name_problems(load(folder / "configs/initial.yml"))]


ORDERS = {"inputs": [{"alias": "orders", "source": "drop", "table": "orders"}]}
OPEN = {"inputs": [{"alias": "open", "source": "drop", "table": "open"}]}


@pytest.mark.parametrize(
    ("sql", "settings", "expected"),
    [
        ("SELECT 1\nFROM oo", ORDERS, "transformations/d.sql:2: there is no input 'oo'; the inputs are orders"),
        ("SELECT *\nFROM order", OPEN, None),
        ("SELECT * FROM orderz", ORDERS, "there is no input 'orderz' (did you mean 'orders'?)"),
        ("SELECT id,\n amont FROM orders", ORDERS, "transformations/d.sql:2: no input has a column 'amont' (did you"),
        ("SELECT o.id, o.amont FROM orders AS o", ORDERS, "no input has a column 'amont'"),
        ("SELECT text, table_ FROM Open", OPEN, None),
        ("WITH oo AS (SELECT * FROM orders) SELECT sum(amount) AS s FROM oo", ORDERS, None),
        ("SELECT amount || 'x' AS t, id % 2 AS i FROM orders", ORDERS, None),
        ("SELECT * FROM range(3)", ORDERS, None),
    ],
)
def test_names_that_are_not_there_are_told_with_file_and_line(tmp_path: Path, sql: str, settings, expected):
    found = problems(tmp_path, {"d": sql}, d=settings)
    assert len(found) == (expected is not None), found
    assert expected is None or expected in found[0]


def test_a_check_on_a_column_that_the_select_does_not_have_is_told(tmp_path: Path):
    checks = {"quality_checks": [{"not_null": ["id", "Amount", "nope"]}, {"unique": "idd"}]}
    found = problems(tmp_path, {"d": "SELECT id, amount * 2 AS amount FROM open"}, d=OPEN | checks)
    assert found == [
        "configs/transformations.yml:2: d: not_null(nope): the dataset has no column 'nope'; it has id, amount",
        "configs/transformations.yml:2: d: unique(idd): the dataset has no column 'idd' (did you mean 'id'?); "
        "it has id, amount",
    ]


@pytest.mark.parametrize(
    "sql", ["SELECT * FROM open", "SELECT id, * FROM open", "FROM open", "SELECT id + 1 FROM open"]
)
def test_columns_that_follow_from_the_data_are_not_judged(tmp_path: Path, sql: str):
    assert problems(tmp_path, {"d": sql}, d=OPEN | {"quality_checks": [{"unique": "x"}]}) == []


def test_a_dataset_knows_the_columns_of_the_one_that_it_reads(tmp_path: Path):
    scripts = {"a": "SELECT id FROM orders", "b": "SELECT id,\n amount FROM a"}
    found = problems(tmp_path, scripts, a=ORDERS, b={"inputs": [{"alias": "a", "dataset": "a"}]})
    assert found == ["transformations/b.sql:2: no input has a column 'amount'; they have id"]


def test_versions_and_clusters_add_columns_of_their_own(tmp_path: Path):
    how = {"materialization": {"strategy": "scd2", "unique_key": ["id"]}}
    checks = {"quality_checks": [{"not_null": ["_valid_from", "_is_current"]}]}
    assert problems(tmp_path, {"d": "SELECT id FROM orders"}, d=ORDERS | how | checks) == []


HEADER = (
    "/* @bruin\nname: a\ntype: duckdb.sql\ndepends: [drop.orders]\nmaterialization: {type: table}\nEXTRA\n@bruin */\n"
)
COLUMNS = "columns: [{name: nope, checks: [{name: not_null}]}]"


@pytest.mark.parametrize(
    ("extra", "sql", "expected"),
    [
        (
            "",
            "SELECT id,\n amont FROM drop.orders",
            "transformations/a.sql:9: no input has a column 'amont' (did you mean",
        ),
        (
            "",
            "SELECT id,\n amont FROM drop.orders WHERE '{{ run_id }}' < '3'",
            "transformations/a.sql:9: no input has",
        ),
        (COLUMNS, "SELECT id FROM drop.orders", "not_null(nope): the dataset has no column 'nope'; it has id"),
        ("", "SELECT id, amount FROM drop.orders", None),
        ("hooks: {pre: [{query: CREATE MACRO one() AS 1}]}", "SELECT one() AS id FROM drop.orders", None),
    ],
    ids=["column", "template", "check", "right", "hooks"],
)
def test_assets_of_bruin_are_looked_at_too(tmp_path: Path, extra: str, sql: str, expected: str | None):
    found = problems(tmp_path, {"a": HEADER.replace("EXTRA", extra) + sql})
    assert len(found) == (expected is not None), found
    assert expected is None or expected in found[0]


def test_a_dataset_knows_the_columns_of_an_asset_that_it_reads(tmp_path: Path):
    scripts = {"a": HEADER.replace("EXTRA", "") + "SELECT id FROM drop.orders", "b": "SELECT id,\n amount FROM a"}
    found = problems(tmp_path, scripts, b={"inputs": [{"alias": "a", "dataset": "a"}]})
    assert found == ["transformations/b.sql:2: no input has a column 'amount'; they have id"]


def test_what_cannot_be_looked_at_is_said(tmp_path: Path):
    hooks = HEADER.replace("EXTRA", "hooks: {pre: [{query: CREATE MACRO one() AS 1}]}")
    problems(tmp_path, {"a": hooks + "SELECT one() AS id FROM drop.orders", "d": "SELECT id FROM orders"}, d=ORDERS)
    (note,) = unread(load(tmp_path / "configs/initial.yml"))
    assert note.startswith("names of tables and columns were not looked at in a: ")
