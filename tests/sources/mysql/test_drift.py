"""Columns that change between loads."""

from __future__ import annotations

import pytest

from comboi_core.domain.errors import SchemaDrift
from comboi_core.domain.load import Checkpoint

MERGE = {"incremental_column": "at", "primary_key": ["id"]}


@pytest.fixture
def table(shop):
    shop.run(
        "CREATE TABLE {s}.orders (id int PRIMARY KEY, v smallint, at datetime NOT NULL);\n"
        "INSERT INTO {s}.orders VALUES (1, 1, '2026-01-01')"
    )
    return shop


def test_a_wider_type_and_a_new_column_are_landed_and_told(table):
    _, _, checkpoint = table.land(**MERGE)
    table.run(
        "ALTER TABLE {s}.orders MODIFY v int, ADD w varchar(9);\nUPDATE {s}.orders SET w = 'x', at = '2026-01-02'"
    )
    load, rows, _ = table.land(checkpoint, **MERGE)
    assert rows == [("1", "1", "2026-01-02 00:00:00", "x")]
    assert load.schema_changes == (
        "column v changed from smallint(6) to int(11)",
        "new column w (varchar(9)); earlier rows read NULL",
    )


def test_a_type_that_loses_is_refused(table):
    _, _, checkpoint = table.land(**MERGE)
    table.run("ALTER TABLE {s}.orders MODIFY v varchar(9)")
    with pytest.raises(SchemaDrift, match=r"column v changed from smallint\(6\) to varchar\(9\)"):
        table.plan(checkpoint, **MERGE)


def test_a_column_that_changes_while_the_load_is_read_is_noticed(table):
    adapter = table.open(**MERGE)
    load = adapter.plan(Checkpoint(), full_refresh=False)
    table.run("ALTER TABLE {s}.orders MODIFY v bigint, ALGORITHM = COPY")
    with pytest.raises(
        SchemaDrift, match=r"column v changed from smallint\(6\) to bigint\(20\) while the load was read"
    ):
        table.read(adapter, load)
