"""Seeds on hostile files: what the file says, or an error with its line; nothing is sniffed."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path

import pytest

from tests.bruin.run.running import context, failure, result, write

HEADER = "type: duckdb.seed\nparameters: {path: s.csv}\n"


def seed(folder: Path, data: bytes | str, columns: str = "") -> Path:
    (folder / "ref").mkdir()
    (folder / "ref/s.csv").write_bytes(data if isinstance(data, bytes) else data.encode())
    return write(folder, "ref/s.asset.yml", HEADER + (f"columns: [{columns}]\n" if columns else ""))


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        ("a,b\n1,01/02/2026\n007,NaN\n", [("1", "01/02/2026"), ("007", "NaN")]),
        ("\ufeffa,b\r\n1,2\r\n", [("1", "2")]),
        ("a,b\n1,2\r\n3,4\r5,6", [("1", "2"), ("3", "4"), ("5", "6")]),
        ('a,b\n1,"x\r\ny,""z"""\n', [("1", 'x\r\ny,"z"')]),
        ('a,b\n,""\n"",\n', [(None, ""), ("", None)]),
        ("a\n1\n\n2\n\n", [("1",), (None,), ("2",)]),
        ("a,b\n1,2\n\n3,4\n\n", [("1", "2"), ("3", "4")]),
        ("a,b\n 1 ,#x'y\n", [(" 1 ", "#x'y")]),
        ("a,b", []),
        ("a,b\n" + "1,2\n" * 30000 + "x,y\n", [("1", "2")] * 30000 + [("x", "y")]),
        (f"a,b\n1,{'x' * 3_000_000}\n", [("1", "x" * 3_000_000)]),
    ],
)
def test_without_types_every_value_is_the_text_of_the_file(con, folder, data, rows):
    assert sorted(result(con, seed(folder, data), context(folder), {}), key=str) == sorted(rows, key=str)


@pytest.mark.parametrize(
    ("data", "line", "says"),
    [
        ("a,b\n1,2\n3,4,5\n", 3, "the record has 3 fields, the header has 2"),
        ('a,b\n1,"x\ny"\n3\n', 4, "the record has 1 fields, the header has 2"),
        ("id;name;note\n1;2;3\n", 1, "fields of a seed by commas"),
        ("a,a\n1,2\n", 1, "several columns are called a"),
        ("a,A\n1,2\n", 1, "several columns are called a"),
        ("a,\n1,2\n", 1, "a column has no name"),
        ("", 1, "is empty"),
        ('a,b\n1,"x\n', 2, "a field that begins with a quote"),
        ('a,b\n1,"x"y\n', 2, "a field that begins with a quote"),
        (b"a,b\n1,2\n3,\xe9\n", 3, "is not UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), 1, "is not UTF-8"),
    ],
)
def test_a_file_that_is_no_such_csv_is_an_error_with_its_line(con, folder, data, line, says):
    message = failure(con, seed(folder, data), context(folder), {}).message
    assert message.startswith(f"{folder}/ref/s.csv:{line}: ") and says in message


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("integer", "-5", -5),
        ("decimal(10,2)", "12.3400", Decimal("12.34")),
        ("double", "1e3", 1000.0),
        ("date", "2026-02-01", date(2026, 2, 1)),
        ("time", "12:30", time(12, 30)),
        ("timestamp", "2026-02-01T12:30:00.5", datetime(2026, 2, 1, 12, 30, 0, 500000)),
        ("timestamp", "2026-02-01", datetime(2026, 2, 1)),
        ("timestamptz", "2024-10-27T02:30:00+02:00", datetime(2024, 10, 27, 0, 30, tzinfo=UTC)),
        ("boolean", "True", True),
        ("json", '{"a": 1}', '{"a": 1}'),
        ("uuid", "", None),
        ("integer[]", "[1, 2]", [1, 2]),
        ("string", "007", "007"),
    ],
)
def test_a_declared_type_takes_texts_that_say_the_same(con, folder, kind, text, value):
    quoted = '"' + text.replace('"', '""') + '"' if text else ""
    file = seed(folder, f"id,a\n1,{quoted}\n", f"{{name: A, type: '{kind}'}}")
    assert result(con, file, context(folder), {}) == [("1", value)]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("integer", "007"),
        ("integer", "1.5"),
        ("tinyint", "300"),
        ("bigint", "99999999999999999999"),
        ("decimal(10,2)", "12.345"),
        ("decimal(4,2)", "123.45"),
        ("double", "1 000"),
        ("date", "01/02/2026"),
        ("date", "2026-02-01 10:00:00"),
        ("date", "2026-02-30"),
        ("time", "12:30:00.1234567"),
        ("time", "12:30:00+02"),
        ("timestamp", "2024-10-27T02:30:00+02:00"),
        ("timestamp", "2024-10-27T02:30:00Z"),
        ("timestamp", "2024-10-27T02:30:00.1234567"),
        ("timestamptz", "2024-10-27T02:30:00"),
        ("integer[]", "[1.5]"),
        ("boolean", "maybe"),
        ("json", "{"),
        ("uuid", "x"),
    ],
)
def test_a_text_that_a_declared_type_would_change_is_an_error_with_its_line(con, folder, kind, text):
    file = seed(folder, f'id,a\n1,\n2,"{text}"\n', f"{{name: a, type: '{kind}'}}")
    message = failure(con, file, context(folder), {}).message
    assert message.startswith(f"{folder}/ref/s.csv:3: the column a contains {text!r}, which is not a ")


def test_a_column_that_the_file_lacks_is_an_error_where_it_is_declared(con, folder):
    message = failure(con, seed(folder, "name\nx\n", "{name: nmae, type: string}"), context(folder), {}).message
    assert "s.asset.yml:3: s.csv has no column 'nmae' (did you mean 'name'?)" in message
