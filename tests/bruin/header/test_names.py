"""Names of assets and of what they read: tables, assets and datasets; stages."""

from __future__ import annotations

import pytest

from comboi_core.bruin.header.loading import load_assets
from tests.bruin.header.writing import asset, inputs, load, only, problem, write


def test_names_mean_tables_assets_and_datasets(folder):
    asset(folder, "", name="silver/b.sql")
    asset(
        folder,
        "depends: [shop.orders, bronze.items, silver.b, cleaned, silver.cleaned, {asset: ref.x, mode: symbolic}]",
    )

    loaded = load(folder)
    found = next(dataset for dataset in loaded.silver if dataset.name == "silver.a")

    assert loaded.problems == ()
    assert inputs(found) == {
        "shop.orders": "shop.orders",
        "bronze.items": "shop.items",
        "silver.b": "silver.b",
        "cleaned": "cleaned",
        "silver.cleaned": "cleaned",
    }
    assert loaded.symbolic == {"silver.a": ("ref.x",)}


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("SELECT * FROM shop.orders", {"shop.orders": "shop.orders"}),
        ("FROM Shop.Orders o, \"crm\" . \"people\" p", {"Shop.Orders": "shop.orders", "crm.people": "crm.people"}),
        ("SELECT (SELECT max(id) FROM cleaned) FROM (SELECT 1)", {"cleaned": "cleaned"}),
        ("WITH cleaned AS (SELECT 1) SELECT * FROM cleaned JOIN shop.items USING (id)", {"shop.items": "shop.items"}),
        ("WITH cleaned(a) AS MATERIALIZED (SELECT 1) SELECT * FROM cleaned", {}),
        ("SELECT 'FROM shop.orders' -- FROM shop.items\n/* FROM crm.people */", {}),
        ("SELECT a IS DISTINCT FROM cleaned FROM shop.items", {"shop.items": "shop.items"}),
        ("{% if x %}SELECT * FROM shop.orders{% else %}SELECT * FROM shop.items{% endif %}",
         {"shop.orders": "shop.orders", "shop.items": "shop.items"}),
        ("FROM shop.items LEFT JOIN LATERAL (FROM crm.people) ON true",
         {"shop.items": "shop.items", "crm.people": "crm.people"}),
        ("SELECT * FROM read_csv('x'), cleaned(1), nowhere.at_all, items", {}),
    ],
)  # fmt: skip
def test_tables_in_the_query_are_inputs_without_being_named(folder, body, found):
    asset(folder, "", body=body)

    assert inputs(only(folder)) == found


def test_tables_of_hooks_and_custom_checks_are_there_for_them(folder):
    header = """
    hooks: {pre: [{query: CREATE TEMP TABLE x AS FROM shop.items}], post: [{query: SELECT * FROM silver.a}]}
    custom_checks: [{name: c, query: SELECT count(*) FROM silver.a JOIN crm.people USING (id)}]
    """
    asset(folder, header)

    assert inputs(only(folder)) == {"shop.items": "shop.items", "crm.people": "crm.people"}


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("depends: [bronze.orders]", "'bronze.orders' could be crm.orders or shop.orders; write SOURCE.TABLE"),
        ("depends: [shop.oders]", "there is no table and no dataset 'shop.oders' (did you mean 'shop.orders'?)"),
        ("depends: [silver.nope]", "there is no table and no dataset 'silver.nope'"),
        ("depends: [gold.cleaned]", "did you mean"),
        ("depends: [silver.a]", "it reads itself"),
        ("columns: [{name: a, foreign_key: {table: x.y, column: z}, checks: [{name: relationships}]}]", "'x.y'"),
    ],
)
def test_names_that_mean_nothing_or_several_things_are_errors(folder, header, says):
    asset(folder, header)

    assert problem(folder).startswith("t/silver/a.sql:4: ") and says in problem(folder)


@pytest.mark.parametrize("body", ["SELECT * FROM silver.A", "SELECT max(id) FROM {{ this }}", "{{this}}"])
def test_an_asset_that_reads_itself_is_refused(folder, body):
    asset(folder, "", body=body)

    assert problem(folder).startswith("t/silver/a.sql:6: silver.a: it reads itself")


def test_names_that_sql_would_have_to_quote_are_read_through_bronze(folder):
    write(
        folder, "a.sql", '/* @bruin\ntype: duckdb.sql\nmaterialization: {type: table}\n@bruin */\nFROM "my-shop".orders'
    )
    write(folder, "b.sql", "/* @bruin\ntype: duckdb.sql\nmaterialization: {type: table}\n@bruin */\nFROM bronze.orders")

    loaded = load_assets(folder, tables=["my-shop.orders"], datasets={}, shown="t")

    assert [dataset.name for dataset in loaded.silver] == ["a", "b"]
    assert inputs(loaded.silver[1]) == {"bronze.orders": "my-shop.orders"}
    assert loaded.problems[0].startswith(
        "t/a.sql:5: a: 'my-shop.orders' cannot be used as a table name in SQL; write bronze.TABLE"
    )


def test_an_asset_that_is_switched_off_is_not_built_and_cannot_be_read(folder):
    asset(folder, "enabled: false", name="silver/off.sql")
    asset(folder, "depends: [silver.off]")

    loaded = load(folder)

    assert loaded.notes == ("t/silver/off.sql:4: silver.off: has `enabled: false` and is not built",)
    assert "the asset 'silver.off' has `enabled: false`" in loaded.problems[0]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("cleaned", "the YAML file already has a dataset 'cleaned'"),
        ("Cleaned", "the YAML file already has a dataset 'cleaned'"),
        ("shop.orders", "'shop.orders' is a table of a source"),
        ("SILVER.B", "the name 'silver.b' is already used in t/silver/b.sql:1"),
    ],
)
def test_a_name_is_one_datasets(folder, name, says):
    asset(folder, "", name="silver/b.sql")
    asset(folder, f"name: {name}", name="z.sql")

    assert problem(folder).startswith("t/z.sql:4: ") and says in problem(folder)


def test_an_asset_with_a_mistake_is_not_missing_for_those_that_read_it(folder):
    asset(folder, "oops: 1", name="silver/b.sql")
    asset(folder, "depends: [silver.b]")

    assert "unknown key 'oops'" in problem(folder)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("silver/orders.sql", "silver.orders"),
        ("orders.sql", "orders"),
        ("assets/silver/orders.sql", "silver.orders"),
        ("sales/assets/silver/orders.sql", "silver.orders"),
    ],
)
def test_a_path_gives_the_name_that_the_header_lacks(folder, path, name):
    asset(folder, "", name=path)

    assert only(folder).name == name


@pytest.mark.parametrize("path", ["a/b/c.sql", "2026/orders.sql", "my-orders.sql"])
def test_a_path_that_is_no_name_asks_for_one(folder, path):
    asset(folder, "", name=path)

    assert "add name: SCHEMA.NAME" in problem(folder)


def test_stages_follow_schema_meta_and_what_is_read(folder):
    asset(folder, "", name="gold/a.sql")
    asset(folder, "depends: [gold.a]", name="silver/late.sql")
    asset(folder, "depends: [silver.late]", name="silver/later.sql")
    asset(folder, "meta: {stage: gold}", name="other/b.sql")
    asset(folder, "depends: [report]", name="other/c.sql")
    asset(folder, "", name="other/d.sql")

    loaded = load(folder)

    assert [dataset.name for dataset in loaded.silver] == ["other.d"]
    assert [dataset.name for dataset in loaded.gold] == ["gold.a", "other.b", "other.c", "silver.late", "silver.later"]
    assert loaded.gold[0].asset == "gold/a.sql" and loaded.places["gold.a"] == "t/gold/a.sql:1"
