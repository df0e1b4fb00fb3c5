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
        ({"row_count": {"min": 1, "max": 1}}, [Check(kind="row_count", params={"min": 1, "max": 1})]),
        ({"row_count": {"min": 1}}, [Check(kind="row_count", params={"min": 1})]),
        (
            {"row_count": {"min_change": "-20%", "max_change": "50%", "severity": "warn"}},
            [Check(kind="row_count", params={"min_change": "-20%", "max_change": "50%"}, severity="warn")],
        ),
        ({"sql": {"query": "FROM d"}}, [Check(kind="sql", params={"query": "FROM d"})]),
        ({"custom": {"query": "SELECT 0"}}, [Check(kind="custom", params={"query": "SELECT 0"})]),
        (
            {"custom": {"name": "n", "query": "FROM d", "count": 0, "on_fail": "stop"}},
            [Check(kind="custom", params={"name": "n", "query": "FROM d", "count": 0})],
        ),
        (
            {"freshness": {"column": "a", "max_age": "26h"}},
            [Check(kind="freshness", columns=("a",), params={"max_age": "26h"})],
        ),
        (
            {"relationships": {"column": "a", "to": "shop.my-orders", "field": "id", "on_fail": "quarantine"}},
            [
                Check(
                    kind="relationships",
                    columns=("a",),
                    params={"to": "shop.my-orders", "field": "id"},
                    on_fail="quarantine",
                )
            ],
        ),
        (
            {"unique": {"columns": ["a", "b"], "on_fail": "quarantine", "severity": "warn"}},
            [Check(kind="unique", columns=(name,), on_fail="quarantine", severity="warn") for name in ("a", "b")],
        ),
    ],
)
def test_every_form_of_a_check_is_brought_to_one(entry, expected):
    assert list(parse_check(entry)) == expected


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("null", "write a check as a script's name, or as one mapping"),
        ("5", "write a check as a script's name, or as one mapping"),
        ("[not_null, id]", "write a check as a script's name, or as one mapping"),
        ("{}", "write a check as a script's name, or as one mapping"),
        ("{not_null: id, unique: id}", "write a check as a script's name, or as one mapping"),
        ("'../escape'", "'../escape' is not a valid name"),
        ("'quality/nested'", "is not a valid name"),
        ("nonnull: id", "unknown check 'nonnull'; the checks are accepted_values"),
        ("not_null: []", "not_null takes a column or a list of columns"),
        ("not_null: 5", "not_null takes a column or a list of columns"),
        ("not_null: [true]", "not_null takes a column or a list of columns"),
        ("not_null: {columns: [id], colums: [x]}", "not_null takes a column, a list of columns, or"),
        ("not_null: {severity: warn}", "not_null takes a column, a list of columns, or"),
        ("not_null: {column: id, severity: fatal}", "'fatal' is not allowed; expected 'error' or 'warn'"),
        ("not_null: {column: id, severity: [warn]}", "is not allowed"),
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
        ("row_count: {min: many}", "row_count: min: 'many' is not a whole number"),
        ("row_count: {max: 1.5}", "row_count: max: 1.5 is not a whole number"),
        ("row_count: {min: true}", "row_count: min: True is not a whole number"),
        ("row_count: {min: -1}", "row_count: min: -1 is negative; a number of rows is 0 or more"),
        ("row_count: {min: 5, max: 4}", "row_count: min: 5 is above max: 4"),
        ("row_count: {min_change: -20}", "row_count: min_change: -20 is not a percentage; write for example -20%"),
        ("row_count: {max_change: much}", "row_count: max_change: 'much' is not a percentage"),
        ("row_count: {max_change: '1e3%'}", "is not a percentage"),
        ("row_count: {max_change: '%'}", "is not a percentage"),
        ("row_count: {max_change: --5%}", "is not a percentage"),
        ("row_count: {min_change: 10%, max_change: 9.99%}", "row_count: min_change: 10% is above max_change: 9.99%"),
        ("row_count: {min_change: -100%}", "row_count: min_change: -100% can never fail"),
        ("row_count: {max_change: -100.1%}", "row_count: max_change: -100.1% always fails"),
        ("row_count: {min: 1, on_fail: quarantine}", "row_count checks the dataset as a whole, so on_fail: quarantine"),
        ("sql: {query: FROM d, on_fail: quarantine}", "sql checks the dataset as a whole"),
        ("custom: {query: FROM d, on_fail: quarantine}", "custom checks the dataset as a whole"),
        ("freshness: {column: a, max_age: 1d, on_fail: quarantine}", "freshness checks the dataset as a whole"),
        ("not_null: {column: id, on_fail: drop}", "'drop' is not allowed; expected 'stop' or 'quarantine'"),
        ("not_null: {column: id, on_fail: null}", "is not allowed; expected 'stop' or 'quarantine'"),
        ("not_null: ''", "is empty or contains a NUL character"),
        ("unique_combination: [Id, ID]", "unique_combination names the column 'Id' twice"),
        ("min: {column: id, value: null}", "min: value: None is not a limit"),
        ("min: {column: id, value: ''}", "min: value: '' is not a limit"),
        ("min: {column: id, value: true}", "min: value: True is not a limit"),
        ("max: {column: id, value: .inf}", "max: value: inf is not a finite number"),
        ("max: {column: id, value: .nan}", "max: value: nan is not a finite number"),
        ("max: {column: id, value: [1]}", "max: value: [1] is not a single value"),
        ("accepted_values: {column: id, values: []}", "accepted_values: values: the list has no value"),
        ("accepted_values: {column: id, values: [null]}", "accepted_values: values: the list has no value"),
        ("accepted_values: {column: id, values: [[a]]}", "is not a single value"),
        ("accepted_values: {column: id, values: {a: b}}", "is not a single value"),
        (
            'accepted_values: {column: id, values: ["a\\0"]}',
            "accepted_values: values: the text contains a NUL character",
        ),
        ("pattern: {column: id, regex: ''}", "pattern: regex: the text is empty"),
        ("pattern: {column: id, regex: 5}", "pattern: regex: 5 is not text; put it in quotes"),
        ("relationships: {column: id, to: other}", "relationships takes {column: ..., to: ..., field: ...}"),
        ("relationships: {to: other, field: id}", "relationships takes {column: ..., to: ..., field: ...}"),
        ("relationships: {column: [a, b], to: other, field: id}", "expected text"),
        ("relationships: {column: id, to: a.b.c, field: id}", "'a.b.c' is not a name"),
        ("relationships: {column: id, to: '', field: id}", "'' is not a name"),
        ("relationships: {column: id, to: 5, field: id}", "5 is not a name"),
        ("relationships: {column: id, to: other, field: null}", "relationships: field: None is not text"),
        ("freshness: {column: id}", "freshness takes {column: ..., max_age: ...}"),
        ("freshness: {column: id, max_age: soon}", "freshness: max_age: 'soon' is not a duration"),
        ("freshness: {column: id, max_age: 0h}", "freshness: max_age: '0h' is not a duration"),
        ("freshness: {column: id, max_age: -1}", "freshness: max_age: -1 is not a duration"),
        ("freshness: {column: id, max_age: 1h30m}", "is not a duration"),
        ("freshness: {column: id, max_age: 4000d}", "is not a duration"),
        ("custom: {value: 1}", "custom takes {count, name, query, value}"),
        ("custom: {query: ''}", "custom: query: the text is empty"),
        ("custom: {query: null}", "custom: query: None is not text"),
        ("custom: {query: FROM d, value: 1, count: 1}", "custom takes value: or count:, not both"),
        ("custom: {query: FROM d, value: 1.5}", "custom: value: 1.5 is not a whole number"),
        ("custom: {query: FROM d, value: true}", "custom: value: True is not a whole number"),
        ("custom: {query: FROM d, count: -1}", "custom: count: -1 is negative; a number of rows is 0 or more"),
        ("custom: {query: FROM d, name: ''}", "custom: name: the text is empty"),
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
        {"row_count": {"min_change": "-20%"}},
        {"freshness": {"column": "a", "max_age": "26h"}},
        {"relationships": {"column": "a", "to": "silver.b", "field": "c"}},
        {"custom": {"query": "SELECT 1", "value": 1}},
        {"custom": {"query": "SELECT 1", "value": 1, "name": "one is one"}},
    ]

    labels = [check.label for entry in entries for check in parse_check(entry)]

    assert labels == [
        "script",
        "not_null(a)",
        "not_null(b)",
        "min(a, value=0)",
        "row_count(min=1)",
        "row_count(min_change=-20%)",
        "freshness(a, max_age=26h)",
        "relationships(a, to=silver.b, field=c)",
        "custom(query=SELECT 1, value=1)",
        "one is one",
    ]


def test_only_relationships_refer_to_something():
    entries = [{"relationships": {"column": "a", "to": "silver.b", "field": "c"}}, {"not_null": "a"}, "script"]

    assert [check.references for entry in entries for check in parse_check(entry)] == ["silver.b", None, None]


@pytest.mark.parametrize(
    ("kind", "params"),
    [("min", {}), ("row_count", {}), ("not_null", {"value": 1}), ("custom", {"query": "FROM d", "value": "0"})],
)
def test_a_check_that_is_not_made_from_yaml_is_held_to_the_same(kind, params):
    with pytest.raises(ValueError, match=f"{kind}(:| takes) "):
        Check(kind=kind, columns=("a",), params=params)


def test_what_only_an_asset_has_is_refused_in_yaml(files):
    files.replace("- not_null: [id]", "- unique: id\n    asset: orders.sql")

    assert "asset: is not a key of this file; put the Bruin asset below transformations/" in files.problem()
