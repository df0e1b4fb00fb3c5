"""Rows that come along with a partition, table or view between two loads: no cursor sees them, so the load tells."""

from __future__ import annotations

import pytest

from comboi_core.domain.load import Checkpoint
from comboi_core.sources.postgres import catalog as postgres_catalog

pytestmark = pytest.mark.few(2)

PARTS = """
CREATE TABLE {s}.orders (id integer NOT NULL, at timestamptz NOT NULL) PARTITION BY RANGE (id);
CREATE TABLE {s}.low PARTITION OF {s}.orders FOR VALUES FROM (0) TO (10);
CREATE TABLE {s}.next (id integer NOT NULL, at timestamptz NOT NULL);
INSERT INTO {s}.orders SELECT n, '2026-02-01' FROM generate_series(1, 3) n;
CREATE VIEW {s}.seen AS SELECT id, at FROM {s}.orders WHERE id <> 2;
"""
ATTACH = "ALTER TABLE {s}.orders ATTACH PARTITION {s}.next FOR VALUES FROM (10) TO (20)"
OLD = "INSERT INTO {s}.next VALUES (11, '2026-01-01'), (12, '2026-01-02')"
BY_TIME = {"primary_key": ["id"], "incremental_column": "at"}
MODES = {
    "merge": BY_TIME,
    "append": {"incremental_column": "at", "mode": "append"},
    "where": BY_TIME | {"where": "id <> 99"},
    "view": BY_TIME | {"table": "{s}.seen"},
    "query": BY_TIME | {"query": "SELECT * FROM {s}.orders"},
    "xmin": {"primary_key": ["id"], "cursor": "xmin"},
}


@pytest.fixture
def parts(shop):
    shop.run(PARTS)
    return shop


def told(load) -> list[tuple[str, int | None]]:
    return [(one.code, one.rows) for one in load.shortfalls]


@pytest.mark.parametrize("mode", MODES)
def test_rows_of_an_attached_partition_below_the_watermark_are_counted(parts, mode):
    parts.run(OLD)
    _, _, checkpoint = parts.land(**MODES[mode])
    parts.run(ATTACH + "; INSERT INTO {s}.orders VALUES (13, '2026-03-01')")
    load, rows, after = parts.land(checkpoint, **MODES[mode])
    assert told(load) == [("attached_rows", 2)] and "next" in load.shortfalls[0].message
    assert [row[0] for row in rows] == ["13"], "what lies above the watermark is read"
    parts.run("INSERT INTO {s}.orders VALUES (14, '2026-04-01')")
    assert told(parts.land(after, **MODES[mode])[0]) == [], "it is told by the load that meets it"
    assert told(parts.land(checkpoint, full_refresh=True, **MODES[mode])[0]) == []


@pytest.mark.parametrize("mode", MODES)
def test_a_partition_that_holds_new_rows_only_is_not_told(parts, mode):
    _, _, checkpoint = parts.land(**MODES[mode])
    parts.run("INSERT INTO {s}.next VALUES (13, '2026-03-01');" + ATTACH)
    load, rows, _ = parts.land(checkpoint, **MODES[mode])
    assert told(load) == [] and [row[0] for row in rows] == ["13"]


def test_rows_that_are_read_again_are_not_missing(parts):
    parts.run(OLD)
    _, _, checkpoint = parts.land(lag="90d", **BY_TIME)
    parts.run(ATTACH)
    load, rows, _ = parts.land(checkpoint, lag="90d", **BY_TIME)
    assert told(load) == [] and len(rows) == 5


def test_a_query_whose_parts_do_not_have_its_cursor_is_told_without_a_figure(parts):
    query = BY_TIME | {"query": "SELECT id, at AS seen_at FROM {s}.orders", "incremental_column": "seen_at"}
    _, _, checkpoint = parts.land(**query)
    parts.run(ATTACH)
    assert told(parts.plan(checkpoint, **query)) == [("attached_rows", None)]


@pytest.mark.parametrize(
    ("change", "table", "rows"),
    [
        ("CREATE OR REPLACE VIEW {s}.seen AS SELECT id, at FROM {s}.orders", "{s}.seen", 3),
        ("ALTER TABLE {s}.orders RENAME TO former; CREATE TABLE {s}.orders AS TABLE {s}.former", "{s}.orders", 3),
        ("VACUUM FULL {s}.low", "{s}.orders", None),
        ("GRANT SELECT ON {s}.seen TO comboi", "{s}.seen", None),
    ],
)
def test_what_stands_behind_a_name_now_is_told_with_its_rows_below_the_watermark(parts, change, table, rows):
    _, _, checkpoint = parts.land(table=table, **BY_TIME)
    parts.run(change)
    assert told(parts.plan(checkpoint, table=table, **BY_TIME)) == ([("attached_rows", rows)] if rows else [])


def test_a_detached_partition_is_a_remark(parts):
    _, _, checkpoint = parts.land(**BY_TIME)
    parts.run(f"{ATTACH}; ALTER TABLE {{s}}.orders DETACH PARTITION {{s}}.low")
    load = parts.plan(checkpoint, **BY_TIME)
    assert [warning for warning in load.warnings if "low; rows that were landed from there stay" in warning]


def test_a_checkpoint_of_an_earlier_comboi_tells_nothing(parts):
    load, _, _ = parts.land(**BY_TIME)
    parts.run(OLD + ";" + ATTACH)
    assert told(parts.plan(Checkpoint(1, load.watermark, None, load.columns), **BY_TIME)) == []


def test_behind_foreign_tables_nothing_is_seen_so_the_lag_applies(parts, monkeypatch):
    monkeypatch.setattr(postgres_catalog, "FOREIGN", "r")
    load = parts.plan(**BY_TIME)
    said = " ".join(load.warnings)
    assert (
        "whose server's transactions are not shown" in said and "what is behind them meanwhile cannot be seen" in said
    )
    assert str(load.watermark).startswith("2026-01-31 23:55")
