"""Transformations in Python: whatever they return, and errors that name the user's line."""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb
import pytest

from comboi_core.domain.errors import SourceUnreachable
from comboi_core.transforms.scripts import (
    run_script,
    user_errors,
    validate_script,
)
from tests.transforms.scripts.running import INPUTS, failure, result, write


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
