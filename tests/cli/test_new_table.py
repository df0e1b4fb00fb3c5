"""`comboi new table`: made of what the source has, its key and its cursor."""

from __future__ import annotations

import sqlite3

import pytest
import yaml

from comboi_core.cli.demo.postgres import EmbeddedPostgres
from tests.cli.making import comboi, folder, new, project, state, text

__all__ = ["folder"]


def test_a_table_of_sqlite_comes_with_its_key_and_its_cursor(folder):
    with sqlite3.connect(folder / "data" / "shop.db") as database:
        database.execute("CREATE TABLE items (b INTEGER, a TEXT, note TEXT, LastModified TEXT, PRIMARY KEY (a, b))")
        database.execute("INSERT INTO items VALUES (1, 'x', 'n', '2026-01-01 00:00:00')")
        database.execute('CREATE TABLE "odd name" (x TEXT, created_at TEXT)')

    items, odd = new(folder, "table", "shop", "items"), new(folder, "table", "shop", "odd name")

    assert items.exit_code == odd.exit_code == 0, items.output + odd.output
    table = project(folder).table("shop", "items")
    assert (table.primary_key, table.incremental_column, table.effective_mode) == (("a", "b"), "LastModified", "merge")
    bare = project(folder).table("shop", "odd_name")
    assert (bare.table, bare.primary_key, bare.effective_mode) == ("odd name", (), "full")
    written = text(folder, "configs/initial.yml")
    assert "# incremental_column: created_at" in written and "# primary_key: [...]  # the source has none" in written
    assert "primary key" in items.stdout and "LastModified" in items.stdout


@pytest.mark.parametrize(
    ("column", "value"),
    [("updated_by TEXT", "Ada"), ("updated_by TEXT", None), ("changes INTEGER", 1), ("updated_at TEXT", "yesterday")],
)
def test_a_column_that_cannot_be_a_cursor_is_not_taken_for_one(folder, column, value):
    with sqlite3.connect(folder / "data" / "shop.db") as database:
        database.execute(f"CREATE TABLE items (id INTEGER PRIMARY KEY, {column})")
        if value is not None:
            database.execute("INSERT INTO items VALUES (1, ?)", [value])

    result = new(folder, "table", "shop", "items")

    assert result.exit_code == 0 and "about" in result.stdout
    table = project(folder).table("shop", "items")
    assert (table.primary_key, table.incremental_column) == (("id",), None)


def test_a_glob_of_files_becomes_a_table_called_after_its_folder(tmp_path):
    comboi("init", tmp_path)
    (tmp_path / "data" / "events").mkdir()
    (tmp_path / "data" / "events" / "1.csv").write_text("id,at\n1,2026-01-01\n")

    result = new(tmp_path, "table", "shop", "events/*.csv")

    assert result.exit_code == 0, result.output
    assert project(tmp_path).table("shop", "events").path == "events/*.csv"


def test_a_table_of_postgres_comes_with_its_key_in_its_order_and_the_column_that_changes(
    tmp_path, database: EmbeddedPostgres, monkeypatch
):
    database.psql("""
        DROP SCHEMA IF EXISTS new_table CASCADE; CREATE SCHEMA new_table;
        CREATE TABLE new_table."Odd Items" ("No" int, shop int, exchange_date date, updated_at timestamptz,
            PRIMARY KEY (shop, "No") INCLUDE (exchange_date));
        CREATE VIEW new_table.seen AS SELECT * FROM new_table."Odd Items";
        CREATE TABLE new_table.made (id int PRIMARY KEY, created_at timestamptz)""")
    comboi("init", tmp_path, "--source", "postgres")
    file = tmp_path / "configs" / "initial.yml"
    file.write_text(
        file.read_text().replace("postgresql://comboi:{{env:SHOP_PASSWORD}}@localhost:5432/shop", "{{env:NEW_PG}}")
    )
    monkeypatch.setenv("NEW_PG", database.uri)

    done = [
        new(tmp_path, "table", "shop", name) for name in ('new_table."Odd Items"', "new_table.seen", "new_table.made")
    ]

    assert [one.exit_code for one in done] == [0, 0, 0], [one.output for one in done]
    odd = project(tmp_path).table("shop", "Odd_Items")
    assert (odd.primary_key, odd.incremental_column) == (("shop", "No"), "updated_at")
    assert project(tmp_path).table("shop", "seen").effective_mode == "full"
    written = file.read_text()
    assert "# cursor: xmin" in written and "# incremental_column: created_at" in written
    assert database.uri not in "".join(one.output for one in done) + written


def test_a_source_that_cannot_be_reached_is_an_error_without_its_password(tmp_path, monkeypatch):
    comboi("init", tmp_path, "--source", "postgres")
    file = tmp_path / "configs" / "initial.yml"
    file.write_text(file.read_text().replace("localhost:5432", "127.0.0.1:1"))
    monkeypatch.setenv("SHOP_PASSWORD", "hunter2-secret")
    before = state(tmp_path)

    result = new(tmp_path, "table", "shop", "public.items")

    assert result.exit_code == 1 and "hunter2" not in result.output and state(tmp_path) == before


def test_a_table_of_azure_sql_comes_with_its_key_and_its_row_version(tmp_path, doubles, monkeypatch):
    comboi("init", tmp_path, "--source", "azure_sql")
    monkeypatch.setenv("SHOP_PASSWORD", "geheim;1")
    with doubles.server(users={"comboi": "geheim;1"}) as server:
        server.run(
            "CREATE TABLE dbo.items (id int NOT NULL PRIMARY KEY, price money, changed datetime2, v rowversion)",
        )
        server.run("CREATE TABLE dbo.loose (id int, changed datetime2)")
        file = tmp_path / "configs" / "initial.yml"
        value = yaml.safe_load(file.read_text())
        value["sources"][0]["connection"] |= {"server": server.address, "database": "crm", "encrypt": "no"}
        file.write_text(yaml.safe_dump(value))

        result, loose = new(tmp_path, "table", "shop", "dbo.items"), new(tmp_path, "table", "shop", "dbo.loose")

    assert (result.exit_code, loose.exit_code) == (0, 0), result.output + loose.output
    items = project(tmp_path).table("shop", "items")
    assert (items.table, items.primary_key, items.cursor, items.effective_mode) == (
        "dbo.items",
        ("id",),
        "rowversion",
        "merge",
    )
    assert project(tmp_path).table("shop", "loose").primary_key == () and "the source has none" in file.read_text()
    assert "DECIMAL(19,4)" in result.stdout and "geheim" not in result.output + file.read_text()
