"""Transformations in SQL: one SELECT, streamed; errors name the line."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from comboi_core.domain.errors import ComboiError, LakeUnavailable, ScriptError
from comboi_core.duckdb.engine import open_duckdb
from comboi_core.transforms.scripts import (
    run_script,
    user_errors,
    validate_script,
)
from tests.transforms.scripts.running import INPUTS, failure, result, write


@pytest.mark.parametrize(
    "text",
    [
        "SELECT order_id FROM orders WHERE order_id = 3",
        "-- why\n/* and ; how */\nSELECT order_id FROM orders WHERE order_id = 3 -- done;\n;\n",
        "WITH o AS (FROM orders) SELECT order_id FROM o WHERE order_id = 3;",
        "FROM orders SELECT order_id WHERE order_id = 3",
        "\ufeffSELECT order_id FROM orders WHERE order_id = 3",
        "SELECT order_id\r\nFROM orders\r\nWHERE order_id = 3\r\n",
    ],
)
def test_one_select_in_any_dress_is_taken(con: duckdb.DuckDBPyConnection, tmp_path: Path, text: str) -> None:
    script = tmp_path / "a.sql"
    script.write_bytes(text.encode())
    assert validate_script(script) == []
    assert result(con, script) == [(3,)]


def test_a_sql_file_becomes_a_view_so_that_rows_stream(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    run_script(con, write(tmp_path, "a.sql", "SELECT * FROM orders"), INPUTS, into='odd "name"')
    assert con.execute("SELECT view_name FROM duckdb_views() WHERE view_name LIKE 'odd%'").fetchall() == [
        ('odd "name"',)
    ]


def test_a_pivot_over_values_it_has_to_look_up_works(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    script = write(
        tmp_path, "a.sql", "PIVOT (SELECT order_id % 2 AS odd, amount FROM orders) ON odd USING count(amount)"
    )
    assert validate_script(script) == []
    assert result(con, script) == [(5, 5)]


@pytest.mark.parametrize(
    ("text", "line", "cause"),
    [
        ("", 1, "no SQL statement"),
        ("-- only a comment\n", 1, "no SQL statement"),
        ("SELECT 1;\n\n-- second\nSELECT 2", 4, "more than one statement"),
        ("-- c\n\nDROP VIEW orders", 3, "kind DROP"),
        ("WITH x AS (SELECT 1)\nINSERT INTO y FROM x", 1, "kind INSERT"),
        ("\nCOPY orders TO 'x.csv'", 2, "kind COPY"),
        ("SELECT\n  order_id\nFORM orders WHER 1", 3, "syntax error"),
        ("SELECT 'é',\n  order_id,,\nFROM", 2, "syntax error"),
        ("SELECT order_id\nFROM orders\nWHERE", 3, "syntax error"),
        ("\nSELECT $x", 2, r"parameters \(\$x\)"),
        ("DESCRIBE orders", 1, "syntax error"),
    ],
)
def test_what_is_not_one_select_is_refused_with_its_line(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, text: str, line: int, cause: str
) -> None:
    script = write(tmp_path, "bad.sql", text)
    problems = validate_script(script)
    assert len(problems) == 1
    assert problems[0].startswith(f"{script}:{line}: ")
    with pytest.raises(ScriptError, match=cause) as raised:
        run_script(con, script, INPUTS, into="staged")
    assert str(raised.value) == problems[0]
    assert con.execute("SELECT count(*) FROM orders").fetchone() == (10,)


def test_a_file_that_is_not_utf8_is_said(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    script = tmp_path / "a.sql"
    script.write_bytes(b"SELECT '\xff'")
    assert "not UTF-8" in validate_script(script)[0]
    assert "not UTF-8" in failure(con, script).message


def test_an_unknown_column_is_named_with_line_and_the_columns_there_are(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    script = write(tmp_path, "a.sql", "-- größe\nSELECT order_id,\n       amuont\nFROM orders")
    message = failure(con, script).message
    assert message.startswith(f'{script}:3: Binder Error: Referenced column "amuont" not found')
    assert "> amuont" in message
    assert "orders has order_id, amount" in message
    assert 'people has id, full "name"' in message
    assert "{" not in message


def test_an_unknown_table_names_the_inputs(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    message = failure(con, write(tmp_path, "a.sql", "SELECT *\nFROM oders")).message
    assert "a.sql:2: " in message
    assert "orders has" in message


@pytest.mark.parametrize("name", ["text", "script", "inputs", "con", "result", "Path"])
def test_sql_never_sees_comboi_s_own_python_variables(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, name: str
) -> None:
    assert "does not exist" in failure(con, write(tmp_path, "a.sql", f"FROM {name}")).message


def test_an_error_in_the_data_names_the_line_although_it_arises_when_the_view_is_read(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    script = write(
        tmp_path, "a.sql", "-- é\n\nSELECT order_id,\n  CAST(name AS INTEGER)\nFROM (SELECT 'x' AS name, * FROM orders)"
    )
    target = tmp_path / "out.parquet"
    with pytest.raises(ScriptError) as raised, user_errors(script, con, INPUTS):
        run_script(con, script, INPUTS, into="staged")
        con.execute(f"COPY (SELECT * FROM staged) TO '{target}' (FORMAT parquet)")
    assert raised.value.message.startswith(f"{script}:4: Conversion Error: Could not convert string 'x'")
    assert "> CAST(name AS INTEGER)" in raised.value.message


def test_an_error_without_a_position_names_where_the_statement_starts(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    script = write(tmp_path, "a.sql", "-- why\n\nSELECT error('boom ' || order_id) FROM orders")
    assert failure(con, script).message.startswith(f"{script}:3: Invalid Input Error: boom")


def test_out_of_memory_says_which_limit_to_raise(tmp_path: Path) -> None:
    script = write(tmp_path, "a.sql", "SELECT list(range::VARCHAR || repeat('x', 100)) FROM range(3000000)")
    with open_duckdb(memory_limit="50MB", threads=1) as con:
        con.execute("SET temp_directory = ''")
        error = failure_without_inputs(con, script)
    assert "out of memory" in error.message
    assert "47.6 MiB" in error.message
    assert "memory_limit" in error.remedy


def failure_without_inputs(con: duckdb.DuckDBPyConnection, script: Path) -> ComboiError:
    with pytest.raises(ComboiError) as raised, user_errors(script, con, {}):
        run_script(con, script, {}, into="staged")
        con.execute("FROM staged").fetchall()
    return raised.value


def test_a_file_that_cannot_be_read_is_the_lake_s_fault_and_may_be_tried_again(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    script = write(tmp_path, "a.sql", f"FROM '{tmp_path}/gone.parquet'")
    with pytest.raises(LakeUnavailable, match=r"gone\.parquet") as raised:
        result(con, script)
    assert raised.value.transient
