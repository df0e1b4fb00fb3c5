"""A build publishes the values that its transformation gave, or says which one no file can hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from comboi_core.domain.errors import UnsupportedValue
from tests.support.building import Lab

WAYS: dict[str, dict[str, Any]] = {
    "replace": {},
    "append": {"materialization": {"strategy": "append"}},
    "merge": {"materialization": {"strategy": "merge", "unique_key": ["id"]}},
    "delete+insert": {"materialization": {"strategy": "delete+insert", "incremental_key": "id"}},
    "scd2": {"materialization": {"strategy": "scd2", "unique_key": ["id"]}},
    "quarantine": {"quality_checks": [{"not_null": {"column": "id", "on_fail": "quarantine"}}]},
}


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("value", ["INTERVAL '-1 day'", "TIMETZ '12:00:00+02:00'", "union_value(a := 1)"])
def test_a_value_that_would_change_fails_the_build_for_good(lab: Lab, way: str, value: str):
    lab.dataset("late", f"SELECT 1 AS id, {value} AS x", **WAYS[way])
    with pytest.raises(UnsupportedValue, match="the column x holds ") as raised:
        lab.build("late")
    assert not raised.value.transient
    assert "x::VARCHAR" in raised.value.remedy.replace('"', "")


@pytest.mark.parametrize("way", WAYS)
def test_intervals_that_a_file_holds_are_published(lab: Lab, way: str):
    lab.dataset("late", "SELECT 1 AS id, INTERVAL '1 month 2 days 3.001 seconds' AS x, sum(9) AS y", **WAYS[way])
    lab.build("late")
    assert lab.rows("late", "SELECT x::VARCHAR, y FROM {}") == [("1 month 2 days 00:00:03.001", 9)]


def test_a_value_of_a_row_in_quarantine_is_refused_too(lab: Lab):
    script = "SELECT NULL AS id, INTERVAL '-1 day' AS x UNION ALL SELECT 1, INTERVAL '1 day'"
    lab.dataset("late", script, **WAYS["quarantine"])
    with pytest.raises(UnsupportedValue, match="the column x holds -1 day"):
        lab.build("late")


def test_sensitive_values_do_not_stand_in_the_error(lab: Lab):
    lab.dataset("late", "SELECT INTERVAL '-1234 days' AS x", columns=[{"name": "X", "sensitive": True}])
    with pytest.raises(UnsupportedValue) as raised:
        lab.build("late")
    assert "1234" not in raised.value.message
