"""The memory of a whole run is bounded, whatever the table."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from comboi_core.cli.demo.postgres import EmbeddedPostgres
from tests.support.project import CONFIG, Project

ROWS, LIMIT_MIB = 2_000_000, 512
WIDE = f"""
CREATE UNLOGGED TABLE shop.wide AS SELECT n::bigint AS id, n % 1000 AS customer_id, md5(n::text) AS reference,
    (n * 1.01)::numeric(12,2) AS amount, timestamptz '2026-01-01' + n * interval '1 s' AS created_at, n % 2 = 0 AS paid,
    md5(n::text)::uuid AS token, ('{{"n":' || n || '}}')::jsonb AS details, repeat('x', (n % 300)::int) AS note
    FROM generate_series(1, {ROWS}) n;
ALTER TABLE shop.wide ADD PRIMARY KEY (id);
ANALYZE shop.wide;
"""


def peak_mib(process: int) -> float:
    """The highest resident memory of a process so far; 0 once it is gone."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return int(found[1]) / 1024 if found else 0.0


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
@pytest.mark.slow
def test_a_wide_table_of_two_million_rows_lands_in_less_than_half_a_gigabyte(
    project: Project, database: EmbeddedPostgres
):
    database.psql(WIDE)
    engine = {"memory_limit": "256MB", "threads": 2}
    table: dict[str, Any] = {"name": "wide", "table": "shop.wide", "primary_key": ["id"], "mode": "full"}
    source = CONFIG["sources"][0] | {"tables": [table]}
    project.write("configs/initial.yml", yaml.safe_dump(CONFIG | {"engine": engine, "sources": [source]}))
    project.write("configs/transformations.yml", "silver: []\n")
    run, peak = project.start("run", "bronze", "--json"), 0.0
    while run.poll() is None:
        peak = max(peak, peak_mib(run.pid))
        time.sleep(0.01)
    output, _ = run.communicate()
    database.psql("DROP TABLE shop.wide")
    assert run.returncode == 0 and f'"rows": {ROWS}' in output, output
    assert 0 < peak < LIMIT_MIB
    assert len(list((project.folder / "lake/bronze/shop/wide").glob("load=*/*.parquet"))) > 1, "one chunk per 256 MB"
