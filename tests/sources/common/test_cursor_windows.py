"""What the ends of a window keep from readers, alike for every source that has a cursor."""

from __future__ import annotations

import pytest

from comboi_core.sources.common.cursor_windows import shortfalls

LOW, LATER = "2026-01-01", "2026-02-01"


@pytest.mark.parametrize(
    ("top", "low", "behind", "future", "codes"),
    [
        (LATER, LOW, False, 0, []),
        (LATER, None, False, 0, []),
        (None, None, False, 0, []),  # an empty table that never was loaded misses nothing
        (None, LOW, False, 0, ["source_empty"]),
        (None, LOW, True, 0, ["source_empty"]),
        ("2025-12-01", LOW, True, 0, ["source_behind"]),
        ("2025-12-01", None, True, 0, []),
        ("9999-12-31", None, False, 3, ["future_cursor"]),
        ("9999-12-31", LOW, False, 1, ["future_cursor"]),
    ],
)
def test_ends_of_a_window(top: str | None, low: str | None, behind: bool, future: int, codes: list[str]):
    found = shortfalls("updated_at", top=top, low=low, behind=behind, future=future)

    assert [one.code for one in found] == codes
    for one in found:
        assert "updated_at" in one.message
        assert one.remedy


def test_rows_of_the_future_are_counted():
    found = shortfalls("updated_at", top="9999-12-31", low=None, behind=False, future=1200)

    assert found[0].rows == 1200
    assert "1,200 rows" in found[0].message
    assert "9999-12-31" in found[0].message
