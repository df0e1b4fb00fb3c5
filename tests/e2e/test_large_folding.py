"""A large folding takes several calls of its activity, each of which stops at the soft deadline."""

from __future__ import annotations

import json

import pytest

from comboi_core.cli.hosting import serving
from comboi_core.lake import compaction
from tests.support.till import Till
from tests.support.waiting import until

RUNS = compaction.MINIMUM_LOADS - 1


@pytest.mark.slow
def test_a_folding_goes_on_where_the_call_before_has_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(compaction, "PIECE_BYTES", 1_500)
    till = Till.make(tmp_path / "till")
    till.configure(engine={"soft_deadline": "0.001s", "threads": 1, "memory_limit": "256MB"})
    monkeypatch.setenv("COMBOI_CONFIG", str(till.folder / "configs" / "initial.yml"))
    with serving(None) as served:
        for number in range(RUNS + 1):
            till.sql(f"INSERT INTO sales VALUES ({number + 10}, {number + 10}, 'new')")
            run = served.api.post("runs", {"stage": "bronze"})["run_id"]
            record = until(lambda run=run: ended(served.api.get(f"runs/{run}")))
            assert (record["status"], record["tables"][0]["warnings"]) == ("succeeded", [])
    (commit,) = till.commits().values()
    manifest = json.loads((till.folder / "lake" / "bronze" / commit["manifest"]).read_text())
    assert {(file["load"], file["folded"]) for file in manifest["files"]} == {(RUNS + 2, True)}
    calls = list((till.folder / "lake" / "bronze" / "work" / run / "folds").iterdir())
    assert len(calls) == len(manifest["files"]) - 1 >= 2
    assert sorted(row[0] for row in till.rows()) == [1, 2, *range(10, 11 + RUNS)]


def ended(record: dict) -> dict | None:
    """The record of a run that is over."""
    return record if record["status"] != "running" else None
