"""Memory follows bytes, not rows: what a process takes that lands large values, through Microsoft's driver.

The server is the double at the wire, in another process.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

LIMIT_MB, MORE_MB = 512, 256
LARGE = "SELECT value AS id, REPLICATE(N'x', 3000000) AS a FROM GENERATE_SERIES(1, 256)"
MIXED = (
    "SELECT value AS id, CASE WHEN value <= 3000 THEN N'small' ELSE REPLICATE(N'x', 2000000) END AS a "
    "FROM GENERATE_SERIES(1, 3120)"
)


@pytest.mark.slow
@pytest.mark.parametrize(("query", "rows"), [(LARGE, 256), (MIXED, 3120)], ids=["large", "small, then large"])
def test_rows_of_megabytes_take_no_more_than_duckdb_s_limit_and_a_little(azure, query, rows):
    azure.run(f"CREATE VIEW {{s}}.large AS {query}")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.support.azure_memory",
            azure.double.address,
            f"{azure.schema}.large",
            f"{LIMIT_MB}MB",
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    landed, _, _, peak = done.stdout.split()
    assert int(landed) == rows
    assert float(peak) < LIMIT_MB + MORE_MB
