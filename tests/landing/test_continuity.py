"""Keys that nothing at the source guarantees: told once, and where it matters."""

from __future__ import annotations

from dataclasses import replace

import pytest

from comboi_core.domain.load import Chunk, Column, LoadPlan
from comboi_core.domain.manifest import Manifest
from comboi_core.landing.continuity import doubtful_key

COLUMNS = (Column("status", "text", "VARCHAR"),)
LOAD = LoadPlan("shop", "orders", 1, "merge", False, None, None, COLUMNS, (Chunk(0),))


def committed(unique: bool) -> Manifest:
    return Manifest("shop", "orders", 1, 1, "r", "merge", ("status",), None, None, COLUMNS, (), key_unique=unique)


@pytest.mark.parametrize(
    ("change", "previous"),
    [
        ({}, None),
        ({"replaces": True}, committed(False)),
        ({}, committed(True)),
        ({"chunks": ()}, None),
    ],
    ids=["first load", "read anew", "guarantee gone", "empty"],
)
def test_a_key_without_a_guarantee_is_told_with_its_remedy(change, previous):
    (said,) = doubtful_key(replace(LOAD, **change), previous, ("status", "city"))
    assert "primary_key: [status, city]" in said and "readers see only one of them" in said and "--full-refresh" in said


@pytest.mark.parametrize(
    ("change", "previous"),
    [
        ({"key_unique": True}, None),
        ({}, committed(False)),
        ({"mode": "append"}, None),
        ({"mode": "full", "replaces": True}, None),
        ({"chunks": (Chunk(0, "files"), Chunk(1, "files"))}, None),
    ],
    ids=["guaranteed", "told before", "append", "full", "files"],
)
def test_nothing_is_told_where_rows_cannot_hide_or_it_was_told(change, previous):
    assert doubtful_key(replace(LOAD, **change), previous, ("status",)) == ()
