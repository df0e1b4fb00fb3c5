"""Histories stay short however many lanes a wave has: comboi's orchestrators over activities that only take time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TABLES = 100


@pytest.mark.slow
def test_a_wave_of_a_hundred_lanes_is_dealt_to_sub_orchestrations():
    """The benchmark of docs/deploy.md, with a source for each table, so that each table has a lane of its own."""
    found = subprocess.run(
        [sys.executable, "benchmarks/scale.py", "--json", str(TABLES)],
        env={**os.environ, "SCALE_TABLES_PER_SOURCE": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    (figures,) = json.loads(found.stdout)
    assert figures["lanes"] == TABLES
    count = figures["instances_by_name"]
    assert count["run_lanes"] == 3 and count["run_lane"] > TABLES
    assert 0 < count["load_table"] < TABLES / 4, "for big tables only"
    longest = figures["longest_history"]
    assert set(longest) == {"run_pipeline", "run_lanes", "run_lane", "load_table", "extract_share"}
    assert max(longest.values()) < 200, longest
