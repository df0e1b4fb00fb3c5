"""Assets of Bruin read into datasets: headers as people write them, names, defaults, and what is refused by name."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from comboi_core.config.assets.loading import LoadedAssets, asset_files, load_assets, read_asset
from comboi_core.config.assets.models import IGNORED, REFUSED
from comboi_core.config.datasets import DatasetConfig
from comboi_core.config.materialization import Materialization

TABLES = ("shop.orders", "shop.items", "crm.orders", "crm.people")
NATIVES = {"cleaned": "silver", "report": "gold"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "transformations").mkdir()
    return tmp_path / "transformations"


def write(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else textwrap.dedent(text).lstrip("\n").encode())
    return path


def asset(
    folder: Path, header: str, *, body: str = "SELECT 1 AS id", name: str = "silver/a.sql", table: bool = True
) -> Path:
    """Write an SQL asset; its header's lines start in line 4 (3 where it names its own materialization)."""
    given = "type: duckdb.sql\n" + ("materialization: {type: table}\n" if table else "")
    return write(folder, name, f"/* @bruin\n{given}{textwrap.dedent(header).strip()}\n@bruin */\n{body}\n")


def load(folder: Path) -> LoadedAssets:
    return load_assets(folder, tables=TABLES, datasets=NATIVES, shown="t")


def only(folder: Path) -> DatasetConfig:
    """Return the one dataset of a folder without problems."""
    loaded = load(folder)
    assert loaded.problems == ()
    (dataset,) = (*loaded.silver, *loaded.gold)
    return dataset


def problem(folder: Path) -> str:
    (found,) = load(folder).problems
    return found


# Headers as people write them.

BODY = "SELECT 1 AS id\n"


@pytest.mark.parametrize(
    "text",
    [
        "/* @bruin\nname: silver.x\ntype: duckdb.sql\nmaterialization:\n  type: table\n@bruin */\n" + BODY,
        "/*@bruin\nname: silver.x\ntype: duckdb.sql\nmaterialization: {type: table}\n@bruin*/\n" + BODY,
        "\n\n  /*   @bruin  \n\nname:  silver.x  \ntype: duckdb.sql\n\nmaterialization: {type: table}\n@bruin   */ \n"
        + BODY,
        "/* @bruin\nname: silver.x\ntype: duckdb.sql\nmaterialization: {type: table}\nowner:\ndepends:\n@bruin */"
        + "\n"
        + BODY,
        "-- @bruin.name: silver.x\n--@bruin.type: duckdb.sql\n--   @bruin.materialization.type:table\n" + BODY,
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_headers_are_read_whatever_their_blanks_line_ends_and_marks(folder, text, newline, mark):
    write(folder, "x.sql", mark + text.replace("\n", newline).encode())

    assert only(folder).name == "silver.x"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("/* @bruin\nname: silver.x\nSELECT 1", "x.sql:1: the header does not end"),
        ("/* @bruin name: silver.x\n@bruin */\nSELECT 1", "x.sql:1: the header's first line has to be `/* @bruin`"),
        ("/*    @bruin\nname: silver.x\n@bruin */\nSELECT 1", "x.sql:1: the header's first line has to be"),
        ("-- @bruin\n-- name: silver.x\nSELECT 1", "x.sql:1: the header's first line has to be"),
        ("SELECT 1\n@bruin */", "x.sql:2: a header ends that never began"),
        ("/* @Bruin\nname: x\n@bruin */", "x.sql:1: the header's first line has to be"),
        ("-- by me\n\n/* @bruin\nname: x\n@bruin */", "x.sql:3: the header has to be the first thing"),
        ("/* @bruin\nname: x\n/* @bruin\n@bruin */", "x.sql:3: a second header"),
        ("/* @bruin\nname: x\n@bruin */\n@bruin */", "x.sql:4: the header ended in line 3 already"),
        ("/* @bruin\nname: x\n@bruin */\n-- @bruin.name: y", "x.sql:4: a second header"),
        ("/* @bruin\nname: x\n  type: y\n@bruin */", "x.sql:3: not valid YAML"),
        ("/* @bruin\nname: x\n\ttype: y\n@bruin */", "x.sql:3: not valid YAML"),
        ("/* @bruin\nname: x\nname: y\n@bruin */", "x.sql:3: the key 'name' is already given in line 2"),
        ("/* @bruin\n- a\n@bruin */", "x.sql:1: expected a mapping"),
        ("/* @bruin\n\nstart_date: {{ x }}\n@bruin */", "x.sql:3: "),
        ("/* @bruin\nname: 'a.b.c'\n@bruin */", "x.sql:2: name: 'a.b.c' is no name"),
        ("/* @bruin\nname: 'a b'\n@bruin */", "x.sql:2: name: 'a b' is no name"),
        ("-- @bruin.name\n", "x.sql:1: `@bruin.name` has no value"),
        ("SELECT 1\n-- @bruin.nmae: x", "x.sql:2: unknown key 'nmae'"),
        ("-- @bruin.name: x\n-- @bruin.name: y", "x.sql:2: the key 'name' is already given in line 1"),
        ("-- @bruin.columns.a.primary_key: maybe", "x.sql:1: 'columns.a.primary_key' is true or false"),
        (b"/* @bruin\nname: \xff\n@bruin */", "x.sql:1: is not UTF-8"),
    ],
)
def test_a_header_that_cannot_be_one_is_named_by_its_line(folder, text, says):
    write(folder, "x.sql", text)

    assert problem(folder).startswith(f"t/{says}")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("''' @bruin\nname: x\n@bruin '''\n", 'x.py:1: the header\'s first line has to be `""" @bruin`'),
        ('import os\n""" @bruin\nname: x\n@bruin """\n', "x.py:2: the header has to be the first thing"),
        ("# @bruin.type: duckdb.sql\n", "x.py:1: type: duckdb.sql is not run here; it stands in a .sql file"),
    ],
)
def test_headers_of_python_files_likewise(folder, text, says):
    write(folder, "x.py", text)

    assert problem(folder).startswith(f"t/{says}")


@pytest.mark.parametrize(
    "name", ["plain.sql", "plain.py", "notes.yml", "quality/check.py", ".venv/a.sql", "macros/m.sql"]
)
def test_files_without_a_header_and_folders_for_other_things_are_left_alone(folder, name):
    header = "/* @bruin\nbroken" if name.split("/")[0] in ("quality", ".venv", "macros") else "# nothing about bruin\n"
    write(folder, name, header)

    assert load(folder) == LoadedAssets()


def test_the_older_form_says_all_that_it_can(folder):
    write(
        folder,
        "x.sql",
        """
        -- @bruin.name: silver.x
        -- @bruin.description: With a colon: and more
        -- @bruin.type: duckdb.sql
        -- @bruin.depends: shop.orders, bronze.items
        -- @bruin.materialization.type: table
        -- @bruin.materialization.strategy: merge
        -- @bruin.columns.id.type: bigint
        -- @bruin.columns.id.primary_key: true
        -- @bruin.columns.id.checks: not_null, unique
        SELECT 1 AS id
        -- @bruin.columns.note.type: string
        """,
    )

    found = only(folder)

    assert found.description == "With a colon: and more"
    assert [item.alias for item in found.inputs] == ["shop.orders", "bronze.items"]
    assert found.materialization == Materialization(strategy="merge", unique_key=("id",), update=())
    assert [(column.name, column.type) for column in found.columns] == [("id", "bigint"), ("note", "string")]
    assert [check.label for check in found.checks] == ["not_null(id)", "unique(id)"]


def test_the_code_keeps_its_lines_and_its_places(folder):
    text = "/* @bruin\ntype: duckdb.sql # Zoë 🦆\nmaterialization: {type: table}\n@bruin */ \n\nSELECT 'é'\n"
    file = write(folder, "x.sql", text)

    body = read_asset(file, folder).body

    assert body.strip() == "SELECT 'é'"
    assert body.encode().index(b"SELECT") == text.encode().index(b"SELECT")
    assert [line for line, content in enumerate(body.split("\n"), 1) if content.strip()] == [6]


# Keys.


@pytest.mark.parametrize(
    ("key", "value"), [("secrets", "[{key: a}]"), ("extends", "[a]"), ("run", "a.sql"), ("routing", "{a: b}")]
)
def test_keys_that_would_change_what_it_does_are_refused_by_name(folder, key, value):
    asset(folder, f"owner: me\n{key}: {value}")

    assert problem(folder) == f"t/silver/a.sql:5: {key}: is not supported; {REFUSED[key]}"


def test_every_refused_key_is_tried():
    assert set(REFUSED) == {"secrets", "extends", "run", "routing"}


@pytest.mark.parametrize("key", sorted(IGNORED))
def test_keys_that_say_how_bruin_runs_it_are_passed_over_with_a_note(folder, key):
    asset(folder, f"{key}: {'[a]' if key == 'notifications' else 3}")

    loaded = load(folder)

    assert loaded.problems == ()
    assert loaded.notes == (f"t/silver/a.sql:4: {key}: is passed over: {IGNORED[key]}",)


def test_what_says_nothing_about_duckdb_is_passed_over(folder):
    asset(
        folder,
        """
        uri: x://y
        owner: me
        tags: [a]
        domains: [b]
        meta: {anything: [1]}
        tier: 1
        connection: duckdb-default
        snowflake: {warehouse: x}
        bigquery: {anything: true}
        athena: {}
        doris: []
        starrocks: 1
        """,
    )

    assert load(folder).notes == () and only(folder).name == "silver.a"


@pytest.mark.parametrize(
    ("header", "line", "says"),
    [
        ("dependss: [a]", 4, "unknown key 'dependss' (did you mean 'depends'?)"),
        ("columns:\n  - {name: a, nmae: a}", 5, "unknown key 'nmae' (did you mean 'name'?)"),
        ("columns:\n  - {name: a, checks: [{name: notnull}]}", 5, "there is no check 'notnull'"),
        ("columns:\n  - name: a\n    checks:\n      - not_null", 7, "a check is a mapping: `- name: not_null`"),
        ("columns:\n  - {name: a, checks: [{name: min}]}", 5, "the check min of a needs value:"),
        ("columns:\n  - {name: a, checks: [{name: min, value: [1]}]}", 5, "value"),
        ("columns:\n  - {name: a, checks: [{name: accepted_values, value: x}]}", 5, "needs a list"),
        ("columns:\n  - {name: a, checks: [{name: unique, value: 1}]}", 5, "takes no value:"),
        ("columns:\n  - {name: a, checks: [{name: unique}, {name: unique}]}", 5, "the check unique is given twice"),
        ("columns:\n  - {name: a, checks: [{name: relationships}]}", 5, "needs foreign_key:"),
        ("columns: [{name: a}, {name: A}]", 4, "two of them are called 'a'"),
        ("columns:\n  - {name: a, merge_sql: x + 1}", 5, "merge_sql: is not supported"),
        ("columns:\n  - {name: a, extends: e.a}", 5, "extends: is not supported"),
        ("columns:\n  - {name: a, mask: email}", 5, "mask: is not supported"),
        ("custom_checks:\n  - {name: a}", 5, "custom_checks.0.query: this key is missing"),
        ("custom_checks:\n  - {name: a, query: ' '}", 5, "is empty"),
        ("custom_checks:\n  - {name: a, query: SELECT 1, value: 1, count: 2}", 5, "one of value: and count:"),
        ('enabled: "{{ var.on }}"', 4, "takes no Jinja"),
        ("meta: {stage: bronze}", 4, "meta.stage is silver or gold"),
        ("depends: [{asset: a, mode: weak}]", 4, "'weak' is not possible; expected 'full' or 'symbolic'"),
        ("depends: [{mode: full}]", 4, "give an asset's name"),
        ("parameters: {path: a.csv}", 4, "parameters: is for seeds"),
        ("hooks: {before: [{query: SELECT 1}]}", 4, "unknown key 'before'"),
        ("unit_tests: [{name: a, expected: {}}]", 4, "nothing could fail"),
        ("unit_tests: [{name: a, fixtures: [f], expected: {count: 1}}]", 4, "no pipeline.yml has a fixture 'f'"),
        ("start_date: tomorrow", 4, "start_date"),
        ("type: bq.sql", 4, "the key 'type' is already given in line 2"),
    ],
)
def test_mistakes_in_a_header_are_named_by_line(folder, header, line, says):
    asset(folder, header)

    found = problem(folder)

    assert found.startswith(f"t/silver/a.sql:{line}: ") and says in found


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("bq.sql", "comboi runs duckdb.sql, duckdb.seed and python"),
        ("duckdb.sensor.query", "write a custom check"),
        ("ingestr", "under `sources:`"),
        ("python", "it stands in a .py file"),
        ("duckdb.seed", "it stands in a file NAME.asset.yml"),
    ],
)
def test_types_that_are_not_run_are_refused_by_name(folder, kind, says):
    write(folder, "x.sql", f"/* @bruin\nname: x\ntype: {kind}\n@bruin */\nSELECT 1")

    assert problem(folder).startswith(f"t/x.sql:3: type: {kind} is not run here; ") and says in problem(folder)


def test_python_is_python_whatever_the_default_of_sql(folder):
    write(folder, "pipeline.yml", "default: {type: duckdb.sql, materialization: {type: table}}")
    file = write(folder, "y.py", '""" @bruin\n@bruin """\n')

    assert only(folder).name == "y" and read_asset(file, folder).type == "python"


def test_sql_without_a_type_is_refused_and_python_is_python(folder):
    write(folder, "x.sql", "/* @bruin\nname: x\n@bruin */\nSELECT 1")
    write(folder, "y.py", '""" @bruin\nname: y\nmaterialization: {type: table}\n@bruin """\n')

    assert (
        problem(folder) == "t/x.sql:1: type: is missing; add `type: duckdb.sql`, here or to a pipeline.yml's default:"
    )
    assert [dataset.name for dataset in load(folder).silver] == ["y"]


# Materialization.

KEY = "\ncolumns: [{name: id, type: bigint, primary_key: true}, {name: v, type: int, update_on_merge: true}]"


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("{type: table}", Materialization()),
        ("{type: table, strategy: create+replace}", Materialization()),
        ("{type: table, strategy: truncate+insert}", Materialization()),
        ("{type: view}", Materialization()),
        ("{type: table, strategy: append}", Materialization(strategy="append")),
        (
            "{type: table, strategy: merge, incremental_key: at}",
            Materialization(strategy="merge", unique_key=("id",), update=("v",), incremental_key="at"),
        ),
        (
            "{type: table, strategy: delete+insert, incremental_key: at}",
            Materialization(strategy="delete+insert", incremental_key="at"),
        ),
        (
            "{type: table, strategy: time_interval, incremental_key: at, time_granularity: timestamp}",
            Materialization(strategy="delete+insert", incremental_key="at", time_granularity="timestamp"),
        ),
        ("{type: table, strategy: scd2_by_column}", Materialization(strategy="scd2", unique_key=("id",))),
        (
            "{type: table, strategy: scd2_by_time, incremental_key: at}",
            Materialization(strategy="scd2", unique_key=("id",), incremental_key="at", changed_by="time"),
        ),
    ],
)
def test_strategies_are_the_ones_of_bruin(folder, block, expected):
    asset(folder, f"materialization: {block}{KEY}", table=False)

    assert only(folder).materialization == expected


def test_ddl_is_an_empty_dataset_that_no_run_and_no_refresh_empties(folder):
    file = asset(folder, f"materialization: {{type: table, strategy: ddl}}{KEY}", body="", table=False)

    found = only(folder)

    assert (found.materialization.strategy, found.allow_empty) == ("append", True)
    assert read_asset(file, folder).full_refresh_restricted


@pytest.mark.parametrize(
    ("block", "says"),
    [
        ("{}", "add `materialization: {type: table}`"),
        ("{type: none}", "add `materialization: {type: table}`"),
        ("{strategy: merge}", "add `materialization: {type: table}`"),
        ("{type: view, strategy: merge}", "a view has no strategy"),
        ("{type: table, strategy: merge}", "needs a column with primary_key: true"),
        ("{type: table, strategy: scd2_by_column}", "needs a column with primary_key: true"),
        ("{type: table, strategy: delete+insert}", "needs incremental_key:"),
        ("{type: table, strategy: time_interval, incremental_key: at}", "needs time_granularity:"),
        (
            "{type: table, strategy: delete+insert, incremental_key: at, time_granularity: date}",
            "time_granularity: is for",
        ),
        ("{type: table, strategy: ddl}", "it has no query"),
        ("{type: table, strategy: upsert}", "there is no strategy 'upsert'"),
        ("{type: table, strategy: datavault_hub}", "is not supported"),
        ("{type: table, incremental_predicate: x > 1}", "incremental_predicate: is not supported"),
        ("{type: materialized_view}", "'materialized_view' is not possible"),
    ],
)
def test_what_cannot_be_kept_is_refused(folder, block, says):
    asset(folder, f"materialization: {block}", table=False)

    assert problem(folder).startswith("t/silver/a.sql:3: ") and says in problem(folder)


@pytest.mark.parametrize("body", ["SELECT '{{ start_date }}'", "SELECT 1 {% if start_timestamp > '2026' %}{% endif %}"])
def test_one_interval_never_replaces_a_whole_dataset(folder, body):
    asset(folder, "", body=body)

    assert "would lose the rest" in problem(folder)


def test_one_interval_through_a_macro_does_not_either(folder):
    write(folder, "pipeline.yml", "name: p")
    write(folder, "macros/m.sql", "{% macro since(column) %}{{ column }} >= '{{ start_date }}'{% endmacro %}")
    write(folder, "macros/n.sql", "{% macro on(start_date) %}'{{ start_date }}'{% endmacro %}")
    asset(folder, "", body="SELECT * FROM shop.orders WHERE {{ since('at') }}")
    asset(folder, "", body="SELECT {{ on('2026-01-01') }}", name="silver/b.sql")

    assert problem(folder).startswith("t/silver/a.sql:3: silver.a: ") and "would lose the rest" in problem(folder)


@pytest.mark.parametrize(
    "body",
    [
        "SELECT '{{ end_date }}'",
        "SELECT '{{ var.start_date }}'",
        "SELECT start_date FROM shop.orders",
        "-- start_date\nSELECT 1",
    ],
)
def test_a_whole_dataset_as_of_a_moment_is_fine(folder, body):
    asset(folder, "", body=body)

    assert only(folder).materialization.strategy == "replace"


# Checks, columns and what goes along.


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


# Names and inputs.


def inputs(found: DatasetConfig) -> dict[str, str]:
    return {item.alias: item.dataset or f"{item.source}.{item.table}" for item in found.inputs}


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
        "t/a.sql:5: a: 'my-shop.orders' cannot be read by that name; write bronze.TABLE"
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
        ("cleaned", "the YAML file has a dataset 'cleaned' already"),
        ("Cleaned", "the YAML file has a dataset 'cleaned' already"),
        ("shop.orders", "'shop.orders' is a table of a source"),
        ("SILVER.B", "t/silver/b.sql:1 is called 'silver.b' already"),
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


# Pipelines.


def test_defaults_fill_what_is_empty_and_replace_nothing(folder):
    write(
        folder,
        "pipeline.yml",
        """
        name: sales
        default:
          type: duckdb.sql
          materialization: {type: table, strategy: merge}
          columns: [{name: id, type: int, primary_key: true}, {name: loaded, type: date, checks: [{name: not_null}]}]
          depends: [shop.items]
          custom_checks: [{name: c, query: SELECT 0}, {name: d, query: SELECT 0}]
          hooks: {pre: [{query: SELECT 1}], post: [{query: SELECT 2}]}
          description: default
        """,
    )
    file = write(
        folder,
        "silver/a.sql",
        """
        /* @bruin
        description:
        materialization: {strategy: append}
        columns: [{name: ID, type: bigint}]
        depends: shop.orders
        custom_checks: [{name: c, query: SELECT 1}]
        hooks: {pre: [{query: SELECT 3}]}
        @bruin */
        SELECT 1
        """,
    )
    write(folder, "silver/b.sql", "/* @bruin\nname: silver.b\n@bruin */\nSELECT 1")

    loaded = load(folder)
    first, second = loaded.silver

    assert loaded.problems == ()
    assert (first.materialization.strategy, first.description) == ("append", "default")
    assert [(column.name, column.type) for column in first.columns] == [("ID", "bigint"), ("loaded", "date")]
    assert list(inputs(first)) == ["shop.orders", "shop.items"]
    assert [check.params.get("query", check.kind) for check in first.checks] == ["not_null", "SELECT 1", "SELECT 0"]
    hooks = read_asset(file, folder).header.hooks
    assert [hook.query for hook in (*hooks.pre, *hooks.post)] == ["SELECT 3", "SELECT 2"]
    assert (second.materialization.strategy, second.materialization.unique_key) == ("merge", ("id",))


def test_the_nearest_pipeline_counts(folder):
    write(folder, "pipeline.yml", "default: {type: duckdb.sql, description: outer, materialization: {type: table}}")
    write(folder, "in/pipeline.yaml", "default: {type: duckdb.sql, description: inner, materialization: {type: table}}")
    write(folder, "in/assets/x.sql", "/* @bruin\n@bruin */\nSELECT 1")
    write(folder, "out/y.sql", "/* @bruin\n@bruin */\nSELECT 1")

    assert {dataset.name: dataset.description for dataset in load(folder).silver} == {"x": "inner", "out.y": "outer"}


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("default:\n  tpye: x", 2, "unknown key 'tpye' (did you mean 'type'?)"),
        ("default:\n  name: x", 2, "a name is one asset's"),
        ("nmae: x", 1, "unknown key 'nmae' (did you mean 'name'?)"),
        ("variables:\n  a: {type: string}", 2, "variables.a.default: this key is missing"),
        ("name: a\ntags: [", 2, "not valid YAML"),
        ("variants: [{name: a}]", 1, "variants: is not supported"),
        ("macros: [a]", 1, "macros: is not supported"),
        ("fixtures:\n  - {asset: a, rows: []}", 2, "fixtures.0.name: this key is missing"),
    ],
)
def test_mistakes_in_a_pipeline_are_named_by_line_and_once(folder, text, line, says):
    write(folder, "pipeline.yml", text)
    asset(folder, "", name="silver/a.sql")
    asset(folder, "", name="silver/b.sql")

    assert problem(folder).startswith(f"t/pipeline.yml:{line}: ") and says in problem(folder)


def test_what_bruins_scheduler_would_do_is_noted(folder):
    write(folder, "pipeline.yml", "schedule: daily\ncatchup: true\nretries: 3\nnotifications: {slack: []}\nowner: me")
    asset(folder, "")

    assert [note.split(": ")[1] for note in load(folder).notes] == ["schedule", "catchup", "retries", "notifications"]


def test_two_pipeline_files_in_a_folder_are_one_too_many(folder):
    write(folder, "pipeline.yml", "name: a")
    write(folder, "pipeline.yaml", "name: b")
    asset(folder, "")

    assert problem(folder) == "t/pipeline.yaml:1: pipeline.yml stands beside it; remove one of the two"


# Assets in YAML.


def test_a_seed_is_a_dataset_without_inputs(folder):
    write(folder, "ref/zip.csv", "code\n1\n")
    write(folder, "ref/zip.asset.yml", "type: duckdb.seed\nparameters: {path: zip.csv, enforce_schema: false}")

    found = only(folder)

    assert (found.name, found.asset, found.inputs) == ("ref.zip", "ref/zip.asset.yml", ())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("type: duckdb.seed", "parameters.path: is missing"),
        ("type: duckdb.seed\nparameters: {path: nope.csv}", "there is no file nope.csv beside"),
        ("type: duckdb.seed\nparameters: {path: https://x/y.csv}", "a seed is a file of the project"),
        ("type: duckdb.seed\nparameters: {path: x.csv, delimiter: ';'}", "parameters.delimiter: is not known"),
        ("type: duckdb.seed\nparameters: {path: x.csv, enforce_schema: maybe}", "enforce_schema: is true or false"),
        (
            "type: duckdb.seed\nparameters: {path: x.csv}\nmaterialization: {type: table, strategy: merge}",
            "not for seeds",
        ),
        ("type: duckdb.seed\nparameters: {path: x.csv}\nhooks: {pre: [{query: SELECT 1}]}", "hooks: is for SQL"),
        ("type: ingestr\nparameters: {source_table: x}", "under `sources:`"),
        ("", "type: is missing"),
    ],
)
def test_seeds_that_cannot_be_read_are_refused(folder, text, says):
    write(folder, "ref/x.csv", "a\n1\n")
    write(folder, "ref/x.asset.yml", text)

    assert says in problem(folder)


def test_assets_in_r_are_pointed_out_and_other_files_of_r_left_alone(folder):
    write(folder, "a.r", '"@bruin\nname: a\n@bruin"\n')
    write(folder, "b.R", "x <- 1\n")

    assert problem(folder) == "t/a.r:1: assets in R are not run; write it in SQL or Python"


def test_one_dependency_and_one_by_default_are_two(folder):
    write(folder, "pipeline.yml", "default: {depends: {uri: x://y}, type: duckdb.sql}")
    file = asset(folder, "depends: {asset: shop.items}")

    assert inputs(only(folder)) == {"shop.items": "shop.items"}
    assert [item.uri for item in read_asset(file, folder).header.depends] == [None, "x://y"]


def test_assets_of_the_oldest_form_are_pointed_out(folder):
    write(folder, "old/task.yml", "name: x")

    assert problem(folder) == "t/old/task.yml:1: assets in YAML are files NAME.asset.yml; rename this one"


def test_the_files_that_decide_what_assets_there_are(folder):
    for name in (
        "pipeline.yml",
        "in/pipeline.yaml",
        "silver/a.sql",
        "b.py",
        "c.asset.yml",
        "notes.yml",
        "quality/check.py",
    ):
        write(folder, name, "")

    assert {path.relative_to(folder).as_posix() for path in asset_files(folder)} == {
        "pipeline.yml", "in/pipeline.yaml", "silver/a.sql", "b.py", "c.asset.yml",
    }  # fmt: skip
