"""Inputs and checks: every form that YAML may give them, and the ones it may not."""

from __future__ import annotations

import pytest

from comboi_core.config.checks import Check, parse_check

INPUT = "- {alias: orders, source: shop, table: orders}"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("{alias: a, source: shop, table: orders}", ("shop", "orders", None, "current")),
        ("{alias: a, source: shop, table: orders, view: log}", ("shop", "orders", None, "log")),
        ("{alias: a, stage: bronze, source_path: shop/orders.parquet}", ("shop", "orders", None, "current")),
        ("{alias: a, stage: bronze, source_path: shop/orders, view: log}", ("shop", "orders", None, "log")),
        ("{alias: a, stage: silver, source_path: refined/other.parquet}", (None, None, "other", "current")),
        ("{alias: a, dataset: other}", (None, None, "other", "current")),
    ],
)
def test_long_and_short_inputs_mean_the_same(files, given, expected):
    files.replace(INPUT, f"- {given}")
    files.replace(
        "gold:\n  - name", "  - {name: other, inputs: [{alias: b, source: shop, table: items}]}\ngold:\n  - name"
    )

    item = files.load().dataset("orders_clean")[1].inputs[0]

    assert (item.source, item.table, item.dataset, item.view) == expected


@pytest.mark.parametrize(
    "given",
    [
        "shop.orders",
        "5",
        "null",
        "[a, b]",
        "{}",
        "{alias: a}",
        "{alias: a, source: shop}",
        "{alias: a, table: orders}",
        "{source: shop, table: orders}",
        "{alias: a b, source: shop, table: orders}",
        "{alias: '', dataset: daily_sales}",
        "{alias: a, source: shop, table: orders, dataset: x}",
        "{alias: a, dataset: x, view: log}",
        "{alias: a, source: shop, table: orders, view: latest}",
        "{alias: a, stage: bronze, source: shop, source_path: shop/orders}",
        "{alias: a, stage: bronze}",
        "{alias: a, source_path: shop/orders}",
        "{alias: a, stage: bronze, source_path: 5}",
        "{alias: a, stage: [bronze], source_path: shop/orders}",
        "{alias: a, stage: {a: b}, source_path: refined/x}",
        "{alias: a, stage: bronze, source_path: ../orders}",
        "{alias: a, stage: bronze, source_path: shop/../x/orders}",
        "{alias: a, stage: bronze, source_path: /orders}",
        "{alias: a, stage: bronze, source_path: shop/a/orders}",
        "{alias: a, stage: silver, source_path: metrics/x.parquet}",
        "{alias: a, stage: gold, source_path: refined/x}",
        "{alias: a, stage: platinum, source_path: refined/x}",
        "{alias: a, stage: silver, source_path: refined/../x}",
    ],
)
def test_an_input_that_names_nothing_is_refused_with_its_line(files, given):
    files.replace(INPUT, f"- {given}")

    assert all(problem.startswith(files.line_of(f"- {given}") + ": ") for problem in files.problems())


def test_two_inputs_with_one_alias_are_refused_whatever_their_case(files):
    files.replace(INPUT, f"{INPUT}\n      - {{alias: Orders, source: shop, table: items}}")

    assert "two inputs have the alias 'orders'" in files.problem()


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("orders_quality", [Check(kind="script", script="orders_quality")]),
        ({"not_null": "a"}, [Check(kind="not_null", columns=("a",))]),
        ({"not_null": ["a", "b"]}, [Check(kind="not_null", columns=("a",)), Check(kind="not_null", columns=("b",))]),
        ({"unique": {"column": "a"}}, [Check(kind="unique", columns=("a",))]),
        (
            {"positive": {"columns": ["a"], "severity": "warn"}},
            [Check(kind="positive", columns=("a",), severity="warn")],
        ),
        ({"unique_combination": ["a", "b"]}, [Check(kind="unique_combination", columns=("a", "b"))]),
        ({"min": {"column": "a", "value": 0}}, [Check(kind="min", columns=("a",), params={"value": 0})]),
        (
            {"accepted_values": {"column": "a", "values": [1, None], "severity": "warn"}},
            [Check(kind="accepted_values", columns=("a",), params={"values": [1, None]}, severity="warn")],
        ),
        (
            {"pattern": {"column": "a", "regex": "^x$"}},
            [Check(kind="pattern", columns=("a",), params={"regex": "^x$"})],
        ),
        ({"row_count": {"min": 1}}, [Check(kind="row_count", params={"min": 1})]),
        ({"sql": {"query": "FROM d"}}, [Check(kind="sql", params={"query": "FROM d"})]),
    ],
)
def test_every_form_of_a_check_is_brought_to_one(entry, expected):
    assert list(parse_check(entry)) == expected


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("null", "a check is a script's name or one mapping"),
        ("5", "a check is a script's name or one mapping"),
        ("[not_null, id]", "a check is a script's name or one mapping"),
        ("{}", "a check is a script's name or one mapping"),
        ("{not_null: id, unique: id}", "a check is a script's name or one mapping"),
        ("'../escape'", "'../escape' is no name"),
        ("'quality/nested'", "is no name"),
        ("nonnull: id", "unknown check 'nonnull'; the checks are accepted_values"),
        ("not_null: []", "not_null takes a column or a list of columns"),
        ("not_null: 5", "not_null takes a column or a list of columns"),
        ("not_null: [on]", "not_null takes a column or a list of columns"),
        ("not_null: {columns: [id], colums: [x]}", "not_null takes a column, a list of columns, or"),
        ("not_null: {severity: warn}", "not_null takes a column, a list of columns, or"),
        ("not_null: {column: id, severity: fatal}", "'fatal' is not possible; expected 'error' or 'warn'"),
        ("not_null: {column: id, severity: [warn]}", "is not possible"),
        ("min: 5", "min takes {column: ..., value: ...}"),
        ("min: {column: id}", "min takes {column: ..., value: ...}"),
        ("min: {column: id, vale: 1}", "min takes {column: ..., value: ...}"),
        ("min: {column: 5, value: 1}", "expected text"),
        ("accepted_values: {column: id}", "accepted_values takes {column: ..., values: ...}"),
        ("row_count: 5", "row_count takes {max, max_change, min, min_change}"),
        ("row_count: {}", "row_count takes {max, max_change, min, min_change}"),
        ("row_count: {min: null}", "row_count takes {max, max_change, min, min_change}"),
        ("row_count: {severity: warn}", "row_count takes {max, max_change, min, min_change}"),
        ("row_count: {mni: 1}", "row_count takes {max, max_change, min, min_change}"),
        ("sql: FROM d", "sql takes {description, query}"),
    ],
)
def test_a_malformed_check_is_named_with_its_line(files, entry, says):
    files.replace("- not_null: [id]", f"- unique: id\n      - {entry}")

    problem = files.problem()

    assert says in problem and problem.startswith(files.line_of(f"- {entry}") + ": ")


def test_labels_tell_checks_apart():
    entries = [
        "script",
        {"not_null": ["a", "b"]},
        {"min": {"column": "a", "value": 0}},
        {"row_count": {"min": 1, "max": None}},
    ]

    labels = [check.label for entry in entries for check in parse_check(entry)]

    assert labels == ["script", "not_null(a)", "not_null(b)", "min(a, value=0)", "row_count(min=1)"]
