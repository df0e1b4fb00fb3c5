"""What a configuration writes in SQL of its own: `query:` and `where:`."""

from __future__ import annotations

import pytest

from comboi_core.domain.errors import SourceQueryFailed, UnsupportedValue
from comboi_core.sources.postgres import text

MERGE = {"incremental_column": "at", "primary_key": ["id"]}


@pytest.fixture(autouse=True)
def table(shop):
    shop.run("CREATE TABLE {s}.orders (id integer PRIMARY KEY, kind text, at timestamptz)")
    shop.run("""INSERT INTO {s}.orders SELECT i, (ARRAY['a;--', 'b', NULL])[1 + i % 3],
        timestamptz '2026-01-01' + i * interval '1 s' FROM generate_series(1, 30) i""")


def ids(rows) -> list[int]:
    return sorted(int(row[0]) for row in rows)


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("SELECT 1", "SELECT 1"),
        ("SELECT 1 ; ", "SELECT 1"),
        ("SELECT 1; -- done", "SELECT 1"),
        ("SELECT 1 -- one\n;\n\n/* the\nend; */ -- ;", "SELECT 1"),
        ("SELECT ';--' AS x;", "SELECT ';--' AS x"),
        ("SELECT 'it''s;' -- ;", "SELECT 'it''s;'"),
        ("SELECT e'\\';--' AS x; -- y", "SELECT e'\\';--' AS x"),
        ('SELECT 1 AS "a;--"', 'SELECT 1 AS "a;--"'),
        ("SELECT $$;--$$;", "SELECT $$;--$$"),
        ("SELECT $q$ $$;-- $q$ ; --", "SELECT $q$ $$;-- $q$"),
        ("SELECT 1 - -1; SELECT 2;", "SELECT 1 - -1; SELECT 2"),
        ("SELECT 4 / 2 -- half", "SELECT 4 / 2"),
    ],
)
def test_a_query_may_end_in_semicolons_and_comments(written, sent):
    assert text.subquery(written) == f"({sent}\n)"


@pytest.mark.parametrize("end", [";", "; -- all of them", " -- all;", "\n/* ; */ ;"])
def test_such_a_query_runs(shop, end):
    _, rows, _ = shop.land(query="SELECT id FROM {s}.orders WHERE kind = 'a;--'" + end)
    assert len(rows) == 10


def test_a_condition_is_met_by_every_landed_row(shop):
    table = MERGE | {"where": "kind IS NOT NULL AND kind <> 'b' OR id = 1 -- and no more"}
    load, rows, checkpoint = shop.land(**table)
    assert ids(rows) == [1, *range(3, 31, 3)] and load.watermark == "2026-01-01 00:00:30+00"
    shop.run("INSERT INTO {s}.orders VALUES (40, 'b', '2026-01-02'), (41, 'c', '2026-01-03')")
    load, rows, _ = shop.land(checkpoint, **table)
    assert ids(rows) == [41] and load.estimated_rows == 1


def test_a_condition_filters_a_query_and_chunks_too(shop):
    query = "SELECT id * 2 AS id, at FROM {s}.orders ORDER BY 1; -- doubled"
    assert ids(shop.land(query=query, where="id > 50")[1]) == list(range(52, 61, 2))
    load, rows, _ = shop.land(**MERGE, where="id > 10;", chunk_rows=5)
    assert len(load.chunks) == 4 and ids(rows) == list(range(11, 31))


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("knd = 'a'", 'column "knd" does not exist'),
        ("kind = ", "syntax error"),
        ("id", "must be type boolean"),
        ("id > 1) OR (true", "syntax error|no matching|does not exist"),
        ("sum(id) > 1", "aggregate functions are not allowed"),
    ],
)
def test_a_condition_that_is_wrong_is_named_with_what_the_server_says(shop, where, says):
    if where == "id > 1) OR (true":  # balanced, though odd: it is the author's own condition
        assert len(shop.land(**MERGE, where=where)[1]) == 30
        return
    with pytest.raises(SourceQueryFailed, match=f"where: .*({says})") as caught:
        shop.plan(**MERGE, where=where)
    assert "Correct `where:`" in caught.value.remedy


def test_a_condition_uses_the_source_s_indexes(shop):
    shop.run("CREATE INDEX ON {s}.orders (at); SET enable_seqscan = off")
    plan = shop.run(
        "SET enable_seqscan = off; EXPLAIN SELECT src.id FROM "
        + text.filtered("{s}.orders", "kind = 'b'", versions=False)
        + " AS src WHERE src.at > '2026-01-01 00:00:20+00'"
    )
    assert "Index Scan" in plan or "Bitmap Index Scan" in plan


def test_a_sequence_that_deals_in_blocks_is_told(shop):
    shop.run("CREATE TABLE {s}.events (id bigint GENERATED ALWAYS AS IDENTITY (CACHE 20), note text)")
    shop.run("CREATE TABLE {s}.plain (id bigserial, note text)")
    append = {"incremental_column": "id"}
    assert "hands out 20 numbers at once" in shop.plan(table="{s}.events", **append).warnings[0]
    assert not shop.plan(table="{s}.plain", **append).warnings


def test_a_cursor_of_a_wrong_type_is_still_refused_under_a_condition(shop):
    with pytest.raises(UnsupportedValue, match="cannot be a cursor"):
        shop.plan(primary_key=["id"], incremental_column="kind", where="id > 1")
