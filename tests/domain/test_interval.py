"""Intervals of runs, and which ones have been looked at together."""

from __future__ import annotations

from comboi_core.domain.interval import merged


def test_intervals_that_touch_or_overlap_are_one_and_a_gap_stays():
    assert merged([]) == ()
    assert merged([("5", "6"), ("1", "2")]) == (("1", "2"), ("5", "6"))
    assert merged([("2", "3"), ("1", "2")]) == (("1", "3"),)
    assert merged([("01", "09"), ["02", "03"], ("08", "10")]) == (("01", "10"),)
