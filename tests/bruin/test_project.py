"""Assets beside the two YAML files: one project, one list of problems."""

from __future__ import annotations

import pytest

from tests.config.conftest import Files

HEADER = "/* @bruin\ntype: duckdb.sql\nmaterialization: {type: table}\n"


def add(files: Files, name: str, header: str = "", body: str = "SELECT 1 AS id") -> str:
    """Write an asset below transformations/; its header's own lines start in line 4."""
    path = files.pipeline.parent.parent / "transformations" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{HEADER}{header}\n@bruin */\n{body}\n")
    return str(path)


def test_assets_and_native_datasets_make_one_project(files):
    path = add(files, "silver/people.sql", "depends: [bronze.orders, orders_clean]")
    add(files, "gold/total.sql", "depends: [silver.people, daily_sales]")

    project = files.load()

    assert [dataset.name for dataset in project.datasets()] == [
        "orders_clean",
        "silver.people",
        "daily_sales",
        "gold.total",
    ]
    assert project.dataset("gold.total")[0] == "gold"
    assert project.places["silver.people"] == f"{path}:1"
    assert project.dataset_path("silver.people") == "silver/people.parquet"


def test_native_datasets_read_assets_by_their_names(files):
    add(files, "silver/people.sql")
    files.replace("dataset: orders_clean", "dataset: silver.people")

    assert files.load().dataset("daily_sales")[1].inputs[0].dataset == "silver.people"


def test_the_hash_changes_with_a_header_and_not_with_the_code(files):
    add(files, "silver/people.sql", "depends: [shop.items]")
    before = files.load().config_hash
    add(files, "silver/people.sql", "depends: [shop.items]", body="SELECT 2 AS id")
    same = files.load().config_hash
    add(files, "silver/people.sql", "depends: [shop.orders]")

    assert same == before != files.load().config_hash


@pytest.mark.parametrize("content", ["{}", "", None])
def test_assets_may_be_all_that_there_is(files, content):
    add(files, "silver/people.sql")
    if content is None:
        files.datasets.unlink()
    else:
        files.write(files.datasets, content)

    if content == "":
        assert "expected a mapping" in files.problem()
    else:
        assert [dataset.name for dataset in files.load().datasets()] == ["silver.people"]


def test_without_assets_the_datasets_file_has_to_be_there(files):
    files.datasets.unlink()

    assert "no such file" in files.problem()


def test_a_circle_through_assets_is_named_at_one_of_them(files):
    path = add(files, "silver/a.sql", body="SELECT * FROM silver.b")
    add(files, "silver/b.sql", body="SELECT * FROM silver.a")

    assert files.problem().startswith(f"{path}:1: datasets depend on each other in a circle: silver.a -> silver.b")


def test_a_silver_asset_by_its_own_word_cannot_read_gold(files):
    path = add(files, "silver/a.sql", "meta: {stage: silver}\ndepends:\n  - daily_sales")

    assert files.problem() == f"{path}:6: silver.a: a silver dataset cannot read the gold dataset 'daily_sales'"


@pytest.mark.parametrize("suffix", ["sql", "py"])
def test_a_native_script_has_no_header(files, suffix):
    path = files.pipeline.parent.parent / "transformations" / f"orders_clean.{suffix}"
    path.parent.mkdir()
    marks = ("/*", "*/") if suffix == "sql" else ('"""', '"""')
    path.write_text(f"{marks[0]} @bruin\nname: other\ntype: {'duckdb.sql' if suffix == 'sql' else 'python'}\n"
                    f"materialization: {{type: table}}\n@bruin {marks[1]}\nSELECT_1 = 1\n")  # fmt: skip

    problem = files.problem()

    assert problem.startswith(f"{files.line_of('name: orders_clean')}: orders_clean: ")
    assert "has a header of Bruin, so it is a dataset by itself" in problem


def test_problems_of_all_files_come_at_once(files):
    first = add(files, "silver/a.sql", "oops: 1")
    second = add(files, "silver/b.sql", "depends: [shop.nope]")
    files.replace("dataset: orders_clean", "dataset: orders_cleen")

    assert [problem.split(": ")[0] for problem in files.problems()] == [
        f"{first}:4",
        f"{second}:4",
        files.line_of("orders_cleen"),
    ]


def test_a_pipeline_file_with_mistakes_does_not_make_tables_unknown(files):
    add(files, "silver/a.sql", "depends: [shop.items]")
    files.replace("primary_key: [id]", "primary_kee: [id]")

    assert "primary_kee" in files.problem()


def test_jinja_in_a_header_is_no_reference_to_a_secret(files):
    add(files, "silver/a.sql", 'custom_checks: [{name: c, query: "SELECT 0 WHERE {{ full_refresh }}"}]')

    assert files.load().dataset("silver.a")
