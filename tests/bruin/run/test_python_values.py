"""The rows of Python assets, and results of scripts, on values that Arrow and DuckDB would change in silence."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from tests.bruin.run.running import TABLE, context, failure, python, result

pytestmark = pytest.mark.few(8)

IMPORTS = """
from datetime import *
from decimal import Decimal
import pandas as pd, polars as pl, pyarrow as pa
P = timezone(timedelta(hours=2))
"""
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def rows(folder: Path, *values: str, kind: str = "", late: bool = False) -> Path:
    header = TABLE + (f"\ncolumns: [{{name: a, type: '{kind}'}}]" if kind else "")
    between = "    yield []\n" if late else ""
    body = between.join(f"    yield {{'a': {value}}}\n" for value in values)
    return python(folder, f"{IMPORTS}def materialize():\n{body}", header=header)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(
    "values",
    [
        ("date(2026, 1, 1)", "datetime(2026, 1, 1, 12)"),
        ("datetime(2026, 1, 1, 12)", "date(2026, 1, 1)"),
        ("datetime(2026, 1, 1)", "datetime(2026, 1, 1, tzinfo=P)"),
        ("datetime(2026, 1, 1, tzinfo=P)", "datetime(2026, 1, 1)"),
        ("time(1, 2, tzinfo=P)",),
        ("1", "True"),
        ("1.5", "True"),
        ("'a'", "b'b'"),
        ("b'a'", "'b'"),
        ("'2026-01-01'", "date(2026, 1, 1)"),
        ("1", "'x'"),
        ("1.5", "Decimal('1.1')"),
        ("Decimal('1.1')", "1.5"),
        ("Decimal('NaN')",),
        ("Decimal('Infinity')",),
        ("Decimal(10) ** 37", "Decimal('0.01')"),
        ("2 ** 64",),
        ("2 ** 53 + 1", "0.5"),
        ("[date(2026, 1, 1)]", "[datetime(2026, 1, 1, 12)]"),
        ("{'x': date(2026, 1, 1)}", "{'x': datetime(2026, 1, 1, 12)}"),
        ("{'x': 1}", "[1]"),
        ("{}",),
        ("object()",),
        ("timedelta(days=1)", "time(1)"),
        ("pd.Timestamp('2026-01-01 00:00:00.123456789', tz='UTC')",),
    ],
)
def test_what_no_type_holds_together_is_an_error_that_names_the_column(con, folder, values, late):
    message = failure(con, rows(folder, *values, late=late), context(folder)).message
    assert "materialize returned rows that are not a table: " in message and "'a'" in message or "Field a" in message


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (("1", "2.5"), [1.0, 2.5]),
        (("2", "Decimal('1.10')"), [Decimal("2.00"), Decimal("1.10")]),
        (
            ("datetime(2026, 1, 1, 2, tzinfo=P)", "datetime(2026, 1, 1, tzinfo=timezone.utc)"),
            [datetime(2026, 1, 1, tzinfo=UTC)] * 2,
        ),
        (("None", "datetime(1, 1, 1)"), [None, datetime(1, 1, 1)]),
        (("{'x': 1}", "{'y': 'b'}"), [{"x": 1, "y": None}, {"x": None, "y": "b"}]),
        (("12.345",), [12.345]),
    ],
)
@pytest.mark.parametrize("late", [False, True])
def test_values_that_fit_together_come_through(con, folder, values, found, late):
    assert [row[0] for row in result(con, rows(folder, *values, late=late), context(folder))] == found


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("timestamp", "2024-10-27T02:30:00+02:00"),
        ("date", "2024-10-27 10:00:00"),
        ("decimal(10,2)", "12.345"),
        ("integer", "007"),
        ("integer", "2.5"),
        ("time", "10:00:00+02"),
        ("timestamptz", "2024-10-27 10:00:00"),
    ],
)
def test_a_text_that_the_headers_type_would_change_is_an_error(con, folder, kind, text):
    message = failure(con, rows(folder, "None", repr(text), kind=kind), context(folder)).message
    assert f"materialize returned {text!r} for the column a, which is not a " in message


def test_texts_take_the_headers_type_exactly(con, folder):
    file = rows(folder, "'2024-10-27T02:30:00+02:00'", kind="timestamptz")
    assert result(con, file, context(folder)) == [(datetime(2024, 10, 27, 0, 30, tzinfo=UTC),)]


RESULTS = {
    "decimal of 40 digits": "pa.table({'a': pa.array([Decimal(10) ** 38], pa.decimal256(41, 0))})",
    "nanoseconds with a zone": "pa.table({'a': pa.array([1], pa.timestamp('ns', 'UTC'))})",
    "duration of nanoseconds": "pa.table({'a': pa.array([1], pa.duration('ns'))})",
    "date64 with a time": "pa.table({'a': pa.array([1], pa.int64()).view(pa.date64())})",
    "nested nanoseconds": "pa.table({'a': pa.array([[1]], pa.list_(pa.timestamp('ns', 'UTC')))})",
    "struct without fields": "pa.table({'a': pa.array([{}], pa.struct([]))})",
    "month, day, nanosecond": "pa.table({'a': pa.array([(1, 2, 3)], pa.month_day_nano_interval())})",
    "batch": "pa.record_batch({'a': pa.array([1], pa.duration('ns'))})",
    "pandas: mixed": "pd.DataFrame({'a': pd.Series([1] * 5000 + ['x'], dtype=object)})",
    "pandas: dates": "pd.DataFrame({'a': pd.Series([date(2026, 1, 1), datetime(2026, 1, 1, 12)], dtype=object)})",
    "pandas: large": "pd.DataFrame({'a': pd.Series([2 ** 70], dtype=object)})",
    "pandas: nanoseconds": "pd.DataFrame({'a': pd.to_datetime(['2026-01-01 00:00:00.123456789'], utc=True)})",
    "pandas: timedelta": "pd.DataFrame({'a': pd.Series([pd.Timedelta(1, 'ns')])})",
    "polars: duration": "pl.DataFrame({'a': pl.Series([1], dtype=pl.Duration('ns'))})",
    "polars: nanoseconds": "pl.DataFrame({'a': pl.Series([1], dtype=pl.Datetime('ns', 'UTC'))})",
}


@pytest.mark.parametrize("form", ["materialize()", "transform(con, inputs)"])
@pytest.mark.parametrize("given", RESULTS.values(), ids=RESULTS)
def test_a_table_that_duckdb_would_change_is_an_error_that_names_the_column(con, folder, given, form):
    message = failure(con, python(folder, f"{IMPORTS}def {form}:\n    return {given}"), context(folder)).message
    name = form.partition("(")[0]
    assert f"{name} returned values that DuckDB would change: the column 'a'" in message or "column a" in message


def test_a_stream_that_duckdb_would_change_is_an_error(con, folder):
    given = "pa.table({'a': pa.array([1], pa.duration('ns'))}).to_reader()"
    message = failure(con, python(folder, f"{IMPORTS}def materialize():\n    return {given}"), context(folder)).message
    assert "'a' (duration[ns]) cannot be stored exactly" in message


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("pa.table({'a': pa.array([1000], pa.timestamp('ns', 'UTC'))})", "1970-01-01 00:00:00.000001+00"),
        ("pa.table({'a': pa.array([1000], pa.timestamp('ns', 'UTC'))}).to_reader()", "1970-01-01 00:00:00.000001+00"),
        ("pa.table({'a': pa.array([1], pa.timestamp('ns'))})", "1970-01-01 00:00:00.000000001"),
        ("pa.table({'a': pa.array([Decimal('1.5')], pa.decimal256(50, 2))})", "1.50"),
        ("pa.table({'a': pa.array([2 ** 64 - 1], pa.uint64())})", str(2**64 - 1)),
        ("pd.DataFrame({'a': pd.Series([None, Decimal('1.5')], dtype=object)}).dropna()", "1.5"),
        ("pd.DataFrame({'a': [1.5]}, index=[7])", "1.5"),
        ("pl.DataFrame({'a': [Decimal('1.5')]})", "1.5"),
    ],
)
def test_tables_that_fit_come_through(con, folder, given, found):
    file = python(folder, f"{IMPORTS}def materialize():\n    return {given}")
    result(con, file, context(folder))
    assert con.execute("SELECT a::VARCHAR FROM result").fetchall()[0] in [(found,), (found + "0",)] or (
        con.execute("SELECT a::DOUBLE FROM result").fetchall() == [(float(found),)]
    )


@pytest.mark.parametrize("value", ["{'x': 1, 'X': 2}", "[{'x': 1, 'X': 2}]", "{'in': {'x': 1, 'X': 2}}"])
def test_a_struct_whose_fields_differ_in_case_only_is_refused_by_its_column(con, folder, value):
    said = failure(con, rows(folder, value), context(folder)).message
    assert "the column 'a' has type" in said and "it has the field 'X' in upper and lower case" in said
