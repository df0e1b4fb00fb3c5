"""Where the records of finished runs lie, and how they are found."""

from __future__ import annotations

import json
from datetime import date

import pytest

from comboi_core.domain.errors import LakeNotFound
from comboi_core.lake.local import LocalLake
from comboi_core.runs.history import recorded_run, recorded_runs
from comboi_core.runs.records import find_record, newest_records, read_record, record_path

FORMER = ("sales-20260101T000000Z-aaaa", "sales-20260102T000000Z-aaaa")
"""Runs whose records an earlier comboi wrote, all into one folder."""
NEW = ("sales-20260102T120000Z-bbbb", "shop-20260102T130000Z-bbbb", "sales-20260205T000000Z-bbbb")


@pytest.fixture
def lake(tmp_path):
    lake = LocalLake(tmp_path / "lake")
    for run_id in FORMER:
        lake.write(
            f"runs/{run_id}.json", json.dumps({"run_id": run_id, "pipeline": "sales", "status": "failed"}).encode()
        )
    for run_id in NEW:
        lake.write(record_path(run_id), json.dumps({"run_id": run_id, "status": "succeeded"}).encode())
    for stray in ("runs/notes.json", "runs/2026-02-05/notes.json", "runs/notes/sales-20260301T000000Z-cccc.txt"):
        lake.write(stray, b"no record")
    return lake


def test_each_day_has_a_folder():
    assert record_path("sales-20261123T235959Z-7f3a91") == "runs/2026-11-23/sales-20261123T235959Z-7f3a91.json"


def test_records_of_every_age_are_found_newest_first(lake):
    assert [run.run_id for run in newest_records(lake)] == [*reversed(NEW), *reversed(FORMER)]
    assert [run.run_id for run in newest_records(lake, "sales")] == [NEW[2], NEW[0], *reversed(FORMER)]
    assert all(lake.exists(run.path) and find_record(lake, run.run_id) == run.path for run in newest_records(lake))


@pytest.mark.parametrize(
    ("first", "last", "found"),
    [
        (date(2026, 1, 2), None, [*reversed(NEW), FORMER[1]]),
        (None, date(2026, 1, 1), [FORMER[0]]),
        (date(2026, 1, 2), date(2026, 1, 2), [NEW[1], NEW[0], FORMER[1]]),
        (date(2026, 3, 1), None, []),
    ],
)
def test_days_are_counted_in_at_both_ends(lake, first, last, found):
    assert [run.run_id for run in newest_records(lake, first=first, last=last)] == found


def test_the_latest_runs_are_found_without_a_look_into_earlier_days(lake):
    looked_into = []
    lake.list = lambda folder: looked_into.append(folder) or LocalLake.list(lake, folder)
    assert next(newest_records(lake)).run_id == NEW[2]
    assert looked_into == ["runs/2026-02-05"]


def test_a_record_is_read_wherever_it_lies(lake):
    for run_id, path in ((FORMER[0], f"runs/{FORMER[0]}.json"), (NEW[0], record_path(NEW[0]))):
        record = read_record(lake, run_id)
        assert (record["run_id"], record["path"]) == (run_id, path)
    assert recorded_run(lake, "sales", FORMER[0])["status"] == "failed"
    assert [run["run_id"] for run in recorded_runs(lake, "sales", 3)] == [NEW[2], NEW[0], FORMER[1]]
    with pytest.raises(LakeNotFound):
        read_record(lake, "sales-20260101T000000Z-ffff")


@pytest.mark.parametrize("name", ["notes", "../../etc/passwd", "sales-20269999T000000Z-aaaa", ""])
def test_what_is_no_run_s_id_has_no_record(lake, name):
    assert find_record(lake, name) is None
