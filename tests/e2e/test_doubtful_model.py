"""A deduplication that learned nothing of use never ends in a silent success."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.till import Till

SPLINK = {
    "unique_id_column_name": "id",
    "comparisons": [{"type": "ExactMatch", "column": name} for name in ("status", "version", "shop")],
    "blocking_rules_to_generate_predictions": [["status"], ["version"]],
    "training": {"deterministic_rules": [["status", "version"]], "em_blocking": [["status"], ["version"]]},
    "survivor": {"order_by": "id"},
}
ROWS = "SELECT id, status, version % 20 AS version, 'one' AS shop FROM sales"


@pytest.mark.slow
def test_a_comparison_that_says_nothing_is_told_in_record_terminal_and_report(tmp_path: Path):
    till = Till.make(tmp_path / "till")
    rows = ", ".join(f"({number}, {number % 37}, 'name{number % 19}')" for number in range(3, 120))
    till.sql(f"INSERT INTO sales VALUES {rows}")
    till.dataset(ROWS, view="current", more={"splink": SPLINK}, strategy="replace")
    record = till.run()

    assert record["status"] == "succeeded"
    found = [one for one in record["datasets"][0]["shortfalls"] if "ExactMatch(shop)" in one["message"]]
    assert [one["code"] for one in found] == ["model_doubtful"]
    assert "`comparisons`" in found[0]["remedy"]
    path = record["datasets"][0]["duplicates"]["report"]
    assert "ExactMatch(shop) has no effect" in till.lake("silver").read(path).decode()
    again = till.comboi("run", "--strict")
    assert again.returncode == 1 and "ExactMatch(shop) has no effect" in " ".join(again.stdout.split())
