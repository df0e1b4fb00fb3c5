"""Data that activities return holds every field of its dataclass, in its order: histories keep that shape."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from comboi_core.domain.load import Window
from comboi_core.domain.manifest import DataFile
from comboi_core.domain.shortfall import Shortfall


@pytest.mark.parametrize(
    "value",
    [
        Window("updated_at", "timestamptz", None, "2026-11-23 06:00:00+00", 300.0),
        DataFile("shop/orders/load=00000001/00000-a.parquet", 1, 3, 400, folded=True, deleted=2),
        Shortfall("late_commits", "rows may be missed", "Grant pg_read_all_stats.", rows=2),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_record_is_the_dataclass_as_json(value):
    assert json.dumps(value.record()) == json.dumps(asdict(value))
