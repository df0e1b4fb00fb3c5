"""Assets of Bruin run in DuckDB: templates, Python, seeds, DDL, hooks; and what is said when they fail."""

from __future__ import annotations

import logging
import os
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest

from comboi_core.config.assets.loading import load_assets
from comboi_core.domain.errors import ScriptError
from comboi_core.transforms.assets.running import (
    AssetContext,
    asset_errors,
    interval_of,
    post_hooks,
    render_checks,
    run_asset,
    validate_asset,
)
from comboi_core.transforms.engine import open_duckdb

STARTED = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
INPUTS = {"bronze.orders": '"bronze"."orders"'}
TABLE = "materialization: {type: table}"
BY_TIME = "materialization: {type: table, strategy: time_interval, incremental_key: happened, time_granularity: date}"


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with open_duckdb(memory_limit="256MB", threads=2) as connection:
        connection.execute("CREATE SCHEMA bronze")
        connection.execute(
            "CREATE VIEW bronze.orders AS SELECT range AS id, range * 1.5 AS amount,"
            " TIMESTAMP '2026-11-21 12:00:00' + to_hours(12 * range) AS happened FROM range(6)"
        )
        yield connection


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "transformations").mkdir()
    return tmp_path / "transformations"


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
    return path


def sql(folder: Path, body: str, *, header: str = TABLE, name: str = "silver/orders.sql") -> Path:
    """Write an SQL asset whose header has one line for `type`, then those given, and then the body."""
    return write(folder, name, f"/* @bruin\ntype: duckdb.sql\n{header}\n@bruin */\n{body}")


def python(folder: Path, body: str, *, header: str = TABLE, name: str = "silver/fx.py") -> Path:
    return write(folder, name, f'""" @bruin\n{header}\n@bruin """\n{textwrap.dedent(body)}')


def context(folder: Path, **changes) -> AssetContext:
    return AssetContext(**{"folder": folder, "run_id": "r1", "pipeline": "sales", "started_at": STARTED} | changes)


def result(con, file: Path, run: AssetContext, inputs=INPUTS) -> list[tuple]:
    """Run an asset the way a build does: bind it, then read it through."""
    run_asset(con, file, run, inputs, into="result")
    with asset_errors(con, file, run, inputs):
        return con.execute("FROM result").fetchall()


def failure(con, file: Path, run: AssetContext, inputs=INPUTS) -> ScriptError:
    with pytest.raises(ScriptError) as raised:
        result(con, file, run, inputs)
    return raised.value


# SQL and templates.


def test_a_query_without_jinja_reads_its_inputs_by_their_names(con, folder):
    file = sql(folder, "SELECT count(*) AS n FROM bronze.orders;\n")

    assert result(con, file, context(folder)) == [(6,)]


def test_variables_have_the_values_of_bruins_default_interval(con, folder):
    names = [
        f"{which}_{kind}" for which in ("start", "end") for kind in ("date", "date_nodash", "datetime", "timestamp")
    ]
    names += ["execution_timestamp", "pipeline", "run_id", "full_refresh", "this"]
    listed = ", ".join(f"'{{{{ {name} }}}}' AS {name}" for name in names)
    file = sql(folder, f"SELECT {listed}", header="materialization: {type: table, strategy: append}")

    assert result(con, file, context(folder)) == [
        (
            "2026-11-22", "20261122", "2026-11-22T00:00:00", "2026-11-22T00:00:00.000000Z",
            "2026-11-22", "20261122", "2026-11-22T23:59:59", "2026-11-22T23:59:59.999999Z",
            "2026-11-23T06:30:00.000000Z", "sales", "r1", "False", "silver.orders",
        )
    ]  # fmt: skip


def test_between_takes_all_of_an_interval_and_nothing_of_the_next(con, folder):
    file = sql(
        folder,
        "SELECT id FROM bronze.orders WHERE happened BETWEEN '{{ start_datetime }}' AND '{{ end_timestamp }}'",
        header=BY_TIME,
    )

    assert sorted(result(con, file, context(folder))) == [(1,), (2,)]


@pytest.mark.parametrize(
    ("condition", "end"),
    [
        ("{d} <= '{{ end_date }}'", "2026-11-22"),
        ("{d} BETWEEN '{{ start_date }}' AND '{{ end_date }}'", "2026-11-22"),
        ("{d} < '{{ end_date }}'", "2026-11-23"),
        ("{d} >= '{{ start_date }}' AND {d} < CAST('{{end_date}}' AS DATE)", "2026-11-23"),
        ("{d} < timestamp '{{- end_date -}}'", "2026-11-23"),
        ("{d} < ('{{ end_date }}'::DATE)", "2026-11-23"),
        ("'{{ end_date }}'::DATE > {d}", "2026-11-23"),
        ("'{{ end_date }}' >= {d}", "2026-11-22"),
        ("{d} <> '{{ end_date }}'", "2026-11-22"),
        ("{d} < '{{ end_date | add_days(1) }}'", "2026-11-22"),
        ("{d} < '{{ end_date }}' OR {d} = '{{ end_date }}'", "2026-11-22"),
        ("{d} < '{{ end_date }}' {% if end_date > '2026' %} {% endif %}", "2026-11-22"),
        ("{{ until('happened', end_date) }}", "2026-11-23"),
        ("{{ upto('happened', end_date) }}", "2026-11-22"),
    ],
)
def test_the_end_is_what_the_comparison_needs(folder, condition, end):
    write(folder, "pipeline.yml", "name: p")
    macros = [("until", "<"), ("upto", "<=")]
    for name, sign in macros:
        text = f"{{% macro {name}(c, end_date) %}}{{{{ c }}}} {sign} '{{{{ end_date }}}}'{{% endmacro %}}"
        write(folder, f"macros/{name}.sql", text)
    file = sql(folder, "SELECT * FROM bronze.orders WHERE " + condition.replace("{d}", "happened"), header=BY_TIME)

    variables = interval_of(file, context(folder)).variables

    assert variables["end_date"] == end
    assert variables["end_timestamp"].startswith(end)


def test_a_half_open_condition_reads_an_interval_exactly(con, folder):
    con.execute("CREATE VIEW bronze.edges AS SELECT unnest(['2026-11-22 00:00:00', '2026-11-22 23:59:59.999999',"
                " '2026-11-23 00:00:00']::TIMESTAMP[]) AS happened")  # fmt: skip
    half_open = sql(
        folder,
        "SELECT * FROM bronze.edges WHERE happened >= '{{ start_datetime }}' AND happened < '{{ end_datetime }}'",
        header=BY_TIME,
    )
    closed = sql(
        folder,
        "SELECT * FROM bronze.edges WHERE happened BETWEEN '{{ start_timestamp }}' AND '{{ end_timestamp }}'",
        header=BY_TIME,
        name="silver/closed.sql",
    )

    assert len(result(con, half_open, context(folder))) == 2
    con.execute("DROP VIEW result")
    assert len(result(con, closed, context(folder))) == 2


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("start_date | add_days(3)", "2026-11-25"),
        ("start_date | date_add(-22)", "2026-10-31"),
        ("start_date | add_months(3)", "2027-02-22"),
        ("'2026-01-31' | add_months(1)", "2026-03-03"),
        ("'2024-02-29' | add_years(1)", "2025-03-01"),
        ("end_timestamp | add_milliseconds(1)", "2026-11-23T00:00:00.000999Z"),
        ("start_datetime | add_hours('30') | add_minutes(-1) | add_seconds(5)", "2026-11-23T05:59:05"),
        ("execution_timestamp | truncate_hour", "2026-11-23T06:00:00.000000Z"),
        ("execution_datetime | truncate_day", "2026-11-23T00:00:00"),
        ("start_date | truncate_month", "2026-11-01"),
        ("start_date_nodash | truncate_year", "20260101"),
        ("end_timestamp | date_format('%d/%m/%Y %H')", "22/11/2026 23"),
        ("'2026-11-22T01:00:00+02:00' | add_hours(1)", "2026-11-22T02:00:00+0200"),
        ("var.region | upper", "EU"),
        ("var.limits.low + 1", "4"),
    ],
)
def test_filters_and_variables(con, folder, expression, value):
    write(folder, "pipeline.yml", "variables: {region: {default: eu}, limits: {type: object, default: {low: 3}}}")
    file = sql(
        folder, f"SELECT '{{{{ {expression} }}}}' AS v", header="materialization: {type: table, strategy: append}"
    )

    assert result(con, file, context(folder)) == [(value,)]


def test_macros_of_the_pipeline_are_there_in_the_order_of_their_files(con, folder):
    write(folder, "macros/a.sql", "{% macro total(column) -%}\n  sum({{ column }})\n{%- endmacro -%}\n")
    write(folder, "macros/b.sql", "{% macro both(column) %}{{ total(column) }} + {{ total(column) }}{% endmacro %}")
    write(folder, "pipeline.yml", "name: p\n")
    file = sql(folder, "SELECT {{ both('id') }} AS n FROM bronze.orders")

    assert result(con, file, context(folder)) == [(30,)]


def test_variables_of_the_run_take_the_place_of_defaults_and_never_change_them(con, folder):
    write(folder, "pipeline.yml", "variables: {names: {default: [a]}}")
    file = sql(folder, "{% set _ = var.names.append('x') %}SELECT '{{ var.names | join }}' AS v")

    assert result(con, file, context(folder)) == [("ax",)]
    con.execute("DROP VIEW result")
    assert result(con, file, context(folder, variables={"names": ["b"]})) == [("bx",)]
    con.execute("DROP VIEW result")
    assert result(con, file, context(folder)) == [("ax",)]


@pytest.mark.parametrize(
    ("body", "line", "says"),
    [
        ("SELECT 1,\n  {{ nothing }}", 6, "'nothing' is not defined"),
        ("SELECT '{{ strat_date }}'", 5, "did you mean 'start_date'?"),
        ("SELECT 1,\n\n'{{ var.regoin }}'", 7, "there is no variable 'regoin' (did you mean 'region'?)"),
        ("SELECT {% if true %} 1\n", 5, "endif"),
        ("SELECT 1\n{% endfor %}", 6, "endfor"),
        ("SELECT\n{{ 'x' | add_days(1) }}", 6, "'x' is no date"),
        ("SELECT\n{{ start_date | add_days('a') }}", 6, "add_days takes a whole number, not 'a'"),
        ("SELECT {{ start_date | no_such }}", 5, "no_such"),
        ("SELECT {{ ''.__class__.__mro__ }}", 5, "unsafe"),
        ("SELECT {{ 1 / 0 }}", 5, "ZeroDivisionError"),
        ("{% macro m() %}{{ m() }}{% endmacro %}\nSELECT {{ m() }}", 1, "without end"),
    ],
)
def test_errors_of_templates_name_the_files_line(con, folder, body, line, says):
    write(folder, "pipeline.yml", "variables: {region: {default: eu}}")
    write(folder, "macros/m.sql", "{% macro unused() %}\n1\n{% endmacro %}\n")
    file = sql(folder, body, header="materialization: {type: table, strategy: append}")

    message = failure(con, file, context(folder)).message

    assert message.startswith(f"{file}:{line}: ") and says in message


def test_errors_inside_a_macro_name_the_macros_file(con, folder):
    write(folder, "pipeline.yml", "name: p")
    macro = write(folder, "macros/m.sql", "{% macro broken() %}\n  {{ nowhere }}\n{% endmacro %}\n")
    file = sql(folder, "SELECT\n{{ broken() }}")

    assert failure(con, file, context(folder)).message.startswith(f"{macro}:2: 'nowhere' is not defined")


JINJA = "{% for column in ['id', 'amount'] %}\n  {{ column }},\n{% endfor %}\n"


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("SELECT id,\n  no_such\nFROM bronze.orders", 6),
        (f"SELECT\n{JINJA}  no_such\nFROM bronze.orders", 9),
        (f"{{%- if true -%}}\n\n\nSELECT\n{JINJA}  no_such {{%- endif %}}\nFROM bronze.orders", 12),
        (f"SELECT\n{JINJA}  'Zoë 🦆' AS n, no_such\nFROM bronze.orders", 9),
        (f"SELECT\n{JINJA}  CAST('x' || id AS INTEGER) AS late\nFROM bronze.orders", 9),
        ("SELECT id,\n  CAST('x' || id AS INTEGER) AS late\nFROM bronze.orders", 6),
        ("SELECT\n1 AS a\n{{ '' }}\n, SELEC 2", 8),
        ("SELECT 1 AS a;\n\nDELETE FROM x {{ '' }}", 7),
        ("{# nothing #}\nINSERT INTO x\nSELECT 1", 6),
        ("SELECT $one {{ '' }}", 5),
    ],
)
def test_errors_of_duckdb_name_the_line_of_the_template(con, folder, body, line):
    file = sql(folder, body)

    error = failure(con, file, context(folder))

    assert error.message.startswith(f"{file}:{line}: ")


def test_a_missing_column_shows_what_the_inputs_have(con, folder):
    file = sql(folder, "{{ '' }}SELECT no_such FROM bronze.orders")

    assert "bronze.orders has id, amount, happened" in failure(con, file, context(folder)).message


def test_line_ends_of_windows_and_a_byte_order_mark_change_no_line(con, folder):
    file = sql(folder, "SELECT id,\n  {{ 'no_such' }}\nFROM bronze.orders")
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))

    assert failure(con, file, context(folder)).message.startswith(f"{file}:6: ")


def test_a_pivot_over_values_that_have_to_be_looked_up_is_kept_as_a_table(con, folder):
    file = sql(
        folder, "PIVOT (SELECT id % {{ 2 }} AS k, amount FROM bronze.orders) ON k USING count(*) GROUP BY amount"
    )

    assert len(result(con, file, context(folder))) == 6


# Intervals.


@pytest.mark.parametrize(
    ("modifiers", "start", "end"),
    [
        ("{start: -2h}", "2026-11-21T22:00", "2026-11-23T00:00"),
        ("{start: -1M, end: 1d}", "2026-10-22T00:00", "2026-11-24T00:00"),
        ("{end: 90m}", "2026-11-22T00:00", "2026-11-23T01:30"),
        ("{start: 0, end: 30 s}", "2026-11-22T00:00", "2026-11-23T00:00:30"),
        (
            "{start: \"{% if start_date | date_format('%d') == '22' %}-20d{% else %}0{% endif %}\"}",
            "2026-11-02T00:00",
            "2026-11-23T00:00",
        ),
    ],
)  # fmt: skip
def test_interval_modifiers_move_start_and_end(folder, modifiers, start, end):
    file = sql(folder, "SELECT 1", header=f"{TABLE}\ninterval_modifiers: {modifiers}")

    moment = interval_of(file, context(folder))

    assert (moment.start, moment.end) == tuple(
        datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (start, end)
    )


@pytest.mark.parametrize(
    ("modifiers", "says"),
    [
        ("{start: 1h30m}", "a number and one unit"),
        ("{start: soon}", "a number and one unit"),
        ("{start: 3d}", "would start at"),
        ("{start: -999999999M}", "leaves the calendar"),
    ],
)
def test_interval_modifiers_that_make_no_sense_are_refused_by_line(folder, modifiers, says):
    file = sql(folder, "SELECT 1", header=f"{TABLE}\ninterval_modifiers: {modifiers}")

    with pytest.raises(ScriptError, match=says) as raised:
        interval_of(file, context(folder))
    assert raised.value.message.startswith(f"{file}:4: ")


WINDOWED = "SELECT * FROM bronze.orders WHERE happened >= '{{ start_date }}'"


def test_a_full_refresh_of_one_interval_is_refused_since_it_would_lose_the_rest(con, folder):
    file = sql(folder, WINDOWED, header=BY_TIME)

    error = failure(con, file, context(folder, full_refresh=True))

    assert "would lose the rest" in error.message and "start_date:" in error.remedy


@pytest.mark.parametrize("where", ["asset", "pipeline"])
def test_a_full_refresh_reads_from_the_start_date(con, folder, where):
    given = "start_date: 2026-11-23"
    write(folder, "pipeline.yml", given if where == "pipeline" else "start_date: 2020-01-01")
    file = sql(folder, WINDOWED, header=BY_TIME + (f"\n{given}" if where == "asset" else ""))
    run = context(folder, full_refresh=True, interval_end=datetime(2026, 11, 25, tzinfo=UTC))

    assert len(result(con, file, run)) == 3


def test_an_asset_that_restricts_full_refreshes_does_not_see_one(con, folder):
    file = sql(folder, "SELECT '{{ full_refresh }}'", header=f"{TABLE}\nrefresh_restricted: true")

    assert result(con, file, context(folder, full_refresh=True)) == [("False",)]


# Python.


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
        ("def materialize():\n    return 'SELECT 1'", 4, "gave a builtins.str"),
        ("def materialize():\n    yield 1", 4, "gave a builtins.int"),
        ("def materialize():\n    return [[1]]", 4, "a row is a dict, not int"),
        ("def materialize():\n    return [{'a': 1}, {'a': 'x'}]", 4, "the column 'a'"),
        ("def materialize():\n    yield {'a': 1}\n    yield []\n    yield {'a': 'x'}", 4, "later rows do not fit"),
        ("def materialize():\n    yield [{'a': 2 ** 60 + 1}]\n    yield [{'a': 0.5}]", 4, "which a float would round"),
        ("def materialize():\n    yield [{'a': 0.5}]\n    yield [{'a': 2 ** 60 + 1}]", 4, "which a float would round"),
        ("def materialize():\n    return [{1: 1}]", 4, "not 1"),
        ("def materialize():\n    return [{'a': 1, 'A': 2}]", 4, "several spellings"),
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


# Seeds and DDL.


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


# Hooks and checks.


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
        ("INSTALL httpfs", "comboi ships the extensions"),
        ("LOAD httpfs", "comboi ships the extensions"),
        ("ATTACH 'other.db'", "as a source"),
        ("COPY (SELECT 1) TO 'out.csv'", "the only thing that a build writes"),
        ("SELECT 1; EXPORT DATABASE 'x'", "the only thing that a build writes"),
        ("BEGIN", "one transaction"),
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


# What `comboi validate` finds.


@pytest.mark.parametrize(
    ("make", "line", "says"),
    [
        (lambda folder: sql(folder, "SELECT {{ nothing }}"), 5, "'nothing' is not defined"),
        (lambda folder: sql(folder, "DROP TABLE x"), 5, "expected one SELECT"),
        (lambda folder: sql(folder, "SELECT 1", header=TABLE + '\nhooks: {post: [{query: "LOAD x"}]}'), 4, "LOAD"),
        (lambda folder: sql(folder, "SELECT 1", header=TABLE + "\ncolumns: [{name: a, type: 'a; b'}]"), 4, "no type"),
        (
            lambda folder: sql(folder, "SELECT 1", header=TABLE + '\ncustom_checks: [{name: a, query: "{{ x }}"}]'),
            4,
            "'x'",
        ),
        (lambda folder: python(folder, "def main(): pass"), 1, "no function materialize()"),
    ],
)
def test_validation_runs_nothing_and_names_the_line(con, folder, make: Callable[[Path], Path], line, says):
    file = make(folder)

    (problem,) = validate_asset(con, file, context(folder))

    assert problem.startswith(f"{file}:{line}: ") and says in problem


def test_validation_does_not_need_the_inputs(con, folder):
    assert validate_asset(con, sql(folder, "SELECT * FROM silver.not_there"), context(folder)) == []


def test_a_file_that_lost_its_header_is_said_to(con, folder):
    file = sql(folder, "SELECT 1")
    file.write_text("SELECT 1\n")

    assert "no header of Bruin any more" in validate_asset(con, file, context(folder))[0]
