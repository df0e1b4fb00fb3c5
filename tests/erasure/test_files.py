"""Erasing rows by key: what a key means in each type, and what is left of files, versions and views."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from typing import Any

import pytest

from comboi_core.domain.load import Column
from comboi_core.domain.manifest import data_path
from comboi_core.duckdb.engine import open_duckdb
from comboi_core.erasure.files import (
    Sought,
    canonical,
    condition,
    keep_superseding,
    rewrite_load_file,
    select_in_file,
    select_in_load,
)
from comboi_core.lake.bronze import read_manifest, sweep, write_manifest
from comboi_core.lake.compaction import fold
from tests.lake.conftest import COLUMNS, Table

SALT = "pepper"


def sought(*keys: str | tuple[str, ...], columns: tuple[str, ...] = ("id",), **more: Any) -> Sought:
    texts = tuple((key,) if isinstance(key, str) else key for key in keys)
    return Sought(columns, more.pop("types", ("INTEGER",) * len(columns)), texts, **more)


def erase(table: Table, wanted: Sought) -> dict[str, int]:
    """Do what an erasure does to a table, in short; return the rows that went, by file."""
    before, lake, con = table.manifest, table.lake, table.con
    superseding = keep_superseding(con, lake, before, wanted, "work/superseding.parquet")
    files, removed = [], {}
    for position, file in enumerate(before.files):
        selection = select_in_load(con, lake, file, before, wanted, superseding)
        count = selection.count(con) if selection else 0
        if count:
            removed[file.path] = count
            path = data_path("shop", "orders", file.load, position, "new")
            file = rewrite_load_file(con, lake, file, selection, path)
        files += [file] if file else []
    after = replace(before, sequence=before.sequence + 1, fence=before.fence + 1, files=tuple(files))
    table.manifest = read_manifest(lake, write_manifest(lake, after))
    sweep(lake, "shop", "orders", table.manifest)
    return removed


@pytest.mark.parametrize(
    "text, type_name, written",
    [
        ("42", "INTEGER", "42"),
        ("42.4", "INTEGER", None),
        ("42.0", "INTEGER", "42"),
        ("0042", "BIGINT", "42"),
        ("99999999999", "INTEGER", None),
        ("", "INTEGER", None),
        ("nobody", "INTEGER", None),
        ("42", "DECIMAL(10,2)", "42.00"),
        ("42.005", "DECIMAL(10,2)", None),
        ("0.1", "DOUBLE", "0.1"),
        ("NaN", "DOUBLE", "nan"),
        ("NaN", "INTEGER", None),
        ("170141183460469231731687303715884105727", "HUGEINT", "170141183460469231731687303715884105727"),
        ("2026-01-01", "DATE", "2026-01-01"),
        ("2026-01-01 12:00", "DATE", None),
        ("2026-01-01T12:00:00", "TIMESTAMP", "2026-01-01 12:00:00"),
        ("2026-01-01T12:00:00+02", "TIMESTAMP WITH TIME ZONE", "2026-01-01 10:00:00+00"),
        ("A0EEBC999C0B4EF8BB6D6BB9BD380A11", "UUID", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("no uuid", "UUID", None),
        ("T", "BOOLEAN", "true"),
        ("1", "BOOLEAN", None),
        ("8:00", "TIME", "08:00:00"),
        ("08:00+02", "TIME", None),
        ("2026-01-01 08:00", "TIME", None),
        ("\\x00fF", "BLOB", "\\x00\\xFF"),
        ("0x00FF", "BLOB", "\\x00\\xFF"),
        (" it's ", "VARCHAR", " it's "),
        ("[1, 2]", "INTEGER[]", "[1, 2]"),
    ],
)
def test_a_key_means_the_value_that_is_exactly_what_it_says(con: Any, text: str, type_name: str, written: str | None):
    assert canonical(con, text, type_name) == written


@pytest.mark.parametrize(
    "values, type_name, key, left",
    [
        ("(42), (NULL), (43)", "INTEGER", "42", ["43", None]),
        ("(42), (NULL), (43)", "INTEGER", "42.5", ["42", "43", None]),
        ("('it''s'), (''), (NULL), ('It''s')", "VARCHAR", "it's", ["", "It's", None]),
        ("('a'), ('b; --')", "VARCHAR", "b; --", ["a"]),
        ("(true), (false)", "BOOLEAN", "1", ["false", "true"]),
        ("([1, 2]), ([1])", "INTEGER[]", "[1, 2]", ["[1]"]),
        ("('new'), ('old')", "ENUM('new', 'old')", "new", ["old"]),
    ],
)
def test_only_rows_with_the_key_go(table: Table, values: str, type_name: str, key: str, left: list[str | None]):
    with table.lake.stage("f.parquet") as staged:
        table.con.execute(
            f'COPY (SELECT CAST(c AS {type_name}) AS "A b" FROM (VALUES {values}) AS t(c)) '
            f"TO '{staged}' (FORMAT parquet)"
        )
    selection = select_in_file(table.con, table.lake, "f.parquet", sought(key, columns=("a B",), types=("VARCHAR",)))
    rows = table.con.execute(f'SELECT "A b"::VARCHAR FROM ({selection.kept}) ORDER BY 1 NULLS LAST').fetchall()
    assert [value for (value,) in rows] == left


def test_keys_of_several_columns_mean_all_of_them(con: Any):
    columns = {"a": "INTEGER", "b": "VARCHAR"}
    where = condition(con, sought(("1", "x"), ("2", "y"), columns=("A", "B")), columns)
    rows = "(VALUES (1, 'x'), (1, 'y'), (2, 'y'), (NULL, 'x')) AS r(a, b)"
    assert con.execute(f"FROM {rows} WHERE {where} ORDER BY ALL").fetchall() == [(1, "x"), (2, "y")]
    assert condition(con, sought(("1", "x"), columns=("a", "missing")), columns) is None


def test_a_column_is_found_under_each_of_its_names(con: Any):
    wanted = sought("7", columns=("customer_id",), aliases=("Payer", "nowhere"))
    where = condition(con, wanted, {"payer": "BIGINT", "customer_id": "VARCHAR"})
    rows = "(VALUES (7, 'x'), (8, '7'), (9, '9')) AS r(payer, customer_id)"
    assert con.execute(f"SELECT payer FROM {rows} WHERE {where} ORDER BY ALL").fetchall() == [(7,), (8,)]
    assert condition(con, wanted, {"other": "INTEGER"}) is None


def test_a_hashed_key_is_looked_up_by_the_hash_of_the_value_that_it_says(con: Any):
    landed = hmac.new(SALT.encode(), b"42", hashlib.sha256).hexdigest()
    where = condition(con, sought("042", salt=SALT), {"id": "VARCHAR"})
    assert con.execute(f"SELECT count(*) FROM (VALUES ('{landed}'), ('43')) AS r(id) WHERE {where}").fetchone() == (1,)


def test_files_without_the_key_stay_and_the_others_keep_their_load(table: Table):
    table.load([("1", "2026-01-01", "a"), ("2", "2026-01-02", "b")], [("3", "2026-01-03", "c")])
    table.load([("2", "2026-01-04", "b2"), (None, "2026-01-05", "nobody")])
    before = {file.path for file in table.manifest.files}
    removed = erase(table, sought("2"))
    assert sorted(removed.values()) == [1, 1]
    assert [file.load for file in table.manifest.files] == [1, 1, 2]
    assert len(before & {file.path for file in table.manifest.files}) == 1
    assert sum(file.rows for file in table.manifest.files) == 3
    assert [row[0] for row in table.rows()] == ["1", "3", None]
    assert table.rows("log") == sorted(
        [("1", "2026-01-01 00:00:00", "a", "1"), ("3", "2026-01-03 00:00:00", "c", "1")]
        + [(None, "2026-01-05 00:00:00", "nobody", "2")],
        key=repr,
    )
    there = {path for path in table.lake.list("shop") if path.endswith(".parquet")}
    assert there == {file.path for file in table.manifest.files}, "no file with the key is left"


def test_a_file_of_which_nothing_is_left_goes(table: Table):
    table.load([("1", "2026-01-01", "a")])
    table.load([("2", "2026-01-02", "b")])
    erase(table, sought("1"))
    assert [file.load for file in table.manifest.files] == [2]
    erase(table, sought("2"))
    assert table.manifest.files == () and table.rows() == []
    assert list(table.types()) == ["id", "at", "v"]


def test_a_folded_file_keeps_the_loads_of_its_rows(table: Table):
    for load in range(1, 10):
        table.load([(str(load), f"2026-01-{load:02d}", "x"), ("100", f"2026-01-{load:02d}", str(load))])
    folded = fold(table.con, table.lake, table.manifest, fence=10, run_id="r", attempt="f")
    assert folded
    table.manifest = read_manifest(table.lake, write_manifest(table.lake, folded))
    changes = table.rows("log")
    assert sum(erase(table, sought("100", "5")).values()) == 2
    assert table.manifest.files[0].folded
    assert table.rows("log") == [row for row in changes if row[0] not in ("100", "5")]


def test_an_earlier_version_does_not_come_back_when_the_later_one_is_erased_by_another_column(table: Table):
    """Order 1 passed from somebody else to the person, order 2 from her to somebody else."""
    table.load([("1", "2026-01-01", "other"), ("2", "2026-01-01", "her"), ("3", "2026-01-01", "other")])
    table.load([("1", "2026-01-02", "her"), ("2", "2026-01-02", "other")])
    table.load([("4", "2026-01-03", "her"), ("4", "2026-01-03", None)][:1])
    erase(table, sought("her", columns=("v",), types=("VARCHAR",)))
    assert [(row[0], row[2]) for row in table.rows()] == [("2", "other"), ("3", "other")]


@pytest.mark.parametrize("by", ["id", "v"])
def test_a_tombstone_of_an_erased_row_goes_as_well(table: Table, by: str):
    """Order 1 was hers and is deleted; order 2 passed on to somebody else, and is deleted then."""
    table.load([("1", "2026-01-01", "her"), ("2", "2026-01-01", "her"), ("3", "2026-01-01", "other")])
    table.load([("2", "2026-01-02", "other")])
    tombstones = "SELECT id::INTEGER AS id, NULL::TIMESTAMP AS at, NULL::VARCHAR AS v, true AS _deleted FROM"
    made = table.load(f"{tombstones} (VALUES (1), (2)) AS t(id)")
    files = (*made.files[:-1], replace(made.files[-1], deleted=2))
    table.manifest = replace(made, deletes=True, files=files)
    erase(table, sought("1") if by == "id" else sought("her", columns=("v",), types=("VARCHAR",)))
    assert [row[0] for row in table.rows()] == ["3"]
    assert "1" not in {row[0] for row in table.rows("log")}
    assert [(file.rows, file.deleted) for file in table.manifest.files][-1] == (1, 1)


def test_a_key_that_is_nowhere_selects_nothing(table: Table):
    table.load([("1", "2026-01-01", "a"), (None, None, None)])
    assert erase(table, sought("2", "nobody", "1.5")) == {}
    assert len(table.rows()) == 2


def test_a_file_from_before_the_column_was_added_has_no_such_rows(table: Table):
    table.load([("1", "2026-01-01", "a")])
    wider = (*COLUMNS, Column("payer", "integer", "INTEGER"))
    table.load([("2", "2026-01-02", "b", "7"), ("3", "2026-01-03", "c", None)], columns=wider)
    assert list(erase(table, sought("7", columns=("payer",))).values()) == [1]
    assert [row[0] for row in table.rows()] == ["1", "3"]


@pytest.mark.slow
def test_a_file_larger_than_the_memory_is_rewritten(table: Table):
    """About 150 MB of text that hardly compresses, past a limit of 120 MB."""
    text = " || ".join(f"md5((range * 31 + {n})::VARCHAR)" for n in range(15))
    table.load(f"SELECT range::INTEGER AS id, TIMESTAMP '2026-01-01' AS at, {text} AS v FROM range(300000)")
    with open_duckdb(memory_limit="120MB", threads=1) as table.con:
        assert list(erase(table, sought("777")).values()) == [1]
    (file,) = table.manifest.files
    assert file.rows == 299_999


def test_rows_without_a_key_go_for_their_own_sake_only(table):
    """Erased by another column, a row without a key takes none of the others without a key along."""
    table.key_unique = False
    table.load([(None, "2026-01-01", "ann"), (None, "2026-01-01", "bob"), ("1", "2026-01-01", "cid")])
    table.load([(None, "2026-01-02", "ann"), ("1", "2026-01-02", "ann")])

    erase(table, sought("ann", columns=("v",), types=("VARCHAR",)))

    assert [row[2] for row in table.rows()] == ["bob"]
