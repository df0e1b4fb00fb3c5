"""How many rows of a load share a key, and how many have none."""

from __future__ import annotations

from comboi_core.domain.load import Column
from comboi_core.lake.keys import count_keys


def test_keys_are_counted_over_all_files_of_a_load(table):
    table.key_unique = False
    made = table.load(
        [("1", None, "a"), ("1", None, "b"), (None, None, "x")], [("1", None, "c"), ("2", None, "d"), (None, None, "y")]
    )
    keys = count_keys(table.con, table.lake, made.files, ("id",), per_file=False)
    assert (keys.rows, keys.without, keys.distinct, keys.hidden) == (6, 2, 2, 2)


def test_a_key_is_missing_where_a_part_of_it_is(table):
    made = table.load([("1", None, "a"), ("1", None, "a"), ("1", None, None), (None, None, "a")])
    keys = count_keys(table.con, table.lake, made.files, ("id", "v"), per_file=False)
    assert (keys.without, keys.hidden) == (2, 1)


def test_a_later_file_has_later_versions_but_one_file_has_a_key_once(table):
    columns = (Column("id", "integer", "INTEGER"), Column("_file", "path", "VARCHAR"))
    made = table.load([("1", "a"), ("1", "b"), ("2", "b"), ("2", "b")], columns=columns)
    keys = count_keys(table.con, table.lake, made.files, ("id",), per_file=True)
    assert (keys.hidden, keys.unique) == (1, False)
    made = table.load([("1", "a"), ("1", "b"), (None, "a"), (None, "a")], columns=columns)
    later = tuple(file for file in made.files if file.load == made.sequence)
    keys = count_keys(table.con, table.lake, later, ("id",), per_file=True)
    assert (keys.hidden, keys.unique) == (0, False), "two versions, of which readers see one"
    made = table.load([("1", "a"), ("2", "b"), (None, "a"), (None, "a")], columns=columns)
    later = tuple(file for file in made.files if file.load == made.sequence)
    assert count_keys(table.con, table.lake, later, ("id",), per_file=True).unique


def test_a_load_without_files_has_no_keys(table):
    assert count_keys(table.con, table.lake, (), ("id",), per_file=False).hidden == 0
