"""Assets in Python: whatever `materialize` gives, errors, and Bruin's environment around it."""

from __future__ import annotations

import logging
import os
import sys
import threading
from datetime import date
from pathlib import Path

import pytest

from comboi_core.duckdb.engine import open_duckdb
from tests.bruin.run.running import TABLE, context, failure, python, result, write


def test_rows_of_a_generator_come_through_with_keys_that_appear_late(con, folder):
    file = python(
        folder,
        """
        import pyarrow as pa
        def materialize(**options):
            yield {"day": "2026-01-01", "rate": None}
            yield [{"day": "2026-01-02", "rate": 1}, {"day": None, "rate": 2.5, "note": "late"}]
            yield []
            yield pa.table({"day": ["2026-01-03"], "extra": [1]})
        """,
        header=TABLE + "\ncolumns: [{name: day, type: date}, {name: note, type: string}]",
    )

    assert result(con, file, context(folder)) == [
        (date(2026, 1, 1), None, None, None),
        (date(2026, 1, 2), 1.0, None, None),
        (None, 2.5, "late", None),
        (date(2026, 1, 3), None, None, 1),
    ]


@pytest.mark.parametrize(
    "body",
    [
        "import pandas as pd\ndef materialize():\n    return pd.DataFrame({'a': [1, 2]})",
        "import polars as pl\ndef materialize():\n    return pl.DataFrame({'a': [1, 2]})",
        "import pyarrow as pa\ndef materialize():\n    return pa.table({'a': [1, 2]})",
        "import pyarrow as pa\ndef materialize():\n    return pa.table({'a': [1, 2]}).to_reader()",
        "import pyarrow as pa\ndef materialize():\n    yield from pa.table({'a': [1, 2]}).to_batches()",
        "def materialize():\n    return [{'a': 1}, {'a': 2}]",
        "def materialize():\n    return iter([{'a': 1}, {'a': 2}])",
        "from bruin import query\ndef materialize():\n    return query('FROM bronze.orders SELECT id a LIMIT 3')[1:]",
        "def transform(con, inputs):\n    return f\"SELECT id + 1 AS a FROM {inputs['bronze.orders']} WHERE id < 2\"",
    ],
)
def test_whatever_materialize_gives_is_read(con, folder, body):
    assert sorted(result(con, python(folder, body), context(folder))) == [(1,), (2,)]


@pytest.mark.parametrize("given", ["None", "[]", "iter([])", "iter([{}])", "__import__('pandas').DataFrame([])"])
def test_nothing_is_no_rows_of_the_columns_that_the_header_lists(con, folder, given, caplog):
    header = TABLE + "\ncolumns: [{name: id, type: integer}, {name: rate, type: 'decimal(18,4)'}]"
    file = python(folder, f"def materialize():\n    return {given}", header=header)

    with caplog.at_level(logging.WARNING, logger="comboi.assets"):
        assert result(con, file, context(folder)) == []
    assert [kind for _, kind, *_ in con.execute("DESCRIBE result").fetchall()] == ["BIGINT", "DECIMAL(18,4)"]
    assert ("materialize gave None" in caplog.text) == (given == "None")


@pytest.mark.parametrize(
    ("body", "line", "says"),
    [
        ("def materialize():\n    return None", 4, "list columns: with their types"),
        ("def materialize():\n    return 'SELECT 1'", 4, "returned a builtins.str"),
        ("def materialize():\n    yield 1", 4, "returned a builtins.int"),
        ("def materialize():\n    return [[1]]", 4, "a row is a dict, not int"),
        ("def materialize():\n    return [{'a': 1}, {'a': 'x'}]", 4, "the column 'a'"),
        ("def materialize():\n    yield {'a': 1}\n    yield []\n    yield {'a': 'x'}", 4, "later rows do not fit"),
        ("def materialize():\n    yield [{'a': 2 ** 60 + 1}]\n    yield [{'a': 0.5}]", 4, "which a float would round"),
        ("def materialize():\n    yield [{'a': 0.5}]\n    yield [{'a': 2 ** 60 + 1}]", 4, "which a float would round"),
        ("def materialize():\n    return [{1: 1}]", 4, "not 1"),
        ("def materialize():\n    return [{'a': 1, 'A': 2}]", 4, "upper and lower case"),
        ("def materialize():\n    return [{'a': 2 ** 70}]", 4, "the column 'a'"),
        ("def materialize():\n\n    return 1 / 0", 6, "ZeroDivisionError"),
        ("def materialize():\n    yield {'a': 1}\n    raise KeyError('k')", 6, "KeyError: 'k'"),
        ("from bruin import query\n\ndef materialize():\n    return query('SELECT nope')", 7, "nope"),
        ("from bruin import get_connection\nget_connection('pg')\ndef materialize():\n    pass", 5, "depends"),
        ("from bruin import context\ndef materialize():\n    return context.stat_date", 6, "it has start_date"),
        ("def materialise():\n    pass", 1, "defines no function materialize()"),
        ("def materialize(con):\n    pass", 4, "takes other arguments"),
        ("def materialize():\n    return (", 5, "SyntaxError"),
    ],
)
def test_errors_of_python_assets_name_file_and_line(con, folder, body, line, says):
    file = python(folder, body)

    message = failure(con, file, context(folder)).message

    assert message.startswith(f"{file}:{line}: ") and says in message


def test_a_text_that_is_no_date_is_an_error_where_the_header_says_date(con, folder):
    header = TABLE + "\ncolumns: [{name: day, type: date}]"
    file = python(folder, "def materialize():\n    return [{'day': 'yesterday'}]", header=header)

    assert "yesterday" in failure(con, file, context(folder)).message


def test_bruins_environment_is_there_while_it_runs_and_gone_after(con, folder, monkeypatch):
    monkeypatch.setenv("BRUIN_RUN_ID", "before")
    write(folder, "pipeline.yml", "variables: {region: {type: string, default: eu}}")
    file = python(
        folder,
        """
        import os
        from bruin import context
        def materialize():
            yield {
                "start": os.environ["BRUIN_START_TIMESTAMP"], "end": os.environ["BRUIN_END_DATE"],
                "of": context.asset_name, "day": context.start_date, "run": context.run_id,
                "full": context.is_full_refresh, "who": context.vars,
            }
        """,
        header="materialization: {type: table, strategy: append}",
    )

    (row,) = result(con, file, context(folder))

    assert row == (
        "2026-11-22T00:00:00.000000Z", "2026-11-22", "silver.fx", date(2026, 11, 22), "r1", False, {"region": "eu"},
    )  # fmt: skip
    assert os.environ["BRUIN_RUN_ID"] == "before" and "BRUIN_ASSET" not in os.environ and "bruin" not in sys.modules


def test_a_failure_leaves_nothing_of_bruin_behind(con, folder):
    file = python(folder, "import bruin\ndef materialize():\n    yield {'a': 1}\n    raise ValueError('no')")

    failure(con, file, context(folder))

    assert "BRUIN_ASSET" not in os.environ and "bruin" not in sys.modules


def test_assets_side_by_side_never_see_each_others_environment(folder):
    body = """
        import os, time
        def materialize():
            for _ in range(20):
                time.sleep(0.002)
                yield {"of": os.environ["BRUIN_ASSET"]}
        """
    files = [python(folder, body, name=f"silver/a{number}.py") for number in range(3)]
    found: dict[str, set] = {}

    def build(file: Path) -> None:
        with open_duckdb(memory_limit="128MB", threads=1) as own:
            found[file.stem] = set(result(own, file, context(folder), {}))

    threads = [threading.Thread(target=build, args=(file,)) for file in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == {f"a{number}": {(f"silver.a{number}",)} for number in range(3)}
