"""Backfills: which values are a range of a cursor, and what is told of those that are none."""

from __future__ import annotations

import pytest

from comboi_core.domain.errors import BackfillImpossible
from comboi_core.domain.load import Checkpoint, Chunk, Column, LoadPlan, Window
from comboi_core.landing.backfill import backfilled

COLUMNS = (Column("id", "bigint", "BIGINT"),)


def plan(cursor_type: str, low: str, high: str) -> LoadPlan:
    window = Window("c", cursor_type, "1", "2", 300.0)
    load = LoadPlan("shop", "orders", 3, "merge", False, window, "2", COLUMNS, (), unchanged=True)
    return backfilled(load, Checkpoint(2, "1"), {"from": low, "to": high})


@pytest.mark.parametrize(
    ("cursor_type", "low", "high"),
    [
        ("timestamp with time zone", "2026-01-01 00:00:00+00", "2026-01-01 00:00:00.123456-05:30"),
        ("timestamp(3) without time zone", "2026-01-01", "2026-01-01T00:01"),
        ("date", "2024-02-28", "2024-02-29"),
        ("integer", "-5", "+5"),
        ("bigint", "0", "9223372036854775807"),
        ("xid8", "7", "4294967297"),
        ("datetime2(7)", "2026-01-01 00:00:00.1234567", "2026-01-01 00:00:00.2234567"),
        ("datetimeoffset(7)", "2026-01-01 00:00:00.1234567 +00:00", "2026-01-02 00:00:00.0000000 -08:00"),
        ("smalldatetime", "2026-01-01 00:00:00", "2026-01-02"),
        ("timestamp", "0x00000000000007D1", "0x00000000000007d2"),
        ("BIGINT", "1", "2"),
        ("VARCHAR", "2026-01-01", "2026-01-01 10:00:00Z"),
        ("a type of another source", "from", "to"),
    ],
)
def test_values_as_the_watermarks_have_them_are_a_range(cursor_type, low, high):
    load = plan(cursor_type, low, high)
    assert load.window == Window("c", cursor_type, low, high, 0.0)
    assert (load.watermark, load.unchanged, load.chunks) == ("1", False, (Chunk(0),))


@pytest.mark.parametrize(
    ("cursor_type", "value"),
    [
        ("timestamp with time zone", "xx"),
        ("timestamp with time zone", "2026-13-01"),
        ("timestamp without time zone", "2026-01-01 25:00"),
        ("timestamp without time zone", "17"),
        ("date", "2026-02-30"),
        ("date", "20260101"),
        ("integer", "2147483648"),
        ("integer", "1_000"),
        ("integer", "1.5"),
        ("smallint", "-32769"),
        ("tinyint", "-1"),
        ("bigint", "٣"),
        ("bigint", "9" * 5_000),
        ("xid8", "2026-01-01"),
        ("datetime2(7)", "01/02/2026"),
        ("timestamp", "2026-01-01"),
        ("timestamp", "0x07D1"),
        ("VARCHAR", "xx"),
        ("VARCHAR", "2026-01-01'; --"),
    ],
)
@pytest.mark.parametrize("end", ["from", "to"])
def test_a_value_that_is_none_of_the_cursor_is_named_with_its_type(cursor_type, value, end):
    good = {"timestamp": "0x00000000000007D1", "VARCHAR": "2026-01-01"}.get(cursor_type)
    good = good or ("2026-01-01" if "time" in cursor_type or "date" in cursor_type else "1")
    shown = value if len(value) <= 100 else f"{value[:97]}..."
    with pytest.raises(BackfillImpossible) as caught:
        plan(cursor_type, *((value, good) if end == "from" else (good, value)))
    assert f"shop.orders: `{end}` is {shown!r}, but the cursor c is {cursor_type}" in caught.value.message
    assert caught.value.remedy.startswith("Give a ") and len(caught.value.message) < 250


@pytest.mark.parametrize(("cursor_type", "low", "high"), [("integer", "10", "9"), ("date", "2026-01-02", "2026-01-02")])
def test_a_range_without_values_is_refused(cursor_type, low, high):
    with pytest.raises(BackfillImpossible, match=f"the range above {low} up to {high} is empty"):
        plan(cursor_type, low, high)
