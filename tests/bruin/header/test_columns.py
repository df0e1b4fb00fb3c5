"""Checks, columns and descriptions of assets come along into datasets."""

from __future__ import annotations

from tests.bruin.header.writing import asset, only


def test_checks_columns_and_descriptions_come_along(folder):
    asset(
        folder,
        """
        description: All of it
        full_refresh_restricted: true
        columns:
          - name: id
            type: bigint
            description: The key
            checks: [{name: not_null}, {name: min, value: 1, blocking: false}]
          - {name: price, type: decimal, precision: 18, scale: 2, checks: [{name: accepted_values, value: [1, null]}]}
          - {name: mail, type: varchar(20), meta: {sensitive: true}, checks: [{name: pattern, value: "@"}]}
          - {name: item, foreign_key: {table: bronze.items, column: sku}, checks: [{name: relationships}]}
          - {name: parent, foreign_key: {table: silver.a, column: id}, checks: [{name: relationships}]}
        custom_checks:
          - {name: none late, query: "SELECT count(*) FROM silver.a WHERE '{{ start_date }}' > at"}
          - {name: some, query: SELECT 1, count: 1, blocking: false}
        """,
    )

    found = only(folder)

    assert [(check.kind, check.columns, check.params, check.severity) for check in found.checks] == [
        ("not_null", ("id",), {}, "error"),
        ("min", ("id",), {"value": 1}, "warn"),
        ("accepted_values", ("price",), {"values": [1, None]}, "error"),
        ("pattern", ("mail",), {"regex": "@"}, "error"),
        ("relationships", ("item",), {"to": "shop.items", "field": "sku"}, "error"),
        ("relationships", ("parent",), {"to": "silver.a", "field": "id"}, "error"),
        (
            "custom",
            (),
            {"name": "none late", "query": "SELECT count(*) FROM silver.a WHERE '{{ start_date }}' > at", "value": 0},
            "error",
        ),
        ("custom", (), {"name": "some", "query": "SELECT 1", "count": 1}, "warn"),
    ]
    assert [(column.type, column.sensitive) for column in found.columns[:3]] == [
        ("bigint", False), ("decimal(18, 2)", False), ("varchar(20)", True),
    ]  # fmt: skip
    assert (found.description, found.columns[0].description) == ("All of it", "The key")


def test_scalars_are_those_of_bruins_yaml(folder):
    asset(
        folder,
        "columns: [{name: no, checks: [{name: accepted_values, value: [yes, Off, 12:30, 1e3, 0o17, 010, -1_0]}]}]",
    )

    (check,) = only(folder).checks

    assert (check.columns, check.params["values"]) == (("no",), ["yes", "Off", "12:30", 1000.0, 15, 8, -10])
