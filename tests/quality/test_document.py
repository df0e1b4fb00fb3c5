"""The page on checks is right: its examples load and pass on good data, and its table says what each check does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import duckdb
import pytest
import yaml

from comboi_core.config.checks import Check
from comboi_core.config.datasets import DatasetConfig
from tests.quality.asking import check, data, divide, one, parsed

PAGE = (Path(__file__).parents[2] / "docs" / "transformations-and-checks.md").read_text(encoding="utf-8")
DOCUMENT = PAGE.partition("\n## Quality checks\n")[2].partition("\n## ")[0]
EXAMPLES = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)]
LISTS = [example["quality_checks"] for example in EXAMPLES if "quality_checks" in example]
KINDS = set(get_args(Check.model_fields["kind"].annotation))

ORDERS = """
CREATE TABLE orders_clean AS SELECT
    range AS order_id, range AS customer_id, ['new', 'paid', 'shipped'][range % 3 + 1] AS status, range + 0.5 AS amount,
    1 AS quantity, -0.1 AS discount, 'DE' AS country, 'a@example.com' AS email,
    TIMESTAMP '2026-11-23 05:00:00' AS ordered_at, TIMESTAMP '2026-11-23 05:30:00' AS shipped_at
FROM range(9)"""
RELATIONS = {
    "customers_clean": "(SELECT range AS customer_id FROM range(10))",
    "shop.countries": "(SELECT 'DE' AS code)",
}


def table() -> dict[str, list[str]]:
    """Return the table of all checks: each check's other cells."""
    section = DOCUMENT.split("## All checks")[1].split("###")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:2] == "| "]
    return {name: cells for first, *cells in rows[1:] for name in re.findall(r"`(\w+)`", first) or ["script"]}


def test_the_datasets_of_the_document_load() -> None:
    for example in EXAMPLES:
        for dataset in example.get("silver", []):
            assert DatasetConfig.model_validate(dataset).checks


def test_the_examples_show_every_kind() -> None:
    shown = {found.kind for entries in LISTS for entry in entries for found in parsed(entry)}
    assert shown == KINDS - {"script"}


@pytest.mark.parametrize("entries", LISTS, ids=lambda entries: next(iter(entries[0])))
def test_the_examples_pass_on_good_data(con: duckdb.DuckDBPyConnection, entries: list[Any]) -> None:
    con.execute(ORDERS)
    results = divide(con, *entries, relation="orders_clean", relations=RELATIONS)
    results += check(con, *entries, dataset="orders_clean", relations=RELATIONS, previous_rows=9)
    assert [found for found in results if not found.passed] == []
    assert len(results) == len(parsed(*entries))


def test_the_table_has_every_kind_and_says_which_may_quarantine() -> None:
    rows = table()
    assert rows.keys() == KINDS
    assert {kind for kind, cells in rows.items() if cells[-1] == "yes"} == {
        kind for kind in KINDS if allows_quarantine(kind)
    }


def allows_quarantine(kind: str) -> bool:
    """Whether the model takes `on_fail: quarantine` for a kind."""
    params = {
        "accepted_values": {"values": [1]},
        "min": {"value": 1},
        "max": {"value": 1},
        "pattern": {"regex": "x"},
        "relationships": {"to": "other", "field": "id"},
        "freshness": {"max_age": "1h"},
        "row_count": {"min": 1},
        "sql": {"query": "FROM d"},
        "custom": {"query": "FROM d"},
    }
    columns = () if kind in ("script", "row_count", "sql", "custom") else ("a",)
    plain = Check(kind=kind, columns=columns, params=params.get(kind, {}))
    try:
        return bool(Check(**plain.model_dump() | {"on_fail": "quarantine"}))
    except ValueError as error:
        assert "on_fail: quarantine" in str(error)
        return False


@pytest.mark.parametrize(
    ("kind", "entry", "type_name"),
    [
        ("not_null", {"not_null": "a"}, "INTEGER"),
        ("unique", {"unique": "a"}, "INTEGER"),
        ("unique_combination", {"unique_combination": ["a", "b"]}, "INTEGER"),
        ("accepted_values", {"accepted_values": {"column": "a", "values": [1]}}, "INTEGER"),
        ("min", {"min": {"column": "a", "value": 1}}, "INTEGER"),
        ("max", {"max": {"column": "a", "value": 1}}, "INTEGER"),
        ("positive", {"positive": "a"}, "INTEGER"),
        ("non_negative", {"non_negative": "a"}, "INTEGER"),
        ("negative", {"negative": "a"}, "INTEGER"),
        ("pattern", {"pattern": {"column": "a", "regex": "x"}}, "VARCHAR"),
        ("relationships", {"relationships": {"column": "a", "to": "other", "field": "id"}}, "INTEGER"),
    ],
)
def test_null_does_what_the_table_says(con: duckdb.DuckDBPyConnection, kind: str, entry: Any, type_name: str) -> None:
    data(con, f"(NULL::{type_name}, 1), (NULL, 1)", "a, b")
    found = one(con, entry, relations={"other": "(SELECT NULL::INTEGER AS id)"})
    assert ("passes" if found.passed else "fails") == table()[kind][1].split(",")[0]
