"""Pipelines of Bruin: defaults that fill what is empty, and the nearest one counts."""

from __future__ import annotations

import pytest

from comboi_core.bruin.header.loading import read_asset
from tests.bruin.header.writing import asset, inputs, load, problem, write


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
        ("default:\n  name: x", 2, "a name belongs to one asset"),
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

    assert problem(folder) == "t/pipeline.yaml:1: there is also pipeline.yml in the folder; remove one of the two"
