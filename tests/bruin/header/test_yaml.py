"""Assets in YAML, seeds among them, and files that are pointed out or left alone."""

from __future__ import annotations

import pytest

from comboi_core.bruin.header.finding import asset_files
from comboi_core.bruin.header.loading import read_asset
from tests.bruin.header.writing import asset, inputs, only, problem, write


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
        ("type: duckdb.seed\nparameters: {path: https://x/y.csv}", "a seed has to be a file in the project"),
        ("type: duckdb.seed\nparameters: {path: x.csv, delimiter: ';'}", "parameters.delimiter: is not known"),
        (
            "type: duckdb.seed\nparameters: {path: x.csv, enforce_schema: maybe}",
            "enforce_schema: has to be true or false",
        ),
        (
            "type: duckdb.seed\nparameters: {path: x.csv}\nmaterialization: {type: table, strategy: merge}",
            "remove strategy",
        ),
        ("type: duckdb.seed\nparameters: {path: x.csv}\nhooks: {pre: [{query: SELECT 1}]}", "hooks: is only for SQL"),
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

    assert problem(folder) == "t/a.r:1: comboi does not run assets in R; write it in SQL or Python"


def test_one_dependency_and_one_by_default_are_two(folder):
    write(folder, "pipeline.yml", "default: {depends: {uri: x://y}, type: duckdb.sql}")
    file = asset(folder, "depends: {asset: shop.items}")

    assert inputs(only(folder)) == {"shop.items": "shop.items"}
    assert [item.uri for item in read_asset(file, folder).header.depends] == [None, "x://y"]


def test_assets_of_the_oldest_form_are_pointed_out(folder):
    write(folder, "old/task.yml", "name: x")

    assert problem(folder) == "t/old/task.yml:1: YAML assets have to be called NAME.asset.yml; rename this file"


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
