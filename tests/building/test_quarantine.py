"""What stands in quarantine beside a dataset that grows from build to build."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.building import Lab

POSITIVE = {"min": {"column": "n", "value": 0, "on_fail": "quarantine"}}
HAS_ID = {"not_null": {"column": "id", "on_fail": "quarantine"}}
KEYED: dict[str, dict[str, Any]] = {
    "merge": {"strategy": "merge", "unique_key": ["id"]},
    "scd2": {"strategy": "scd2", "unique_key": ["id"]},
    "delete+insert": {"strategy": "delete+insert", "incremental_key": "id"},
}


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def build(lab: Lab, how: dict[str, Any], *rows: tuple[int | None, int]) -> list[tuple]:
    """Build from these rows; return id, n and build of those in quarantine."""
    values = ", ".join(f"({'NULL' if key is None else key}, {n})" for key, n in rows)
    script = f"SELECT id::INTEGER AS id, n FROM (VALUES {values}) AS t(id, n)"
    lab.dataset("kept", script, materialization=how, quality_checks=[POSITIVE, HAS_ID])
    lab.build("kept")
    return sorted(lab.rows("kept.quarantine", "SELECT id, n, _build FROM {}"), key=str)


@pytest.mark.parametrize("how", KEYED.values(), ids=KEYED)
def test_rows_that_fail_in_every_build_are_there_once(lab: Lab, how):
    bad = [(key, -key) for key in range(1, 6)]
    for number in range(1, 6):
        assert build(lab, how, (0, 0), *bad) == [(key, n, number) for key, n in bad]


@pytest.mark.parametrize("how", KEYED.values(), ids=KEYED)
def test_a_row_that_is_good_by_now_leaves_and_others_stay(lab: Lab, how):
    build(lab, how, (0, 0), (1, -1), (2, -2), (3, -3))
    assert build(lab, how, (0, 0), (1, 1), (2, -22)) == [(2, -22, 2), (3, -3, 1)]
    assert (1, 1) in lab.rows("kept", "SELECT id, n FROM {}")


@pytest.mark.parametrize("how", [KEYED["merge"], KEYED["scd2"]], ids=["merge", "scd2"])
def test_rows_without_a_key_are_there_once_each(lab: Lab, how):
    build(lab, how, (0, 0), (None, 1), (None, 2))
    assert build(lab, how, (0, 0), (None, 2), (None, 3)) == [(None, 1, 1), (None, 2, 2), (None, 3, 2)]


def test_appended_rows_are_told_of_in_each_build(lab: Lab):
    how = {"strategy": "append"}
    build(lab, how, (0, 0), (1, -1))
    assert build(lab, how, (0, 0), (1, -1)) == [(1, -1, 1), (1, -1, 2)]
