"""`comboi build`: a dataset tried out from the lake, with nothing published."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from tests.support.project import Project


@pytest.fixture
def landed(project: Project) -> Project:
    project.run("bronze")
    return project


def test_a_dataset_is_built_into_a_scratch_place(landed: Project, tmp_path: Path):
    done = landed.comboi("build", "orders_clean", "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stdout + done.stderr
    for expected in ("order_id", "DECIMAL(12,2)", "unique(order_id)", "5,000 rows of 5,050", "not published"):
        assert expected in done.stdout
    assert duckdb.sql(f"SELECT count(*) FROM '{tmp_path}/out/orders_clean.parquet'").fetchone() == (5000,)
    assert not (landed.folder / "lake/silver").exists()


@pytest.mark.slow
def test_a_sample_reads_so_many_rows_of_each_input(landed: Project):
    landed.write("transformations/events_per_kind.sql", "SELECT * FROM events\n")
    (landed.folder / "transformations/events_per_kind.py").unlink()
    done = landed.comboi("build", "events_per_kind", "--sample", "100", "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["rows"], found["failed"], found["file"]) == (0, 100, None, None)
    assert list(found["seconds"]) == ["inputs", "transformation", "checks"]


def test_a_failing_check_is_shown_and_is_the_exit_code(landed: Project):
    landed.edit("configs/transformations.yml", "    - name\n", "    - city\n")
    done = landed.comboi("build", "orders_clean")
    assert done.returncode == 1
    assert "not_null(city)" in done.stdout and "have no value in city" in done.stdout


@pytest.mark.slow
def test_what_is_wrong_is_said(landed: Project):
    unknown = landed.comboi("build", "orders_claen")
    assert unknown.returncode == 1 and "did you mean 'orders_clean'" in unknown.stderr
    unpublished = landed.comboi("build", "revenue")
    assert unpublished.returncode == 1 and "its input 'orders_clean' has not been published yet" in unpublished.stderr
    interval = landed.comboi("build", "orders_clean", "--from", "2026-02-01", "--to", "2026-01-01")
    assert interval.returncode == 1 and "2026-01-01 is not after the start 2026-02-01" in interval.stderr
