"""Columns of a PostgreSQL table that change between two loads, and while a load is read."""

from __future__ import annotations

import pytest

from comboi_core.domain.errors import SchemaDrift, SourceObjectMissing
from comboi_core.domain.load import Checkpoint, Column, EarlierRows
from comboi_core.sources.common import earlier

MERGE = {"incremental_column": "at", "primary_key": ["id"]}
FUTURE = "timestamptz '2026-02-01'"


def test_new_missing_wider_and_narrower_columns_are_told(shop):
    shop.run("CREATE TABLE {s}.orders (id integer, a numeric(10,2), b varchar(5), c text, n bigint, at timestamptz)")
    _, _, checkpoint = shop.land(**MERGE)
    shop.run(
        """ALTER TABLE {s}.orders ALTER id TYPE bigint, ALTER a TYPE numeric(14,3), ALTER b TYPE text, DROP c,
        ALTER n TYPE integer, ADD d date"""
    )
    load = shop.plan(checkpoint, **MERGE)
    assert not load.unchanged
    assert load.schema_changes == (
        "column id changed from integer to bigint",
        "column a changed from numeric(10,2) to numeric(14,3)",
        "column n changed from bigint to integer; it goes on landing as BIGINT",
        "new column d (date); earlier rows read NULL",
        "column c (text) is gone; new rows read NULL",
    )


def test_a_narrowed_numeric_lands_in_its_committed_type_exactly(shop):
    shop.run("CREATE TABLE {s}.orders (id integer, a numeric(14,3), n bigint, at timestamptz)")
    _, _, checkpoint = shop.land(**MERGE)
    shop.run("ALTER TABLE {s}.orders ALTER a TYPE numeric(10,2), ALTER n TYPE smallint")
    shop.run(f"INSERT INTO {{s}}.orders VALUES (1, 12345678.91, -7, {FUTURE})")
    load, rows, _ = shop.land(checkpoint, **MERGE)
    assert rows == [("1", "12345678.910", "-7", "2026-02-01 00:00:00+00")]
    assert [column.type for column in load.columns] == ["INTEGER", "DECIMAL(14,3)", "BIGINT", "TIMESTAMPTZ"]


def test_discarded_columns_neither_land_nor_make_a_load(shop):
    table = MERGE | {"schema_policy": "discard_columns"}
    shop.run("CREATE TABLE {s}.orders (id integer, at timestamptz)")
    _, _, checkpoint = shop.land(**table)
    shop.run("ALTER TABLE {s}.orders ADD b text")
    assert shop.plan(checkpoint, **table).unchanged
    shop.run(f"INSERT INTO {{s}}.orders VALUES (1, {FUTURE}, 'x')")
    load, rows, _ = shop.land(checkpoint, **table)
    assert rows == [("1", "2026-02-01 00:00:00+00")]
    assert load.schema_changes == ("new column b (text) is ignored: schema_policy discard_columns",)
    assert len(shop.plan(checkpoint, **table | {"columns": ["b"]}).columns) == 3


class TestWhileALoadIsRead:
    @pytest.fixture
    def planned(self, shop):
        shop.run("CREATE TABLE {s}.orders (id integer PRIMARY KEY, a numeric(10,2), b text, at timestamptz)")
        shop.run(f"INSERT INTO {{s}}.orders VALUES (1, 1.25, 'x', {FUTURE})")
        adapter = shop.open(**MERGE)
        return adapter, adapter.plan(Checkpoint(), full_refresh=False)

    @pytest.mark.parametrize("change", ["ALTER a TYPE numeric(10,1)", "ALTER a TYPE float8", "DROP b", "DROP id",
                                        "RENAME b TO c", "ALTER b TYPE varchar(3)"])  # fmt: skip
    def test_changes_of_what_it_reads_are_drift(self, shop, planned, change):
        adapter, load = planned
        adapter.confirm(load)
        shop.run(f"ALTER TABLE {{s}}.orders {change}")
        with pytest.raises(SchemaDrift, match="while the load was read; nothing of it was published"):
            adapter.confirm(load)

    def test_a_new_column_is_none_of_its_business(self, shop, planned):
        adapter, load = planned
        shop.run("ALTER TABLE {s}.orders ADD c text DEFAULT 'y'")
        adapter.confirm(load)

    def test_a_table_that_is_gone_is_missing(self, shop, planned):
        adapter, load = planned
        shop.run("DROP TABLE {s}.orders")
        with pytest.raises(SourceObjectMissing):
            adapter.confirm(load)

    def test_a_query_s_columns_are_confirmed_as_well(self, shop, planned):
        table = {"query": "SELECT id, a * 2 AS a2, b FROM {s}.orders; -- doubled"}
        adapter = shop.open(**table)
        load = adapter.plan(Checkpoint(), full_refresh=False)
        adapter.confirm(load)
        shop.run("ALTER TABLE {s}.orders ALTER a TYPE integer")
        with pytest.raises(SchemaDrift, match="column a2 changed from numeric"):
            adapter.confirm(load)


def test_looking_back_counts_rows_that_the_load_does_not_read_and_stops_in_time(shop, monkeypatch):
    shop.run("CREATE TABLE {s}.orders (id integer, at timestamptz)")
    shop.run(
        "INSERT INTO {s}.orders SELECT n, timestamptz '2026-01-01' + n * interval '1 min' FROM generate_series(1, 10) n"
    )
    table = MERGE | {"lag": "3m"}
    _, _, checkpoint = shop.land(**table)
    shop.run('ALTER TABLE {s}.orders ADD "a ""b" jsonb DEFAULT \'[]\', ADD later text')
    shop.run("INSERT INTO {s}.orders SELECT n, timestamptz '2026-01-02' FROM generate_series(11, 15) n")
    shop.run("UPDATE {s}.orders SET later = 'x' WHERE id >= 8")
    adapter = shop.open(**table)
    load = adapter.plan(checkpoint, full_refresh=False)
    added = tuple(Column(name, "any", "VARCHAR") for name in ('a "b', "later"))

    seen = adapter.look_back(load, added, checkpoint.watermark)
    assert seen == EarlierRows(7, {'a "b': 7, "later": 0}, complete=True), "8 to 10 are read again by lag"
    monkeypatch.setattr(earlier, "LOOKED_BACK", 5)
    assert adapter.look_back(load, added, checkpoint.watermark) == EarlierRows(5, {'a "b': 5, "later": 0})
