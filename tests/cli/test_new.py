"""`comboi new transformation` and `check`: made of what the lake has; comments stay, nothing invalid is written."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from comboi_core.app.workspace import Workspace
from comboi_core.domain.load import Column
from comboi_core.domain.manifest import DataFile, Manifest
from comboi_core.lake.bronze import write_manifest
from comboi_core.transforms.scripts import run_script
from tests.cli.making import folder, new, project, state, text

pytestmark = pytest.mark.few(2)

__all__ = ["folder"]


ODD = 'od"d {n}\\ """ order'


def land(folder: Path, table: str, *columns: str, key: tuple[str, ...] = (), mode: str = "merge") -> None:
    lake = Workspace(project(folder)).lake("bronze")
    file = DataFile(f"shop/{table}/load=00000001/00000-a.parquet", 1, 1, 1)
    lake.write(file.path, b"x")
    named = tuple(Column(name, "text", "VARCHAR") for name in columns)
    write_manifest(
        lake, Manifest("shop", table, 1, 1, "r", mode, key, None, None, named, (file,)),  # type: ignore[arg-type]
    )  # fmt: skip


def publish(folder: Path, name: str, select: str) -> None:
    stage, _ = project(folder).dataset(name)
    with Workspace(project(folder)).lake(stage).stage(project(folder).dataset_path(name)) as staged:
        duckdb.sql(f"COPY ({select}) TO '{staged}' (FORMAT parquet)")


def result_of(script: Path, **inputs: str) -> list[str]:
    """Return the columns that a transformation gives over inputs (alias -> SELECT)."""
    with duckdb.connect() as con:
        for alias, select in inputs.items():
            con.execute(f'CREATE VIEW "{alias}" AS {select}')
        run_script(con, script, {alias: f'"{alias}"' for alias in inputs}, into="made")
        return [name for name, *_ in con.execute("DESCRIBE made").fetchall()]


def test_a_transformation_selects_the_columns_that_the_lake_has_and_checks_the_key(folder):
    land(folder, "orders", "order_id", "amount", "order", ODD, key=("order_id",))
    before = text(folder, "configs/transformations.yml")

    result = new(folder, "transformation", "recent", "--from", "orders")

    assert result.exit_code == 0, result.output
    _, dataset = project(folder).dataset("recent")
    assert [check.label for check in dataset.checks] == ["not_null(order_id)", "unique(order_id)"]
    odd = '"' + ODD.replace('"', '""') + '"'
    made = result_of(
        folder / "transformations" / "recent.sql", orders=f'SELECT 1 order_id, 2 amount, 3 "order", 4 {odd}'
    )
    assert made == ["order_id", "amount", "order", ODD]
    after = text(folder, "configs/transformations.yml")
    assert all(line in after.splitlines() for line in before.splitlines())


@pytest.mark.parametrize("options", [[], ["--python"]])
def test_inputs_whose_key_the_first_one_has_are_joined_and_others_are_named(folder, options):
    land(folder, "orders", "id", "customer_id", "name", "}{ " + ODD, key=("id",))
    land(folder, "customers", "customer_id", "name", "city", key=("customer_id",))
    publish(folder, "sales_per_city", "SELECT 1 AS month, 2 AS city")

    result = new(
        folder, "transformation", "wide", "-f", "shop.orders", "-f", "customers", "-f", "sales_per_city", "--stage",
        "gold", *options,
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    script = folder / "transformations" / ("wide.py" if options else "wide.sql")
    odd = '"}{ ' + ODD.replace('"', '""') + '"'
    made = result_of(
        script,
        orders=f"SELECT 1 id, 2 customer_id, 'o' AS name, 3 AS {odd}",
        customers="SELECT 2 customer_id, 'c' AS name, 'x' AS city",
        sales_per_city="SELECT 1 AS month",
    )
    assert made == ["id", "customer_id", "name", "}{ " + ODD, "city"]
    assert "Not joined yet: sales_per_city" in script.read_text()
    assert project(folder).dataset("wide")[0] == "gold"


@pytest.mark.parametrize("ending", ["sql", "py"])
def test_names_that_sql_reserves_are_quoted(folder, ending):
    config = folder / "configs" / "initial.yml"
    config.write_text(
        config.read_text().replace("name: orders", "name: group").replace("name: customers", "name: order")
    )
    transformations = folder / "configs" / "transformations.yml"
    transformations.write_text("silver: []\n")
    land(folder, "group", "from", "select", key=("from",))
    land(folder, "order", "select", "where", key=("select",))

    result = new(folder, "transformation", "x", "-f", "group", "-f", "order", *(["--python"] if ending == "py" else []))

    assert result.exit_code == 0, result.output
    views = {"group": 'SELECT 1 "from", 2 "select"', "order": 'SELECT 2 "select", 3 "where"'}
    assert result_of(folder / "transformations" / f"x.{ending}", **views) == ["from", "select", "where"]


def test_a_key_of_an_appended_table_promises_nothing(folder):
    land(folder, "orders", "order_id", key=("order_id",), mode="append")

    new(folder, "transformation", "log", "--from", "orders")

    assert project(folder).dataset("log")[1].checks == ()


def test_machines_are_told_what_was_written(folder):
    made = json.loads(new(folder, "transformation", "x", "--from", "orders", "--json").stdout)
    table = json.loads(new(folder, "table", "shop", "orders", "--name", "again", "--json").stdout)

    assert (made["created"], made["edited"]) == (["transformations/x.sql"], ["configs/transformations.yml"])
    assert made["notes"] == ["not in the lake yet, so the columns are not known: shop.orders"]
    assert table == {"created": [], "edited": ["configs/initial.yml"], "notes": []}


def test_what_reads_gold_is_gold(folder):
    new(folder, "transformation", "top", "--from", "sales_per_city")

    assert project(folder).dataset("top")[0] == "gold"


def test_before_the_first_run_it_selects_everything_and_says_why(folder):
    result = new(folder, "transformation", "all_orders", "--from", "orders")

    assert "SELECT *\nFROM orders" in text(folder, "transformations/all_orders.sql")
    assert "not in the lake yet" in result.stdout


def test_one_table_twice_and_a_dataset_of_its_name_get_aliases_of_their_own(folder):
    new(folder, "transformation", "orders", "--from", "shop.orders", "--from", "shop.orders")

    _, dataset = project(folder).dataset("orders")
    assert [item.alias for item in dataset.inputs] == ["orders_2", "orders_3"]


def test_a_configured_dataset_without_a_script_gets_one(folder):
    (folder / "transformations" / "orders_clean.sql").unlink()
    before = text(folder, "configs/transformations.yml")

    result = new(folder, "transformation", "orders_clean", "--python")

    assert result.exit_code == 0, result.output
    assert 'FROM {inputs["orders"]}' in text(folder, "transformations/orders_clean.py")
    assert text(folder, "configs/transformations.yml") == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["transformation", "orders_clean", "--from", "orders"], "already"),
        (["transformation", "orders_clean"], "orders_clean.sql already exists"),
        (["transformation", "x"], "--from"),
        (["transformation", "x", "--from", "ordres"], "did you mean"),
        (["transformation", "no-name", "--from", "orders"], "is not a valid name for a dataset"),
        (["transformation", "x", "--from", "sales_per_city", "--stage", "silver"], "cannot read the gold dataset"),
        (["check", "orders_make_sense", "--for", "orders_clean"], "already exists"),
        (["check", "x", "--for", "orders"], "did you mean 'orders_clean'"),
        (["check", "../x", "--for", "orders_clean"], "is not a valid name for a check"),
        (["table", "shap", "orders"], "did you mean 'shop'"),
        (["table", "shop", "orders"], "--name"),
        (["table", "shop", "nothing_there"], "no table nothing_there"),
        (["table", "shop", "orders", "--name", "1"], "is not a valid name"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_written(folder, arguments, said):
    before = state(folder)

    result = new(folder, *arguments)

    assert result.exit_code == 1 and said in result.stderr, result.output
    assert "Traceback" not in result.output and state(folder) == before


def test_a_yaml_that_cannot_be_extended_safely_stays_and_the_entry_is_shown(folder):
    file = folder / "configs" / "transformations.yml"
    value = yaml.safe_load(file.read_text())
    checks = yaml.safe_dump(value["silver"][0].pop("quality_checks"))
    inputs = yaml.safe_dump(value["silver"][0].pop("inputs"), default_flow_style=True)
    file.write_text(
        f"silver:\n- name: orders_clean\n  inputs: {inputs}  quality_checks: &checks\n"
        + "".join(f"  {line}\n" for line in checks.splitlines())
        + f"- name: again\n  inputs: {inputs}  quality_checks: *checks\n"
    )
    (folder / "transformations" / "again.sql").write_text("SELECT * FROM orders")
    before = state(folder)

    result = new(folder, "check", "more", "--for", "again")

    assert result.exit_code == 1 and "- more" in result.stderr and "silver.1.quality_checks" in result.stderr
    assert state(folder) == before


def test_a_check_looks_at_a_column_of_the_published_file_and_runs(folder):
    publish(folder, "orders_clean", f'SELECT 1 AS "{ODD.replace(chr(34), chr(34) * 2)}"')

    result = new(folder, "check", "complete", "--for", "orders_clean")

    assert result.exit_code == 0, result.output
    _, dataset = project(folder).dataset("orders_clean")
    assert dataset.checks[-1].script == "complete"
    scope: dict[str, Any] = {}
    exec(text(folder, "transformations/quality/complete.py"), scope)
    with duckdb.connect() as con:
        odd = '"' + ODD.replace('"', '""') + '"'
        con.execute(f"CREATE VIEW d AS SELECT unnest([1, NULL]) AS {odd}")
        assert scope["check"](con, "d")[0] is False
        con.execute(f"CREATE VIEW e AS SELECT 1 AS {odd}")
        assert scope["check"](con, "e")[0] is True


def test_a_dataset_without_checks_gets_a_list_of_them(folder):
    new(folder, "transformation", "bare", "--from", "orders")

    result = new(folder, "check", "any_row", "--for", "bare")

    assert result.exit_code == 0 and "not published yet" in result.stdout
    assert [check.label for check in project(folder).dataset("bare")[1].checks] == ["any_row"]


def test_permissions_and_line_breaks_of_the_yaml_stay(folder):
    file = folder / "configs" / "transformations.yml"
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    file.chmod(0o640)

    new(folder, "check", "any_row", "--for", "orders_clean")

    assert b"any_row\r\n" in file.read_bytes() and b"\n" not in file.read_bytes().replace(b"\r\n", b"")
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_where_assets_define_everything_the_first_dataset_of_ones_own_begins_the_file(folder):
    for path in (
        "configs/transformations.yml",
        "transformations/orders_clean.sql",
        "transformations/sales_per_city.sql",
    ):
        (folder / path).unlink()
    header = "name: silver.orders\ntype: duckdb.sql\nmaterialization: {type: table}\ndepends: [shop.orders]\n"
    asset = f"/* @bruin\n{header}@bruin */\nSELECT * FROM shop.orders\n"
    (folder / "transformations" / "orders.sql").write_text(asset)

    made = new(folder, "transformation", "mine", "--from", "silver.orders")
    refused = [new(folder, "transformation", "silver.orders"), new(folder, "check", "x", "--for", "silver.orders")]

    assert made.exit_code == 0, made.output
    assert text(folder, "configs/transformations.yml") == (
        "silver:\n  - name: mine\n    inputs:\n      - {alias: orders, dataset: silver.orders}\n"
    )
    assert all(one.exit_code == 1 and "is a Bruin asset" in one.stderr for one in refused)


def test_a_yaml_that_is_a_link_stays_one_and_what_it_leads_to_is_extended(folder, tmp_path):
    file, elsewhere = folder / "configs" / "transformations.yml", tmp_path / "elsewhere.yml"
    file.rename(elsewhere)
    file.symlink_to(elsewhere)

    result = new(folder, "check", "any_row", "--for", "orders_clean")

    assert result.exit_code == 0 and file.is_symlink() and "- any_row" in elsewhere.read_text()


def test_a_file_outside_of_the_project_is_not_written(folder, tmp_path):
    (folder / "configs" / "transformations.yml").rename(tmp_path / "elsewhere.yml")
    config = folder / "configs" / "initial.yml"
    config.write_text(config.read_text() + "transformations_file: ../elsewhere.yml\n")
    before = state(tmp_path)

    result = new(folder, "check", "any_row", "--for", "orders_clean")

    assert result.exit_code == 1 and "outside of the project" in result.stderr and state(tmp_path) == before


def test_problems_are_told_with_the_projects_own_paths(folder, monkeypatch):
    monkeypatch.chdir("/")

    result = new(folder, "transformation", "x", "--from", "sales_per_city", "--stage", "silver")

    assert "\n✗ configs/transformations.yml:" in result.stderr and "comboi-new" not in result.stderr
