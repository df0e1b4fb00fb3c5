"""Transformations as files: what they may return, and what is said when they fail."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from comboi_core.domain.errors import ComboiError, LakeUnavailable, ScriptError, SourceUnreachable
from comboi_core.transforms.engine import open_duckdb
from comboi_core.transforms.scripts import (
    find_script,
    run_script,
    user_errors,
    validate_check_script,
    validate_script,
)

INPUTS = {"orders": '"orders"', "people": '"people"'}


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with open_duckdb(memory_limit="256MB", threads=2) as connection:
        connection.execute("CREATE VIEW orders AS SELECT range AS order_id, range * 1.5 AS amount FROM range(10)")
        connection.execute('CREATE VIEW people AS SELECT 1 AS id, \'Zoë "O\'\'Neil" 🦆\' AS "full ""name"""')
        yield connection


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


def result(con: duckdb.DuckDBPyConnection, script: Path, *, into: str = "staged") -> list[tuple]:
    """Run a script the way a build does: bind it, then read it through."""
    with user_errors(script, con, INPUTS):
        run_script(con, script, INPUTS, into=into)
        return con.execute(f'FROM "{into}"').fetchall()


def failure(con: duckdb.DuckDBPyConnection, script: Path) -> ScriptError:
    with pytest.raises(ScriptError) as raised:
        result(con, script)
    return raised.value


# Finding scripts.


@pytest.mark.parametrize("file", ["clean.py", "clean.sql"])
def test_a_script_is_found_by_name(tmp_path: Path, file: str) -> None:
    path = write(tmp_path, file, "SELECT 1")
    assert find_script(tmp_path, "clean") == path


def test_a_missing_script_names_what_is_there_and_what_was_meant(tmp_path: Path) -> None:
    write(tmp_path, "orders_clean.sql", "SELECT 1")
    write(tmp_path, "notes.txt", "")
    with pytest.raises(ScriptError, match=r"did you mean 'orders_clean'.*it has orders_clean\.sql$"):
        find_script(tmp_path, "order_clean")


def test_a_name_that_means_two_files_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "a.sql", "SELECT 1")
    write(tmp_path, "a.py", "")
    with pytest.raises(ScriptError, match="both"):
        find_script(tmp_path, "a")


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match="no such folder"):
        find_script(tmp_path / "nowhere", "a")


# SQL files.


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


# Python files.


def test_python_may_return_sql(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    script = write(
        tmp_path,
        "a.py",
        """
        def transform(con, inputs):
            return f"SELECT count(*) AS n FROM {inputs['orders']};"
        """,
    )
    assert validate_script(script) == []
    assert result(con, script) == [(10,)]


def test_python_may_return_a_relation_over_its_own_variables(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    script = write(
        tmp_path,
        "a.py",
        """
        import pyarrow as pa

        def transform(con, inputs):
            extra = pa.table({"order_id": [3, 4]})
            return con.sql(f"SELECT order_id, amount FROM {inputs['orders']} JOIN extra USING (order_id) ORDER BY 1")
        """,
    )
    with user_errors(script, con, INPUTS):
        run_script(con, script, INPUTS, into='st"aged')
    assert [tuple(map(float, row)) for row in con.execute('FROM "st""aged"').fetchall()] == [(3.0, 4.5), (4.0, 6.0)]


ARROW = {
    "a table": "pa.table(data)",
    "a batch": "pa.record_batch(data)",
    "a reader": "pa.table(data).to_reader(max_chunksize=1)",
    "a stream of con": "con.sql('FROM (VALUES (1, NULL), (2, $$ü$$), (3, $$🦆$$)) AS v(n, t)').to_arrow_reader(1)",
}


@pytest.mark.parametrize("expression", ARROW.values(), ids=ARROW.keys())
def test_python_may_return_arrow_and_it_can_be_read_more_than_once(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, expression: str
) -> None:
    script = write(
        tmp_path,
        "a.py",
        f"""
        import pyarrow as pa

        def transform(con, inputs):
            data = {{"n": [1, 2, 3], "t": [None, "ü", "🦆"]}}
            return {expression}
        """,
    )
    expected = [(1, None), (2, "ü"), (3, "🦆")]
    assert sorted(result(con, script)) == expected
    assert sorted(con.execute("FROM staged").fetchall()) == expected


@pytest.mark.parametrize("package", ["pandas", "polars"])
def test_python_may_return_a_data_frame(con: duckdb.DuckDBPyConnection, tmp_path: Path, package: str) -> None:
    pytest.importorskip(package)
    script = write(
        tmp_path,
        "a.py",
        f"""
        import {package} as frames

        def transform(con, inputs):
            return frames.DataFrame({{"n": [1, 2], "t": ["ü", None]}})
        """,
    )
    assert result(con, script) == [(1, "ü"), (2, None)]
    assert con.execute("SELECT count(*) FROM staged").fetchone() == (2,)


def test_running_a_script_imports_neither_pandas_nor_polars(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    before = {"pandas", "polars"} & sys.modules.keys()
    result(con, write(tmp_path, "a.py", "def transform(con, inputs):\n    return con.table('orders')\n"))
    assert {"pandas", "polars"} & sys.modules.keys() == before


@pytest.mark.parametrize(
    ("body", "got"),
    [
        ("con.sql('SELECT 1')", "None (is a `return` missing?)"),
        ("return con.execute('SELECT 1')", "DuckDBPyConnection"),
        ("return [1, 2]", "builtins.list"),
        ("yield 1", "builtins.generator"),
    ],
)
def test_anything_else_is_refused_with_what_is_expected(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, body: str, got: str
) -> None:
    script = write(tmp_path, "a.py", f"\n\ndef transform(con, inputs):\n    {body}\n")
    message = failure(con, script).message
    assert message.startswith(f"{script}:3: transform returned ")
    assert got in message
    assert "Arrow table" in message


def test_a_relation_of_another_connection_is_refused(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    script = write(
        tmp_path, "a.py", "import duckdb\n\ndef transform(con, inputs):\n    return duckdb.sql('SELECT 1 AS a')\n"
    )
    error = failure(con, script)
    assert "another connection" in error.message
    assert "con.sql" in error.remedy


def test_an_exception_names_the_innermost_line_of_the_user_s_file(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    script = write(
        tmp_path,
        "a.py",
        """\
        import json

        def helper(text):
            return json.loads(text)

        def transform(con, inputs):
            return helper("{")
        """,
    )
    message = failure(con, script).message
    assert message.startswith(f"{script}:4: JSONDecodeError: ")
    assert "> return json.loads(text)" in message


def test_an_error_while_importing_names_its_line(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    script = write(tmp_path, "a.py", "\nimport no_such_package_at_all\n\ndef transform(con, inputs): ...\n")
    assert failure(con, script).message.startswith(f"{script}:2: ModuleNotFoundError")


def test_sys_exit_in_a_script_does_not_end_the_process(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    script = write(tmp_path, "a.py", "import sys\ndef transform(con, inputs):\n    sys.exit(3)\n")
    assert failure(con, script).message.startswith(f"{script}:3: SystemExit: 3")


def test_sql_that_python_runs_itself_is_blamed_on_the_python_line(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    script = write(
        tmp_path, "a.py", "def transform(con, inputs):\n    x = 1\n    return con.sql('SELECT nope FROM orders')\n"
    )
    message = failure(con, script).message
    assert message.startswith(f"{script}:3: Binder Error: ")
    assert "{" not in message
    assert "orders has order_id, amount" in message


def test_python_can_handle_duckdb_s_errors_as_duckdb_words_them(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    script = write(
        tmp_path,
        "a.py",
        """
        import duckdb

        def transform(con, inputs):
            try:
                con.execute("FROM nowhere")
            except duckdb.CatalogException as error:
                assert str(error).startswith("Catalog Error: Table with name nowhere"), error
            return "SELECT 1"
        """,
    )
    assert result(con, script) == [(1,)]


def test_sql_that_python_returns_is_found_again_in_its_file(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    script = write(
        tmp_path,
        "a.py",
        '''\
        QUERY = """
        SELECT order_id,
               amuont
        FROM orders
        """

        def transform(con, inputs):
            return QUERY
        ''',
    )
    message = failure(con, script).message
    assert message.startswith(f"{script}:3: Binder Error")
    assert "> amuont" in message


def test_sql_that_python_computes_is_blamed_on_transform(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    script = write(tmp_path, "a.py", "\ndef transform(con, inputs):\n    return 'SELECT ' + 'nope' + ' FROM orders'\n")
    message = failure(con, script).message
    assert message.startswith(f"{script}:2: Binder Error")
    assert "> SELECT nope FROM orders" in message


@pytest.mark.parametrize("sql", ["SELECT 1; SELECT 2", "DROP VIEW orders", "", "SELEC 1"])
def test_sql_that_python_returns_is_one_select_too(con: duckdb.DuckDBPyConnection, tmp_path: Path, sql: str) -> None:
    script = write(tmp_path, "a.py", f"def transform(con, inputs):\n    return {sql!r}\n")
    failure(con, script)
    assert con.execute("SELECT count(*) FROM orders").fetchone() == (10,)


def test_a_reader_that_breaks_midway_names_the_user_s_line(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    script = write(
        tmp_path,
        "a.py",
        """\
        import pyarrow as pa

        def batches():
            yield pa.record_batch({"a": [1]})
            raise ValueError("boom")

        def transform(con, inputs):
            return pa.RecordBatchReader.from_batches(pa.schema({"a": pa.int64()}), batches())
        """,
    )
    error = failure(con, script)
    assert error.message.startswith(f"{script}:5: ")
    assert "boom" in error.message


def test_a_python_function_that_fails_within_sql_names_its_line(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    pytest.importorskip("numpy")
    script = write(
        tmp_path,
        "a.py",
        """\
        def double(n: int) -> int:
            raise ValueError("boom")

        def transform(con, inputs):
            con.create_function("double", double)
            return "SELECT double(order_id) FROM orders"
        """,
    )
    error = failure(con, script)
    assert error.message.startswith(f"{script}:2: ")
    assert "boom" in error.message


def test_errors_of_comboi_pass_through(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    script = write(tmp_path, "a.sql", "SELECT 1")
    with pytest.raises(SourceUnreachable), user_errors(script, con, INPUTS):
        raise SourceUnreachable("away")


def test_a_mistake_of_comboi_s_own_is_not_blamed_on_the_script(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    script = write(tmp_path, "a.py", "def transform(con, inputs):\n    return 'SELECT 1'\n")
    with pytest.raises(ZeroDivisionError), user_errors(script, con, INPUTS):
        run_script(con, script, INPUTS, into="staged")
        1 / 0  # noqa: B018


def test_scripts_leave_nothing_in_the_interpreter_and_are_read_afresh(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    text = (
        "import dataclasses\n@dataclasses.dataclass\nclass Row:\n    n: 'int' = {}\n"
        "def transform(con, inputs):\n    return f'SELECT {{Row().n}} AS n'\n"
    )
    before = set(sys.modules) | {"dataclasses"}
    assert result(con, write(tmp_path, "a.py", text.format(1)), into="one") == [(1,)]
    assert result(con, write(tmp_path, "a.py", text.format(2)), into="two") == [(2,)]
    assert set(sys.modules) == before
    assert not (tmp_path / "__pycache__").exists()


def test_settings_are_as_before_after_success_and_after_failure(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    settings = "SELECT current_setting('errors_as_json'), current_setting('python_enable_replacements')"
    result(con, write(tmp_path, "a.sql", "SELECT 1"))
    assert con.execute(settings).fetchone() == (False, True)
    failure(con, write(tmp_path, "b.sql", "SELECT nope"))
    assert con.execute(settings).fetchone() == (False, True)


def test_a_script_that_closes_the_connection_is_told_so(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    script = write(tmp_path, "a.py", "def transform(con, inputs):\n    con.close()\n    return con.sql('SELECT 1')\n")
    assert failure(con, script).message.startswith(f"{script}:3: ")


# Validation without running.


@pytest.mark.parametrize(
    ("text", "line", "cause"),
    [
        ("", 1, "defines no function transform(con, inputs)"),
        ("x = 1\n\ndef transform(con\n", 3, "SyntaxError"),
        ("\ndef transform(con):\n    return 'SELECT 1'\n", 2, "takes other arguments"),
        ("def transform(con, inputs, more):\n    return 'SELECT 1'\n", 1, "takes other arguments"),
        ("def transform(con, inputs, *, more):\n    return 'SELECT 1'\n", 1, "takes other arguments"),
        ("async def transform(con, inputs):\n    return 'SELECT 1'\n", 1, "async"),
        ("def inner():\n    def transform(con, inputs): ...\n", 1, "defines no function"),
        ("x = '\0'", 1, "null bytes"),
    ],
)
def test_a_misshapen_python_script_is_named_with_its_line(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, text: str, line: int, cause: str
) -> None:
    script = write(tmp_path, "a.py", text)
    problems = validate_script(script)
    assert len(problems) == 1
    assert problems[0].startswith(f"{script}:{line}: ")
    assert cause in problems[0]
    assert failure(con, script).message == problems[0]


@pytest.mark.parametrize(
    "text",
    [
        "def transform(connection, tables):\n    return 'SELECT 1'\n",
        "def transform(*args):\n    return 'SELECT 1'\n",
        "def transform(con, inputs, limit=1):\n    return 'SELECT 1'\n",
        "transform = lambda con, inputs: 'SELECT 1'\n",
        "if True:\n    def transform(con, inputs):\n        return 'SELECT 1'\n",
    ],
)
def test_transform_may_be_defined_as_python_allows(con: duckdb.DuckDBPyConnection, tmp_path: Path, text: str) -> None:
    script = write(tmp_path, "a.py", text)
    assert validate_script(script) == []
    assert result(con, script) == [(1,)]


def test_a_transform_that_only_running_shows_to_be_misshapen(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    assert "is how it is called" in failure(con, write(tmp_path, "a.py", "transform = lambda con: 1\n")).message
    assert "defines no function" in failure(con, write(tmp_path, "b.py", "transform = 1\n")).message


def test_validation_runs_nothing(tmp_path: Path) -> None:
    script = write(tmp_path, "a.py", "raise SystemExit\ndef transform(con, inputs): ...\n")
    assert validate_script(script) == []


def test_check_scripts_are_validated_for_check(tmp_path: Path) -> None:
    good = write(tmp_path, "good.py", "def check(con, dataset_name):\n    return True, ''\n")
    bad = write(tmp_path, "bad.py", "def transform(con, inputs):\n    return ''\n")
    assert validate_check_script(good) == []
    assert validate_check_script(bad) == [f"{bad}:1: defines no function check(con, dataset_name)"]
    assert validate_check_script(tmp_path / "gone.py") == [
        f"{tmp_path}/gone.py:1: cannot be read: No such file or directory"
    ]
