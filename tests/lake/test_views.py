"""What readers see of a table, against a model in Python."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comboi_core.domain.load import Column, SourceFile
from comboi_core.lake.bronze import view_sql
from comboi_core.lake.local import LocalLake
from tests.lake.conftest import COLUMNS, Table

TYPES = {"id": "INTEGER", "at": "TIMESTAMP", "v": "VARCHAR"}


@pytest.mark.parametrize("mode", ["merge", "append", "full"])
def test_a_table_without_files_has_its_columns_and_no_rows(table, mode):
    table.mode = mode
    table.load([])
    assert table.manifest.files == () and table.rows() == [] and table.types() == TYPES
    assert table.rows("log") == [] and table.types("log") == TYPES | {"_load": "BIGINT"}


def test_merge_shows_the_latest_load_s_row_even_if_its_cursor_is_smaller(table):
    table.load([("1", "2026-01-02", "a"), ("2", "2026-01-02", "b")])
    table.load([("1", "2026-01-01", "c")])
    table.load([("3", None, "d")])
    assert [row[2] for row in table.rows()] == ["c", "b", "d"]
    assert table.types() == TYPES


@pytest.mark.parametrize("loads", [1, 2])
def test_a_key_doubled_within_a_load_shows_its_largest_cursor(table, loads):
    table.key_unique = False
    table.load([("1", "0999-01-01", "old"), ("1", "10000-01-01", "new"), ("1", None, "none")])
    if loads == 2:
        table.load([("2", None, "x")])
    assert table.rows()[0][2] == "new"


def test_equal_cursors_give_one_row_the_same_each_time(table):
    table.key_unique = False
    table.load([("1", None, "a"), ("1", None, "b")], [("1", None, "c")])
    assert len({tuple(table.rows()) for _ in range(5)}) == 1 and len(table.rows()) == 1


def test_rows_without_a_key_are_all_readable(table):
    table.primary_key, table.key_unique = ("id", "v"), False
    table.load([(None, "2026-01-01", "a"), (None, "2026-01-01", "a"), ("1", "2026-01-01", None), ("1", None, "k")])
    table.load([(None, "2026-01-02", "a"), (None, "2026-01-02", None), ("1", None, "k")])
    assert table.rows() == [
        ("1", "2026-01-01 00:00:00", None),
        ("1", None, "k"),
        (None, "2026-01-01 00:00:00", "a"),
        (None, "2026-01-01 00:00:00", "a"),
        (None, "2026-01-02 00:00:00", "a"),
        (None, "2026-01-02 00:00:00", None),
    ]


def test_rows_without_a_key_that_a_later_load_reads_again_are_not_doubled(table):
    table.key_unique = False
    table.load([(None, "2026-01-01", "a"), (None, "2026-01-01", "a"), (None, None, "b")])
    for _ in range(2):
        table.load([(None, "2026-01-01", "a"), (None, "2026-01-01", "a"), (None, None, "b")])
    assert table.rows() == [(None, "2026-01-01 00:00:00", "a")] * 2 + [(None, None, "b")]


def test_rows_of_one_file_without_a_key_give_way_to_its_new_version(table):
    columns = (Column("id", "integer", "INTEGER"), Column("v", "text", "VARCHAR"), Column("_file", "path", "VARCHAR"))
    for unique in (True, False):
        table.manifest, table.key_unique = None, unique
        table.load([(None, "old", "a.csv"), (None, "other", "b.csv"), ("1", "x", "a.csv")], columns=columns)
        table.load([(None, "new", "a.csv"), (None, "new", "a.csv"), ("1", "y", "a.csv")], columns=columns)
        table.manifest = replace(table.manifest, inputs=(SourceFile("a.csv", 1, 1), SourceFile("b.csv", 1, 1)))
        assert table.rows() == [
            ("1", "y", "a.csv"),
            (None, "new", "a.csv"),
            (None, "new", "a.csv"),
            (None, "other", "b.csv"),
        ]


def test_of_files_the_last_row_of_a_file_wins_and_files_without_row_numbers_are_read_too(table):
    """Lakes of earlier versions have files without the column, for their rows were landed once per key."""
    old = (Column("id", "integer", "INTEGER"), Column("v", "text", "VARCHAR"), Column("_file", "path", "VARCHAR"))
    new = (*old, Column("_comboi_row", "row", "BIGINT"))
    table.load([("1", "kept", "old.csv"), ("2", "older", "old.csv")], columns=old)
    table.key_unique = False
    rows = [("2", "second", "a.csv", "1"), ("2", "last", "a.csv", "2"), ("2", "first", "a.csv", "0")]
    table.load(rows, columns=new)
    table.manifest = replace(table.manifest, columns=old, inputs=(SourceFile("a.csv", 1, 1),))
    assert table.rows() == [("1", "kept", "old.csv"), ("2", "last", "a.csv")]
    table.manifest = replace(table.manifest, files=table.manifest.files[:1])
    assert table.rows() == [("1", "kept", "old.csv"), ("2", "older", "old.csv")]


def test_append_shows_every_row_and_full_the_last_load(table):
    table.mode = "append"
    table.load([("1", None, "a")])
    table.load([("1", None, "a")])
    assert len(table.rows()) == 2
    table.mode = "full"
    table.load([("9", None, "z")], [("8", None, "y")])
    assert table.rows() == [("8", None, "y"), ("9", None, "z")] and len(table.rows("log")) == 2


def test_log_shows_every_landed_row_with_its_load(table):
    table.load([("1", None, "a")])
    table.load([])
    table.load([("1", None, "b")])
    assert table.rows("log") == [("1", None, "a", "1"), ("1", None, "b", "3")]


@pytest.mark.parametrize("mode", ["merge", "append"])
def test_columns_that_come_go_and_widen(table, mode):
    table.mode = mode
    old = (
        Column("id", "smallint", "SMALLINT"),
        Column("n", "numeric(4,2)", "DECIMAL(4,2)"),
        Column("gone", "text", "VARCHAR"),
    )
    new = (
        Column("id", "bigint", "BIGINT"),
        Column("n", "numeric(38,4)", "DECIMAL(38,4)"),
        Column("load", "date", "DATE"),
    )
    table.load([("1", "99.99", "g")], columns=old)
    table.load([("5000000000", "1234567890123456789012345678901234.1234", "2026-01-01")], columns=new)
    assert table.types() == {"id": "BIGINT", "n": "DECIMAL(38,4)", "load": "DATE", "gone": "VARCHAR"}
    assert table.rows() == [
        ("1", "99.9900", None, "g"),
        ("5000000000", "1234567890123456789012345678901234.1234", "2026-01-01", None),
    ]


def test_a_new_column_that_no_file_has_yet(table):
    table.load([("1", None, "a")])
    table.load([], columns=(*COLUMNS, Column("d", "date", "DATE")))
    assert table.types() == TYPES | {"d": "DATE"} and table.rows() == [("1", None, "a", None)]


def test_names_with_quotes_and_capitals(table):
    columns = (Column('I"d', "integer", "INTEGER"), Column("Select", "text", "VARCHAR"))
    table.primary_key = ('I"d',)
    table.load([("1", "a")], columns=columns)
    table.load([("1", "b")], columns=columns)
    assert list(table.types()) == ['I"d', "Select"] and table.rows() == [("1", "b")]


def test_files_that_the_manifest_does_not_list_are_not_read(table):
    table.load([("1", None, "a")])
    table.write(table.select([("1", None, "zombie")]), 1)
    table.write(table.select([("1", None, "ahead")]), 2)
    assert table.rows() == [("1", None, "a")]


@pytest.mark.parametrize("view", ["current", "log"])
def test_projection_and_filter_reach_the_files(table, view):
    table.load([("1", None, "a"), ("2", None, "b")])
    if view == "log":
        table.load([("1", None, "a"), ("2", None, "b")])
    query = f"EXPLAIN SELECT v FROM ({view_sql(table.lake, table.manifest, view)}) WHERE id = 1"
    plan = table.con.execute(query).fetchall()[0][1]
    assert "id=1" in plan and "FILTER" not in plan.replace("Filters", "") and " at" not in plan


KEYS = st.one_of(st.none(), st.integers(0, 3))
CURSORS = st.one_of(
    st.none(), st.sampled_from(["0999-01-01", "2026-01-01", "2026-01-01 00:00:00.000001", "10000-01-01"])
)
LOADS = st.lists(st.lists(st.tuples(KEYS, CURSORS), max_size=4), min_size=1, max_size=5)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(loads=LOADS, doubles=st.booleans(), replacing=st.integers(0, 9))
def test_the_current_state_is_that_of_a_dictionary(con, loads, doubles, replacing):
    """Of each key the last load's row, within a load the one with the largest cursor; every row without a key (they
    differ from load to load here); a replacing load starts anew."""
    order = {None: -1} | {
        text: n for n, text in enumerate(["0999-01-01", "2026-01-01", "2026-01-01 00:00:00.000001", "10000-01-01"])
    }
    model: dict[int, tuple] = {}
    keyless: list[tuple] = []
    with tempfile.TemporaryDirectory() as folder:
        table = Table(con, LocalLake(Path(folder)), key_unique=not doubles)
        for number, rows in enumerate(loads):
            if not doubles:
                rows = list({key: (key, cursor) for key, cursor in rows}.values())
            if number == replacing:
                model, keyless = {}, []
            seen: dict[int, int] = {}
            given_rows = []
            for key, cursor in rows:
                given_rows.append((None if key is None else str(key), cursor, f"{number} {cursor}"))
                if key is None:
                    keyless.append((None, given_rows[-1][2]))
                elif order[cursor] >= seen.get(key, -2):
                    seen[key] = order[cursor]
                    model[key] = (given_rows[-1][0], given_rows[-1][2])
            table.load(given_rows[:2], given_rows[2:], replaces=number == replacing)
        assert sorted([(row[0], row[2]) for row in table.rows()], key=repr) == sorted(
            [*model.values(), *keyless], key=repr
        )
