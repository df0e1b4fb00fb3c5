"""Keys of assets: refused by name, passed over with a note, or said to be mistakes, by line."""

from __future__ import annotations

import pytest

from comboi_core.bruin.header.loading import read_asset
from comboi_core.bruin.header.models import IGNORED, REFUSED
from tests.bruin.header.writing import asset, load, only, problem, write


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
    assert loaded.notes == (f"t/silver/a.sql:4: {key}: is ignored: {IGNORED[key]}",)


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
        ("custom_checks:\n  - {name: a, query: SELECT 1, value: 1, count: 2}", 5, "either value: or count:"),
        ('enabled: "{{ var.on }}"', 4, "cannot be a template"),
        ("meta: {stage: bronze}", 4, "meta.stage has to be silver or gold"),
        ("depends: [{asset: a, mode: weak}]", 4, "'weak' is not allowed; expected 'full' or 'symbolic'"),
        ("depends: [{mode: full}]", 4, "give an asset's name"),
        ("parameters: {path: a.csv}", 4, "parameters: is only for seeds"),
        ("hooks: {before: [{query: SELECT 1}]}", 4, "unknown key 'before'"),
        ("unit_tests: [{name: a, expected: {}}]", 4, "the test could never fail"),
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
        ("python", "it has to be in a .py file"),
        ("duckdb.seed", "it has to be in a file NAME.asset.yml"),
    ],
)
def test_types_that_are_not_run_are_refused_by_name(folder, kind, says):
    write(folder, "x.sql", f"/* @bruin\nname: x\ntype: {kind}\n@bruin */\nSELECT 1")

    assert problem(folder).startswith(f"t/x.sql:3: comboi does not run type: {kind}; ") and says in problem(folder)


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
