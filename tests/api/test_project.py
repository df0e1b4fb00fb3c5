"""The Python API, on the project that `comboi init` makes, with its own embedded host."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

import comboi
from comboi_core.devtools.reading import QueryFailed
from comboi_core.devtools.scaffold.project import new_project
from comboi_core.domain.errors import LakeNotFound, RequestInvalid, RunNotFound, SelectionEmpty


@pytest.fixture(autouse=True)
def no_other_project(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COMBOI_CONFIG", "COMBOI_HUB", "COMBOI_URL", "COMBOI_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> comboi.Project:
    """The project after its first run."""
    folder = tmp_path_factory.mktemp("api") / "shop"
    new_project(folder, "files")
    project = comboi.Project.open(folder)
    project.run().raise_for_status(strict=True)
    return project


@pytest.mark.slow
def test_a_project_says_what_it_has(shop):
    assert shop.pipeline == "shop"
    assert shop.tables == ["shop.orders", "shop.customers"]
    assert shop.datasets == ["orders_clean", "sales_per_city"]
    shop.validate()


def test_a_run_is_followed_to_its_end_and_leaves_the_environment_alone(shop):
    seen: list[comboi.Run] = []
    run = shop.run(on_progress=seen.append)
    assert (run.status, run.shortfalls) == ("succeeded", [])
    assert run.tables["shop.orders"]["rows"] == 0, "nothing has changed since the first run"
    assert run.datasets["sales_per_city"]["rows"] == 5
    assert seen[-1].record == run.record and {one.run_id for one in seen} == {run.run_id}
    assert shop.last_run().record == run.record
    assert [one["run_id"] for one in shop.runs(1)] == [run.run_id]
    assert "COMBOI_CONFIG" not in os.environ


def test_only_what_is_selected_runs(shop):
    run = shop.run(select=["customers"])
    assert (list(run.tables), list(run.datasets)) == (["shop.customers"], [])


def test_a_plan_says_what_a_run_would_read(shop):
    planned = shop.plan(full_refresh=True, select=["orders"])
    assert [(table["table"], table["replaces"], table["unchanged"]) for table in planned["tables"]] == [
        ("orders", True, False)
    ]
    assert all(table["unchanged"] for table in shop.plan()["tables"])


def test_tables_and_datasets_are_read_as_arrow(shop):
    orders = shop.table("orders")
    assert orders.name == "shop.orders"
    assert orders.columns["amount"] == "DECIMAL(12,2)"
    two = orders.read(["order_id", "amount"], limit=2)
    assert two.schema == pa.schema([("order_id", pa.int64()), ("amount", pa.decimal128(12, 2))])
    assert two.num_rows == 2
    batches = list(orders.batches(7))
    assert pa.Table.from_batches(batches).num_rows == orders.read().num_rows == 60
    assert shop.dataset("sales_per_city").read().num_rows == 5


def test_a_query_joins_tables_and_datasets(shop):
    sql = "SELECT city, count(*) AS n FROM shop.orders JOIN Orders_Clean USING (order_id) GROUP BY ALL; -- the end;"
    found = shop.query(sql).to_pydict()
    file = shop.config.parent.parent / "lake" / "silver" / "refined" / "orders_clean.parquet"
    assert dict(zip(found["city"], found["n"], strict=True)) == dict(
        duckdb.sql(f"SELECT city, count(*) FROM '{file}' GROUP BY ALL").fetchall()
    )


@pytest.mark.parametrize(
    ("sql", "error", "words"),
    [
        ("DROP TABLE x", QueryFailed, "the query has to be one SELECT"),
        ("SELECT 1; SELECT 2", QueryFailed, "the query has to be one SELECT"),
        ("", QueryFailed, "the query has to be one SELECT"),
        ("SELEC 1", QueryFailed, "syntax error"),
        ("SELECT nothing FROM shop.orders", QueryFailed, "nothing"),
        ("SELECT * FROM shop.orderz", SelectionEmpty, "there is no table 'shop.orderz' (did you mean 'shop.orders'?)"),
        ("SELECT * FROM json", QueryFailed, "json does not exist"),
        ("SELECT * FROM nowhere", QueryFailed, "nowhere does not exist"),
    ],
)
def test_a_wrong_query_is_refused_in_plain_words(shop, sql, error, words):
    with pytest.raises(error) as raised:
        shop.query(sql)
    assert words in raised.value.message


def test_wrong_names_are_refused_with_the_right_one(shop):
    with pytest.raises(SelectionEmpty, match=r"'orderz' \(did you mean 'orders'\?\)"):
        shop.table("orderz")
    with pytest.raises(SelectionEmpty, match="'orders_clean' is no table"):
        shop.table("orders_clean")
    with pytest.raises(QueryFailed, match=r"no column 'cty' \(did you mean 'city'\?\)"):
        shop.dataset("sales_per_city").read(["cty"])
    with pytest.raises(RequestInvalid, match="select is a list"):
        shop.run(select="orders")
    with pytest.raises(comboi.ComboiError, match="there is no table or dataset 'nothing'"):
        shop.run(select=["nothing"])


def test_what_was_never_run_has_no_rows_and_no_runs(tmp_path):
    new_project(tmp_path / "new", "files")
    project = comboi.Project.open(tmp_path / "new")
    with pytest.raises(LakeNotFound, match=r"'shop.orders' has not been landed yet"):
        project.table("orders").read()
    with pytest.raises(LakeNotFound, match="'orders_clean' has not been published yet"):
        project.dataset("orders_clean").read()
    with pytest.raises(RunNotFound):
        project.last_run()
    assert project.runs() == []


def test_a_failed_run_raises_with_its_first_error(tmp_path):
    new_project(tmp_path / "bad", "files")
    (tmp_path / "bad" / "transformations" / "orders_clean.sql").write_text("SELECT * FROM orders WHERE nothing\n")
    run = comboi.Project.open(tmp_path / "bad").run()
    assert run.status == "failed" and run.tables["shop.orders"]["rows"] == 60
    with pytest.raises(comboi.RunFailed, match=f"run {run.run_id} failed: orders_clean: ") as raised:
        run.raise_for_status()
    assert raised.value.run is run


def test_a_wrong_configuration_names_file_and_line(tmp_path):
    new_project(tmp_path / "wrong", "files")
    file = tmp_path / "wrong" / "configs" / "initial.yml"
    file.write_text(file.read_text().replace("sources:", "sorces:"))
    with pytest.raises(comboi.ConfigError, match=r"initial\.yml:\d+: unknown key 'sorces'"):
        comboi.Project.open(tmp_path / "wrong")
    with pytest.raises(comboi.ConfigError, match="no such file"):
        comboi.Project.open(Path(tmp_path))
