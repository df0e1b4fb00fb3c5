"""Hooks, custom checks, seeds and empty datasets of assets."""

from __future__ import annotations

import pytest

from comboi_core.bruin.header.loading import load_assets
from comboi_core.bruin.run.running import (
    post_hooks,
    render_checks,
)
from tests.bruin.run.running import TABLE, context, failure, result, sql, write


def test_a_seed_has_the_types_of_its_header(con, folder):
    write(folder, "ref/zip.csv", "code,name,share\n00123,Zoë,0.5\n,,\n")
    file = write(
        folder,
        "ref/codes.asset.yml",
        "type: duckdb.seed\nparameters: {path: zip.csv}\n"
        "columns: [{name: code, type: string}, {name: share, type: float}]",
    )

    assert result(con, file, context(folder), {}) == [("00123", "Zoë", 0.5), (None, None, None)]


def test_a_seed_that_does_not_have_the_headers_columns_is_refused(con, folder):
    write(folder, "ref/zip.csv", "code\n1\n")
    file = write(
        folder,
        "ref/codes.asset.yml",
        "type: duckdb.seed\nparameters: {path: zip.csv}\ncolumns: [{name: cod, type: int}]",
    )

    assert "cod" in failure(con, file, context(folder), {}).message


def test_ddl_makes_an_empty_dataset_with_the_types_of_its_columns(con, folder):
    header = (
        "materialization: {type: table, strategy: ddl}\ncolumns: [{name: id, type: integer}, {name: s, type: string}]"
    )
    file = sql(folder, "", header=header)

    assert result(con, file, context(folder)) == []
    assert [kind for _, kind, *_ in con.execute("DESCRIBE result").fetchall()] == ["INTEGER", "VARCHAR"]


def test_hooks_run_before_and_after_with_templates(con, folder):
    header = TABLE + (
        "\nhooks:\n  pre:\n    - query: CREATE MACRO twice(x) AS 2 * x;"
        "\n    - query: SET VARIABLE day = '{{ start_date }}'"
        "\n  post:\n    - query: CREATE TABLE seen AS SELECT count(*) AS n FROM {{ this }}"
    )
    file = sql(
        folder, "SELECT twice(id) AS n, getvariable('day') AS day FROM bronze.orders WHERE id = 2", header=header
    )

    assert result(con, file, context(folder)) == [(4, "2026-11-22")]
    con.execute("CREATE SCHEMA silver; CREATE VIEW silver.orders AS FROM result")
    post_hooks(con, file, context(folder))
    assert con.execute("FROM seen").fetchall() == [(1,)]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("INSTALL httpfs", "comboi loads only the extensions"),
        ("LOAD httpfs", "comboi loads only the extensions"),
        ("ATTACH 'other.db'", "as a source"),
        ("COPY (SELECT 1) TO 'out.csv'", "a build writes only its dataset"),
        ("SELECT 1; EXPORT DATABASE 'x'", "a build writes only its dataset"),
        ("BEGIN", "everything or nothing"),
        ("SELEC 1", "syntax error"),
        ("SELECT no_such", "no_such"),
        ("SELECT '{{ no_such }}'", "'no_such' is not defined"),
    ],
)
def test_hooks_reach_nothing_outside_of_the_session(con, folder, query, says):
    file = sql(folder, "SELECT 1", header=f'{TABLE}\nhooks:\n  pre:\n    - query: "{query}"')

    message = failure(con, file, context(folder)).message

    assert message.startswith(f"{file}:6: ") and says in message


def test_custom_checks_are_rendered_for_the_run(folder):
    header = TABLE + (
        "\ncustom_checks:\n  - {name: a, query: \"SELECT count(*) FROM {{ this }} WHERE at < '{{ start_date }}'\"}"
        "\n  - {name: b, query: SELECT 1, count: 1}"
    )
    sql(folder, "SELECT * FROM bronze.orders", header=header)
    (dataset,) = load_assets(folder, tables=["shop.orders"], datasets={}).silver

    rendered = render_checks(dataset, context(folder))

    assert [check.params["query"] for check in rendered.checks] == [
        "SELECT count(*) FROM silver.orders WHERE at < '2026-11-22'",
        "SELECT 1",
    ]
    assert dataset.checks[0].params["query"].startswith("SELECT count(*) FROM {{ this }}")
