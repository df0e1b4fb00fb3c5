"""SQLite as a source: any column may hold any value there, and nothing of it is lost or bent in silence."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from comboi_core.domain.errors import (
    SourceObjectMissing,
    SourceQueryFailed,
    SourceUnreachable,
    UnsupportedValue,
)
from tests.support.landing import Landing, lake_in

pytestmark = pytest.mark.few(2)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "it's a [shop].db"


@pytest.fixture
def run(path: Path) -> Callable[..., None]:
    def execute(script: str, *values: Any) -> None:
        with sqlite3.connect(path) as db:
            db.execute(script, values) if values else db.executescript(script)
        db.close()

    return execute


@pytest.fixture
def table(con: Any, tmp_path: Path, path: Path) -> Callable[..., Landing]:
    def make(**table: Any) -> Landing:
        given = table if "query" in table else {"table": "orders"} | table
        return Landing(con, lake_in(tmp_path), "sqlite", {"path": str(path)}, given)

    return make


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another process that holds the database: locks within one do not count."""
    program = "import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute('begin exclusive'); print(flush=True)"
    holder = subprocess.Popen(
        [sys.executable, "-c", f"{program}; sys.stdin.read()", str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdin and holder.stdout
    holder.stdout.readline()
    yield
    holder.stdin.close()
    assert holder.wait(300) == 0


@pytest.mark.parametrize(
    ("declared", "value", "kind", "landed"),
    [
        ("INTEGER", 9223372036854775807, "BIGINT", 9223372036854775807),
        ("int", -9223372036854775808, "BIGINT", -9223372036854775808),
        ("REAL", 0.30000000000000004, "DOUBLE", 0.30000000000000004),
        ("REAL", 1e300, "DOUBLE", 1e300),
        ("REAL", float("inf"), "DOUBLE", float("inf")),
        ("DOUBLE PRECISION", 5, "DOUBLE", 5.0),
        ("DECIMAL(12,2)", "1.10", "DECIMAL(12,2)", Decimal("1.10")),
        ("DECIMAL(12,2)", 3, "DECIMAL(12,2)", Decimal("3.00")),
        ("DECIMAL(18,2)", 12345678901234.56, "DECIMAL(18,2)", Decimal("12345678901234.56")),
        ("NUMERIC", 1.5, "DOUBLE", 1.5),
        ("TEXT", "", "VARCHAR", ""),
        ("TEXT", "a\x00b\né😀'", "VARCHAR", "a\x00b\né😀'"),
        ("VARCHAR(10)", "x" * 50_000, "VARCHAR", "x" * 50_000),
        ("BLOB", b"\x00\xff", "BLOB", b"\x00\xff"),
        ("BLOB", b"", "BLOB", b""),
        ("BOOLEAN", 1, "BOOLEAN", True),
        ("BOOLEAN", 0, "BOOLEAN", False),
        ("DATETIME", "2026-01-01 10:00:00.1234567", "VARCHAR", "2026-01-01 10:00:00.1234567"),
        ("DATE", 1700000000, "VARCHAR", "1700000000"),
        ("", 1, "BIGINT", 1),
        ("", 0.1, "DOUBLE", 0.1),
        ("TEXT", None, "VARCHAR", None),
        ("INTEGER", None, "BIGINT", None),
        ("BLOB", None, "BLOB", None),
        ("BOOLEAN", None, "BOOLEAN", None),
        ("DECIMAL(5,2)", None, "DECIMAL(5,2)", None),
    ],
)
def test_a_value_lands_as_its_column_declares(run, table, declared, value, kind, landed):
    run(f"CREATE TABLE orders (v {declared})")
    run("INSERT INTO orders VALUES (?)", value)
    orders = table()
    assert orders.load() == [{"v": landed}]
    assert orders.types() == {"v": kind}


@pytest.mark.parametrize(
    ("declared", "value", "said"),
    [
        ("INTEGER", "abc", "'abc', which is no BIGINT"),
        ("INTEGER", 1.5, "'1.5', which is no BIGINT"),
        ("INTEGER", b"\x01", "\"X'01'\", which is no BIGINT"),
        ("REAL", "n/a", "'n/a', which is no DOUBLE"),
        ("REAL", b"1", "which is no DOUBLE"),
        ("NUMERIC", 9007199254740993, "'9007199254740993', which is no DOUBLE"),
        ("DECIMAL(5,2)", 1.005, "'1.005', which is no DECIMAL(5,2)"),
        ("DECIMAL(5,2)", 12345, "'12345', which is no DECIMAL(5,2)"),
        ("DECIMAL(5,2)", "many", "'many', which is no DECIMAL(5,2)"),
        ("BOOLEAN", 2, "'2', which is no BOOLEAN"),
        ("BOOLEAN", "yes", "'yes', which is no BOOLEAN"),
        ("TEXT", b"\xff", "which is no VARCHAR"),
        ("BLOB", "text", "'text', which is no BLOB"),
    ],
)
def test_a_value_of_another_nature_fails_the_load_and_is_named(run, table, declared, value, said):
    run(f'CREATE TABLE orders (id INTEGER PRIMARY KEY, "a v" {declared})')
    run("INSERT INTO orders VALUES (1, NULL), (2, ?)", value)
    with pytest.raises(UnsupportedValue) as caught:
        table().load()
    assert "s.t: column a v holds " in caught.value.message and said in caught.value.message
    assert caught.value.context["column"] == "a v"


def test_text_that_is_not_unicode_fails_the_load(run, table):
    run("CREATE TABLE orders (v TEXT); INSERT INTO orders VALUES (CAST(x'ff' AS TEXT))")
    with pytest.raises(UnsupportedValue, match="unicode"):
        table().load()


def test_views_generated_columns_and_odd_names(run, table):
    run("""
        CREATE TABLE base (id INTEGER PRIMARY KEY, "a ""b" TEXT, twice INTEGER GENERATED ALWAYS AS (id * 2));
        INSERT INTO base (id, "a ""b") VALUES (1, 'x');
        CREATE VIEW "odd.name; --" AS SELECT * FROM base""")
    assert table(table="odd.name; --").load() == [{"id": 1, 'a "b': "x", "twice": 2}]
    assert table(table="BASE", columns=["twice"]).load() == [{"twice": 2}]


def test_a_query_has_the_types_of_its_values_and_keeps_them(run, table):
    run("""
        CREATE TABLE orders (id INTEGER, amount REAL, note TEXT, raw BLOB);
        INSERT INTO orders VALUES (1, 2, 'x', x'00'), (2, 2.5, NULL, NULL)""")
    query = "SELECT id, amount * 2 AS double, note, raw, NULL AS empty FROM orders -- all of them"
    found = table(query=query)
    assert found.load()[0] == {"id": 1, "double": 4.0, "note": "x", "raw": b"\x00", "empty": None}
    assert found.types() == {
        "id": "BIGINT", "double": "DOUBLE", "note": "VARCHAR", "raw": "BLOB", "empty": "VARCHAR",
    }  # fmt: skip
    run("UPDATE orders SET id = 'one' WHERE id = 1")
    with pytest.raises(UnsupportedValue, match="column id holds 'one', which is no BIGINT"):
        found.load()


def test_merge_reads_what_changed_and_lag_reads_the_same_second_again(run, table):
    run("CREATE TABLE orders (id INTEGER PRIMARY KEY, v TEXT, at DATETIME)")
    run("INSERT INTO orders VALUES (1, 'a', '2026-01-01 10:00:00'), (2, 'b', '2026-01-01 10:00:00')")
    orders = table(primary_key=["id"], incremental_column="at")
    orders.load()
    assert (orders.said.watermark, orders.said.key_unique) == ("2026-01-01 10:00:00", True)
    run("INSERT INTO orders VALUES (3, 'same second', '2026-01-01 10:00:00')")
    run("UPDATE orders SET v = 'changed', at = '2026-01-02T09:00:00' WHERE id = 1")
    assert {row["id"]: row["v"] for row in orders.load()} == {1: "changed", 2: "b", 3: "same second"}
    assert orders.said.window.low == "2026-01-01 10:00:00" and orders.said.watermark == "2026-01-02T09:00:00"


def told(landing: Landing) -> list[tuple[str, int | None]]:
    return [(shortfall.code, shortfall.rows) for shortfall in landing.said.shortfalls]


@pytest.mark.parametrize("end", ["9999-12-31 00:00:00", "2999-01-01T00:00:00Z", "2999-01-01"])
@pytest.mark.parametrize("how", [{"primary_key": ["id"]}, {"mode": "append"}])
def test_rows_from_the_future_are_counted_and_wait(run, table, end, how):
    run("CREATE TABLE orders (id INTEGER PRIMARY KEY, at TEXT)")
    run(f"INSERT INTO orders VALUES (1, '2026-01-01'), (2, '{end}'), (3, '{end}'), (4, datetime('now', '-9 days'))")
    orders = table(incremental_column="at", **how)
    for refresh in (False, False, True):
        assert [row["id"] for row in orders.load(full_refresh=refresh)] == [1, 4]
        assert told(orders) == [("future_cursor", 2)]
        assert f"2 rows with at in the future, up to {end}" in orders.said.shortfalls[0].message
    run("UPDATE orders SET at = '2026-01-01' WHERE id > 1")
    orders.load()
    assert ("future_cursor", 2) not in told(orders)


def test_a_source_that_is_empty_or_went_back_is_told(run, table):
    run("CREATE TABLE orders (id INTEGER PRIMARY KEY, n INTEGER, at TEXT)")
    run("INSERT INTO orders VALUES (1, 7, '2026-01-01 10:00:00')")
    tables = [table(primary_key=["id"], incremental_column=name) for name in ("at", "n")]
    for orders in tables:
        orders.load()
        assert told(orders) == []
    run("UPDATE orders SET at = '2026-01-01 09:58:00'")
    tables[0].load()
    assert told(tables[0]) == [], "within the lag"
    run("UPDATE orders SET at = '2026-01-01 09:54:00', n = 6")
    for orders in tables:
        assert len(orders.load()) == 1 and told(orders) == [("source_behind", None)]
    run("DELETE FROM orders")
    for orders in tables:
        assert len(orders.load()) == 1 and told(orders) == [("source_empty", None)]
        assert orders.load(full_refresh=True) == [] and told(orders) == []
    run("INSERT INTO orders VALUES (3, 1, '2020-01-01 10:00:00')")
    assert [[row["id"] for row in orders.load()] for orders in tables] == [[3], [3]]


def test_append_stays_behind_the_clock(run, table):
    run("CREATE TABLE orders (id INTEGER, at TEXT)")
    run("INSERT INTO orders VALUES (1, '2020-01-01 10:00:00'), (2, datetime('now'))")
    orders = table(incremental_column="at")
    assert [row["id"] for row in orders.load()] == [1], "more rows of this second may come"
    assert [row["id"] for row in orders.load()] == [1] and orders.said.unchanged
    run("UPDATE orders SET at = '2020-01-02T00:00:00' WHERE id = 2")
    assert [row["id"] for row in orders.load()] == [1, 2]


def test_append_by_day_waits_until_the_day_is_over(run, table):
    run("CREATE TABLE orders (id INTEGER, day TEXT)")
    run("INSERT INTO orders VALUES (1, '2020-01-01'), (2, date('now'))")
    assert [row["id"] for row in table(incremental_column="day").load()] == [1]


def test_integer_cursors_append_each_row_once(run, table):
    run("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    orders = table(incremental_column="id")
    assert orders.load() == [] and orders.said.sequence == 1, "an empty table is a table"
    run("INSERT INTO orders VALUES (9), (10)")
    assert len(orders.load()) == 2 and orders.said.watermark == "10"
    run("INSERT INTO orders VALUES (100)")
    assert len(orders.load()) == 3 and orders.said.window.low == "10"
    assert len(orders.load()) == 3 and orders.said.unchanged


@pytest.mark.parametrize(
    ("declared", "values", "says"),
    [
        ("TEXT", "('x'), ('y')", "it needs integers only, or times as text only"),
        ("DATETIME", "(1700000000), ('2026-01-01 10:00:00')", r"\(integer, text\)"),
        ("INTEGER", "(1), ('abc')", r"\(integer, text\)"),
        ("TEXT", "('2024.5')", "times as text only"),
        ("REAL", "(1.5)", "is DOUBLE, which cannot be a cursor"),
    ],
)
def test_what_cannot_be_a_cursor_is_refused(run, table, declared, values, says):
    run(f"CREATE TABLE orders (at {declared}); INSERT INTO orders VALUES {values}")
    with pytest.raises(UnsupportedValue, match=says):
        table(incremental_column="at").load()


@pytest.mark.parametrize("how", [{}, {"primary_key": ["id"], "lag": 0}])
def test_later_times_that_sort_before_the_watermark_are_not_passed_over(run, table, how):
    run("CREATE TABLE orders (id INTEGER PRIMARY KEY, at TEXT); INSERT INTO orders VALUES (1, '2026-01-02T09:00:00')")
    orders = table(incremental_column="at", **how)
    orders.load()
    run("INSERT INTO orders VALUES (2, '2026-01-02 12:00:00'), (3, '2026-01-02 08:00:00')")
    with pytest.raises(UnsupportedValue, match="1 times in the cursor at are later than the committed 2026-01-02T09"):
        orders.load()
    run("DELETE FROM orders WHERE id = 3; UPDATE orders SET at = '2026-01-02T12:00:00' WHERE id = 2")
    assert [row["id"] for row in orders.load()] == [1, 2]


@pytest.mark.parametrize(
    ("declared", "warned"),
    [("id INTEGER PRIMARY KEY", True), ("id INTEGER PRIMARY KEY AUTOINCREMENT", False), ("id INTEGER", False),
     ("id INTEGER PRIMARY KEY DESC", False), ("id INT PRIMARY KEY", False)],
)  # fmt: skip
def test_numbers_that_sqlite_gives_twice_are_no_cursor_without_a_warning(run, table, declared, warned):
    run(f"CREATE TABLE orders ({declared}, v TEXT); INSERT INTO orders (v) VALUES ('a')")
    orders = table(incremental_column="id", on_null_cursor="exclude")
    orders.load()
    assert any("AUTOINCREMENT" in warning for warning in orders.said.warnings) is warned


def test_large_tables_are_cut_by_their_key(run, table):
    run("""
        CREATE TABLE orders (id INTEGER, v TEXT);
        INSERT INTO orders WITH RECURSIVE n(i) AS (SELECT -500 UNION ALL SELECT i + 1 FROM n WHERE i < 4499)
            SELECT i, 'x' || i FROM n;
        INSERT INTO orders VALUES (NULL, 'without a key')""")
    orders = table(primary_key=["id"], chunk_rows=1000)
    found = orders.load()
    assert len(orders.said.chunks) == 6 and orders.said.estimated_rows == 5001
    assert len(found) == 5001 and not orders.said.key_unique


def test_where_limits_what_is_read(run, table):
    run("CREATE TABLE orders (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO orders VALUES (1, 'x'), (2, 'y')")
    orders = table(where="v <> 'x' -- not those", incremental_column="id", primary_key=["id"])
    assert orders.load() == [{"id": 2, "v": "y"}]


def test_a_full_refresh_replaces(run, table):
    run("CREATE TABLE orders (id INTEGER PRIMARY KEY); INSERT INTO orders VALUES (1), (2)")
    orders = table(incremental_column="id")
    orders.load()
    run("DELETE FROM orders WHERE id = 1")
    assert len(orders.load()) == 2
    assert orders.load(full_refresh=True) == [{"id": 2}]


@pytest.mark.parametrize(
    ("config", "error", "says"),
    [
        ({"table": "nope"}, SourceObjectMissing, "the database has no table nope"),
        ({"table": "orders", "columns": ["idd"]}, SourceObjectMissing, "no column idd .did you mean 'id'"),
        ({"query": "SELECT nope FROM orders"}, SourceObjectMissing, "no such column: nope"),
        ({"query": "SELECT FROM orders"}, SourceQueryFailed, "syntax error"),
        ({"query": "DELETE FROM orders"}, SourceQueryFailed, "syntax error"),
        ({"table": "orders", "where": "nope = 1"}, SourceObjectMissing, "no such column: nope"),
    ],
)
def test_what_is_not_there_is_named(run, table, config, error, says):
    run("CREATE TABLE orders (id INTEGER)")
    with pytest.raises(error, match=f"s\\.t: .*{says}"):
        table(**config).load()


def test_a_missing_file_is_not_made(table, path):
    with pytest.raises(SourceObjectMissing, match="there is no file"):
        table().load()
    assert not path.exists()


@pytest.mark.parametrize("content", [b"this is no database" * 100, b"abc", b"SQLite format 3\0"])
@pytest.mark.parametrize("config", [{}, {"query": "SELECT * FROM orders"}])
def test_a_file_of_another_kind_is_named_with_what_to_correct(table, path, content, config):
    path.write_bytes(content)
    with pytest.raises(SourceQueryFailed) as caught:
        table(**config).load()
    assert caught.value.message == f"s.t: {path}: file is not a database"
    assert "connection.path" in caught.value.remedy


def test_a_damaged_database_is_named_with_what_to_do(run, table, path):
    run("CREATE TABLE orders (id INTEGER, v TEXT)")
    run("INSERT INTO orders WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) "
        "SELECT i, 'some text' FROM n")  # fmt: skip
    content = bytearray(path.read_bytes())
    content[8192:] = b"\xff" * (len(content) - 8192)
    path.write_bytes(content)
    with pytest.raises(SourceQueryFailed) as caught:
        table().load()
    assert caught.value.message == f"s.t: {path}: database disk image is malformed"
    assert "backup" in caught.value.remedy


def test_a_transaction_that_a_dead_writer_left_is_named_with_what_undoes_it(run, table, path):
    run("CREATE TABLE orders (id INTEGER PRIMARY KEY, v TEXT)")
    run("INSERT INTO orders WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) "
        "SELECT i, hex(randomblob(500)) FROM n")  # fmt: skip
    killed = (
        "import os, sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute('PRAGMA cache_size = 5');"
        "d.execute('BEGIN'); d.execute('UPDATE orders SET v = hex(randomblob(500))'); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", killed, str(path)], check=True)
    with pytest.raises(SourceQueryFailed, match="attempt to write a readonly database") as caught:
        table().load()
    assert "PRAGMA schema_version" in caught.value.remedy
    run("PRAGMA schema_version")
    assert len(table().load()) == 3000


def test_malformed_values_are_not_taken_for_a_damaged_file(run, table):
    run("CREATE TABLE orders (id INTEGER); INSERT INTO orders VALUES (1)")
    with pytest.raises(SourceQueryFailed, match="malformed JSON") as caught:
        table(query="SELECT json_extract('{', '$.a') AS v FROM orders").load()
    assert "query" in caught.value.remedy


def test_a_locked_database_is_a_transient_error(run, table, path):
    run("CREATE TABLE orders (id INTEGER); INSERT INTO orders VALUES (1)")
    orders = table()
    with locked(path), pytest.raises(SourceUnreachable, match="database is locked") as caught:
        orders.load()
    assert caught.value.transient
    assert orders.load() == [{"id": 1}]


def test_a_database_with_a_write_ahead_log_shows_what_is_committed(run, table, path):
    run("CREATE TABLE orders (id INTEGER); INSERT INTO orders VALUES (1)")
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("PRAGMA journal_mode = wal")
    writer.execute("INSERT INTO orders VALUES (2)")
    writer.execute("BEGIN")
    writer.execute("INSERT INTO orders VALUES (3)")
    assert table().load() == [{"id": 1}, {"id": 2}]
    writer.close()


def test_the_source_is_not_written_to(run, table):
    run("CREATE TABLE orders (id INTEGER); INSERT INTO orders VALUES (1)")
    orders = table()
    adapter = orders.open()
    with pytest.raises(Exception, match=r"readonly|read-only|query must return"):
        orders.con.execute(f"FROM {adapter._session.query('DELETE FROM orders RETURNING id')}").fetchall()
    adapter.close()
    assert orders.load() == [{"id": 1}]


@pytest.mark.parametrize("cursor", ["xmin", "rowversion"])
def test_row_versions_of_other_databases_are_refused(table, cursor):
    with pytest.raises(ValueError, match=f"SQLite has no cursor: {cursor}"):
        table(cursor=cursor, primary_key=["id"]).open()
