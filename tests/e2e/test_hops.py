"""What a table costs in Durable messages: the real host pays 40 to 100 ms for each."""

from __future__ import annotations

import pytest

from benchmarks.hops import ROOT, measure

TABLES = 11
RUN = {"activities": 2, "entity operations": 2}
"""Of the run itself: its plan and its record; its lease, taken and given back."""
LANE = {"activities": 2, "entity operations": 0}
"""The activity that lands, and the one that records; the plan has told the few tables that there are."""


@pytest.mark.slow
def test_a_table_takes_one_operation_and_a_share_of_an_activity_or_with_changes_two_and_one():
    found = measure(ROOT, TABLES)  # which compares the rows of each run with the source's

    unchanged, changed = found["unchanged"], found["changed"]
    assert unchanged["activities"] == RUN["activities"] + 4 * LANE["activities"]
    assert unchanged["entity operations"] == RUN["entity operations"] + TABLES
    assert changed["activities"] == RUN["activities"] + TABLES + 4
    assert changed["entity operations"] == RUN["entity operations"] + 2 * TABLES
    assert found["first"] == changed
    before = {"unchanged": 121, "changed": 209}  # messages of all kinds at 50a2a49, counted by the benchmark
    assert all(sum(found[run].values()) <= count / 2 for run, count in before.items())
