"""Materializations on hostile batches: each strategy once, twice, and against what it should come to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comboi_core.config.materialization import Materialization
from comboi_core.domain.errors import MaterializationRefused
from comboi_core.duckdb.engine import open_duckdb
from comboi_core.transforms.materialize import Moment, next_dataset

DAY = Moment(datetime(2026, 3, 2, 6, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC))
LATER = Moment(datetime(2026, 3, 3, 6, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC))
MERGE = Materialization(strategy="merge", unique_key=("id",))
SCD2 = Materialization(strategy="scd2", unique_key=("id",), close_missing=True)


@pytest.fixture
def con() -> Iterator[Any]:
    with open_duckdb(memory_limit="256MB", threads=2) as opened:
        yield opened


def build(
    con, how, batch: str, published: str | None = None, moment: Moment = DAY, gone: str | None = None
) -> list[tuple]:
    """Make the next state of SELECT texts; return its rows, in order."""
    con.execute(f"CREATE OR REPLACE TABLE batch AS {batch}")
    if published:
        con.execute(f"CREATE OR REPLACE TABLE published AS {published}")
    before = "published" if published else None
    sql = next_dataset(con, how, moment, dataset="orders", batch="batch", published=before, gone=gone)
    con.execute(f"CREATE OR REPLACE TABLE result AS {sql}")
    return sorted(con.execute("FROM result").fetchall(), key=repr)


def values(*rows: str, columns: str = "id, value") -> str:
    return f"SELECT * FROM (VALUES {', '.join(rows)}) AS t({columns})"


def test_a_merge_replaces_known_keys_and_adds_new_ones(con):
    before = values("(1, 'a')", "(2, NULL)")
    assert build(con, MERGE, values("(2, 'b')", "(3, NULL)"), before) == [(1, "a"), (2, "b"), (3, None)]
    assert build(con, MERGE, values("(2, 'b')", "(3, NULL)"), "FROM result") == [(1, "a"), (2, "b"), (3, None)]


def test_a_merge_removes_deleted_keys_also_of_columns_that_it_would_keep(con):
    before = values("(1, 'a')", "(2, 'b')", "(3, 'c')")
    gone = f"({values('(1)', '(9)', columns='id')})"
    assert build(con, MERGE, values("(2, 'x')"), before, gone=gone) == [(2, "x"), (3, "c")]
    assert build(con, MERGE, values("(2, 'x')"), "FROM result", gone=gone) == [(2, "x"), (3, "c")]
    assert build(con, MERGE, values("(1, 'again')"), "FROM result") == [(1, "again"), (2, "x"), (3, "c")]


def test_scd2_ends_the_version_of_a_deleted_key_and_begins_another_when_it_comes_back(con):
    how = SCD2.model_copy(update={"close_missing": False})
    build(con, how, values("(1, 'a')", "(2, 'b')"))
    nothing = f"{values(chr(40) + '1, NULL)')} WHERE false"
    gone = f"({values('(1)', columns='id')})"
    for _ in range(2):  # a build that is done again changes nothing
        ended = build(con, how, nothing, "FROM result", LATER, gone)
        assert [(row[0], row[-1]) for row in ended] == [(1, False), (2, True)]
        assert ended[0][-2] == LATER.started_at
    back = build(con, how, values("(1, 'a')"), "FROM result", LATER)
    assert sorted((row[0], row[-1]) for row in back) == [(1, False), (1, True), (2, True)]


@pytest.mark.parametrize("published", [None, values("(1, 'a')")])
@pytest.mark.parametrize("how", [MERGE, SCD2])
def test_a_key_that_is_null_is_refused(con, how, published):
    with pytest.raises(MaterializationRefused, match=r"orders: 1 row has no id \(unique_key\)"):
        build(con, how, values("(1, 'x')", "(NULL, 'y')"), published)


@pytest.mark.parametrize("published", [None, values("(1, 'a')")])
@pytest.mark.parametrize("how", [MERGE, SCD2])
def test_a_key_that_repeats_is_refused_unless_a_column_says_which_row_is_the_latest(con, how, published):
    rows = "(1, 'x', NULL::TIMESTAMP)", "(1, 'y', '2026-01-02')", "(1, 'z', '2026-01-01')"
    batch = values(*rows, columns="id, value, seen")
    with pytest.raises(MaterializationRefused, match=r"several rows with the same id: 1 \(3 times\)"):
        build(con, how, batch, published and f"SELECT *, NULL::TIMESTAMP AS seen FROM ({published})")
    if how is MERGE:
        latest = how.model_copy(update={"incremental_key": "seen"})
        assert [row[1] for row in build(con, latest, batch)] == ["y"]


def test_keys_of_several_columns(con):
    how = Materialization(strategy="merge", unique_key=("a", "b"))
    before = values("(1, 1, 'x')", "(1, 2, 'y')", columns="a, b, value")
    assert build(con, how, values("(1, 2, 'z')", columns="a, b, value"), before) == [(1, 1, "x"), (1, 2, "z")]


def test_a_merge_that_updates_some_columns_keeps_the_others_of_known_keys(con):
    how = MERGE.model_copy(update={"update": ("value",)})
    batch = "SELECT * FROM (VALUES (1, 'new', 'B'), (2, 'new', 'B')) t(id, value, origin)"
    assert build(con, how, batch, "SELECT 1 AS id, 'old' AS value, 'A' AS origin") == [(1, "new", "A"), (2, "new", "B")]


def test_columns_that_come_and_go(con):
    batch = "SELECT 1 AS id, 'x' AS fresh"
    rows = build(con, MERGE, batch, "SELECT * FROM (VALUES (1, 'kept'), (2, 'other')) t(id, gone)")
    names = [column[0] for column in con.execute("FROM result").description]
    assert sorted(map(str, (dict(zip(names, row, strict=True)) for row in rows))) == sorted(
        map(str, ({"id": 2, "gone": "other", "fresh": None}, {"id": 1, "gone": "kept", "fresh": "x"}))
    )


@pytest.mark.parametrize("strategy", ["append", "merge"])
def test_a_type_that_would_change_values_is_refused_and_a_wider_number_is_not(con, strategy):
    how = Materialization(strategy=strategy, unique_key=("id",) if strategy == "merge" else ())
    for was, now in (
        ("'7'", "7"),
        ("7.25::DECIMAL(9,2)", "7.25::DOUBLE"),
        ("DATE '2026-01-01'", "TIMESTAMP '2026-01-01'"),
    ):
        with pytest.raises(MaterializationRefused, match="the column value was .* and is .* now"):
            build(con, how, f"SELECT 2 AS id, {now} AS value", f"SELECT 1 AS id, {was} AS value")
    big = build(con, how, f"SELECT 2 AS id, {2**40} AS value", "SELECT 1 AS id, 7::INTEGER AS value")
    assert big == [(1, 7), (2, 2**40)]


def test_an_append_adds(con):
    assert build(con, Materialization(strategy="append"), values("(1, 'a')"), values("(1, 'a')")) == [
        (1, "a"),
        (1, "a"),
    ]


def test_delete_and_insert_by_key_takes_null_for_a_value(con):
    how = Materialization(strategy="delete+insert", incremental_key="day")
    before = values("(1, 'a')", "(1, 'b')", "(2, 'c')", "(NULL, 'd')", columns="day, value")
    batch = values("(1, 'x')", "(NULL, 'y')", "(NULL, 'y')", columns="day, value")
    expected = [(1, "x"), (2, "c"), (None, "y"), (None, "y")]
    assert build(con, how, batch, before) == expected
    assert build(con, how, batch, "FROM result") == expected


@pytest.mark.parametrize("granularity", ["date", "timestamp"])
def test_an_interval_is_half_open_and_empty_batches_empty_it(con, granularity):
    how = Materialization(strategy="delete+insert", incremental_key="seen", time_granularity=granularity)
    moments = ["2026-02-28 23:59:59.999999", "2026-03-01", "2026-03-01 23:59:59.999999", "2026-03-02"]
    rows = ", ".join(f"(TIMESTAMP '{moment}')" for moment in moments)
    before = f"SELECT * FROM (VALUES {rows}, (NULL)) t(seen)"
    left = build(con, how, "SELECT NULL::TIMESTAMP AS seen WHERE false", before)
    assert len(left) == 3 and {str(row[0]) for row in left} == {
        "2026-02-28 23:59:59.999999",
        "2026-03-02 00:00:00",
        "None",
    }
    for outside in (*moments[::3], None):
        literal = f"TIMESTAMP '{outside}'" if outside else "NULL::TIMESTAMP"
        with pytest.raises(MaterializationRefused, match="1 row is outside of the run's interval"):
            build(con, how, f"SELECT {literal} AS seen", before)


def current(rows: list[tuple]) -> list[tuple]:
    return [row[:2] for row in rows if row[-1]]


def test_versions_follow_changes_from_and_to_null(con):
    build(con, SCD2, values("(1, 'a')", "(2, NULL)", "(3, 'c')"))
    rows = build(con, SCD2, values("(1, NULL)", "(2, 'b')", "(3, 'c')"), "FROM result", LATER)
    assert current(rows) == [(1, None), (2, "b"), (3, "c")]
    ended = [row for row in rows if not row[-1]]
    assert [row[:2] for row in ended] == [(1, "a"), (2, None)]
    assert {(row[2], row[3]) for row in ended} == {(DAY.started_at, LATER.started_at)}
    assert build(con, SCD2, values("(1, NULL)", "(2, 'b')", "(3, 'c')"), "FROM result", LATER) == rows


def test_a_key_that_is_gone_ends_and_may_come_back(con):
    build(con, SCD2, values("(1, 'a')", "(2, 'b')"))
    gone = build(con, SCD2, values("(2, 'b')"), "FROM result", LATER)
    assert current(gone) == [(2, "b")]
    again = Moment(datetime(2026, 3, 4, tzinfo=UTC), LATER.start, LATER.end)
    back = build(con, SCD2, values("(1, 'a')", "(2, 'b')"), "FROM result", again)
    assert current(back) == [(1, "a"), (2, "b")] and len(back) == 3
    kept = SCD2.model_copy(update={"close_missing": False})
    assert current(build(con, kept, values("(2, 'b')"), "FROM result", again)) == [(1, "a"), (2, "b")]


def test_versions_by_time_ignore_what_is_not_later(con):
    how = Materialization(
        strategy="scd2", unique_key=("id",), incremental_key="seen", changed_by="time", close_missing=False
    )
    first = "SELECT 1 AS id, 'a' AS value, TIMESTAMP '2026-01-02' AS seen"
    build(con, how, first)
    for same in (first, "SELECT 1 AS id, 'older' AS value, TIMESTAMP '2026-01-01' AS seen"):
        assert len(build(con, how, same, "FROM result", LATER)) == 1
    rows = build(con, how, "SELECT 1 AS id, 'b' AS value, TIMESTAMP '2026-01-03' AS seen", "FROM result", LATER)
    assert current(rows) == [(1, "b")]
    assert [row[4] for row in rows if not row[-1]] == [datetime(2026, 1, 3, tzinfo=UTC)]


def test_a_column_of_scd2_s_own_is_refused(con):
    with pytest.raises(MaterializationRefused, match="has a column '_is_current', which strategy scd2 adds itself"):
        build(con, SCD2, "SELECT 1 AS id, true AS _is_current")


BATCHES = st.lists(
    st.dictionaries(st.integers(0, 6), st.one_of(st.none(), st.integers(0, 3)), max_size=6), min_size=1, max_size=5
)


@pytest.mark.slow
@given(batches=BATCHES)
@settings(max_examples=40, deadline=None)
def test_any_history_of_batches_leaves_the_merge_and_the_versions_that_it_should(batches):
    with open_duckdb(memory_limit="256MB", threads=1) as con:
        merged: dict[int, int | None] = {}
        for name, how in (("merge", MERGE), ("scd2", SCD2)):
            merged.clear()
            con.execute("DROP TABLE IF EXISTS result")
            for day, batch in enumerate(batches, 1):
                moment = Moment(datetime(2026, 1, day, tzinfo=UTC), DAY.start, DAY.end)
                rows = ", ".join(f"({key}, {value if value is not None else 'NULL'})" for key, value in batch.items())
                typed = "SELECT id::INTEGER AS id, value::INTEGER AS value"
                text = f"{typed} FROM (VALUES {rows or '(0, 0)'}) t(id, value) WHERE {bool(rows)}"
                for again in (False, True):  # the second time changes nothing
                    found = build(con, how, text, "FROM result" if day > 1 or again else None, moment)
                merged = {**({} if name == "scd2" else merged), **batch}
                alive = [row[:2] for row in found if name == "merge" or row[-1]]
                assert sorted(alive) == sorted(merged.items())
            if name == "scd2":
                overlaps = con.execute(
                    "SELECT count(*) FROM result a JOIN result b ON a.id = b.id AND a._valid_from < b._valid_from "
                    "AND a._valid_until > b._valid_from"
                ).fetchone()[0]
                assert overlaps == 0
