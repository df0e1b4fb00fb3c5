"""What `benchmarks/scale.py` counts stays within what docs/deploy.md promises: histories short, payloads small."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.infra.terraform import ROOT


@pytest.fixture(scope="module")
def figures() -> list[dict]:
    """Runs of 10 and 100 tables on the embedded host, over simulated activities."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "scale.py"), "10", "100", "--json"],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_tables_share_the_orchestration_of_their_lane(figures):
    for one in figures:
        datasets = -(-one["tables"] // 5) + -(-one["tables"] // 25)
        assert one["lanes"] <= one["instances"] < one["tables"] + datasets + one["lanes"]


@pytest.mark.slow
def test_histories_stay_under_200_events_and_payloads_out_of_blobs(figures):
    for one in figures:
        assert max(one["longest_history"].values()) < 200
        assert one["largest_payload"] < 45_000


def test_work_grows_with_the_tables_and_not_faster(figures):
    small, large = figures
    for count in ("episodes", "messages_to_orchestrations", "entity_operations", "history_events"):
        assert large[count] / large["tables"] <= small[count] / small["tables"]
