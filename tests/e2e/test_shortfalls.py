"""A run that succeeds with rows missing or hidden says so, in figures."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from tests.support.till import Till

MESSY = "DROP TABLE sales; CREATE TABLE sales (id INTEGER, version INTEGER NOT NULL, status TEXT NOT NULL);" + "".join(
    f"INSERT INTO sales VALUES ({row % 10}, {row}, 'new');" for row in range(30)
)
MESSY += "INSERT INTO sales VALUES (NULL, 30, 'new'), (NULL, 31, 'new');"


@pytest.fixture
def till(tmp_path: Path) -> Till:
    return Till.make(tmp_path / "till")


def shortfalls(record: dict[str, Any]) -> list[tuple[str, int | None]]:
    return [(one["code"], one["rows"]) for one in record["tables"][0]["shortfalls"]]


@pytest.mark.parametrize("chunk_rows", [2_000_000, 8])
@pytest.mark.few(1)
def test_rows_hidden_by_a_key_that_is_not_unique_are_counted(till: Till, chunk_rows: int):
    """32 rows, 10 keys, 2 rows without one: readers see 12, and the run says which 20 they do not."""
    till.sql(MESSY)
    till.table(chunk_rows=chunk_rows)
    record = till.run("bronze")

    assert record["status"] == "succeeded"
    assert record["tables"][0]["rows"] == 32
    assert shortfalls(record) == [("duplicate_keys", 20), ("null_keys", 2)]
    assert record["shortfalls"] == 2
    till.sql("INSERT INTO sales VALUES (40, 40, 'new'), (40, 41, 'new'), (41, 42, 'new')")
    assert shortfalls(till.run("bronze")) == [("duplicate_keys", 1)]
    till.sql("INSERT INTO sales VALUES (50, 50, 'new')")
    assert shortfalls(till.run("bronze")) == []
    assert shortfalls(till.run("bronze", "--full-refresh")) == [("duplicate_keys", 21), ("null_keys", 2)]


@pytest.mark.parametrize("before", [{"primary_key": None}, {"mode": "append"}])
@pytest.mark.slow
def test_rows_that_were_appended_are_counted_when_they_are_merged_from_now_on(till: Till, before: dict[str, Any]):
    till.sql(MESSY)
    till.table(**before)
    assert shortfalls(till.run("bronze")) == []
    till.table()
    till.sql("INSERT INTO sales VALUES (60, 60, 'new')")

    record = till.run("bronze")

    assert shortfalls(record) == [("duplicate_keys", 20), ("null_keys", 2)]
    assert "or of those appended before" in record["tables"][0]["shortfalls"][0]["message"]
    till.sql("INSERT INTO sales VALUES (61, 61, 'new')")
    assert shortfalls(till.run("bronze")) == []


def test_rows_without_a_key_are_refused_where_the_table_says_so(till: Till):
    till.sql(MESSY)
    till.table(on_null_key="fail")
    refused = till.comboi("run", "bronze")

    assert refused.returncode == 1
    assert "2 of 32 rows have NULL in the primary key (id)" in refused.stdout.replace("\n", " ")


@pytest.mark.slow
def test_a_table_that_is_found_empty_is_told_once(till: Till):
    till.table(mode="full", incremental_column=None)
    assert shortfalls(till.run("bronze")) == []
    till.sql("DELETE FROM sales")
    assert shortfalls(till.run("bronze")) == [("source_empty", 2)]
    assert shortfalls(till.run("bronze")) == []


def write_rows(path: Path, rows: list[tuple[int | None, str]]) -> None:
    """Write rows of (id, v) as CSV, JSON lines or Parquet, by the file's name."""
    if path.suffix == ".csv":
        path.write_text("id,v\n" + "".join(f"{'' if key is None else key},{value}\n" for key, value in rows))
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps({"id": key, "v": value}) + "\n" for key, value in rows))
    else:
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist([{"id": key, "v": value} for key, value in rows]), path)
    os.utime(path, (1_700_000_000 + len(rows), 1_700_000_000 + len(rows)))


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
@pytest.mark.slow
def test_rows_of_one_file_that_share_a_key_are_landed_and_counted(till: Till, kind: str):
    """A file with a key of its own twice hides rows; a later file with a later version of a row hides none."""
    folder = till.folder / "in"
    folder.mkdir()
    write_rows(folder / f"a.{kind}", [(1, "a"), (1, "b"), (2, "c"), (3, "d"), (3, "e"), (3, "f"), (None, "g")])
    write_rows(folder / f"b.{kind}", [(2, "of an older file")])
    table = {"table": None, "incremental_column": None, "path": f"*.{kind}", "types": {"id": "BIGINT"}}
    till.table(kind="files", connection={"path": str(folder)}, **table)

    assert till.comboi("run", "bronze", "--strict").returncode == 1
    record = json.loads(till.comboi("status", "--json").stdout)
    assert (record["status"], record["tables"][0]["rows"]) == ("succeeded", 8)
    assert shortfalls(record) == [("duplicate_keys", 3), ("null_keys", 1)]
    assert "3 of 8 rows are hidden" in record["tables"][0]["shortfalls"][0]["message"]
    assert sorted(row[1] for row in till.rows()) == ["b", "c", "f", "g"]

    write_rows(folder / f"c.{kind}", [(1, "later"), (4, "new"), (5, "new")])
    assert shortfalls(till.run("bronze", "--strict")) == []
    assert sorted(row[1] for row in till.rows()) == ["c", "f", "g", "later", "new", "new"]
